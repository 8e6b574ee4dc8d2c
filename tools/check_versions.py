"""Compare the version in pyproject.toml with those in CMakeLists.txt and the public header. Prints what differs."""

import re
import sys
from pathlib import Path

PLACES = {
    "pyproject.toml": r'^version = "([^"]+)"',
    "CMakeLists.txt": r"^project\(vizflow VERSION ([0-9.]+)",
    "include/vizflow/vizflow.h": r'^#define VF_VERSION "([^"]+)"',
}


def main() -> int:
    """Look at each place; 1 where one is without a version, or they differ."""
    root = Path(__file__).resolve().parent.parent
    found = {}
    for place, pattern in PLACES.items():
        match = re.search(pattern, (root / place).read_text(encoding="utf-8"), re.MULTILINE)
        found[place] = match.group(1) if match else "none"
    if len(set(found.values())) == 1 and "none" not in found.values():
        return 0
    for place, version in found.items():
        print(f"{place}: version {version}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
