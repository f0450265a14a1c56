# `make help` lists the targets. Each creates the environments it needs on first use.

PYTHON ?= python3
# Test processes: more than two cores' worth, since the stack histories mostly wait.
WORKERS ?= 3
export PIP_DISABLE_PIP_VERSION_CHECK := 1

BIN := .venv/bin
LINTED := app.py benchmarks constructs docs examples hatch_build.py lambda local_aws loopback tests

# An environment is redone when the file that describes it changes, not before.
VENV := .venv/.done
VENV_OLDEST := .venv-oldest/.done
VENV_EMULATOR := .venv-emulator/.done
VENV_LAMBDA := .venv-lambda/.done
VENV_DOCS := .venv-docs/.done
VENV_MUTANTS := .venv-mutants/.done
VENV_RELEASE := .venv-release/.done
NODE_MODULES := node_modules/.done
NODE_SITE := tests/site/node_modules/.done
LOCAL_AWS := $(VENV) $(VENV_EMULATOR) $(VENV_LAMBDA) $(NODE_MODULES)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: help environments locks test test-pinned lint format test-oldest test-newest test-pythons test-python \
	coverage build release-check docs explore bench plans fuzz mutants demo local-aws clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | \
		while IFS="$$(printf '\t')" read -r target text; do printf '%-14s %s\n' "$$target" "$$text"; done

environments: $(LOCAL_AWS) ## Create every environment, and do nothing else

# Side by side: each installation waits for the network, and unpacks on one core.
.PHONY: environments-first
environments-first:
	@$(MAKE) --no-print-directory --question environments 2>/dev/null || { \
		echo "The first run makes four environments, which takes one to three minutes on two cores."; \
		$(MAKE) --no-print-directory --jobs=4 environments; }

# What is installed is what the lock files name, by hash; none names a host. Each holds for every platform, and for
# every Python from the oldest one on that its packages support.
LOCKS := $(patsubst %.txt,%.lock,requirements.txt $(wildcard docs/requirements.txt local_aws/requirements-*.txt \
	tests/requirements-*.txt))
locks: $(VENV_RELEASE) ## Make the lock files anew, after a change of a requirement file
	@for lock in $(LOCKS); do \
		case $$lock in *-pythons.lock) oldest=3.10;; *) oldest=3.11;; esac; \
		.venv-release/bin/uv pip compile --quiet --no-config --universal --python-version $$oldest --generate-hashes \
			--no-strip-extras --no-annotate --no-header --output-file $$lock "$${lock%.lock}.txt" || exit 1; done

# The stack histories mostly wait, and leave the processor to test-oldest.
test: ## Lint, every test, and test-oldest beside them
	@$(MAKE) --no-print-directory -j 2 lint environments $(VENV_OLDEST)
	@$(MAKE) --no-print-directory -j 2 test-pinned test-oldest

# In the order of the folders: by their number of tests, the long files of tests/e2e would come last.
test-pinned: $(LOCAL_AWS)
	@$(BIN)/python -m pytest -q -n $(WORKERS) --dist loadfile --no-loadscope-reorder

lint: $(VENV) ## ruff check, ruff format --check, mypy; zizmor for the workflows
	@$(BIN)/ruff check --quiet $(LINTED)
	@$(BIN)/ruff format --check --quiet $(LINTED) || \
		{ echo "not formatted: run 'make format'" >&2; exit 1; }
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/zizmor --offline --quiet --persona=pedantic .

format: $(VENV) ## Format the code and sort its imports
	@$(BIN)/ruff check --quiet --select I --fix $(LINTED)
	@$(BIN)/ruff format --quiet $(LINTED)

# The loopback tests of single requests show what boto3 has to do with; the others need more tools.
test-oldest: $(VENV_OLDEST) ## The construct on the oldest supported aws-cdk-lib, the handler on the oldest boto3
	@.venv-oldest/bin/python -m pytest -q -m 'not newest' -p no:cacheprovider tests/template \
		tests/loopback/test_requests.py tests/loopback/test_rows.py tests/loopback/test_answers.py

# Its environment is its own, but for the CDK CLI in node_modules, which is made again when it is needed next.
test-newest: $(LOCAL_AWS) ## The tests that use aws-cdk-lib, boto3 or the CDK CLI, with their newest releases
	$(call environment,.venv-newest,requirements.lock)
	@.venv-newest/bin/python -m pip install -qq --upgrade aws-cdk-lib constructs boto3
	$(call editable,.venv-newest)
	@rm $(NODE_MODULES)
	@npm install --silent --no-save --no-audit --no-fund aws-cdk@latest
	@.venv-newest/bin/python -m pip list | grep -E '^(aws-cdk-lib|boto3) '; npx cdk --version
	@.venv-newest/bin/python -m pytest -q -n $(WORKERS) --dist loadfile --no-loadscope-reorder \
		tests/unit tests/template tests/compatibility tests/cli tests/loopback tests/e2e

# Without the tests on the local AWS: its functions run in processes of their own.
coverage: $(VENV) ## How much of the product's code the tests run, branches included; less than before fails
	@$(BIN)/python -m pytest -q -n $(WORKERS) --cov --cov-report=term:skip-covered \
		tests/unit tests/cli tests/template tests/loopback

# A supported Python that is not installed here is said to be skipped. PYTHONS="3.10" runs fewer.
PYTHONS := 3.10 3.11 3.12 3.13 3.14
test-pythons: ## Unit, template, compatibility and loopback tests on every supported Python found here
	@for version in $(PYTHONS); do \
		$(MAKE) --no-print-directory test-python VERSION=$$version || exit 1; done

