# make serve   set up and run the reference deployment on http://127.0.0.1:8000
# make test    set up and run all tests
# make check   lint, types, layers, lengths, schemas
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
PIP    := $(BIN)/python -m pip --quiet --disable-pip-version-check --retries 10 --timeout 60
WORKERS ?= auto

.PHONY: serve test check schemas bench clean

serve: $(STAMP)
	$(BIN)/headgate serve .

test: $(STAMP)
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(ARGS)

check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python scripts/ratchet.py
	$(BIN)/headgate schema --check
	$(BIN)/headgate validate . --no-environment
	$(BIN)/headgate test . --no-environment
	$(BIN)/python scripts/docs.py --check
	$(BIN)/python scripts/fresh.py --check

schemas: $(STAMP)
	$(BIN)/headgate schema --write

bench: $(STAMP)
	$(BIN)/python -m benchmarks $(ARGS)

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Headgate needs Python 3.11 or newer; set PYTHON=/path/to/python3.11"; exit 1; }
	test -x $(BIN)/pip || $(PYTHON) -m venv --clear $(VENV)
	$(PIP) install --upgrade "pip>=25.1"
	$(PIP) install --editable . --group dev
	touch $(STAMP)

clean:
	rm -rf $(VENV) .headgate .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
