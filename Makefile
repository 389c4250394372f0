# Every target sets up what it needs: the virtual environment is rebuilt when a lock file changes.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
PORT ?= 8000
BIN := .venv/bin
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes

.DEFAULT_GOAL := help
.PHONY: help run test test-embedded test-vitess check check-chart bench chaos soak format schema postman screenshots lock \
  stack-up stack-down clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-15s %s\n", $$1, $$2}'

run: .venv/embedded ## the embedded profile on 127.0.0.1:$(PORT): SQLite, no service
	@exec env PORT=$(PORT) scripts/run

test: ## everything, with the real services on this machine
	@scripts/test

test-embedded: .venv/embedded-test ## the tests that need no service
	@scripts/test-embedded

test-vitess: ## the tests of a sharded database; the first time, Vitess is built, which takes long
	@scripts/test-vitess

check: .venv/embedded-test ## format, lint, types, import contracts, migrations, API schema, Postman collection
	@scripts/check

check-chart: .venv/dev ## lint, render and validate the chart of deploy/helm; builds Helm at the first use
	@scripts/helm version --template 'Helm {{.Version}}{{"\n"}}'
	$(BIN)/python -m pytest --numprocesses 0 tests/deploy/test_chart.py tests/deploy/test_rendered_chart.py

bench: .venv/dev ## speed beside other designs, on the real services; QUICK=1 in a few minutes
	@scripts/bench $(if $(QUICK),--quick)

chaos: .venv/dev ## break each part of the stack under load; SECONDS=30 for shorter cases, TOPOLOGY=cluster
	@scripts/chaos $(if $(SECONDS),--seconds $(SECONDS))

soak: .venv/dev ## half the peak rate for ten minutes: all is heard, memory stays flat; MINUTES=5
	@scripts/chaos --soak $(or $(MINUTES),10)

format: .venv/embedded-test ## rewrite the source in the project's format
	$(BIN)/ruff format . && $(BIN)/ruff check --fix .

schema: .venv/embedded ## write docs/openapi.yaml anew
	$(BIN)/python manage.py spectacular --file docs/openapi.yaml --validate

postman: .venv/embedded ## write docs/postman_collection.json anew from docs/openapi.yaml
	PYTHONPATH=scripts $(BIN)/python -m postman docs/openapi.yaml docs/postman_collection.json

screenshots: .venv/embedded-test ## take the pictures of docs/images anew, in a real browser
	@scripts/screenshots

stack-up: ## the production topology on this machine
	@scripts/stack up

stack-down: ## stop what stack-up started, keep its data
	@scripts/stack down

lock: .venv/embedded-test ## resolve the pinned requirements anew from pyproject.toml
	scripts/lock

clean: ## remove the virtual environment and the embedded profile's data
	rm -rf .venv var

.venv/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed; name it with make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -m venv .venv \
	  || { echo "python -m venv failed: on Debian it is in the package python3-venv" >&2; exit 1; }
	@touch $@

.venv/embedded: requirements/embedded.txt | .venv/pip
	$(PIP_INSTALL) -r $<
	@touch $@

.venv/embedded-test: requirements/embedded-test.txt | .venv/pip
	$(PIP_INSTALL) -r $<
	@touch $@ .venv/embedded

# newman, with which the tests run the Postman collection.
tests/postman/node_modules/.package-lock.json: tests/postman/package-lock.json
	npm ci --prefix tests/postman --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

# The only one that compiles something (mysqlclient).
.venv/dev: requirements/dev.txt | .venv/pip
	$(PIP_INSTALL) -r $<
	@touch $@ .venv/embedded .venv/embedded-test