FIND_PYTHON = for python in python$(VERSION) "$$HOME"/.pyenv/versions/$(VERSION).*/bin/python3; do \
	"$$python" -c 'import venv' 2>/dev/null && echo "$$python" && break; done; true
test-python:
	@python="$$($(FIND_PYTHON))"; \
	if [ -z "$$python" ]; then echo "Python $(VERSION): skipped, it is not installed"; exit 0; fi; \
	echo "Python $(VERSION):"; \
	$(MAKE) --no-print-directory PYTHON="$$python" .venv-$(VERSION)/.done && \
	.venv-$(VERSION)/bin/python -m pytest -q -m 'not newest' -p no:cacheprovider \
		tests/unit tests/template tests/compatibility tests/loopback

build: $(VENV) ## Build the wheel and the sdist into dist/, and check them
	@rm -rf dist
	@$(BIN)/python -m build --no-isolation --outdir dist . >/dev/null
	@$(BIN)/twine check --strict dist/*

# With TAG=v1.2.3, also what must hold for the tag.
release-check: build docs $(LOCAL_AWS) $(VENV_RELEASE) ## Build, test the wheel, write SBOM, notes and documentation: all of a release but attest, publish and deploy
	@$(BIN)/python -m tests.release $(TAG)

docs: $(VENV_DOCS) $(NODE_SITE) ## Build the documentation into build/docs, and open each page; a broken link fails
	@NO_MKDOCS_2_WARNING=1 .venv-docs/bin/mkdocs build --strict --quiet
	@node tests/site/open.mjs build/docs

explore: $(VENV) ## Play stories of CloudFormation, small ones first, then random ones; half an hour
	@$(BIN)/python -m tests.loopback.find --seconds 1800 --drawn 100000

plans: $(LOCAL_AWS) ## Hundreds of random histories, each planned, executed on the local AWS and compared
	@$(BIN)/python -m tests.plans.play --count 300

bench: $(LOCAL_AWS) ## Measure against what a user would pick instead; writes benchmarks/RESULTS.md
	@$(BIN)/python -m benchmarks

fuzz: $(VENV) ## Props, events and the command's inputs of any shape, far more than in `make test`; an hour
	@FUZZ_EXAMPLES=6000 $(BIN)/python -m pytest -q tests/template/test_fuzz.py \
		tests/loopback/test_fuzz.py tests/cli/test_fuzz.py

mutants: $(VENV_MUTANTS) ## Which changes of the pure parts no test notices; see benchmarks/MUTANTS.md
	@nice -n 15 .venv-mutants/bin/python -m tests.mutants

demo: environments-first ## The whole life of an experiment on the embedded local AWS
	@$(BIN)/python -m local_aws.demo

local-aws: environments-first ## Start the local AWS alone and print how to use it
	@$(BIN)/python -m local_aws

clean: ## Remove the environments and everything that was built
	rm -rf .venv .venv-oldest .venv-3.* .venv-emulator .venv-lambda .venv-docs .venv-mutants node_modules \
		.venv-newest .venv-release benchmarks/node/node_modules tests/site/node_modules
	rm -rf cdk.out build dist .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find $(LINTED) -name __pycache__ -type d -prune -exec rm -rf {} +

# $(call environment,folder,lock): a fresh virtual environment that holds what the lock file names, and nothing else.
# pip has to know what depends on what: aws-cdk-lib replaces a file of a package that it needs.
# Python compiles a module at its first import, and most of aws-cdk-lib is never imported. The Lambda workers compile
# nothing, as in Lambda.
define environment
@echo "$(1): installing $(2) ..."
@rm -rf $(1)
@$(PYTHON) -m venv $(1)
@$(1)/bin/python -m pip install -qq $(if $(findstring lambda,$(1)),,--no-compile) --require-hashes --requirement $(2)
@echo "$(1): $(2) is installed"
endef

# The project itself is installed editable: its two source roots are put on the path. A change of
# pyproject.toml redoes this alone.
define editable
@echo "$(1): installing this project ..."
@$(1)/bin/python -m pip install -qq --no-deps --no-build-isolation --editable .
endef

# $(eval $(call with_project,folder,lock)): the rules of an environment with the project.
define with_project
$(1)/.requirements: $(2)
	$$(call environment,$$(@D),$(2))
	@touch $$@

$(1)/.done: $(1)/.requirements pyproject.toml
	$$(call editable,$$(@D))
	@touch $$@
endef

$(eval $(call with_project,.venv,requirements.lock))
$(eval $(call with_project,.venv-oldest,tests/requirements-oldest.lock))
$(eval $(call with_project,.venv-3.%,tests/requirements-pythons.lock))
# Its tests find the mutants before the project, of which they need the version.
$(eval $(call with_project,.venv-mutants,tests/requirements-mutants.lock))

# $(eval $(call without_project,folder,lock)): the rule of any other environment.
define without_project
$(1)/.done: $(2)
	$$(call environment,$$(@D),$(2))
	@touch $$@
endef

$(eval $(call without_project,.venv-emulator,local_aws/requirements-emulator.lock))
$(eval $(call without_project,.venv-lambda,local_aws/requirements-lambda.lock))
$(eval $(call without_project,.venv-docs,docs/requirements.lock))
$(eval $(call without_project,.venv-release,tests/requirements-release.lock))

$(NODE_MODULES): package.json package-lock.json
	@echo "node_modules: installing package-lock.json ..."
	@npm ci --silent --no-audit --no-fund
	@touch $@

$(NODE_SITE): tests/site/package.json tests/site/package-lock.json
	@echo "tests/site/node_modules: installing ..."
	@cd tests/site && npm ci --silent --no-audit --no-fund --ignore-scripts
	@touch $@
