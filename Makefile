# Everything a developer runs. `make help` lists it; each target sets up what it needs.
.DEFAULT_GOAL := help
SHELL := /bin/sh
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: help
help: ## This list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

# The virtual environment, from the lock: made anew when the lock or the project changes.
$(READY): requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Pixmill needs Python 3.11 or newer: make PYTHON=python3.12 …" if sys.version_info < (3, 11) else 0)'
	@echo "Setting up $(VENV) (once) …"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

.PHONY: install
install: $(READY) ## Set up the virtual environment

.PHONY: run
run: $(READY) ## Start the service on its embedded default
	@$(BIN)/pixmill serve

.PHONY: test
test: $(READY) ## The tests
	@$(BIN)/python -m pytest -n auto --dist worksteal

.PHONY: check
check: $(READY) ## Lint, format, types, import rules
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

.PHONY: format
format: $(READY) ## Bring the code into form
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

.PHONY: test-image
test-image: ## Build the container, run it, drive an upload through it
	@tests/image/run

.PHONY: screenshots
screenshots: $(READY) ## Take the pictures of the page anew (needs Chromium; fetches photographs)
	@$(BIN)/python -m tests.browser.screenshots

.PHONY: torture
torture: $(READY) ## Kill, stop and starve the service at every point, ten times; prints a ledger
	@$(BIN)/python -m pytest -q -n 2 tests/torture --rounds 10

.PHONY: pictures
pictures: $(READY) ## Draw the pictures of docs/pipelines.md anew
	@$(BIN)/python docs/draw.py

.PHONY: bench
bench: $(READY) ## Measure against the peers (installs them below bench/.cache)
	@$(BIN)/python -m bench

.PHONY: lock
lock: ## Lock the dependencies anew (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --extra postgres --extra celery pyproject.toml -o requirements.lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --group dev pyproject.toml -o requirements-dev.lock

.PHONY: clean
clean: ## Remove the virtual environment and caches, not the data
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist
