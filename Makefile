# The commands of this repository. A fresh machine needs Python 3.11 (or newer), make and the package index.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: setup demo test lint bench format lock clean

setup: $(STAMP)

$(STAMP): requirements.lock pyproject.toml clients/python/pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e clients/python -e .
	$(BIN)/atrium warm
	touch $(STAMP)

demo: setup
	$(BIN)/atrium demo

test: setup
	$(BIN)/python tests/find_servers.py
	$(BIN)/python -m pytest -n auto --dist loadfile

lint: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: setup
	$(BIN)/atrium bench locate

# Writes uv.lock and requirements.lock anew; needs uv. Only the public index may stand in them.
lock:
	uv lock --no-config
	uv export --no-config --frozen --extra test --no-emit-project --no-emit-package atrium-client --no-header -o requirements.lock

clean:
	rm -rf $(VENV)
