# Two commands matter to a newcomer: `make up` and `make test`. FUJIE_HOME (data folder, default .fujie/) and FUJIE_PORT
# (default 8156) reach the program from the environment or as `make up FUJIE_PORT=9000`.

.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
SHELL := /bin/bash

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
TOOL_PATH := $(CURDIR)/.tools/bin:$(CURDIR)/$(BIN):$(PATH)

# Stamps live inside the environment they describe, so removing .venv forgets them too. Installing again happens only when
# a pin or the package's description has changed.
RUNTIME := $(VENV)/.fujie-runtime
TESTING := $(VENV)/.fujie-testing

CHECKED := src tests tools bench
PYTEST_FLAGS ?=
BENCH ?= payments http_payments resolve surface cluster snapshot
PAGES ?=

.PHONY: help install up test tools check lint types contracts fast format bench docs docs-fill screenshots clean distclean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Fujie needs Python 3.11 or newer; name one: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@echo "Creating $(VENV)"
	@$(PYTHON) -m venv $(VENV) \
	  || { rm -rf $(VENV); echo "python3 -m venv failed; on Debian: apt-get install python3-venv" >&2; exit 1; }

$(RUNTIME): requirements/runtime.txt pyproject.toml | $(BIN)/python
	@echo "Installing what Fujie needs"
	@$(PIP) install -r requirements/runtime.txt
	@$(PIP) install --no-deps --editable .
	@touch $@

$(TESTING): requirements/test.txt $(RUNTIME)
	@echo "Installing what the tests need"
	@$(PIP) install -r requirements/test.txt
	@$(PIP) check
	@touch $@

install: $(RUNTIME) ## create .venv and install Fujie into it

up: $(RUNTIME) ## start a node with the demonstration data; Ctrl-C stops it
	@exec $(BIN)/fujie up

# pytest runs last and alone on its line, so that its closing line closes the output.
test: $(TESTING) tools ## install what the tests need, then run all of them
	@PATH="$(TOOL_PATH)" $(BIN)/python -m pytest $(PYTEST_FLAGS)

tools: $(TESTING)
	@PATH="$(TOOL_PATH)" tools/ensure_tools.sh

check: lint types contracts fast ## format, lint, types, import contracts, fast tests

lint: $(TESTING)
	@$(BIN)/ruff format --check $(CHECKED)
	@$(BIN)/ruff check $(CHECKED)

types: $(TESTING)
	@$(BIN)/mypy

contracts: $(TESTING)
	@$(BIN)/lint-imports

# The fast tests need nothing but Python, so they also run where no Go, no Node and no Chromium is installed.
fast: $(TESTING)
	@$(BIN)/python -m pytest -q -n auto -m "not slow and not go and not node and not browser" $(PYTEST_FLAGS)

format: $(TESTING) ## rewrite the files the way `make check` wants them
	@$(BIN)/ruff format $(CHECKED)
	@$(BIN)/ruff check --fix $(CHECKED)

bench: $(TESTING) ## run the benchmarks (BENCH=payments for one of them)
	@for name in $(BENCH); do PATH="$(TOOL_PATH)" $(BIN)/python -m bench.$$name || exit 1; done

docs: $(TESTING) ## build the documentation site into build/docs
	@$(BIN)/python -m sphinx -W --keep-going -q -c docs -b html . build/docs
	@echo "The site is in build/docs. Open build/docs/index.html in a browser, or serve it:"
	@echo "  python3 -m http.server --bind 127.0.0.1 --directory build/docs 8000"

docs-fill: $(TESTING) ## run the pages and write what their commands print into them (PAGES=README.md for one)
	@PATH="$(TOOL_PATH)" $(BIN)/python -m tests.docs.fill $(PAGES)

screenshots: $(TESTING) tools ## take the pictures of the console in docs/images anew
	@PATH="$(TOOL_PATH)" $(BIN)/python tools/screenshots.py

clean: ## remove caches and build output; keeps .venv, .tools and every data folder
	@rm -rf build dist src/*.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find src tests bench tools -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean ## also remove .venv and .tools; the data folder stays
	@rm -rf $(VENV) .tools
