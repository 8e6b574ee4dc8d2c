"""Check libvizflow as a product: its interface, its header, both builds as they are installed, the bundle, its size.

Not for what it computes: ctest has that. Called by `make test-install`; writes build/trust/c-library.json. What needs a
tool that is not there is left out, and says so. `--raise NAME` raises that one limit of tests/package/limits.txt.
"""

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import c_header
import check_abi

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"
BUNDLE = BUILD / "bundle"
WORK = BUILD / "package"
PREFIX = {"shared": BUILD / "install", "static": BUILD / "install-static"}
LIMITS = ROOT / "tests" / "package" / "limits.txt"
EXAMPLES = sorted(path.stem for path in (ROOT / "examples" / "c").glob("*.c"))
OF_EXTENSION = {"test_kwargs.c", "test_memory.c"}
UNIT_TESTS = sorted(p for p in (ROOT / "tests" / "c" / "unit").rglob("test_*.c") if p.name not in OF_EXTENSION)
STANDARDS = {"gcc": ["c99", "c11", "c17"], "clang": ["c99", "c11", "c17"],
             "g++": ["c++11", "c++17", "c++20"], "clang++": ["c++11", "c++17", "c++20"]}  # fmt: skip
CC = os.environ.get("CC", "cc")
STRICT = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]


class Fault(Exception):
    """Something is not as it should be."""


class LeftOut(Exception):
    """A tool is not there."""


def run(*command: str | Path, environment: dict[str, str] | None = None, where: Path = ROOT) -> str:
    """Run a command and give what it prints; Fault with its words when it fails."""
    words = [str(word) for word in command]
    result = subprocess.run(words, capture_output=True, text=True, cwd=where, env={**os.environ, **(environment or {})})
    if result.returncode != 0:
        said = (result.stderr + result.stdout).strip()
        raise Fault(f"{' '.join(words)}\n  exit status {result.returncode}: {said}")
    return result.stdout


def want(tool: str) -> None:
    """Leave out what follows where a tool is not installed."""
    if shutil.which(tool) is None:
        raise LeftOut(f"{tool} is not installed")


# ---- how it is installed ----


def install(kind: str) -> str:
    """Build and install the library, static or shared."""
    folder, prefix = BUILD / ("library" if kind == "shared" else "library-static"), PREFIX[kind]
    shutil.rmtree(prefix, ignore_errors=True)
    run("cmake", "-S", ROOT, "-B", folder, f"-DBUILD_SHARED_LIBS={'ON' if kind == 'shared' else 'OFF'}",
        f"-DCMAKE_INSTALL_PREFIX={prefix}", "-DCMAKE_INSTALL_LIBDIR=lib", "-DVIZFLOW_WERROR=ON")  # fmt: skip
    run("cmake", "--build", folder, "--parallel", "2")
    run("cmake", "--install", folder)
    return f"{sum(path.is_file() for path in prefix.rglob('*'))} files"


def own_names_only(archive: Path) -> str:
    """Look whether every name that linking sees begins with vf_."""
    names = {line.split()[-1] for line in run("nm", "-g", "--defined-only", archive).splitlines() if " " in line}
    foreign = sorted(name for name in names if not name.startswith("vf_"))
    if foreign or not names:
        raise Fault(f"{archive.name} defines {', '.join(foreign[:10]) or 'nothing'}: names have to begin with vf_")
    return f"{len(names)} names"


def outputs(folder: Path, environment: dict[str, str] | None = None) -> dict[str, str]:
    """Run the examples that were built in a folder, and give what they print."""
    return {name: run(folder / name, environment=environment) for name in EXAMPLES}


