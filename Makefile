# leadchange: every task of this project. `make` alone lists them.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

# What is compiled is kept, whatever the environment says: the tests start hundreds of processes.
unexport PYTHONDONTWRITEBYTECODE

# The two environments of the tests are made at the same time.
MAKEFLAGS += --jobs=2

.DEFAULT_GOAL := help
.PHONY: help demo test thorough soak lint format bench docs lock clean

help: ## list the tasks
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 10

demo: .venv/runtime ## the main job, offline, on recorded real history
	$(BIN)/leadchange demo

test: .venv/dev .venv/duckdb15 ## all tests
	$(BIN)/python -m pytest -n auto

thorough: .venv/dev .venv/duckdb15 ## all tests, with three times as many random examples and killed at more points
	THOROUGH=1 $(BIN)/python -m pytest -n auto

soak: .venv/dev ## kill -9 at every commit point of collect, detect and deliver, 500 times (about ten minutes)
	$(BIN)/python -m tests.soak

lint: .venv/dev ## style, types, and the arrows between the rooms
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/dev ## rewrite the code in the house style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: .venv/dev .venv/bench ## measure, as ratios in one run; writes docs/benchmarks.md
	$(BIN)/python -m tests.bench

docs: .venv/dev ## rewrite docs/cli.md, configuration.md and sql.md from the code and the demo
	$(BIN)/python -m monitor.docs
	$(BIN)/python -m monitor.web.sqldocs

lock: .venv/dev ## renew the locked dependencies (needs uv)
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-annotate --no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' pyproject.toml -o requirements.lock
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-annotate --no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' pyproject.toml --group dev -c requirements.lock -o requirements-dev.lock
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-annotate --no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' --group bench -o requirements-bench.lock

clean: ## remove what make made
	rm -rf .venv .duckdb15 .bench leadchange-demo .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache

# The newest pip installs the locks in half the time of the one that older Pythons bring. Not --upgrade-deps: that
# renews setuptools too, which nothing of ours needs, and compiles both.
.venv/bin/python:
	$(PYTHON) -m venv .venv
	$(PIP) install --quiet --no-compile --upgrade pip

# The locks name everything there is, with its hash, and Python compiles what is imported when it is.
.venv/runtime: requirements.lock pyproject.toml | .venv/bin/python
	$(PIP) install --quiet --no-deps --no-compile --require-hashes -r requirements.lock
	$(PIP) install --quiet --no-deps --editable .
	@touch $@

# All of .venv/runtime is in it, so that a fresh checkout is installed once.
.venv/dev: requirements-dev.lock pyproject.toml | .venv/bin/python
	$(PIP) install --quiet --no-deps --no-compile --require-hashes -r requirements-dev.lock
	$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

# Beside the environment, not in it: the oldest DuckDB that must open what we publish.
.venv/duckdb15: requirements-duckdb15.lock | .venv/bin/python
	$(PIP) install --quiet --require-hashes --no-deps --no-compile --upgrade --target .duckdb15 -r requirements-duckdb15.lock
	@touch $@

# Beside the environment, not in it: nothing of ours needs pandas or Datasette, and a test that had them would not notice.
.venv/bench: requirements-bench.lock | .venv/bin/python
	$(PIP) install --quiet --require-hashes --no-deps --no-compile --upgrade --target .bench -r requirements-bench.lock
	@touch $@
