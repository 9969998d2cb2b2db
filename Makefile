PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
TEST_PROCESSES ?= 2
# The first that is there: an image of BBBC039V1's test split beside the project, or the tissue section of scikit-image.
DEMO_IMAGES ?= ../shared/data/bbbc039/images/IXMtest_A09*.tif $(VENV)/lib/python3*/site-packages/skimage/data/ihc.png

.DEFAULT_GOAL := help
.PHONY: help install demo test check slow mutants format clean

help:  ## List the targets.
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-9s %s\n", $$1, $$2}'

install: $(INSTALLED)  ## Make .venv and install everything into it.

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

demo: install  ## Nuclei of a real image in seconds; then table 4 on generated data, trained in some 10 minutes on two cores.
	$(BIN)/pctrans-bench predict nuclei $$(ls $(DEMO_IMAGES) 2>/dev/null | head -n 1) --out demo/nuclei
	$(BIN)/pctrans-bench run table4 --data synthetic-nuclei --scale quick --seeds 1 --device cpu --out demo \
		--set training.threads=1 --set training.crop=128 --set model.num_queries=32 \
		--set training.iterations=340 --set training.validate_every=340 \
		--set testing.threshold_trials=12 --set testing.threshold_images=8

test: install check  ## What CI runs: lint, types, layers and the fast tests, in TEST_PROCESSES=2.
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist loadfile

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

slow: install  ## The slow tests: minutes.
	$(BIN)/python -m pytest -m slow

mutants: install  ## Mutate the method and the metrics: do their tests notice? MODULES=pctrans/losses.py for a part.
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[mutants]'
	$(BIN)/python tests/mutation/run.py $(MODULES)

format: install  ## Format the code.
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:  ## Remove what make made; results stay.
	rm -rf $(VENV) *.egg-info .mypy_cache .ruff_cache .pytest_cache
