"""Files as bytes: written whole, proved by a digest, found by paths. Not for their formats: see `vizflow.io`."""
