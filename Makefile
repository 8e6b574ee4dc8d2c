# The menu. `make demo` and `make test` are all that a newcomer needs; each sets up what it uses.

VENV   ?= .venv
PYTHON ?= python3
PY     := $(VENV)/bin/python
C_BUILD := build/c
SANITIZE_BUILD := build/sanitize
SOURCES := $(shell find include src python pyproject.toml CMakeLists.txt tools/constraints.txt -type f -not -name '*.so' -not -path '*/__pycache__/*')

# The versions that building and testing install; an older Python, or LOCK=, takes what pyproject.toml allows.
LOCK ?= $(shell $(PYTHON) -c "import sys; print('tools/constraints.txt' if sys.version_info >= (3, 11, 5) else '')")
PIP := $(PY) -m pip install --quiet --disable-pip-version-check $(if $(LOCK),--constraint $(LOCK))
BUILT := $(PIP) $(if $(LOCK),--build-constraint $(LOCK))

SECONDS ?= 60

.PHONY: fuzz help calendars setup demo test quick test-c test-sanitize test-thread test-install test-python test-differential differential test-browser test-cluster test-engines lint coverage mutants bench gate gate-raise trust clean

help: ## show this menu
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

$(VENV)/.ready: $(SOURCES)
	@echo "setting up $(VENV): building VizFlow and installing its packages, a minute or two" >&2
	@test -x $(PY) || $(PYTHON) -m venv $(VENV)
	@$(PIP) --upgrade pip
	@$(BUILT) ".[cli,demo,test,lint,calendars,viz,browser,docs,package]"
	@touch $@

setup: $(VENV)/.ready ## make .venv with VizFlow built and installed in it

demo: setup ## generate three realistic days, run the whole job, write the reports; SERVE=1 opens the explorer
	@$(VENV)/bin/vizflow demo --output demo-output $(if $(SERVE),--serve)

test: test-c gate test-faults test-sanitize test-thread test-install coverage lint test-python test-differential test-browser test-cluster ## everything that CI runs

# ---- while you work: nothing is installed, what is changed is what runs ----
.PHONY: dev t ct format
DEV := PYTHONPATH=python:tests/python $(PY)

dev: | $(VENV)/.packages ## build the extension beside its Python files: a second or two after a change
	@cmake -S . -B build/dev -DVIZFLOW_BUILD_PYTHON=ON -DVIZFLOW_IN_TREE=ON -DPython_EXECUTABLE=$(abspath $(PY)) > /dev/null
	@cmake --build build/dev --parallel 2 > build/dev/log 2>&1 || { cat build/dev/log; exit 1; }

# The packages alone; an environment that `make setup` made has them too.
$(VENV)/.packages:
	@test -x $(PY) || $(PYTHON) -m venv $(VENV)
	@$(PY) -c "import polars, pytest, xdist, hypothesis" 2> /dev/null || $(MAKE) --no-print-directory setup
	@touch $@

T ?= tests/python/unit
t: dev ## one Python test, or some: make t T=tests/python/unit/enrichment/test_fifo.py, make t T='tests/python/unit -k lunch'
	@$(DEV) -m pytest -q -p no:cacheprovider $(T)

ct: ## one C test, as it stands: make ct T=test_fifo
	@cmake -S . -B $(C_BUILD) -DVIZFLOW_BUILD_TESTS=ON -DVIZFLOW_WERROR=ON > /dev/null
	@cmake --build $(C_BUILD) --parallel 2 --target $(T) > $(C_BUILD)/log 2>&1 || { cat $(C_BUILD)/log; exit 1; }
	@$(C_BUILD)/$(T)

quick: dev ## the quick set, on all cores: well under a minute
	@$(DEV) -m pytest -q -p no:cacheprovider -m "not slow" -n auto --dist loadfile tests/python/unit

format: setup ## ruff's format over all Python
	@$(VENV)/bin/ruff format --quiet python tests bench tools examples docs

