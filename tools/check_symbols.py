"""Check that a built libvizflow exports exactly the functions that its header declares `VF_API`.

Not for their signatures: the compiler has seen those. Run it as `python3 tools/check_symbols.py path/to/libvizflow.so`;
it prints one line a fault and exits 1 when there are any.
"""

import re
import subprocess
import sys
from pathlib import Path

DECLARATION = re.compile(r"^VF_API\b[^;(]*?\b(\w+)\s*\(", re.MULTILINE)


def declared(header: Path) -> set[str]:
    """Names of the functions that the header declares `VF_API`."""
    text = re.sub(r"/\*.*?\*/", "", header.read_text(encoding="utf-8"), flags=re.DOTALL)
    return set(DECLARATION.findall(text))


def exported(library: Path) -> set[str]:
    """Names of the dynamic symbols that the library defines."""
    lines = subprocess.run(
        ["nm", "-D", "--defined-only", str(library)], check=True, capture_output=True, text=True
    ).stdout.splitlines()
    symbols = {line.split()[-1].split("@")[0] for line in lines if line.split()[-2] not in ("A", "a")}
    return symbols - {"_init", "_fini", "_edata", "_end", "__bss_start"}  # some linkers add these to every library


def main() -> int:
    """Compare the two; 1 when they differ."""
    if len(sys.argv) != 2:
        print("usage: check_symbols.py LIBRARY")
        return 2
    library = Path(sys.argv[1])
    header = Path(__file__).resolve().parent.parent / "include" / "vizflow" / "vizflow.h"
    try:
        want, have = declared(header), exported(library)
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"{library}: {getattr(error, 'stderr', None) or error}".strip())
        return 1
    faults = [f"{library.name}: {name} is declared in {header.name} but not exported" for name in sorted(want - have)]
    faults += [f"{library.name}: {name} is exported but not declared in {header.name}" for name in sorted(have - want)]
    if not want:
        faults.append(f"{header.name}: no VF_API function found")
    print(*faults or [f"symbols: {len(want)} functions, no fault"], sep="\n")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