def by_pkg_config(kind: str) -> dict[str, str]:
    """Build the examples as a user would, with pkg-config alone, and run them."""
    want("pkg-config")
    folder = WORK / f"examples-{kind}"
    shutil.rmtree(folder, ignore_errors=True)
    found = {"PKG_CONFIG_PATH": str(PREFIX[kind] / "lib" / "pkgconfig")}
    run("make", "--no-print-directory", "-C", "examples/c", "all", f"BUILD={folder}",
        "CFLAGS=-O2 -g -Wall -Wextra -Werror",
        f"PKG_CONFIG=pkg-config{' --static' if kind == 'static' else ''}", environment=found)  # fmt: skip
    linked = run("ldd", folder / EXAMPLES[0], environment={"LD_LIBRARY_PATH": str(PREFIX[kind] / "lib")})
    if ("libvizflow" in linked) != (kind == "shared"):
        raise Fault(f"{EXAMPLES[0]} is not linked with the {kind} library:\n{linked}")
    return outputs(folder, {"LD_LIBRARY_PATH": str(PREFIX[kind] / "lib")})


def by_cmake(kind: str) -> str:
    """Build somebody else's project with find_package(vizflow), and run its programs in C and C++."""
    want("g++" if CC == "cc" else "c++")
    folder = WORK / f"consumer-{kind}"
    shutil.rmtree(folder, ignore_errors=True)
    run("cmake", "-S", ROOT / "tests" / "package" / "consumer", "-B", folder, f"-DCMAKE_PREFIX_PATH={PREFIX[kind]}")
    run("cmake", "--build", folder)
    found = re.search(r"vizflow_DIR:PATH=(.*)", (folder / "CMakeCache.txt").read_text(encoding="utf-8"))
    if not found or not found[1].startswith(str(PREFIX[kind])):
        raise Fault(f"find_package found another VizFlow: {found and found[1]}")
    run(folder / "from_c")
    return run(folder / "from_cpp").strip()


def flags(prefix: Path, libdir: Path, **variables: str) -> dict[str, str]:
    """Ask pkg-config for what a vizflow.pc says, as paths without dots."""
    want("pkg-config")
    found = {"PKG_CONFIG_PATH": str(libdir / "pkgconfig"), **variables}
    out = {}
    for name in ("prefix", "libdir", "includedir"):
        said = run("pkg-config", f"--variable={name}", "vizflow", environment=found).strip()
        out[name] = os.path.normpath(said)
    wanted = {"prefix": str(prefix), "libdir": str(libdir), "includedir": str(prefix / "include")}
    if out != wanted:
        raise Fault(f"vizflow.pc says {out}, and it is {wanted}")
    program = prefix / "from_pkg_config"
    words = run("pkg-config", "--cflags", "--libs", "vizflow", environment=found).split()
    run(CC, "-std=c17", "examples/c/elapsed.c", *words, "-o", program)
    run(program, environment={"LD_LIBRARY_PATH": str(libdir)})
    return out


def installed_elsewhere() -> str:
    """Install to another prefix than was configured, then move it: pkg-config has to follow both times."""
    other, moved = WORK / "elsewhere", WORK / "moved"
    for folder in (other, moved):
        shutil.rmtree(folder, ignore_errors=True)
    run("cmake", "--install", BUILD / "library", "--prefix", other)
    said = (other / "lib" / "pkgconfig" / "vizflow.pc").read_text(encoding="utf-8")
    if str(PREFIX["shared"]) in said or str(other) in said:
        raise Fault(f"vizflow.pc names a prefix:\n{said}")
    other.rename(moved)
    flags(moved, moved / "lib")
    return "by --prefix, and moved after it"


def absolute_libdir() -> str:
    """Install with a LIBDIR that is absolute, and outside of the prefix that is given when installing."""
    work = WORK / "absolute"
    shutil.rmtree(work, ignore_errors=True)
    run("cmake", "-S", ROOT, "-B", work / "build", "-DBUILD_SHARED_LIBS=ON", f"-DCMAKE_INSTALL_PREFIX={work / 'a'}",
        f"-DCMAKE_INSTALL_LIBDIR={work / 'libs'}")  # fmt: skip
    run("cmake", "--build", work / "build", "--parallel", "2")
    for prefix in (work / "a", work / "b"):
        run("cmake", "--install", work / "build", "--prefix", prefix)
        flags(prefix, work / "libs")
    return "two prefixes, one after the other"


