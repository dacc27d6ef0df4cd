# `make` lists what there is. `make demo` and `make test` need Python 3.11 to 3.13, make and git; they install the rest.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

BIN := .venv/bin
LOCKS := requirements-bootstrap.txt pyproject.toml scripts/install.sh
# A development environment holds everything the runtime needs: `make demo` after `make test` installs nothing.
RUNTIME := $(or $(wildcard .venv/.dev),.venv/.runtime)
# Scripts in an environment name their interpreter by its full path: after the folder moved, install again.
ifneq ($(shell cat .venv/.path 2>/dev/null),$(CURDIR))
MOVED := FORCE
endif

# Eight days, so that the last one has a day before and the same weekday of the week before to be compared with.
DEMO_FROM := 2025-03-03
DEMO_TO := 2025-03-10

# Files stay together, but for the parts of long sweeps (tests/conftest.py): what a file's tests share is made once.
PROCESSES := --numprocesses auto --maxprocesses 4 --dist loadfile

##@ Start here
.PHONY: help
help: ## this list
	@awk 'BEGIN { FS = ":.*## " } /^##@ / { printf "\n%s\n", substr($$0, 5) } \
	  /^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: $(RUNTIME) ## simulate a centre for eight days and send its calls all the way to a report
	@$(BIN)/callhouse simulate --from $(DEMO_FROM) --days 8 --calls 1000 --seed 1
	@$(BIN)/callhouse run --from $(DEMO_FROM) --to $(DEMO_TO)
	@echo "What next:"
	@echo "  $(BIN)/callhouse sql \"select * from reports.rpt_daily where business_date = '$(DEMO_TO)'\""
	@echo "  $(BIN)/callhouse report daily --open    the e-mail, in your mail program"
	@echo "  make up                                the same DAGs in Airflow's pages; make down stops them"
	@echo "  $(BIN)/callhouse --config examples/anonbank --data FOLDER run --from 1999-01-01 --to 1999-01-31"

.PHONY: up
up: $(RUNTIME) ## start the warehouse and Airflow (its pages on this machine only)
	@$(BIN)/callhouse up

.PHONY: down
down: ## stop what `make up` and `make demo` started; data stays
	@if [ -x $(BIN)/callhouse ]; then $(BIN)/callhouse down; fi

##@ Work on it
.PHONY: install
install: .venv/.dev ## the virtual environment .venv with everything for development (PYTHON=python3.13 chooses)

.PHONY: test
test: .venv/.dev ## the tests, in as many processes as there are cores (at most 4), each with a database server
	@$(BIN)/python -m pytest $(PROCESSES)

.PHONY: test-long
test-long: .venv/.dev ## the tests that take minutes
	@$(BIN)/python -m pytest -m long $(PROCESSES)

.PHONY: lint
lint: .venv/.dev ## ruff, mypy, sqlfluff and dbt-bouncer
	@sh scripts/lint.sh

.PHONY: format
format: .venv/.dev ## bring Python and SQL into the project's form
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .
	@$(BIN)/sqlfluff fix --quiet dbt_project/models

.PHONY: bench
bench: .venv/.dev ## a million calls from files to marts, beside a hand-written baseline
	@$(BIN)/python -m benchmarks

.PHONY: docs
docs: .venv/.dev ## write docs/ anew from the code: KPIs, marts, rules, DAGs
	@$(BIN)/python -m callhouse.catalogue

.PHONY: lock
lock: .venv/.dev ## write the requirements files anew from pyproject.toml (UPGRADE=1 takes newer versions)
	@sh scripts/lock.sh

##@ Clear away
.PHONY: clean
clean: ## stop everything and remove all that was installed or made, data too
	@sh scripts/clean.sh

.venv/.runtime: requirements.txt $(LOCKS) $(MOVED)
	@sh scripts/install.sh requirements.txt
	@touch $@

.venv/.dev: requirements-dev.txt $(LOCKS) $(MOVED)
	@sh scripts/install.sh requirements-dev.txt
	@touch $@

.PHONY: FORCE
FORCE:
