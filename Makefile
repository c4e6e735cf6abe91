# Toolsight. `make help` lists what can be made.

PYTHON ?= python3
# Where CPU builds of torch are looked for when pip does not find one by itself.
TORCH_CPU_INDEX ?=
export TORCH_CPU_INDEX

SYSTEM_PACKAGES := bubblewrap libseccomp2
# Only the tests of the report need a browser.
TEST_PACKAGES := chromium
PIP := .venv/bin/python -m pip --disable-pip-version-check --no-input

.PHONY: help run test test-trainers lint bench clean setup serve-env system-packages browser

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

run: setup ## run both flows on real samples with the embedded model, into runs/demo
	@PREFECT_SERVER_ANALYTICS_ENABLED=false .venv/bin/python -m flows.curate_and_synthesize flows/recipes/demo.toml runs/demo
	@.venv/bin/toolsight funnel runs/demo
	@echo runs/demo/report.html

test: setup browser .venv/.torch ## run all tests, the ones with a real vLLM server too
	.venv/bin/pytest -n 2

test-trainers: run ## load exports with the trainers' own classes, in environments of their own
	.venv/bin/python -m tests.trainers.environments
	.venv/bin/pytest -n 2 --dist load -m trainers tests/trainers

lint: .venv/.stamp ## check style and types
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy

bench: setup ## measure what the README and the issues claim; ARGS="scale --help" for one of them
	.venv/bin/python -m tests.bench $(ARGS)

setup: system-packages ## install everything that run and test need
	@$(MAKE) --no-print-directory -j2 .venv/.stamp serve-env

serve-env: ## build .venv-serve, the environment of the vLLM server
	@$(PYTHON) -I curation/models/environment.py

clean: ## remove environments, caches and the demonstration run
	rm -rf .venv .venv-serve .venv-verl .venv-llamafactory build dist *.egg-info runs/demo
	rm -rf .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -prune -exec rm -rf {} +

.venv/.stamp: pyproject.toml
	@echo "installing toolsight[dev] into .venv"
	@$(PYTHON) -m venv .venv
	@$(PIP) install -q --upgrade pip  # a recent one installs twice as fast
	@$(PIP) install -q -e '.[dev]'
	@touch $@

# Only the tests of the training script need torch.
.venv/.torch: .venv/.stamp
	@echo "installing the CPU build of torch into .venv"
	@$(PYTHON) -I curation/models/environment.py --torch .venv
	@touch $@

# $(call install,PACKAGES,WHAT NEEDS THEM)
define install
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  echo "installing $(1) with apt-get"; \
	  apt-get update -qq && apt-get install -qq -y --no-install-recommends $(1); \
	else \
	  echo "$(2) needs $(1): install it with your package manager."; exit 1; \
	fi
endef

# The sandbox isolates code with bubblewrap and filters its system calls with libseccomp.
system-packages:
	@if command -v bwrap && ldconfig -p | grep -q 'libseccomp\.so\.2'; then exit 0; fi >/dev/null; \
	$(call install,$(SYSTEM_PACKAGES),The sandbox)

# The report is looked at in a real browser; Playwright only drives it, and brings none of its own.
browser:
	@for name in chromium chromium-browser google-chrome; do \
	  if command -v $$name >/dev/null; then exit 0; fi; \
	done; \
	$(call install,$(TEST_PACKAGES),The test of the report)
