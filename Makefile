# Everything is set up on the first call; nothing but Python 3.11+, git and make must be there before.
PYTHON ?= python3
PORT ?= 8080
DATA ?= data
WORKERS ?= 3

# Empty is unset: the tests start some hundred processes, which must not each compile the product again.
export PYTHONDONTWRITEBYTECODE :=

# Folders of which every test is marked slow (tests/conftest.py): the quick half need not even collect them.
SLOW := cli clients pages stories wire

BIN := .venv/bin
SETUP := $(PYTHON) scripts/bootstrap.py

.DEFAULT_GOAL := help
.PHONY: help run test quick lint replay client lock upgrade wheel clean

help: ## Show this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST)

run: ## Start the product with the sandbox beside it (PORT=8080 DATA=data; LAN=1 for your network, HTTPS=1 for cameras too)
	@$(SETUP) run
	@$(BIN)/wallet-server sandbox --port $(PORT) --data $(DATA) \
		$(if $(LAN)$(HTTPS),--host 0.0.0.0 --beyond-loopback) $(if $(HTTPS),--https)

test: lint ## Run every check and every test, on SQLite and on PostgreSQL
	@echo "==> tests: rules to records, then whole journeys over the wire"
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder --durations 25 --durations-min 5

quick: export WALLET_TEST_QUICK := 1
quick: ## Run the quick half of the tests only, on SQLite
	@$(SETUP) test
	@$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m "not story and not slow and not server" $(SLOW:%=--ignore=tests/%)

lint: ## Check style, types and the layers
	@$(SETUP) test
	@echo "==> style"
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@echo "==> types"
	@$(BIN)/mypy
	@echo "==> layers"
	@$(BIN)/lint-imports --no-cache

replay: ## Replay real baskets through the till API and check every balance
	@$(SETUP) replay
	@$(BIN)/python -m benchmarks.replay $(REPLAY)

client: ## Write the typed client again after a change of the interface
	@$(SETUP) test
	@$(BIN)/python -m clients.generate

lock: ## Write the locks again after a change of pyproject.toml
	@$(SETUP) test
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps uv
	@scripts/lock.sh

upgrade: ## Write the locks again with the newest releases
	@$(SETUP) test
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps uv
	@scripts/lock.sh --upgrade

wheel: ## Build the wheel into dist/
	@$(SETUP) run
	@$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir dist .

clean: ## Remove the environment and everything that was built; data stays
	@rm -rf .venv build dist out *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