$(C_BUILD)/.built: $(SOURCES) $(wildcard tests/c/*.h tests/c/*/*.c tests/c/unit/*/*.c bench/kernels/*.c)
	@cmake -S . -B $(C_BUILD) -DVIZFLOW_BUILD_TESTS=ON -DVIZFLOW_WERROR=ON > /dev/null
	@cmake --build $(C_BUILD) --parallel 2
	@touch $@

test-c: $(C_BUILD)/.built ## C tests, warnings as errors
	@ctest --test-dir $(C_BUILD) --output-on-failure

test-sanitize: ## C tests under AddressSanitizer and UndefinedBehaviorSanitizer
	@cmake -S . -B $(SANITIZE_BUILD) -DVIZFLOW_BUILD_TESTS=ON -DVIZFLOW_SANITIZE=address,undefined \
	       -DCMAKE_BUILD_TYPE=RelWithDebInfo > /dev/null
	@cmake --build $(SANITIZE_BUILD) --parallel 2
	@ctest --test-dir $(SANITIZE_BUILD) --output-on-failure

test-thread: ## the C tests that use threads, under ThreadSanitizer
	@cmake -S . -B build/thread -DVIZFLOW_BUILD_TESTS=ON -DVIZFLOW_SANITIZE=thread \
	       -DCMAKE_BUILD_TYPE=RelWithDebInfo > /dev/null
	@cmake --build build/thread --parallel 2
	@ctest --test-dir build/thread --output-on-failure -R "test_(base|fifo|mark|agg|states|asof|cube|daily|expand|bits|day_faults)$$"

# ---- faults: memory and disks that refuse, other ways to build ----
.PHONY: test-faults test-32 test-sizes memcheck faults

test-faults: $(C_BUILD)/.built test-32 test-sizes ## every C function refused memory; no warnings from gcc and clang; 32 bits, tiny chunks
	@$(PYTHON) tools/check_faults.py $(C_BUILD)/libvizflow.a
	@$(PYTHON) tools/check_warnings.py

test-32: ## the C tests as 32 bits, with the same bits
	@$(PYTHON) tools/run_builds.py 32

test-sizes: ## the C tests with tiny chunks, with the same bits
	@$(PYTHON) tools/run_builds.py tiny

memcheck: ## the C tests under valgrind, half an hour
	@$(PYTHON) tools/run_builds.py memcheck

faults: test-faults setup ## all of it, and huge chunks, clang, sanitizers over tiny chunks, valgrind: an hour; writes build/trust/faults.json
	@$(PY) -m pytest -q -p no:cacheprovider tests/python/faults
	@$(PYTHON) tools/run_builds.py huge clang tiny-sanitize tiny-thread memcheck

test-install: ## the C library as a product: interface, header, static and shared, bundle, examples, valgrind, sizes
	@$(PYTHON) tools/check_layers.py
	@$(PYTHON) tools/check_c_library.py

.PHONY: abi limit bundle
abi: ## write tests/package/abi.txt: what the library's users are built against
	@cmake -S . -B build/library -DBUILD_SHARED_LIBS=ON > /dev/null && cmake --build build/library --parallel 2 > /dev/null
	@$(PYTHON) tools/check_abi.py build/library/libvizflow.so --write

limit: ## raise one limit of tests/package/limits.txt, by its name: make limit NAME=bundle_object_bytes
	@$(PYTHON) tools/check_c_library.py --raise "$(NAME)"

bundle: ## all of libvizflow as two files: build/bundle/vizflow.h and vizflow.c
	@$(PYTHON) tools/make_bundle.py

test-python: setup ## Python tests: both engines, tiny chunks, one and two threads
	@$(PY) tools/run_python_tests.py

test-differential: setup ## every operation against Python, Polars and DuckDB on days drawn anew, about a minute; VIZFLOW_SEED repeats
	@$(PY) -m pytest -q -p no:cacheprovider tests/python/differential

MINUTES ?= 10
differential: setup ## the same for MINUTES=10, each operation its share of the time
	@PYTHONPATH=tests/python $(PY) -m differential --minutes $(MINUTES)

test-cluster: setup ## run_batch on a one-node Slurm, on Dask and on Ray, each started for it and stopped
	@tools/slurm_one_node.sh possible && $(MAKE) --no-print-directory test-engines \
	       || { tools/slurm_one_node.sh possible && exit 1; echo "left out: Slurm of one node needs root, and Debian or Slurm"; }

test-engines: setup
	@$(BUILT) ".[cluster,dask]"
	@$(BUILT) --only-binary :all: ".[ray]" \
	       || echo "no wheel of Ray for this Python: its test is left out"
	@tools/slurm_one_node.sh run env VIZFLOW_TEST_CLUSTER=1 RAY_USAGE_STATS_ENABLED=0 \
	       $(PY) -m pytest -q -p no:cacheprovider tests/python/cluster

.PHONY: lock test-damage damage
lock: setup ## resolve anew which versions building and testing install: tools/constraints.txt
	@$(PIP) uv
	@$(PY) tools/lock.py

test-damage: setup ## damaged files of every kind, 5,100 of them, in processes that may die; part of test-python
	@$(PY) -m pytest -q -p no:cacheprovider tests/python/damage

VARIANTS ?= 50000
damage: setup ## as many as one likes, drawn anew: VARIANTS=50000; SEED repeats, KIND="day, Arrow" chooses; keeps what fails
	@PYTHONPATH=tests/python VARIANTS=$(VARIANTS) SEED=$(SEED) KIND="$(KIND)" $(PY) -m damage

calendars: setup ## make the bundled calendars again, from public calendar packages and the corrections
	@$(PY) tools/make_calendars.py

test-browser: setup ## the explorer and the reports in Chromium; screenshots in build/screenshots
	@$(PY) -m pytest -q -p no:cacheprovider tests/python/browser

lint: setup ## ruff, mypy, spelling, layers, and whether the reference pages are what docstrings and header say
	@$(VENV)/bin/ruff check python tests bench tools examples docs
	@$(VENV)/bin/ruff format --quiet --check python tests bench tools examples docs \
	       || { echo "not formatted: make format"; exit 1; }
	@$(VENV)/bin/codespell
	@$(PY) tools/check_versions.py
	@$(VENV)/bin/mypy
	@$(PY) tools/make_reference.py --check
	@$(PY) tools/mutants.py --check
	@$(PY) tools/lock.py --check
	@$(PY) tools/make_c_reference.py --check

coverage: ## branch coverage of src/ by the C tests, at least 95 %; LIST=1 names the lines with branches not taken
	@$(PYTHON) tools/coverage.py $(if $(LIST),--list)

mutants: ## hand-made errors in copies of src/, each of which the C tests must find; MUTANT=name for one
	@$(PYTHON) tools/mutants.py $(MUTANT)

gate: $(C_BUILD)/.built ## each C kernel's instructions, counted by callgrind, against its baseline (at most +5 %)
	@$(PYTHON) bench/kernels/gate.py $(C_BUILD)/kernels

gate-raise: $(C_BUILD)/.built ## take today's counts as the baseline of a kernel: make gate-raise KERNEL=fifo
	@test -n "$(KERNEL)" || { echo "say which: make gate-raise KERNEL=fifo (a kernel, a family, or all)" >&2; exit 2; }
	@$(PYTHON) bench/kernels/gate.py $(C_BUILD)/kernels --raise $(KERNEL)

bench: setup ## VizFlow and its peers on the same data: docs/benchmarks.md; [ROWS=20000000] [MINUTES=8]
	@$(PY) -c "import duckdb, numba, pandas, pyarrow" 2> /dev/null \
	       || $(BUILT) ".[bench]"
	@$(PY) bench/run.py $(if $(ROWS),--rows $(ROWS)) $(if $(MINUTES),--minutes $(MINUTES))

docs: setup ## the site in build/site, every warning an error; it is read without a network
	@rm -rf build/site
	@$(PY) -m sphinx -q -W --keep-going -b html -d build/doctrees docs build/site
	@$(PYTHON) tools/check_site.py build/site

test-docs: docs ## every block of docs and README, every link, every docstring's example; build/trust/docs.json
	@$(PY) -m pytest -q -p no:cacheprovider tests/python/docs

dist/.built: $(VENV)/.ready $(SOURCES) README.md
	@rm -rf dist && $(PY) -m build --outdir dist . > build/wheel.log 2>&1 || { cat build/wheel.log; exit 1; }
	@touch $@

wheel: dist/.built ## the source archive, and the abi3 wheel built from it, in dist
	@ls dist/*

test-wheel: wheel ## the wheel in environments of its own, without this checkout: all unit tests, every Python there is
	@$(PY) -m pytest -q -p no:cacheprovider tests/package/test_wheel.py

test-wheel-quick: wheel
	@VIZFLOW_WHEEL_QUICK=1 $(PY) -m pytest -q -p no:cacheprovider tests/package/test_wheel.py

test: docs test-wheel-quick
.PHONY: docs test-docs wheel test-wheel test-wheel-quick

trust: gate test-faults test-install coverage mutants test-differential test-docs test-wheel ## what VizFlow is put through, and docs/trust.md: half an hour
	@$(PY) -m pytest -q -p no:cacheprovider tests/python/faults
	@$(PYTHON) tools/run_builds.py figures
	@$(PY) tools/fuzz.py report
	@$(PY) tools/make_trust.py
fuzz: setup ## fuzz every decoder for SECONDS=60 each with clang's libFuzzer; keeps account in tests/c/fuzz/ledger.json
	@$(PIP) --only-binary :all: atheris 2> /dev/null \
	       || echo "no wheel of atheris for this Python: metadata is damaged at random, without coverage"
	@$(PY) tools/fuzz.py run --seconds $(SECONDS)

clean: ## remove everything that was built
	@rm -rf build dist $(VENV) demo-output
