# Everything that a newcomer types. `make help` lists it.
PYTHON ?= python3
VENV ?= .venv
SERVICES_VENV ?= .venv-services
BENCH_VENV ?= .bench-venv
BENCH ?=
LOCK ?= locks/cinder-29.txt
BIN := $(VENV)/bin
# What the tests of a file share, one process starts; and files keep their order: see tests/conftest.py.
# Four processes for two cores: some of them always wait for something.
SHARED := -n 4 --dist loadfile --no-loadscope-reorder
# What counts is the sum of both runs.
COVERED := --cov --cov-report= --cov-fail-under=0
SCRIPTS := .ci/matrix .ci/run completion/bash/backup-dispatch completion/bash/datera-backup \
  completion/bash/datera-emulator devstack/plugin.sh devstack/settings locks/resolve tests/services/guest/kernel_initiator.sh
DATERA_TESTS := $(addprefix tests/functional/,test_array_contract.py backup_dispatch datera_backup \
  datera_emulator datera_volume)

# Many containers set it, and then each of hundreds of processes compiles the same files anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo test lint types unit functional test-long coverage test-faults mutants test-matrix test-contract test-services test-kills bench docs generated dist lock clean

help: ## list the commands
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 22

$(VENV)/.installed: $(LOCK) locks/install.py setup.cfg
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Cinder 29 needs Python 3.11 or newer; name one: make PYTHON=python3.12 …" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python locks/install.py --requirement $(LOCK)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(VENV)/.installed ## main job and day two on a real Cinder; KEEP=1 keeps it
	@$(BIN)/python -m demo $(if $(KEEP),--keep)

test: $(VENV)/.installed ## lint, types, unit and functional tests
	@$(MAKE) --no-print-directory -j 3 --output-sync=target lint types unit
	@$(MAKE) --no-print-directory functional

lint: $(VENV)/.installed ## style, shell, YAML, and which package may import which
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache
	$(BIN)/codespell
	$(BIN)/shellcheck $(SCRIPTS)
	$(BIN)/yamllint --strict .
	@$(BIN)/reno --quiet lint

types: $(VENV)/.installed ## mypy, strict
	$(BIN)/mypy

unit: $(VENV)/.installed ## fast tests, no servers
	$(BIN)/python -m pytest -n 2 -m "not faults" tests/unit

functional: $(VENV)/.installed ## the drivers on the emulator, real Cinder and real Swift
	OS_CINDER_DISABLE_EVENTLET_PATCHING=yes \
	  $(BIN)/python -m pytest -p tests.fixtures.as_service $(SHARED) -m "not faults and not long" tests/functional tests/faults

test-long: $(VENV)/.installed ## walks: the pages, all commands, each backend
	OS_CINDER_DISABLE_EVENTLET_PATCHING=yes \
	  $(BIN)/python -m pytest -p tests.fixtures.as_service $(SHARED) -m "long and not faults" tests/functional

coverage: $(VENV)/.installed ## the lines of what ships that tests run
	@rm -f .coverage .coverage.*
	$(BIN)/python -m pytest -n 2 -m "not faults" $(COVERED) tests/unit
	OS_CINDER_DISABLE_EVENTLET_PATCHING=yes \
	  $(BIN)/python -m pytest -p tests.fixtures.as_service $(SHARED) -m "not faults" $(COVERED) --cov-append tests/functional
	$(BIN)/coverage report

# SEED repeats a run, FAULTS=brief tries a part of each kind: see docs/development.md.
test-faults: $(VENV)/.installed ## every step fails once; damage, power cuts, fuzzing
	FAULTS=$(or $(FAULTS),whole) OS_CINDER_DISABLE_EVENTLET_PATCHING=yes \
	  $(BIN)/python -m pytest -p tests.fixtures.as_service $(SHARED) -m faults tests/unit tests/functional tests/faults

mutants: $(VENV)/.installed ## make mistakes in the code: do tests find them? Takes hours
	$(BIN)/python -m tests.mutants $(MUTANTS)

test-matrix: $(VENV)/.installed ## the unit and functional tests on each supported Cinder
	@TOX=$(BIN)/tox RELEASE_ONLY="$(RELEASE_ONLY)" .ci/matrix $(EXCEPT)

test-contract: $(VENV)/.installed ## the functional tests in API 2.1, by a recorded schema
	@test -d "$$DATERA_RECORDED" || \
	  { echo "DATERA_RECORDED must name the folder with an array's recorded answers." >&2; exit 1; }
	DATERA_API_VERSION=2.1 $(BIN)/python -m pytest $(SHARED) $(DATERA_TESTS)

test-services: ## the drivers on real servers from Debian (needs root)
	@$(PYTHON) tests/services/install.py $(SERVICES_VENV)
	CONTRACT_ON_REAL_SERVERS=1 $(SERVICES_VENV)/bin/python -m tests.services.side_by_side

$(BENCH_VENV)/.installed: setup.cfg
	$(PYTHON) -m venv $(BENCH_VENV)
	$(BENCH_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[bench]'
	@$(BENCH_VENV)/bin/python -m pip install --quiet --disable-pip-version-check borgbackup 2>/dev/null || \
	  echo "Borg does not build here: one that is installed is used, if there is one." >&2
	@touch $@

# SEED repeats a run, FAULTS=brief tries a few of each kind: see docs/services.md.
test-kills: ## kill -9, lost locks and targets, on real servers
	@$(PYTHON) tests/services/install.py $(SERVICES_VENV)
	FAULTS=$(or $(FAULTS),whole) $(SERVICES_VENV)/bin/python -m pytest -p no:cacheprovider -vv --durations=0 tests/services/faults

bench: $(VENV)/.installed $(BENCH_VENV)/.installed ## side-by-side figures; quick: BENCH='--size 256M --runs 1'
	@rm -f $(BENCH_VENV)/results.json
	@$(BIN)/python -m bench --programs $(BENCH_VENV)/bin --output $(BENCH_VENV)/results.json $(BENCH)
	@[ ! -f $(BENCH_VENV)/results.json ] || \
	  $(BENCH_VENV)/bin/python -m bench.chart $(BENCH_VENV)/results.json docs

docs: $(VENV)/.installed ## the pages under docs/ as HTML
	$(BIN)/python -m sphinx -q -W -b html docs docs/_build/html

generated: $(VENV)/.installed ## the sample configuration, manual pages and completions
	OS_CINDER_DISABLE_EVENTLET_PATCHING=yes $(BIN)/python -m deploy

dist: $(VENV)/.installed generated ## a source archive and a wheel, checked
	$(BIN)/python -m build --outdir dist
	$(BIN)/python -m twine check --strict dist/*

lock: ## resolve the lock files anew (needs uv)
	locks/resolve

clean: ## remove what the commands above made
	rm -rf $(VENV) $(SERVICES_VENV) $(BENCH_VENV) build dist docs/_build *.egg-info .mutants .mypy_cache .pytest_cache .ruff_cache .hypothesis .tox
