# Two commands: `make` starts the menu on the embedded data set, `make check` runs the checks and
# tests; `make thorough` runs the tests that take longest and tell little that others do not.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: start check lint types test thorough lock

start: $(VENV)/.installed
	$(BIN)/python __init__.py dataset/letters-small.mat -m model

check: lint types test

lint: $(VENV)/.installed-checks
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed-checks
	$(BIN)/mypy .

CLUSTER_TESTS := tests/test_ray_crew.py tests/test_ray_generators.py  # one cluster at a time

test: $(VENV)/.installed-checks
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not thorough" --ignore-glob='*/test_ray_*'
	$(BIN)/python -m pytest -m "not thorough" $(CLUSTER_TESTS)

thorough: $(VENV)/.installed-checks
	$(BIN)/python -m pytest -n 2 --dist loadfile -m thorough --ignore-glob='*/test_ray_*'
	$(BIN)/python -m pytest -m thorough $(CLUSTER_TESTS)

$(VENV)/.installed: requirements.lock
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	touch $@

$(VENV)/.installed-checks: requirements-checks.lock $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-checks.lock
	touch $@

# After a change of the dependencies in pyproject.toml; needs uv.
lock:
	uv pip compile --quiet --universal --generate-hashes --no-header pyproject.toml -o requirements.lock
	uv pip compile --quiet --universal --generate-hashes --no-header --extra cluster pyproject.toml -o requirements-cluster.lock
	uv pip compile --quiet --universal --generate-hashes --no-header --extra maps pyproject.toml -o requirements-maps.lock
	uv pip compile --quiet --universal --generate-hashes --no-header --extra checks pyproject.toml -o requirements-checks.lock
