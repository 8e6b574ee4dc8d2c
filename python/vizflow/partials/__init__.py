"""Partial results: metrics taken apart into states that merge, stored, read and merged."""
