.DEFAULT_GOAL := help
.PHONY: help setup lock lint test test-unit test-integration demo tools browser generate docs catalogue bench clean

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV_VERSION := 0.13.9
# Each has a control plane of its own: 0.6 GB. Three are what two cores carry without making a test late.
WORKERS ?= 3

help: ## List what can be made
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 20

setup: $(VENV)/.installed ## Build .venv from the lock; needs nothing but Python 3.11 or newer

$(VENV)/.installed: requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Plimsoll needs Python 3.11 or newer, this is " + sys.version.split()[0] + ". Point to another one: make setup PYTHON=python3.12")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements-dev.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-build-isolation --no-deps --editable .
	@touch $@

lock: ## Resolve the dependencies anew and write both lock files
	$(BIN)/uv pip compile --quiet --upgrade --universal --generate-hashes --no-emit-index-url --python-version 3.11 --custom-compile-command 'make lock' --extra tracing pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile --quiet --upgrade --universal --generate-hashes --no-emit-index-url --python-version 3.11 --custom-compile-command 'make lock' --extra dev --extra tracing pyproject.toml -c requirements.lock -o requirements-dev.lock

lint: setup ## Style, types, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

tools: setup ## Find or build the real control plane and Prometheus for tests and demo
	$(BIN)/python -m plimsoll_testkit.binaries

browser: setup ## Find Chromium for the test of the report page; where it is missing, root installs Debian's
	$(BIN)/python -m plimsoll_testkit.browser

test: test-unit test-integration ## All tests, on a real control plane

test-unit: setup ## The tests that need no cluster, and whether they take enough branches of the pure stations
	$(BIN)/python -m pytest tests/unit -n auto --maxprocesses 4 --cov --cov-report=
	$(BIN)/python -m plimsoll_testkit.branch_coverage

test-integration: setup tools browser ## The tests on a real control plane, which mostly wait: WORKERS=3 side by side
	$(BIN)/python -m pytest tests/integration -n $(WORKERS) --dist load --maxschedchunk 1

demo: setup ## Three models on CPU and GPU pools of a real control plane (JSON=FILE writes the summary)
	$(BIN)/python -m plimsoll_testkit.demo $(if $(JSON),--json $(JSON))

generate: setup ## Write everything that is generated: CRDs, the chart's copies, reference pages, pictures
	$(BIN)/plimsoll crds --output-dir crds
	rm -rf charts/plimsoll/files && mkdir -p charts/plimsoll/files
	cp -r crds policies charts/plimsoll/files/
	$(BIN)/python -m plimsoll_testkit.reference
	$(BIN)/python -m plimsoll_testkit.terminal_picture

docs: setup ## Build the manual into build/docs; a warning is an error
	$(BIN)/zensical build --strict

catalogue: setup ## Fit the profiles of charts/plimsoll/catalog anew and write docs/catalogue.md (needs PLIMSOLL_DATA_DIR)
	$(BIN)/python benchmarks/catalogue/build.py

bench: setup ## Run every benchmark; each ends with one line of JSON
	@missed=""; for script in $$(grep -l __main__ benchmarks/*.py); do echo "== $$script"; \
		$(BIN)/python $$script --json || { [ $$? -ne 130 ] || exit 130; missed="$$missed $$script"; }; done; \
		[ -z "$$missed" ] || { echo "short of what was promised:$$missed"; exit 1; }

clean: ## Remove the virtual environment and build output (the cache of built tools stays)
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