def within(how: str) -> str:
    """Build the library within another project, whose build type and installed files stay its own."""
    work = WORK / f"inside-{how}"
    shutil.rmtree(work, ignore_errors=True)
    run("cmake", "-S", ROOT / "tests" / "package" / "inside", "-B", work, f"-DHOW={how}")
    kind = re.search(r"CMAKE_BUILD_TYPE:STRING=(.*)", (work / "CMakeCache.txt").read_text(encoding="utf-8"))
    if kind is None or kind[1]:
        raise Fault(f"the outer project's build type is {kind and kind[1]!r}, which it did not ask for")
    run("cmake", "--build", work, "--parallel", "2")
    run("cmake", "--install", work, "--prefix", work / "installed")
    files = sorted(str(p.relative_to(work / "installed")) for p in (work / "installed").rglob("*") if p.is_file())
    if files != ["bin/inside"]:
        raise Fault(f"the outer project installs {', '.join(files)}, and bin/inside is its own")
    run(work / "installed" / "bin" / "inside")
    return "its build type, its one file"


def same(results: dict[str, dict[str, str]]) -> str:
    """Compare what the examples print, whichever way they were built, with one another and with their README."""
    readme = (ROOT / "examples" / "c" / "README.md").read_text(encoding="utf-8")
    for name in EXAMPLES:
        texts = {way: result[name] for way, result in results.items()}
        if len(set(texts.values())) != 1:
            raise Fault(f"{name}: {' / '.join(texts)} print different things:\n" + "\n--\n".join(texts.values()))
        if next(iter(texts.values())).strip() not in readme:
            raise Fault(f"examples/c/README.md does not show what {name} prints:\n{next(iter(texts.values()))}")
    return f"{len(EXAMPLES)} examples, {len(results)} ways, the README"


def memcheck() -> str:
    """Run the examples under valgrind: no error, nothing left."""
    want("valgrind")
    found = {"LD_LIBRARY_PATH": str(PREFIX["shared"] / "lib")}
    for name in EXAMPLES:
        run("valgrind", "--quiet", "--leak-check=full", "--show-leak-kinds=all", "--errors-for-leak-kinds=all",
            "--error-exitcode=9", WORK / "examples-shared" / name, environment=found)  # fmt: skip
    return f"{len(EXAMPLES)} examples, no error, no byte left"


def manual() -> str:
    """Look whether there is a man page for every function, and whether groff takes them without a warning."""
    pages = sorted((PREFIX["shared"] / "share" / "man" / "man3").glob("*.3"))
    names = {function.name for function in c_header.items(c_header.parse(), "function")} | {"vizflow"}
    if {page.stem for page in pages} != names:
        raise Fault(f"missing or too many: {', '.join(sorted({page.stem for page in pages} ^ names))}")
    want("groff")
    for page in pages:
        said = subprocess.run(["groff", "-man", "-Tutf8", "-ww", "-z", page], capture_output=True, text=True,
                              cwd=page.parent.parent).stderr  # fmt: skip
        if said:
            raise Fault(f"{page.name}: {said}")
    return f"{len(pages)} pages, no warning of groff"


# ---- the header ----


def header_alone(compiler: str, standard: str) -> str:
    """Compile the header by itself, twice included, with nothing before it."""
    want(compiler)
    source = WORK / ("alone.cpp" if "++" in compiler else "alone.c")
    source.parent.mkdir(parents=True, exist_ok=True)
    text = "const char *alone(void);\nconst char *alone(void) { return vf_version(); }\n"
    source.write_text("#include <vizflow/vizflow.h>\n" * 2 + text, encoding="utf-8")
    target = source.with_suffix(".o")
    run(compiler, f"-std={standard}", *STRICT, "-I", PREFIX["shared"] / "include", "-c", source, "-o", target)
    if " U vf_version\n" not in run("nm", target):
        raise Fault(f"{compiler} -std={standard} does not call vf_version by its C name")
    return f"-std={standard} {' '.join(STRICT)}"


