# make run: sets up and runs the main job; make test: sets up and passes the tests.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
SCENARIO ?= luminal_a
READY = $(VENV)/.ready

.PHONY: install run test verify bench lint clean

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
	$(BIN)/python -m pytest -n auto

verify: $(READY)
	$(BIN)/python -m pytest -n auto -m verify

bench: $(READY)
	$(BIN)/python -m bench

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

clean:
	rm -rf $(VENV) results .pytest_cache .mypy_cache .ruff_cache
