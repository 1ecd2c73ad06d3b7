# The commands of this repository. `make demo` and `make test` work on a fresh machine with Python 3.11-3.13 and make.
.PHONY: install demo test check chaos bench lock readme clean
.DEFAULT_GOAL := demo

BIN := .venv/bin
EVM := $(if $(shell command -v npm),node_modules/.installed)

# Prints the Python to use, or one line with the remedy.
define FIND_PYTHON
for python in $(PYTHON) python3 python3.13 python3.12 python3.11; do \
	if "$$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then \
		echo "$$python"; exit 0; \
	fi; \
done; \
echo "AgentAuri needs Python 3.11, 3.12 or 3.13, and none was found; install one, or run make PYTHON=/path/to/python3." >&2; \
exit 1
endef

install: .venv/.installed $(EVM)
	@command -v npm >/dev/null || echo "npm was not found: the demo will feed simulated events and the EVM tests will be skipped."

.venv/.installed: requirements.lock pyproject.toml
	@python=$$($(FIND_PYTHON)) && { "$$python" -m venv .venv || { \
		echo "the virtual environment could not be made; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }; }
	$(BIN)/pip install --disable-pip-version-check --quiet --require-hashes -r requirements.lock
	$(BIN)/pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation -e .
	@touch $@

node_modules/.installed: package.json package-lock.json .npmrc
	npm install --no-save --loglevel=error
	@touch $@

demo: install
	@$(BIN)/agentauri demo $(if $(ONCE),--once)

# Processes share the tests, each with stores of its own. The long walk of schemathesis and tests with a Ray cluster, which
# wait more than they work, come in fresh ones: what thousands of other tests leave behind (caches, metrics, a lifted
# recursion limit) is no ground for them.
WALK := tests/integration/serve/test_schemathesis.py
test: install
ifdef ARGS
	$(BIN)/pytest $(ARGS)
else
	$(BIN)/pytest -n 2 tests/unit tests/integration --ignore=$(WALK)
	$(BIN)/pytest -n 2 --maxschedchunk 1 $(WALK) tests/cluster
endif

check: .venv/.installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/squawk --config .squawk.toml migrations/*.sql
	$(BIN)/python tools/lengths.py
	$(BIN)/python tools/tenants.py
	$(BIN)/python tools/exemptions.py

# The tests that kill processes, alone.
chaos: install
	$(BIN)/pytest tests/cluster $(ARGS)

bench: install
	@for what in path backfill latency recovery delivery; do $(BIN)/agentauri bench $$what || exit 1; done

# The only way requirements.lock is made; keeps what is pinned unless pyproject.toml asks otherwise (UPGRADE=1 moves all).
lock: .venv/.installed
	$(BIN)/python -m venv .tools && .tools/bin/pip install --disable-pip-version-check --quiet uv
	.tools/bin/uv pip compile --quiet --universal --generate-hashes --no-header --python-version 3.11 \
		--group dev pyproject.toml $(if $(UPGRADE),--upgrade) --output-file requirements.lock

# The table of settings in README.md, from the code.
readme: .venv/.installed
	$(BIN)/python tools/readme.py

# Data of earlier runs (.agentauri) stays.
clean:
	rm -rf .venv .tools node_modules build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find agentauri tests tools -name __pycache__ -type d -prune -exec rm -rf {} +
