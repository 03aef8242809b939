# Everything a person, a hook or CI does here is a target of this file.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
EXTRAS := simulator ingestion aggregation api ops otel dev

.PHONY: help setup demo demo-docker up down status reset doctor lint types browser test test-containers test-compose faults bench alert-faults figures screenshots docs dashboards panels env-example lock licences sbom image-sizes

help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  \1\t\2/' | expand -t 12

setup: .venv/ready ## build .venv and fetch what the embedded stack needs (Debian packages too when run as root)

.venv/ready: requirements/dev.txt pyproject.toml deploy/local/kafka/pom.xml deploy/local/setup.py
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "$(PYTHON) is $$($(PYTHON) -V 2>/dev/null || echo missing), Python 3.11 or newer is needed → make PYTHON=python3.13 $(MAKECMDGOALS)" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv || { \
	  echo "$(PYTHON) can't make a virtual environment → sudo apt-get install -y python3-venv" >&2; exit 1; }
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	$(BIN)/python -m deploy.local.setup
	@touch $@

demo: setup ## real events through real Kafka and Postgres to statistics, live until Ctrl-C (DEMO_SECONDS=n: ends by itself)
	@exec $(BIN)/plumbline demo

demo-docker: ## the same on containers; needs Docker and compose only (DEMO_SECONDS=n: ends by itself)
	@exec deploy/docker/demo.sh

up: setup ## start the stack in the background (ONLY=kafka,postgres,…: a part, with the settings of this environment)
	@exec $(BIN)/plumbline up $(if $(ONLY),--only $(ONLY))

down: setup ## stop the stack, keep its data
	@exec $(BIN)/plumbline down $(if $(ONLY),--only $(ONLY))

status: setup ## is the pipeline healthy, or what is wrong and what to type next (LIVE=1: again every 2 s)
	@exec $(BIN)/plumbline status $(if $(LIVE),--live)

reset: setup ## stop the stack and remove its data; asks first
	@exec $(BIN)/plumbline reset

doctor: setup ## what is wrong with this machine or the stack, and the command that mends it
	@exec $(BIN)/plumbline doctor

lint: setup ## formatting, lint and import rules
	$(BIN)/ruff format --check -q .
	$(BIN)/ruff check -q .
	$(BIN)/lint-imports --no-logo

types: setup ## mypy --strict
	$(BIN)/mypy

test: lint types browser ## lint, types and all tests, on a throw-away stack (ARGS=… goes to pytest)
	$(BIN)/pytest $(ARGS)

test-containers: setup ## the integration and fault tests on Kafka and Postgres in containers, by testcontainers (ARGS=… goes to pytest)
	$(BIN)/pytest tests/integration tests/faults --servers=containers $(ARGS)

browser: setup ## the Chromium that tests of the analysts' page need (installed when run as root)
	@$(BIN)/python -m tests.browser

test-compose: setup ## docker-compose.yml for real: up, events, scale, kill table (ARGS='-m smoke': three minutes; JSON=file, DOC=file)
	@deploy/docker/trust.sh
	$(BIN)/pytest tests/compose -v $(if $(JSON),--compose-json=$(JSON)) $(if $(DOC),--compose-doc=$(DOC)) $(ARGS)

faults: setup ## every fault at its full length, with a table of what was lost (JSON=file, STORM_SEED=n, STORM_SECONDS=n)
	$(BIN)/pytest tests/faults -v --long $(if $(JSON),--faults-json=$(JSON)) $(ARGS)

bench: setup ## benchmarks as JSON lines, each beside its limit of the same run (ONLY=latency,memory,…: some of them)
	@exec $(BIN)/python -m tests.benchmarks $(ONLY)

alert-faults: setup ## faults on a stack with Prometheus: which alert fires, after how long; writes docs/alerts-fired.md (ONLY=…)
	$(BIN)/python -m tests.alerting $(ONLY)

figures: setup ## measure and draw the pictures of docs/statistics.md again
	$(BIN)/python -m tests.figures

screenshots: setup browser ## take the pictures of the page and of Prometheus' rules in docs/figures again
	$(BIN)/python -m tests.browser.pictures

docs: setup ## write the documents again that are made from what the code declares
	$(BIN)/python -m ops.metrics_doc > docs/metrics.md
	$(BIN)/python -m ops.logs_doc > docs/logs.md

dashboards: setup ## write grafana/dashboards/*.json again from their builder
	$(BIN)/python -m grafana.builder

panels: setup ## ask what every panel asks of a real stack, and write the answers into docs/dashboards.md
	$(BIN)/python -m tests.dashboards

licences: setup ## write docs/licences.md: of what others made, what is in the images, and may it be
	@text=$$($(BIN)/python -m deploy.supply.licences) && printf '%s\n' "$$text" > docs/licences.md

sbom: setup ## write a bill of materials (CycloneDX) of each image into sbom/ (ONLY=api: of one, to standard output)
	@$(BIN)/python -m deploy.supply.sbom $(if $(ONLY),$(ONLY) --stdout)

image-sizes: setup ## sizes of the images: of the base, and of what is added to it (JSON=1)
	@$(BIN)/python -m deploy.supply.sizes $(if $(JSON),--json)

env-example: setup ## write .env.example from the services' settings
	$(BIN)/python -m ops.env_example > .env.example

lock: setup ## lock the dependencies of each extra with hashes
	for extra in $(EXTRAS); do \
	  $(BIN)/uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-header \
	    --extra $$extra pyproject.toml -o requirements/$$extra.txt; \
	done
