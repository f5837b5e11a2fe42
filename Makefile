# `make` lists what there is. Everything runs from the project's own .venv.
SHELL := /bin/bash
.DEFAULT_GOAL := help

PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { command -v $$p; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
HOST ?= 127.0.0.1
PORT ?= 3000

# For the shell, and never for make itself, to which a space in a path is the end of a name.
export DAGSTER_HOME := $(shell realpath -m -- '$(subst ','\'',$(or $(RC_LAKE),data_lake))')/dagster_home
export HF_HUB_DISABLE_TELEMETRY := 1
export DO_NOT_TRACK := 1
export TOKENIZERS_PARALLELISM := false
# Dagster says at every start that `job execute` has a successor of another project layout.
export PYTHONWARNINGS := ignore:Function

.PHONY: help setup home demo run build ui screenshots test lint types bench clean

help: ## list these commands
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 13

setup: $(STAMP) ## create .venv and install everything

$(STAMP): pyproject.toml constraints.txt
	@if [ -z "$(PYTHON)" ]; then echo "rc_pipeline needs Python 3.11 or newer; none was found. Install one, or name it: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11" >&2; exit 1; fi
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11) else "rc_pipeline needs Python 3.11 or newer; $(PYTHON) is %d.%d" % v[:2])'
	@echo "installing into $(VENV) with $(PYTHON); this takes a few minutes the first time"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

home: $(STAMP)
	@# Two processes that begin at once would race for making Dagster's tables.
	@cd resources && test "$$DAGSTER_HOME/dagster.yaml" -nt dagster.yaml || { mkdir -p "$$DAGSTER_HOME" && \
		cp dagster.yaml "$$DAGSTER_HOME" && \
		../$(BIN)/python -c 'from dagster import DagsterInstance as I; i = I.get(); i.run_storage, i.event_log_storage, i.schedule_storage' || \
		{ rm -f "$$DAGSTER_HOME/dagster.yaml"; exit 1; }; }

demo: STUDY := demo
demo: run ## run the whole pipeline on the embedded sample and print the comparison

run: home ## the same for a study of yours: make run STUDY=my_study
	@test -n "$(STUDY)" || { echo "which study of catalog/studies? make run STUDY=my_study" >&2; exit 1; }
	@$(BIN)/rc-pipeline plan $(STUDY)
	@$(BIN)/dagster job execute -m rc_pipeline.definitions -j $(subst -,_,$(STUDY))
	@$(BIN)/rc-pipeline compare $(STUDY)

build: home ## build one thing and what it stands on: make build KEY=instructions/identity
	@test -n "$(KEY)" || { echo "which key? \`rc-pipeline plan\` lists them: make build KEY=instructions/identity" >&2; exit 1; }
	@# For a key that is not there Dagster would build everything.
	@$(BIN)/rc-pipeline why '$(KEY)' >/dev/null
	@$(BIN)/dagster asset materialize -m rc_pipeline.definitions --select '+key:"$(KEY)"' --config-json '{"loggers": {"console": {"config": {"log_level": "INFO"}}}}'

ui: home ## serve the Dagster UI on 127.0.0.1:3000
	@$(BIN)/dagster dev -w workspace.yaml -h $(HOST) -p $(PORT)

screenshots: $(STAMP) ## take the pictures of docs/ui.md anew, from the demo; needs Chromium
	@RC_PICTURES=docs/images $(BIN)/python -m pytest -n 0 tests/ui

test: lint types ## lint, check types, run the tests
	@$(BIN)/python -m pytest

lint: $(STAMP) ## check style
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(STAMP) ## check types
	@$(BIN)/mypy

bench: $(STAMP) ## measure against peers, side by side
	@for script in benchmarks/*.py; do $(BIN)/python $$script || exit 1; done

clean: ## delete everything that runs wrote, but for your own files in inbox/ and judgements/
	@find "$${DAGSTER_HOME%/*}" -mindepth 1 -maxdepth 1 ! -name README.md ! -name inbox ! -name judgements ! -name .gitignore -exec rm -rf {} + 2>/dev/null || true
	@rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis .tmp_dagster_home_*
