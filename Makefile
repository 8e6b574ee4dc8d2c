# The menu. `make demo` and `make test` are all that a newcomer needs; each sets up what it uses.

VENV   ?= .venv
PYTHON ?= python3
PY     := $(VENV)/bin/python
C_BUILD := build/c
SANITIZE_BUILD := build/sanitize
SOURCES := $(shell find include src python pyproject.toml CMakeLists.txt -type f -not -name '*.so' -not -path '*/__pycache__/*')

SECONDS ?= 60

.PHONY: fuzz help calendars setup demo test quick test-c test-sanitize test-thread test-install test-python test-browser test-cluster test-engines lint bench clean

help: ## show this menu
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

$(VENV)/.ready: $(SOURCES)
	@echo "setting up $(VENV): building VizFlow and installing its packages, a minute or two" >&2
	@test -x $(PY) || $(PYTHON) -m venv $(VENV)
	@$(PY) -m pip install --quiet --disable-pip-version-check --upgrade pip
	@$(PY) -m pip install --quiet --disable-pip-version-check ".[cli,demo,test,lint,calendars,viz,browser]"
	@touch $@

setup: $(VENV)/.ready ## make .venv with VizFlow built and installed in it

demo: setup ## generate three realistic days, run the whole job, write the reports; SERVE=1 opens the explorer
	@$(VENV)/bin/vizflow demo --output demo-output $(if $(SERVE),--serve)

test: test-c test-sanitize test-thread test-install lint test-python test-browser test-cluster ## everything that CI runs

quick: setup ## the quick set: under a minute
	@$(PY) -m pytest -q -m "not slow" tests/python/unit

$(C_BUILD)/.built: $(SOURCES) $(wildcard tests/c/*.h tests/c/*/*.c)
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
	@ctest --test-dir build/thread --output-on-failure -R "test_(base|fifo|mark|agg|states|asof|cube)$$"

test-install: ## install the C library alone, and build the examples through pkg-config
	@rm -rf build/install && cmake -S . -B build/library -DBUILD_SHARED_LIBS=ON \
	       -DCMAKE_INSTALL_PREFIX=$(CURDIR)/build/install -DCMAKE_INSTALL_LIBDIR=lib > /dev/null
	@cmake --build build/library --parallel 2 && cmake --install build/library > /dev/null
	@$(PYTHON) tools/check_layers.py
	@$(PYTHON) tools/check_symbols.py build/install/lib/libvizflow.so
	@PKG_CONFIG_PATH=$(CURDIR)/build/install/lib/pkgconfig LD_LIBRARY_PATH=$(CURDIR)/build/install/lib \
	       $(MAKE) --no-print-directory -C examples/c run BUILD=$(CURDIR)/build/examples

test-python: setup ## Python tests: both engines, tiny chunks, one and two threads
	@$(PY) tools/run_python_tests.py

test-cluster: setup ## run_batch on a one-node Slurm, on Dask and on Ray, each started for it and stopped
	@tools/slurm_one_node.sh possible && $(MAKE) --no-print-directory test-engines \
	       || { tools/slurm_one_node.sh possible && exit 1; echo "left out: Slurm of one node needs root, and Debian or Slurm"; }

test-engines: setup
	@$(PY) -m pip install --quiet --disable-pip-version-check ".[cluster,dask]"
	@$(PY) -m pip install --quiet --disable-pip-version-check --only-binary :all: ".[ray]" \
	       || echo "no wheel of Ray for this Python: its test is left out"
	@tools/slurm_one_node.sh run env VIZFLOW_TEST_CLUSTER=1 RAY_USAGE_STATS_ENABLED=0 \
	       $(PY) -m pytest -q -p no:cacheprovider tests/python/cluster

calendars: setup ## make the bundled calendars again, from public calendar packages and the corrections
	@$(PY) tools/make_calendars.py

test-browser: setup ## the explorer and the reports in Chromium; screenshots in build/screenshots
	@$(PY) -m pytest -q -p no:cacheprovider tests/python/browser

lint: setup ## ruff, mypy, and whether the reference page is what the docstrings say
	@$(VENV)/bin/ruff check python tests/python bench tools examples
	@$(VENV)/bin/mypy
	@$(PY) tools/make_reference.py --check

fuzz: setup ## fuzz every decoder for SECONDS=60 each with clang's libFuzzer; keeps account in tests/c/fuzz/ledger.json
	@$(PY) -m pip install --quiet --disable-pip-version-check --only-binary :all: atheris 2> /dev/null \
	       || echo "no wheel of atheris for this Python: metadata is damaged at random, without coverage"
	@$(PY) tools/fuzz.py run --seconds $(SECONDS)

bench: setup ## the benchmark against Polars + numba and DuckDB; writes docs/benchmarks.md
	@$(PY) -m pip install --quiet --disable-pip-version-check ".[bench]"
	@$(PY) bench/day.py

clean: ## remove everything that was built
	@rm -rf build $(VENV) demo-output