# ---- the bundle ----


def make_bundle() -> str:
    """Write the two files."""
    return run(sys.executable, ROOT / "tools" / "make_bundle.py").strip().removeprefix("bundle: ")


def compile_bundle(compiler: str, standard: str) -> Path:
    """Compile the bundle with one command, warnings as errors."""
    want(compiler)
    target = WORK / f"bundle-{compiler}-{standard}.o"
    target.parent.mkdir(parents=True, exist_ok=True)
    optimise = "-O2" if standard == "c17" else "-O1"
    run(compiler, f"-std={standard}", optimise, "-Wall", "-Wextra", "-Werror", "-c", BUNDLE / "vizflow.c", "-o", target)
    return target


def bundle_examples() -> dict[str, str]:
    """Build the examples with the bundle beside them, the first by one command from source to program; run them."""
    folder = WORK / "examples-bundle"
    (folder / "include" / "vizflow").mkdir(parents=True, exist_ok=True)
    shutil.copy(BUNDLE / "vizflow.h", folder / "include" / "vizflow")  # as the examples include it
    for name in EXAMPLES:
        library = BUNDLE / "vizflow.c" if name == EXAMPLES[0] else WORK / f"bundle-{CC}-c17.o"
        run(CC, "-std=c17", "-O1", "-I", folder / "include", ROOT / "examples" / "c" / f"{name}.c", library,
            "-lm", "-pthread", "-o", folder / name)  # fmt: skip
    return outputs(folder)


def bundle_exports() -> str:
    """Look whether a shared library made of the bundle exports what the header declares, and nothing else."""
    library = WORK / "libbundle.so"
    run(CC, "-shared", "-fPIC", "-std=c17", "-O0", BUNDLE / "vizflow.c", "-lm", "-pthread", "-o", library)
    have = check_abi.exported(library)
    names = {function.name for function in c_header.items(c_header.parse(), "function")}
    if have != names:
        raise Fault(f"exported and declared differ: {', '.join(sorted(have ^ names))}")
    return f"{len(have)} functions"


def bundle_unit_test(source: Path) -> str:
    """Run one of the C unit tests with the bundle in place of the library."""
    program = WORK / f"bundle-{source.stem}"
    run(CC, "-std=c17", "-O1", "-I", "include", "-I", "src", "-I", "tests/c", source, WORK / f"bundle-{CC}-c17.o",
        "-lm", "-pthread", "-o", program)  # fmt: skip
    return run(program).strip().splitlines()[-1]


def same_bits(compiler: str) -> str:
    """Look whether a * b + c stays two roundings in the bundle, where the machine could do it in one."""
    want(compiler)
    want("objdump")
    if platform.machine() != "x86_64":
        raise LeftOut("it looks at x86-64 instructions")
    counts = []
    for options in (["-std=gnu17"], ["-std=c17", "-ffp-contract=off"]):
        target = WORK / "contract.o"
        run(compiler, *options, "-O1", "-march=haswell", "-c", BUNDLE / "vizflow.c", "-o", target)
        counts.append(len(re.findall(r"\tvfn?m(?:add|sub)\d", run("objdump", "-d", target))))
    if counts[0] != counts[1] or counts[0] == 0:  # those of fma() are there, and no other
        raise Fault(f"{compiler} -std=gnu17 -march=haswell: {counts[0]} fused instructions, not {counts[1]}")
    return f"{counts[0]} fused instructions with -std=gnu17 -march=haswell, all of them fma()"


