"""tools/constraints.txt: the versions of every package that building and testing install, for all Pythons from 3.11.5.

``make lock`` resolves them anew with uv; ``--check`` (of `make lint`) looks whether they fit what pyproject.toml asks
for. Not for users of VizFlow: they take what pyproject.toml allows.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "tools" / "constraints.txt"
HEADER = "# Made by `make lock` from pyproject.toml, for Python 3.11.5 and newer; `make setup LOCK=` does without it.\n"
BUILDS = ["scikit-build-core>=0.10", "cmake", "ninja", "pip"]  # what building installs where it is not there


def make() -> int:
    """Resolve the versions anew."""
    with tempfile.TemporaryDirectory() as folder:
        builds, out = Path(folder) / "builds.in", Path(folder) / "out.txt"
        builds.write_text("\n".join(BUILDS), encoding="utf-8")
        subprocess.run(
            [sys.executable, "-m", "uv", "pip", "compile", "pyproject.toml", builds, "--universal", "--all-extras",
             "--python-version", "3.11.5", "--no-annotate", "--no-header", "--quiet", "--output-file", out],
            cwd=ROOT, check=True,
        )  # fmt: skip
        LOCK.write_text(HEADER + out.read_text(encoding="utf-8"), encoding="utf-8")
    return check()


def wanted() -> Iterator[str]:
    """Yield every requirement that pyproject.toml names."""
    import tomllib

    content = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    yield from content["build-system"]["requires"]
    yield from content["project"]["dependencies"]
    for extra in content["project"]["optional-dependencies"].values():
        yield from extra


def check() -> int:
    """Return which requirements the file does not fit; 1 where there are some."""
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    lines = [line for line in LOCK.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    locked = [Requirement(line) for line in lines]
    wrong = [f"{line}: no exact version" for line in lines if "==" not in line]
    for text in wanted():
        need = Requirement(text)
        if need.marker is not None and "python_version" in str(need.marker) and not need.marker.evaluate():
            continue
        versions = [
            next(iter(one.specifier)).version
            for one in locked
            if canonicalize_name(one.name) == canonicalize_name(need.name)
        ]
        if not versions or not all(need.specifier.contains(version) for version in versions):
            wrong.append(f"{text}: tools/constraints.txt has {', '.join(versions) or 'none'}; make lock")
    print("\n".join(wrong) if wrong else f"{len(locked)} packages locked")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(check() if "--check" in sys.argv else make())
