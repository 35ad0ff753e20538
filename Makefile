# make run | make test | make check | make eval
# Everything lives in .venv; a second run installs nothing that has not changed.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CITEWELL := $(BIN)/citewell
BANDIT := $(BIN)/bandit --quiet --configfile pyproject.toml --recursive app.py bot index eval
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: run test check eval screenshots clean
.DELETE_ON_ERROR:

run: $(VENV)/installed
	@$(CITEWELL) index || [ $$? -eq 3 ]
	@$(CITEWELL) serve

test: $(VENV)/installed-test
	@$(BIN)/python -m pytest -n 2

check: $(VENV)/installed-test
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy
	@$(BANDIT) 2>/dev/null || $(BANDIT)
	@$(BIN)/python tests/audit.py

eval: $(VENV)/installed
	@$(CITEWELL) index || [ $$? -eq 3 ]
	@$(CITEWELL) eval
	@$(CITEWELL) eval speed --out report/speed

screenshots: $(VENV)/installed-test
	@$(BIN)/python tests/screenshots.py

$(VENV)/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "citewell: needs Python 3.11 or newer as '$(PYTHON)'; install it or run: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { \
		echo "citewell: cannot create $(VENV); on Debian or Ubuntu install python3-venv" >&2; exit 1; }
	@echo "installing Citewell and what it needs into $(VENV) (once; a few minutes)"
	@$(PIP_INSTALL) -e .
	@touch $@

$(VENV)/installed-test: $(VENV)/installed
	@$(PIP_INSTALL) -e '.[test]'
	@touch $@

clean:
	rm -rf $(VENV) data report build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