def refuses_fast_math() -> str:
    """Look whether the bundle refuses flags that change results."""
    try:
        run(CC, "-ffast-math", "-fsyntax-only", BUNDLE / "vizflow.c")
    except Fault as fault:
        if "-ffast-math" in str(fault) and "same bits" in str(fault):
            return "-ffast-math is an error that says why"
        raise
    raise Fault("vizflow.c was compiled with -ffast-math")


# ---- sizes ----


def measured() -> dict[str, int]:
    """Measure what is limited."""
    library = PREFIX["shared"] / "lib" / "libvizflow.so"
    stripped = WORK / "stripped.so"
    run("strip", "-o", stripped, library)
    sections = run("size", WORK / f"bundle-{CC}-c17.o").splitlines()[1].split()
    return {
        "exported_symbols": len(check_abi.exported(library)),
        "shared_library_bytes": stripped.stat().st_size,
        "bundle_object_bytes": int(sections[3]),  # text, data and bss
    }


def made_by() -> str:
    """Name what sizes depend on: compiler, its major version, and the machine."""
    name = "clang" if "clang" in run(CC, "--version").lower() else "gcc"
    return f"{name} {run(CC, '-dumpversion').strip().split('.')[0]} {platform.machine()}"


def read_limits() -> tuple[str, dict[str, int]]:
    """Return whose sizes they are, and the limits by name."""
    lines = [line.split() for line in LIMITS.read_text(encoding="utf-8").splitlines() if line and line[0] != "#"]
    return " ".join(lines[0][1:]), {name: int(limit) for name, limit in lines[1:]}


def size_within_limit(name: str) -> str:
    """Compare a size with its limit."""
    of, limits = read_limits()
    if name != "exported_symbols" and made_by() != of:
        raise LeftOut(f"the limits are those of {of}, this is {made_by()}")
    now = measured()[name]
    if now > limits[name]:
        raise Fault(f"{name} is {now}, more than the {limits[name]} of tests/package/limits.txt. If what was added is "
                    f"worth it, raise this one: make limit NAME={name}")  # fmt: skip
    return f"{now}, at most {limits[name]}"


def raise_limit(name: str) -> int:
    """Set one limit to what is measured now and a twentieth more."""
    of, limits = read_limits()
    now = measured()
    if name not in now:
        print(f"no limit {name!r}; there are {', '.join(now)}")
        return 1
    if made_by() != of:
        print(f"the limits are those of {of}, this is {made_by()}")
        return 1
    text = LIMITS.read_text(encoding="utf-8")
    new = now[name] + now[name] // 20
    LIMITS.write_text(re.sub(rf"^{name} .*$", f"{name} {new}", text, flags=re.MULTILINE), encoding="utf-8")
    print(f"{name}: {limits.get(name)} -> {new} ({now[name]} measured)")
    return 0


# ---- all of it ----


class Checks:
    """What was checked, with what came of it, by group."""

    def __init__(self) -> None:
        self.groups: dict[str, list[tuple[str, str, str]]] = {}  # item, "passed" | "FAILED" | "left out", detail

    def check(self, group: str, item: str, function: Callable[[], object]) -> object:
        """Run one check; None where it failed or was left out."""
        result = None
        try:
            result = function()
            value, detail = "passed", result if isinstance(result, str) else ""
        except LeftOut as reason:
            value, detail = "left out", str(reason)
        except (Fault, check_abi.AbiError, c_header.HeaderError, OSError) as fault:
            value, detail = "FAILED", str(fault)
        detail = detail.replace(f"{ROOT}/", "")
        self.groups.setdefault(group, []).append((item, value, detail))
        words = [group, item, value if value != "passed" or not detail else "", detail]
        print(f"package: {': '.join(word for word in words if word)}", flush=True)
        return result

    def count(self, value: str) -> int:
        """Count the checks that ended so."""
        return sum(ended == value for checks in self.groups.values() for _, ended, _ in checks)

    def rows(self) -> list[dict[str, str]]:
        """Return a row a group for the page of figures."""
        rows = []
        for group, checks in self.groups.items():
            (_, ended, detail), *more = checks
            good = [check for check in checks if check[1] == "passed"]
            counted = [re.search(r"(\d+) checks, 0 failed", check[2]) for check in good]
            value = detail if not more and ended == "passed" and detail else f"{len(good)} of {len(checks)} passed"
            if more and counted and all(counted):
                value += f", {sum(int(found[1]) for found in counted if found)} checks"
            others = [f"{item} {ended}" for item, ended, _ in checks if ended != "passed"]
            names = [item for item, *_ in good if item]
            rows.append({"what": group, "value": value, "detail": ", ".join(names + others)})
        return rows

    def finish(self) -> int:
        """Print the count as ctest does, and write the figures."""
        passed, failed, left_out = self.count("passed"), self.count("FAILED"), self.count("left out")
        if left_out:
            print(f"package: {left_out} left out")
        print(f"package: {passed} of {passed + failed} tests passed, {failed} tests failed out of {passed + failed}")
        page = {"title": "The C library as a product", "command": "make test-install", "rows": self.rows()}
        path = BUILD / "trust" / "c-library.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(page, indent=1) + "\n", encoding="utf-8")
        return 1 if failed else 0


