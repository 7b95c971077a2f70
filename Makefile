# The front door. Each target is one line of `make help`; the work is done by the modules called.
PYTHON ?= python3
STATE := $(shell $(PYTHON) -m docker.doctor)
BASE := $(STATE)/venv/base/bin/python
DEV := $(STATE)/venv/dev/bin
FLINK := $(STATE)/venv/flink/bin/python
AIRFLOW := $(STATE)/venv/airflow/bin/python
UV := $(STATE)/venv/tools/bin/uv
SETUP := $(PYTHON) -m docker.bootstrap setup
STACK := $(BASE) -m docker.stack
# Clients of the local stack learn its addresses and folders from it.
WITH_STACK = eval "$$($(STACK) env)" &&

.DEFAULT_GOAL := help
.PHONY: help demo batch test test-long soak bench setup doctor up watch down status logs env jobs sql \
	check-sql lint format lock pictures test-udfs test-dags open clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 12

demo: ## streaming at once: stack, exchange, connectors, jobs, live terminal, final check
	@$(SETUP) --for market
	@$(BASE) -m docker.demo

batch: ## all listed stocks at once: Airflow, a local Yahoo and JPX, live progress, final check
	@$(SETUP) --for batch
	@DEMO_BATCH_RESUME=$(RESUME) $(BASE) -m docker.batch

test: ## lint, unit and integration tests, closed by one summed line
	@$(SETUP) --no-ports
	@$(DEV)/python -m tests.run

test-long: ## the long tests: full chaos, all kills, large proofs
	@$(SETUP) --no-ports --tests
	@$(DEV)/python -m tests.run --long

soak: ## the demo for SOAK_SECONDS (3600), closed by its check of every window
	@$(SETUP) --for market
	@DEMO_SECONDS=$(or $(SOAK_SECONDS),3600) $(BASE) -m docker.demo

bench: ## measure: parse path, engine, buses, socket to Kafka, Kafka to bars, the models, the batch
	@$(SETUP) --no-ports
	@$(STACK) up market
	@$(WITH_STACK) for name in parse parse_venues engine publish venues bus bars; do \
		$(DEV)/python -m tests.benchmarks.$$name || exit 1; done
	@$(STACK) down
	@for name in models delay file_bars batch; do $(DEV)/python -m tests.benchmarks.$$name || exit 1; done

setup: ## install environments and jars into the state folder
	@$(SETUP) --no-ports

doctor: ## say what this machine lacks and how to cure it
	@$(PYTHON) -m docker.bootstrap doctor

up: ## start all services and their jobs, or SERVICE="market|batch|kafka|airflow-api|…"
	@$(SETUP) $(addprefix --for ,$(filter market batch,$(SERVICE)))
	@$(STACK) up $(SERVICE)

watch: ## the same, and what dies is started again, with its jobs, until Ctrl-C
	@$(SETUP) $(addprefix --for ,$(filter market batch,$(SERVICE)))
	@$(STACK) watch $(SERVICE)

down: ## stop jobs with savepoints, from which `make up` goes on, then the services in order
	@$(STACK) down

status: ## pid, port, health and memory of each service, or of SERVICE
	@$(STACK) status $(SERVICE)

logs: ## follow the log of SERVICE=kafka|postgres|jobmanager|taskmanager|airflow-scheduler|…
	@$(STACK) logs $(or $(SERVICE),$(error say which: make logs SERVICE=kafka)) -f

env: ## addresses of the stack for a shell: eval "$(make -s env)"
	@$(STACK) env

jobs: ## the Flink jobs and their state
	@$(WITH_STACK) $(FLINK) -m flink_jobs status

sql: ## the Flink SQL client with all tables declared
	@$(WITH_STACK) $(FLINK) -m flink_jobs sources > $(STATE)/sources.sql
	@$(WITH_STACK) bash $$FLINK_HOME/bin/sql-client.sh -i $(STATE)/sources.sql \
		-hist $(STATE)/sql-history

check-sql: ## lint and plan every model, run its cases
	@$(SETUP) --no-ports
	@$(DEV)/sqlfluff lint sql
	@$(STACK) up postgres
	@$(WITH_STACK) $(FLINK) -m flink_jobs check

lint: ## ruff, mypy, import contracts, sqlfluff
	@$(SETUP) --no-ports
	@$(DEV)/python -m tests.run --only lint

format: ## let ruff put the code in order
	@$(DEV)/ruff check -q --fix . ; $(DEV)/ruff format -q .

lock: ## compile requirements/*.in into pinned, hashed *.txt (UPGRADE=1 takes newer versions)
	@for name in tools base dev flink airflow; do \
		UV_CACHE_DIR=$(STATE)/cache/uv $(UV) pip compile -q --universal --python-version 3.11 \
			--generate-hashes --no-header --no-emit-index-url $(if $(UPGRADE),--upgrade) \
			-o requirements/$$name.txt requirements/$$name.in || exit 1; done

test-udfs: ## plain pytest on the Python functions of SQL, without Kafka or Flink
	@$(DEV)/python -m pytest -q tests/flink_jobs/udfs

test-dags: ## plain pytest on the DAGs' integrity, without any service
	@$(AIRFLOW) -m pytest -q tests/dags/test_integrity.py

pictures: ## draw docs/pictures anew from what Flink gives for the pages' queries
	@$(SETUP) --no-ports
	@$(WITH_STACK) $(FLINK) -m tests.docs.draw

open: ## where to look: Flink's and Airflow's pages, metrics
	@$(STACK) where

clean: ## stop everything, remove the state folder and what lies outside it
	@if [ -x $(BASE) ]; then $(STACK) clean; fi
	@$(PYTHON) -m docker.bootstrap clean
