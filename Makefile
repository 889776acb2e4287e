# Everything here needs Python 3.11 or newer and make; the rest is fetched into .venv, once, and checked by hash.
PYTHON ?= python3
BIN = .venv/bin
PIP = $(BIN)/python -m pip --disable-pip-version-check --no-input --quiet
# More workers than cores: most of a test's time is waiting for a broker's timeouts.
PYTEST = $(BIN)/python -m pytest -n 4 --dist loadfile

FAULTS = --full
HISTORIES = 100000

COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
  --no-annotate --custom-compile-command "make lock"

.DEFAULT_GOAL = help
.PHONY: help demo test test-kafka lint format docs picture bench faults simulate mutations lock clean

help: ## list these targets
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

demo: .venv/.installed ## real receipts through Kafka, Faust and ClickHouse on this machine, then the proof
	@$(BIN)/tillstream demo $(ARGS)

test: .venv/.installed ## all tests, on the embedded broker and the embedded ClickHouse
	@$(PYTEST) $(ARGS)

test-kafka: .venv/.installed ## what meets a broker, on Apache Kafka 4.3.1 itself: needs Java 17 and Maven
	@command -v java >/dev/null && command -v mvn >/dev/null || { \
	  echo "Apache Kafka needs Java 17 and Maven (java, mvn), which are not on the PATH."; \
	  echo "make test needs neither: it uses the embedded broker."; exit 1; }
	@[ -f .kafka/.fetched ] || { mvn -q -B -f tests/kafka/pom.xml dependency:copy-dependencies \
	  -DoutputDirectory=$(CURDIR)/.kafka/libs && touch .kafka/.fetched; }
	@$(PYTEST) --kafka tests/integration tests/faults $(ARGS)

lint: .venv/.installed ## style, types, and the direction of imports
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: .venv/.installed ## mend what ruff can mend
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

docs: .venv/.installed ## the generated pages of docs/ anew: commands, settings, metrics, JSON Schemas
	@$(BIN)/python -m tillstream.docs docs

picture: .venv/.installed ## the picture in README.md anew: a run of the demo
	@$(BIN)/python -m tillstream.demo.picture docs/demo.svg

bench: .venv/.installed ## the contest with the peers, and the other figures: ARGS="--only throughput --write"
	@$(BIN)/python bench/all.py $(ARGS)

faults: .venv/.installed ## the fault suite: processes killed, messages mangled; FAULTS= runs it short
	@$(BIN)/python -m pytest -q tests/faults $(FAULTS) $(ARGS)

simulate: .venv/.installed ## random histories of fold, flush, restore and sinks against an oracle: HISTORIES=100000
	@$(BIN)/python -m tests.simulation --histories $(HISTORIES) $(ARGS)

mutations: .venv/.installed ## each rule taken away from a copy of the source, and what sees it
	@$(BIN)/python -m tests.faults.mutations $(ARGS)

lock: .venv/.installed ## the lock files anew from pyproject.toml: for every platform, with hashes
	@$(COMPILE) pyproject.toml --group dev -o requirements.lock $(ARGS)
	@$(COMPILE) pyproject.toml --group build --constraint requirements.lock -o deploy/requirements.lock
	@$(COMPILE) bench/peers/quix/requirements.in -o bench/peers/quix/requirements.lock $(ARGS)
	@$(PIP) install --require-hashes --no-deps -r requirements.lock
	@touch .venv/.locked

clean: ## remove what the tools made, .venv too
	@rm -rf .venv dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/.locked: requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "tillstream needs Python 3.11 or newer; '$(PYTHON)' is `$(PYTHON) -V 2>&1`."; \
	  echo "Name another one: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@$(BIN)/python -c 'import pip' 2>/dev/null || $(PYTHON) -m venv --clear .venv
	@if [ -f $@ ]; then echo "requirements.lock has changed: fetching what is new."; else \
	  echo "First run: fetching about 530 MB of packages into .venv (1 to 3 minutes, once)."; fi
	@$(PIP) install --require-hashes --no-deps -r requirements.lock
	@touch $@

# The build tools, a C compiler among them, stand in the lock file too, so that nothing is fetched here.
.venv/.installed: .venv/.locked pyproject.toml hatch_build.py kernel/build.py $(wildcard kernel/*.c kernel/*.h)
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@
