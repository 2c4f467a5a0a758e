# make rehearsal: the main job on made-up data and random weights. make test: all quick tests.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: install rehearsal miniature test test-guarantees test-slow test-fuzz test-browser test-compat test-timm install-tools lint docs bench bench-peers clean

install: $(VENV)/installed

# Compiling every module of every dependency would take longer than the rehearsal.
$(VENV)/installed: setup.py pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) --no-compile -e .
	touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(PIP) --no-compile -e ".[dev]"
	touch $@

rehearsal: $(VENV)/installed
	$(BIN)/python finetune/finetune.py --config=configs/chexpert.py:rehearsal --workdir=runs/rehearsal

# All steps on made-up data: unlabelled images of two hospitals, a checkpoint, the labels it saves.
MINIATURE := runs/miniature
STUDY = $(BIN)/python finetune/ood_curves.py --config=configs/ood_cxr.py:rehearsal \
	--workdir=$(MINIATURE)/study --config.baseline=scratch \
	--config.arms='pretrained=$(MINIATURE)/pretrain/export; scratch=scratch:1-1-1-1x0.5'

miniature: $(VENV)/installed
	$(STUDY) --list
	$(BIN)/python pretrain/pretrain.py --config=configs/pretrain_cxr.py:rehearsal \
		--workdir=$(MINIATURE)/pretrain --config.checkpoint=scratch:1-1-1-1x0.5 \
		--config.data='chexpert=$(MINIATURE)/study/rehearsal/id/CheXpert-v1.0-small; chestxray14=$(MINIATURE)/study/rehearsal/ood/ChestX-ray14' \
		--config.leave_out=$(MINIATURE)/study
	$(STUDY)

test: $(VENV)/installed-dev
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not slow and not guarantee" tests

# The promises of the documents that take minutes to test: killed and resumed runs, two workers, a lost
# one, every config's rehearsal, the installed wheel, and TensorFlow 2.12.
test-guarantees: $(VENV)/installed-dev test-compat
	$(BIN)/python -m pytest -n 2 --dist load -m guarantee --durations=20 tests

test-slow: $(VENV)/installed-dev
	$(BIN)/python -m pytest -m slow tests

# Damaged and hostile files for every reader: REMEDIS_FUZZ_MINUTES in all, 20 if not set.
test-fuzz: $(VENV)/installed-dev
	$(BIN)/python -m pytest -m slow -s tests/fuzz

# The page of the server in Chromium; `make test-guarantees` runs these tests, too.
test-browser: $(VENV)/installed-dev install-tools
	$(BIN)/python -m pytest -m guarantee tests/serving/test_page.py

lint: $(VENV)/installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

# The documentation site in site/, to be opened as site/index.html. A warning is an error.
docs: $(VENV)/installed-dev
	REMEDIS_DOCS_NOTEBOOKS=run NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# Debian's tools for tests, where root has apt: dcmtk and dicom3tools judge what `remedis report`
# writes, and Chromium shows the page of `remedis serve`. Tests of a missing one are skipped.
install-tools:
	if ! { command -v dsrdump && command -v dciodvfy && command -v chromium; } > /dev/null; then \
		{ [ "$$(id -u)" = 0 ] && apt-get update -qq \
		&& apt-get install -qq -y --no-install-recommends dcmtk dicom3tools chromium; } \
		|| echo "Not installed: dcmtk, dicom3tools and chromium; root with apt can. Their tests are skipped."; fi

# Speed beside what a user would pick instead: half an hour on a machine that does nothing else.
bench: $(VENV)/installed-dev bench-peers
	$(BIN)/python benchmarks/bench.py --peer-python=.venv-peers/bin/python --out=docs/benchmarks.md

bench-peers: .venv-peers/installed

.venv-peers/installed: benchmarks/peers.txt
	$(PYTHON) -m venv .venv-peers
	.venv-peers/bin/python -m pip install --quiet --disable-pip-version-check -r benchmarks/peers.txt
	touch $@

# A folder built here, loaded by the oldest TensorFlow the contract names.
test-compat: $(VENV)/installed
	tests/compat/run $(BIN)/python $(PYTHON)

# Exports in BiT's layout, loaded by timm in an environment of its own with PyTorch.
test-timm: $(VENV)/installed
	tests/timm/run $(BIN)/python $(PYTHON)

clean:
	rm -rf $(VENV) .venv-tf212 .venv-timm .venv-peers build site *.egg-info
