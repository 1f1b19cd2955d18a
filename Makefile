# Needs only Python 3.11 (with venv) and make. `make` alone lists what there is.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --disable-pip-version-check --quiet --require-hashes
ARGS ?=
WORKERS ?= auto
PYTEST := $(BIN)/python -m pytest -q -n $(WORKERS)
EMBEDDED := env -u DATABASE_URL -u REDIS_URL
CHECKED := config students mapping integrations tests manage.py $(wildcard benchmarks)

.DEFAULT_GOAL := help
.PHONY: help up test check lint deploy-check bench audit clean

help: ## list the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

up: .venv/run.stamp ## run the console on http://127.0.0.1:8000 (make up ARGS="--port 8001 --no-demo")
	@$(BIN)/python manage.py up $(ARGS)

test: .venv/test.stamp ## run the tests on SQLite; on PostgreSQL and Redis too where DATABASE_URL and REDIS_URL answer
	$(EMBEDDED) $(PYTEST) $(ARGS)
	@if $(BIN)/python -m tests.services; then $(PYTEST) $(ARGS); fi

check: lint deploy-check ## everything that must be green before a change lands; needs PostgreSQL, Redis, Chromium
	@$(BIN)/python -m tests.services
	$(EMBEDDED) SIS_CI=1 $(PYTEST) -m slow
	SIS_CI=1 $(MAKE) test

lint: .venv/check.stamp ## style, types and the directions of imports
	$(BIN)/ruff check $(CHECKED)
	$(BIN)/ruff format --check $(CHECKED)
	$(BIN)/mypy
	$(BIN)/lint-imports

deploy-check: .venv/check.stamp ## Django's own checks, also with production settings, and missing migrations
	$(BIN)/python -m tests.deploy_check

bench: .venv/test.stamp ## measure imports as ratios, on SQLite and, where DATABASE_URL names one, on PostgreSQL
	@env -u DATABASE_URL $(BIN)/python -W ignore -m benchmarks.pull --memory $(ARGS)
	@case "$$DATABASE_URL" in postgres*) $(BIN)/python -W ignore -m benchmarks.pull --memory $(ARGS);; esac

audit: .venv/run.stamp ## ask the package index for known vulnerabilities of what we run on
	$(PYTHON) -m venv .venv/audit
	.venv/audit/bin/python -m pip install --disable-pip-version-check --quiet pip-audit
	.venv/audit/bin/pip-audit --require-hashes --disable-pip -r requirements/run.txt

clean: ## remove the virtual environment and the caches; what is in var/ stays
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/run.stamp: requirements/run.txt | .venv/bin/python
	$(PIP) -r requirements/run.txt
	@touch $@

# Each set holds the ones before it, at the same versions.
.venv/test.stamp: requirements/test.txt | .venv/bin/python
	$(PIP) -r requirements/test.txt
	@touch $@ .venv/run.stamp

.venv/check.stamp: requirements/check.txt | .venv/bin/python
	$(PIP) -r requirements/check.txt
	@touch $@ .venv/test.stamp .venv/run.stamp
