# `make run` does the main job, `make test` runs the tests; both set everything up in .venv first.

PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3)
VENV   ?= .venv
OUT    ?= results
VIDEO  ?=
ARGS   ?=

BIN := $(VENV)/bin
DEMO_RATE := 72

.PHONY: run test setup check bench clean
.DELETE_ON_ERROR:

run: $(VENV)/.embedded
ifeq ($(strip $(VIDEO)),)
	@mkdir -p $(OUT)
	@$(BIN)/pulsemesh phantom --out $(OUT)/phantom.mp4 --truth $(OUT)/truth.json --heart-rate $(DEMO_RATE)
	@echo "No VIDEO given: this synthetic clip has a pulse of $(DEMO_RATE) bpm."
	@$(BIN)/pulsemesh process $(OUT)/phantom.mp4 --out $(OUT) $(ARGS)
else
	@$(BIN)/pulsemesh process "$(VIDEO)" --out "$(OUT)" $(ARGS)
endif

test: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest $(ARGS)

setup: $(VENV)/.test

# The stamp is made anew when the dependencies change; an existing environment is kept.
$(VENV)/.embedded: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[embedded]"
	@touch $@

$(VENV)/.test: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[test]"
	@touch $@ $(VENV)/.embedded

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or 3.12 is needed: make PYTHON=/path/to/python3.11 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))' || \
		{ echo "Python 3.11 or 3.12 is needed: make PYTHON=/path/to/python3.11 ..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip

bench: $(VENV)/.test
	$(BIN)/python bench/pipeline.py

clean:
	rm -rf $(VENV) build *.egg-info