def check_all() -> int:
    """Check everything; 1 where something failed."""
    checks = Checks()
    shared, static = (PREFIX[kind] / "lib" for kind in ("shared", "static"))
    printed: dict[str, dict[str, str]] = {}

    def examples(way: str, build: Callable[[], dict[str, str]]) -> None:
        result = checks.check("examples built", way, build)
        if isinstance(result, dict):
            printed[way] = result

    for kind in PREFIX:
        checks.check("installed with CMake alone", kind, partial(install, kind))
    checks.check("binary interface", "", partial(check_abi.check, shared / "libvizflow.so"))
    checks.check("names that begin with vf_", "", partial(own_names_only, static / "libvizflow.a"))
    checks.check("man pages", "", manual)
    for compiler, standards in STANDARDS.items():
        for standard in standards:
            checks.check("header alone", f"{compiler} {standard}", partial(header_alone, compiler, standard))
    for kind in PREFIX:
        examples(f"pkg-config, {kind}", partial(by_pkg_config, kind))
        checks.check("find_package, from C and C++", kind, partial(by_cmake, kind))
    checks.check("vizflow.pc", "another prefix", installed_elsewhere)
    checks.check("vizflow.pc", "an absolute LIBDIR", absolute_libdir)
    for how in ("add_subdirectory", "FetchContent"):
        checks.check("within another project", how, partial(within, how))
    checks.check("bundle", "", make_bundle)
    for compiler, standard in [(CC, "c17"), (CC, "gnu17"), ("clang", "c17")]:
        checks.check("bundle compiled", f"{compiler} {standard}", partial(compile_bundle, compiler, standard))
    examples("bundle", bundle_examples)
    checks.check("examples print the same", "", partial(same, printed))
    checks.check("examples under valgrind", "", memcheck)
    checks.check("bundle exports", "", bundle_exports)
    checks.check("bundle refuses", "", refuses_fast_math)
    for compiler in ("gcc", "clang"):
        checks.check("bundle gives the same bits", compiler, partial(same_bits, compiler))
    for source in UNIT_TESTS:
        checks.check("C unit tests with the bundle", source.stem, partial(bundle_unit_test, source))
    for name in ("exported_symbols", "shared_library_bytes", "bundle_object_bytes"):
        checks.check(name, "", partial(size_within_limit, name))
    return checks.finish()


def main() -> int:
    """Check, or raise a limit."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--raise", dest="name", help="raise this limit to what is measured now, and 5 %% more")
    name = parser.parse_args().name
    try:
        return check_all() if name is None else raise_limit(name)
    except Fault as fault:
        print(f"{fault}\nrun `make test-install` first: it builds what is measured")
        return 1


if __name__ == "__main__":
    sys.exit(main())
