# Every target makes what it needs first; a fresh Debian machine has to have only python3, git and make.
SHELL := /bin/bash
BIN := .venv/bin
SETUP := scripts/setup.sh
PYTEST_ARGS ?=
BENCH_ARGS ?=
TMUX_VERSIONS ?= 3.3a 3.5a 3.7c 3.8
ACCURACY_ARGS ?=
DRIFT_ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help dev demo test coverage check bench accuracy test-agents drift tmux-matrix venv tools extras clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' Makefile | expand -t 18

dev: venv tools ## set up for development: editable environment in .venv, checks before each commit
	@$(SETUP) git-hook

demo: venv ## see it work: agents in a private tmux, their states live; touches nothing of yours
	@$(SETUP) tmux
	@$(SETUP) agents || [ $$? -eq 3 ]
	@$(BIN)/python -m tests.agents.isolate $(BIN)/python -m tests.agents.demo

test: venv tools extras ## all tests but those that drive the real agent CLIs
	@$(BIN)/pytest -m "not agents" -n 2 --dist loadgroup $(PYTEST_ARGS)

coverage: ## make test, and which lines it ran (takes half as long again)
	@$(MAKE) --no-print-directory test PYTEST_ARGS="--cov --cov-report=term:skip-covered $(PYTEST_ARGS)"

check: venv tools ## lint, format and types, then make test
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(MAKE) --no-print-directory test

bench: venv tools ## the budgets of docs/performance.md, measured
	@$(BIN)/python -m bench $(BENCH_ARGS)

accuracy: venv tools ## play the recorded agents before a real daemon, with hooks and without; writes docs/accuracy.md (about 20 minutes)
	@$(BIN)/python -m tests.replay.accuracy $(ACCURACY_ARGS)

test-agents: venv tools ## the real agent CLIs, offline, against the bundled fake models
	@$(SETUP) agents; code=$$?; \
	if [ $$code -eq 3 ]; then echo "make test-agents: skipped, see the line above"; exit 0; fi; \
	[ $$code -eq 0 ] || exit $$code; \
	exec $(BIN)/python -m tests.agents.isolate $(BIN)/pytest -m agents -n 2 $(PYTEST_ARGS)

drift: venv tools ## test-agents with the newest published CLIs, or those that DRIFT_ARGS names (see docs/agent-versions.md)
	@$(SETUP) node
	@$(BIN)/python -m tests.agents.drift $(DRIFT_ARGS)

tmux-matrix: venv tools extras ## the tests that start tmux, on each of TMUX_VERSIONS; one line a version
	@scripts/tmux-matrix.sh $(TMUX_VERSIONS)

venv:
	@$(SETUP) venv

tools:
	@$(SETUP) tmux

extras:
	@$(SETUP) sshd || true
	@$(SETUP) extras
	@$(SETUP) browser

clean: ## remove what the targets made, except the cached agent CLIs
	rm -rf .venv build dist .coverage .coverage.* htmlcov .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
