# make demo | test | crash | check | bench | run.  Everything lives in .venv, built from requirements.lock.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
.DELETE_ON_ERROR:
.PHONY: demo test crash screenshots check bench run lock clean

$(VENV): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "scansnap-gateway needs Python 3.11 or later; name one with: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
		{ echo "This Python has no venv module; on Debian and its kin: apt-get install python3-venv" >&2; exit 1; }
	@echo "setting up $(VENV) from requirements.lock ..."
	@rm -rf $(VENV)
	@$(PYTHON) -m venv $(VENV) && \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock && \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable . || \
		{ rm -rf $(VENV); exit 1; }
	@touch $(VENV)

# The whole mission with simulated iX500s on USB and Wi-Fi, then it stays up for you. DEMO_ONCE=1 ends after the last step.
demo: $(VENV)
	@$(BIN)/scansnap-simulator demo $(if $(DEMO_ONCE),--once)

# So that no core waits for another's longest file at the end.
LONGEST_FIRST := tests/web tests/walk tests

# Everything: checks, then tests, on all cores. Says which system packages are missing; with CI=true that is a failure.
test: check
	@.ci/system-packages
	$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder --ignore tests/walk/crash $(LONGEST_FIRST)
	$(BIN)/python -m pytest tests/walk/crash

# The crashes of the tests, five times as many: kill -9 at any time and at named instants, and power cuts.
crash: $(VENV)
	CRASH_KILLS=10000 CRASH_POWER_CUTS=1000 CRASH_COLD_STARTS=100 $(BIN)/python -m pytest tests/walk/crash

# Every screen, on a phone and on a desk, for looking at.
screenshots: $(VENV)
	SCREENSHOTS=screenshots $(BIN)/python -m pytest tests/browser -q

check: $(VENV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

# Figures, as ratios against a peer in the same run; never part of the tests.
bench: $(VENV)
	$(BIN)/python -m tests.bench

run: $(VENV)
	$(BIN)/scansnap-gateway run

# Needs `uv` on the PATH. Hashes for every platform, no download addresses.
lock:
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-annotate --no-header --all-extras --output-file requirements.lock pyproject.toml

clean:
	rm -rf $(VENV) .demo build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
