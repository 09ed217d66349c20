# make run: sets up and runs the main job; make test: sets up and passes the tests.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
SCENARIO ?= population
READY = $(VENV)/.ready

.PHONY: install run test verify bench lint docs clean

install: $(READY)

$(READY): pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing metasim into $(VENV) (once, about a minute) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=23.2"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[dev]"
	@touch $@

run: $(READY)
	$(BIN)/metasim run $(SCENARIO) --overwrite

test: $(READY)
	$(BIN)/python -m pytest -n auto --dist worksteal

verify: $(READY)
	$(BIN)/python -m pytest -n auto --dist worksteal -m verify
	UV=$(BIN)/uv .ci/versions

bench: $(READY)
	$(BIN)/python -m bench

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy --platform win32 --cache-dir .mypy_cache/win32
	$(BIN)/lint-imports

docs: $(READY)
	@$(BIN)/python -c "import sphinx" 2>/dev/null || \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[docs]"
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build/html
	@echo "the site: docs/_build/html/index.html"

clean:
	rm -rf docs/_build docs/generated $(VENV) results .pytest_cache .mypy_cache .ruff_cache
