# Everything runs in a virtual environment; a stamp file marks it as complete.
PYTHON ?= python3
VENV ?= .venv
VENV_OPENMMLAB ?= .venv-openmmlab
VENV_LABEL_STUDIO ?= .venv-label-studio
TIMM ?= .venv-timm
# Number of parallel test processes.
JOBS ?= 2

REQUIREMENTS := $(filter-out requirements/timm.txt,$(wildcard requirements/*.txt))
SHARED_REQUIREMENTS := $(foreach name,runtime vis tensorboard dev,-r requirements/$(name).txt)
HAS_TORCH := import torch; assert tuple(map(int, torch.__version__.split('.')[:2])) >= (2, 1)
PYTEST = OMP_NUM_THREADS=1 $(1)/bin/python -m pytest -q -n $(JOBS) tests

.DEFAULT_GOAL := help
.PHONY: help venv demo data test fuzz test-openmmlab test-timm test-label-studio lint format clean distclean

help: ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  \1\t\2/' | expand -t 20

# An installed torch (a CUDA build, for example) is used if there is one. Otherwise the pinned torch
# is installed first, because other packages would fetch the newest torch with all of CUDA.
# $(1): folder of the environment
define create_venv
	test -x $(1)/bin/python || { \
	  if $(PYTHON) -c "$(HAS_TORCH)" 2>/dev/null; \
	  then $(PYTHON) -m venv --system-site-packages $(1); \
	  else $(PYTHON) -m venv $(1); fi; }
	$(1)/bin/python -c "$(HAS_TORCH)" 2>/dev/null \
	  || $(1)/bin/python -m pip install -r requirements/torch.txt
endef

venv: $(VENV)/.complete ## create .venv with all dependencies

$(VENV)/.complete: $(REQUIREMENTS) setup.py pyproject.toml
	$(call create_venv,$(VENV))
	$(VENV)/bin/python -m pip install -r requirements/onedl.txt $(SHARED_REQUIREMENTS)
	$(VENV)/bin/python -m pip install --no-deps --no-build-isolation -e .
	touch $@

demo: venv ## generate the demo street, train on it, write pictures to work_dirs/demo
	$(VENV)/bin/python tools/demo.py

data: ## DATA_SOURCE=<folder>: link its sub-folders into data/
	@test -d '$(DATA_SOURCE)' || { \
	  echo 'make data needs DATA_SOURCE=<folder with one sub-folder per data set>' >&2; exit 2; }
	@mkdir -p data
	@for folder in '$(abspath $(DATA_SOURCE))'/*/; do \
	  link="data/$$(basename "$$folder")"; \
	  test -e "$$link" || ln -sfn "$${folder%/}" "$$link"; \
	done

test: venv ## run the tests
	$(call PYTEST,$(VENV))

fuzz: venv ## import damaged exports of annotation tools for an hour
	$(VENV)/bin/python tests/support/import_fuzzer.py --seconds 3600 --seed $$$$

lint: venv ## check style
	$(VENV)/bin/python -m ruff check .
	$(VENV)/bin/python -m ruff format --check .

format: venv ## fix style
	$(VENV)/bin/python -m ruff check --fix .
	$(VENV)/bin/python -m ruff format .

test-openmmlab: $(VENV_OPENMMLAB)/.complete ## MMCV_WHEEL=<path>: run the tests on the original OpenMMLab stack
	$(call PYTEST,$(VENV_OPENMMLAB))

$(VENV_OPENMMLAB)/.complete: $(REQUIREMENTS) setup.py pyproject.toml
	@test -f '$(wildcard $(MMCV_WHEEL))' || { \
	  echo 'make test-openmmlab needs MMCV_WHEEL=<a built mmcv 2.1.0 wheel>' >&2; exit 2; }
	$(call create_venv,$(VENV_OPENMMLAB))
	$(VENV_OPENMMLAB)/bin/python -m pip install \
	  $(abspath $(wildcard $(MMCV_WHEEL))) -r requirements/openmmlab.txt $(SHARED_REQUIREMENTS)
	$(VENV_OPENMMLAB)/bin/python -m pip install --no-deps --no-build-isolation -e .
	touch $@

test-timm: venv $(TIMM)/.complete ## run the tests of networks from timm
	PYTHONPATH=$(abspath $(TIMM)) OMP_NUM_THREADS=1 $(VENV)/bin/python -m pytest -q \
	  tests/test_models/test_backbones tests/test_tools/test_efficientnet_converter.py \
	  tests/test_configs.py -k 'backbones or converter or dinov2-s or lite0'

# Beside the environment and not in it: timm needs torchvision, which on a machine without a GPU
# does not import beside a CPU build of torch (the tests know how).
$(TIMM)/.complete: requirements/timm.txt
	$(VENV)/bin/python -m pip install --no-deps --upgrade --target $(TIMM) -r $<
	touch $@

test-label-studio: venv $(VENV_LABEL_STUDIO)/.complete ## run a round with a local Label Studio server
	LABEL_STUDIO=$(abspath $(VENV_LABEL_STUDIO))/bin/label-studio OMP_NUM_THREADS=1 \
	  $(VENV)/bin/python -m pytest -q tests/test_label_studio_server.py

$(VENV_LABEL_STUDIO)/.complete: requirements/label_studio_server.txt
	test -x $(VENV_LABEL_STUDIO)/bin/python || $(PYTHON) -m venv $(VENV_LABEL_STUDIO)
	$(VENV_LABEL_STUDIO)/bin/python -m pip install -r requirements/label_studio_server.txt
	touch $@

clean: ## remove builds, caches and the demo
	rm -rf build dist *.egg-info .pytest_cache .ruff_cache .hypothesis work_dirs/demo data/demo_street
	find . -name __pycache__ -not -path './.venv*' -prune -exec rm -rf {} +

distclean: clean ## remove the environments as well
	rm -rf $(VENV) $(VENV_OPENMMLAB) $(TIMM) $(VENV_LABEL_STUDIO)
