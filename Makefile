# Everything runs in .venv, made on the first call. `make demo` needs no extras.
PYTHON ?= python3
BIN := .venv/bin
DEMO := demo
LAWS := $(addprefix tests/sources/test_,laws.py gradients.py boundaries.py reference.py seam.py planes_and_edges.py)
TEST_LAWS = HM_TESTS_CASES= HM_TESTS_COMPILE=fully HM_TESTS_CHECK=everything $(BIN)/pytest -m "not gpu" --numprocesses auto --dist worksteal $(LAWS)

# Each of the many processes of the tests would compile our modules anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test test-slow test-all test-lowest test-newest lint types docs bench bench-gpu clean

$(BIN)/hm-train: setup.cfg pyproject.toml
	PYTHON=$(PYTHON) .ci/install .venv --editable .
	touch $@

$(BIN)/pytest: $(BIN)/hm-train
	PYTHON=$(PYTHON) .ci/install .venv --editable '.[dev,nufft,peers]'
	touch $@

# JAX for NVIDIA GPUs brings its own CUDA; the driver must be there.
.venv/cuda: setup.cfg pyproject.toml
	PYTHON=$(PYTHON) .ci/install .venv --editable '.[cuda]'
	touch $@

demo: $(BIN)/hm-train
	$(BIN)/hm-generate demo $(DEMO)/data --overwrite
	$(BIN)/hm-train $(DEMO)/data $(DEMO)/run --recipe demo --overwrite
	$(BIN)/hm-train $(DEMO)/data $(DEMO)/split --recipe split --overwrite
	$(BIN)/hm-eval $(DEMO)/run $(DEMO)/split $(DEMO)/data --out $(DEMO)/report

test: $(BIN)/pytest
	$(BIN)/pytest -m "not slow and not gpu" --numprocesses auto --dist worksteal --durations 20

# What takes more than a second or two, and the laws of the closed forms, compiled as for users and with every type checked.
test-slow: $(BIN)/pytest
	$(BIN)/pytest -m "slow and not gpu" --numprocesses auto --dist worksteal --durations 20 $(LAWS:%=--ignore=%)
	$(TEST_LAWS)

# Both, in one session: runs, fixtures and compiled programs that they share are made once.
test-all: $(BIN)/pytest
	$(BIN)/pytest -m "not gpu" --numprocesses auto --dist worksteal --durations 60 $(LAWS:%=--ignore=%)
	$(TEST_LAWS)

# In environments of their own, .venv-lowest and .venv-newest; the newest only if .venv has something older.
test-lowest test-newest:
	PYTHON=$(PYTHON) .ci/versions $(@:test-%=%)

lint: $(BIN)/pytest
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

# mypy cannot follow the mapped folders of an editable install, so it reads a copy laid out as
# installed. Of the tests it looks at calls.
types: $(BIN)/pytest
	rm -rf build/types
	$(BIN)/python -W ignore -c "import setuptools; setuptools.setup()" --quiet build --build-lib build/types
	$(BIN)/mypy
	$(BIN)/mypy --config-file tests/mypy.ini

# What is made from code: docs/recipes.md, and the pictures of docs/dynamics.md.
docs: $(BIN)/hm-train
	$(BIN)/python docs/write_recipes.py
	$(BIN)/python docs/draw_rollouts.py

bench: $(BIN)/pytest
	for script in benchmarks/bench_*.py; do $(BIN)/python $$script || exit 1; done

# What a GPU makes of this package, 8 minutes after the installation: docs/gpu.md.
bench-gpu: .venv/cuda
	$(BIN)/python benchmarks/measure_gpu.py

clean:
	rm -rf build dist .venv .venv-lowest .venv-newest $(DEMO) *.egg-info .hypothesis .mypy_cache .ruff_cache .pytest_cache .coverage
