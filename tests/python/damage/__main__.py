"""``VARIANTS=50000 python -m damage``: the table, and what went wrong."""

import os
import secrets
import sys
import tempfile
from pathlib import Path

from damage import harness

variants = int(os.environ.get("VARIANTS", "50000"))
seed = os.environ.get("SEED") or secrets.token_hex(4)
workers = int(os.environ.get("WORKERS", os.cpu_count() or 2))
print(f"SEED={seed} VARIANTS={variants}", flush=True)
with tempfile.TemporaryDirectory() as folder:
    told = harness.run(variants, seed, workers, Path(folder), os.environ.get("KIND", ""))
for found in told.bad[:40]:
    print(harness.words(found))
print(told.table())
print(f"damage: {told.variants} files, {len(told.bad)} wrong")
sys.exit(bool(told.bad))
