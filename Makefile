# `make help` lists the targets. Each creates the environments it needs on first use.

PYTHON ?= python3
export PIP_DISABLE_PIP_VERSION_CHECK := 1

BIN := .venv/bin
LINTED := app.py constructs lambda local_aws tests

# An environment is redone when the file that describes it changes, not before.
VENV := .venv/.done
VENV_OLDEST := .venv-oldest/.done
VENV_EMULATOR := .venv-emulator/.done
VENV_LAMBDA := .venv-lambda/.done
NODE_MODULES := node_modules/.done
LOCAL_AWS := $(VENV) $(VENV_EMULATOR) $(VENV_LAMBDA) $(NODE_MODULES)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help environments test lint format test-oldest build demo local-aws clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | \
		while IFS="$$(printf '\t')" read -r target text; do printf '%-14s %s\n' "$$target" "$$text"; done

environments: $(LOCAL_AWS) ## Create every environment, and do nothing else

test: lint $(LOCAL_AWS) ## Lint, then every test
	@$(BIN)/python -m pytest -q

lint: $(VENV) ## ruff check, ruff format --check, mypy
	@$(BIN)/ruff check --quiet $(LINTED)
	@$(BIN)/ruff format --check --quiet $(LINTED) || \
		{ echo "not formatted: run 'make format'" >&2; exit 1; }
	@$(BIN)/mypy --no-error-summary

format: $(VENV) ## Format the code and sort its imports
	@$(BIN)/ruff check --quiet --select I --fix $(LINTED)
	@$(BIN)/ruff format --quiet $(LINTED)

test-oldest: $(VENV_OLDEST) ## The template tests against the oldest supported aws-cdk-lib
	@.venv-oldest/bin/python -m pytest -q -m 'not newest' -p no:cacheprovider tests/template

build: $(VENV) ## Build the wheel and the sdist into dist/, and check them
	@rm -rf dist
	@$(BIN)/python -m build --no-isolation --outdir dist . >/dev/null
	@$(BIN)/twine check --strict dist/*

demo: $(LOCAL_AWS) ## The whole life of an experiment on the embedded local AWS
	@$(BIN)/python -m local_aws.demo

local-aws: $(LOCAL_AWS) ## Start the local AWS alone and print how to use it
	@$(BIN)/python -m local_aws

clean: ## Remove the environments and everything that was built
	rm -rf .venv .venv-oldest .venv-emulator .venv-lambda node_modules
	rm -rf cdk.out build dist .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find app.py constructs lambda local_aws tests -name __pycache__ -type d -prune -exec rm -rf {} +

# $(call environment,folder,requirements): a fresh virtual environment that holds the requirements.
define environment
@echo "creating $(1) ..."
@rm -rf $(1)
@$(PYTHON) -m venv $(1)
@$(1)/bin/python -m pip install -qq --requirement $(2)
endef

# The project itself is installed editable: its two source roots are put on the path. A change of
# pyproject.toml redoes this alone.
define editable
@$(1)/bin/python -m pip install -qq --no-deps --no-build-isolation --editable .
endef

.venv/.requirements: requirements.txt
	$(call environment,.venv,requirements.txt)
	@touch $@

$(VENV): .venv/.requirements pyproject.toml
	$(call editable,.venv)
	@touch $@

.venv-oldest/.requirements: tests/requirements-oldest.txt
	$(call environment,.venv-oldest,tests/requirements-oldest.txt)
	@touch $@

$(VENV_OLDEST): .venv-oldest/.requirements pyproject.toml
	$(call editable,.venv-oldest)
	@touch $@

$(VENV_EMULATOR): local_aws/requirements-emulator.txt
	$(call environment,.venv-emulator,local_aws/requirements-emulator.txt)
	@touch $@

$(VENV_LAMBDA): local_aws/requirements-lambda.txt
	$(call environment,.venv-lambda,local_aws/requirements-lambda.txt)
	@touch $@

$(NODE_MODULES): package.json package-lock.json
	@echo "creating node_modules ..."
	@npm ci --silent --no-audit --no-fund
	@touch $@
