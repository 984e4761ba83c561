.DEFAULT_GOAL := help
PY := .venv/bin/python
TASK ?= What is the latest price of IBM, and how volatile was it?
DATA ?=
ARGS ?=

.PHONY: bench-planner e2e help demo setup setup-dev test check fmt lint types layers requirements docs bench lock clean

help: ## show this help
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  \1\t\2/' | expand -t 18

demo: setup ## set up and run a task: make demo TASK="…" DATA=path
	@PLANNER_LLM__PROVIDER=embedded LLM__PROVIDER=embedded \
	  .venv/bin/planwarden run "$$DEMO_TASK" $(if $(strip $(DATA)),--data "$$DEMO_DATA")

export DEMO_TASK := $(value TASK)
export DEMO_DATA := $(value DATA)

setup: ## make .venv with the planwarden command, and fetch the embedded model
	@scripts/setup.sh run

setup-dev:
	@scripts/setup.sh dev

test: setup-dev ## run all tests
	$(PY) -m pytest -n 2 --dist loadfile --no-loadscope-reorder

check: lint types layers requirements docs ## everything but the tests

fmt: setup-dev ## format
	.venv/bin/ruff format src tests benchmarks examples
	.venv/bin/ruff check --fix src tests benchmarks examples

lint: setup-dev ## ruff
	.venv/bin/ruff format --check src tests benchmarks examples
	.venv/bin/ruff check src tests benchmarks examples

types: setup-dev ## pyright, strict
	.venv/bin/pyright

layers: setup-dev ## import-linter
	.venv/bin/lint-imports

requirements: setup-dev ## each requirement has a test, each test a requirement
	$(PY) tests/requirements_plugin.py

docs: setup-dev ## build the documentation, strictly
	.venv/bin/mkdocs build --strict --quiet --site-dir site

bench: setup-dev ## the figures that are claimed
	$(PY) benchmarks/planned_names.py
	$(PY) benchmarks/journal_steps.py
	$(PY) benchmarks/conversations.py
	$(PY) benchmarks/plan_memory.py
	$(PY) benchmarks/metrics_memory.py
	$(PY) benchmarks/soak_memory.py
	$(PY) benchmarks/run_search.py
	$(PY) benchmarks/model_faults.py
	$(PY) benchmarks/record.py
	$(PY) benchmarks/shadow.py
	$(PY) benchmarks/telemetry_overhead.py

bench-planner: setup-dev ## the planner's figures beside their targets: ARGS="--only PART --out FILE"
	$(PY) -m benchmarks.planner $(ARGS)

e2e: setup-dev ## the end-to-end tasks over all five agents, with the share that comes out right
	$(PY) -m pytest tests/end_to_end -s

lock: ## renew the lock files
	.venv/bin/uv pip compile -q --universal --generate-hashes --python-version 3.11 --no-header pyproject.toml -o requirements/run.lock
	.venv/bin/uv pip compile -q --universal --generate-hashes --python-version 3.11 --no-header pyproject.toml --group dev -o requirements/dev.lock
	.venv/bin/uv pip compile -q --universal --generate-hashes --python-version 3.11 --no-header requirements/build.in -c requirements/dev.lock -o requirements/build.lock
	.venv/bin/uv pip compile -q --universal --generate-hashes --python-version 3.11 --no-header requirements/installer.in -o requirements/installer.lock

clean: ## remove what was built
	rm -rf .venv site dist build .hypothesis .ruff_cache .import_linter_cache
