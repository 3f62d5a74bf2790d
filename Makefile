# `make` alone lists the targets.
.DEFAULT_GOAL := help
.PHONY: help install lock clean format lint typecheck test test-unit test-chart test-browser test-integration bench image-test chart-readme dashboards screenshots check demo up down status doctor
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
HILUM := $(BIN)/hilum
HILUM_HOME ?= .hilum
export HILUM_HOME

# `make demo DATA=DIR` runs on a folder with metadata.csv; without DATA on synthetic radiographs.
DATA ?=
DEMO_DATA := $(or $(DATA),$(HILUM_HOME)/synthetic)
FILTER_MINUTES ?= $(if $(DATA),5,0.75)
CLASSIFIER_MINUTES ?= $(if $(DATA),16,2)

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# --- set up ---
install: $(VENV)/.installed ## Make the virtual environment, and install what the server needs

$(VENV)/.installed: pyproject.toml constraints.txt tools/debian-packages.sh
	sh tools/debian-packages.sh
	test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	$(BIN)/pip check
	touch $@

lock: install ## Pin what is installed into constraints.txt
	{ head -1 constraints.txt; $(BIN)/pip freeze --exclude-editable; } > constraints.new && mv constraints.new constraints.txt

clean: ## Remove the virtual environment and caches; keeps .hilum
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache *.egg-info

# --- check ---
# The tests of a file run in one process, for they share what they started; tests/conftest.py orders the files.
PYTEST_WORKERS ?= 2
PYTEST := $(BIN)/pytest -n $(PYTEST_WORKERS) --dist loadfile --no-loadscope-reorder

format: install ## Format the code
	$(BIN)/ruff check --fix-only --quiet . && $(BIN)/ruff format .

lint: install ## Check style, and that imports follow the architecture
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/lint-imports

typecheck: install ## Check types
	$(BIN)/mypy

test: install ## Run the whole test suite: unit, chart, and against real servers and a browser
	$(PYTEST) tests/unit tests/chart tests/integration

test-unit: install ## Run the tests that need no server
	$(PYTEST) tests/unit

test-chart: install ## Run the tests of the Helm chart, which need no cluster
	$(PYTEST) tests/chart

test-browser: install ## Run the tests of the dashboard in Chromium
	$(PYTEST) tests/integration/browser

test-integration: install ## Run the tests that start Triton and MLflow
	$(PYTEST) tests/integration

bench: install ## Measure serving and training side by side with a plain loop
	$(BIN)/python -m tests.bench

image-test: install ## Build the images on a plain Debian and run them; takes root, buildah, podman and debootstrap
	$(BIN)/pytest tests/images

chart-readme: install ## Write the chart's README from the comments of its values
	$(BIN)/python -m tools.chart_readme

dashboards: install ## Write the chart's Grafana dashboards
	$(BIN)/python -m tools.grafana_dashboards

screenshots: install ## Take the README's pictures of the running dashboard; after `make demo`
	$(BIN)/python -m tools.screenshots

check: lint typecheck test ## What CI runs

# --- run ---
demo: install ## From data to a served prediction; DATA=DIR for your own radiographs
	$(HILUM) doctor
	test -e "$(DEMO_DATA)" || $(HILUM) data synth "$(DEMO_DATA)" --patients 300 --seed 1
	$(HILUM) up --detach
	$(HILUM) train filter --data "$(DEMO_DATA)" --recipe icapuc_scratch --max-minutes $(FILTER_MINUTES)
	$(HILUM) train classifier --data "$(DEMO_DATA)" --recipe icapuc_scratch --max-minutes $(CLASSIFIER_MINUTES)
	$(HILUM) evaluate filter --data "$(DEMO_DATA)"
	$(HILUM) evaluate classifier --data "$(DEMO_DATA)"
	$(HILUM) export filter --data "$(DEMO_DATA)"
	$(HILUM) export classifier --data "$(DEMO_DATA)"
	$(HILUM) release create --data "$(DEMO_DATA)"
	$(HILUM) release gate newest --data "$(DEMO_DATA)" --policy demo
	$(HILUM) promote newest
	$(HILUM) rollout apply
	find -L "$(DEMO_DATA)" -name "*.jpg" -o -name "*.png" -o -name "*.dcm" | sort | awk 'NR % 97 == 1' | head -6 | xargs -d '\n' $(HILUM) predict --heatmaps "$(HILUM_HOME)/heatmaps"
	$(HILUM) status

up: install ## Start MLflow, Triton and the dashboard in the background
	$(HILUM) up --detach

down: ## Stop them
	$(HILUM) down

status: ## Say what runs, and what it serves
	$(HILUM) status

doctor: install ## Find what is missing, and how to get it
	$(HILUM) doctor
