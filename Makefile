# Everything starts here: `make help`. A target installs and builds whatever it needs; a second run finds it there.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:

include devcluster/cluster.mk devcluster/nodes.mk

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PLOTS := $(VENV)/.plots
CLUSTER_DIR := $(or $(BATCHYARD_CLUSTER_DIR),$(CURDIR)/.cluster)
OPERATOR_KUBECONFIG := $(CLUSTER_DIR)/operator.kubeconfig
CODE := operator tests devcluster tools demo bench dashboards
SCRATCH = $$(mktemp -d)
IMAGE ?= batchyard:dev
BASE_IMAGE ?=
PYTEST_ARGS ?=
REPEAT ?= 3
SOAK_SECONDS ?= 3600
SOAK_RATE ?= 45
PICTURE_SECONDS ?= 300

.PHONY: help venv lint format crds test test-unit test-long run rights helm demo demo-down operator-down clean
.PHONY: bench bench-quick soak
.PHONY: image e2e lock audit
.PHONY: chart-lint
.PHONY: prometheus test-dashboards dashboards metrics-table dashboard-pictures
.PHONY: test-page

help: ## List the targets
	@echo "make TARGET, where TARGET is one of"
	@grep -hE '^[a-z][a-z-]*:.*## ' $(MAKEFILE_LIST) | sort | sed -E 's/:.*## /\t/' | awk -F '\t' '{printf "  %-16s %s\n", $$1, $$2}'

venv: $(READY) ## Make the Python environment .venv with all dependencies

$(READY): pyproject.toml tools/make_venv.sh
	@tools/make_venv.sh $(PYTHON) $(VENV)
	@touch $@

lint: $(READY) ## Check style, types, layers, the chart, and that the checked-in CRDs are those of the models
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/mypy
	MYPYPATH=.:operator:tests $(BIN)/mypy --explicit-package-bases tools demo bench dashboards
	$(BIN)/lint-imports --no-cache
	@scratch=$(SCRATCH); trap 'rm -rf "$$scratch"' EXIT; \
	  $(BIN)/python -m batchyard.model.crd "$$scratch/crds" "$$scratch/chart" >/dev/null; \
	  diff -r "$$scratch/crds" crds && diff -r "$$scratch/chart" charts/batchyard/files/crds \
	    || { echo "The CRDs differ from the models: run make crds."; exit 1; }; \
	  helm=$$($(DEVCLUSTER) tools helm); \
	  "$$helm" lint charts/batchyard; \
	  for options in "" "--set=operator.install=false" "--set=providers.docker.enabled=true"; do \
	    "$$helm" template batchyard charts/batchyard --namespace batchyard-system $$options >/dev/null; done
	@echo "lint: no complaints"

chart-lint: ## Put the chart, with all its switches, before helm lint, kubeconform and checkov
	@tools/chart_lint.sh $(PYTHON)

format: $(READY) ## Format the code and mend what can be mended by itself
	$(BIN)/ruff format $(CODE)
	$(BIN)/ruff check --fix $(CODE)

crds: $(READY) ## Generate the CustomResourceDefinitions from the models
	$(BIN)/python -m batchyard.model.crd crds/ charts/batchyard/files/crds

test: $(READY) helm cluster node-image kwok operator-down rights ## Run all tests, on a real cluster with real nodes that is set up first
	@KUBECONFIG=$(CLUSTER_DIR)/kubeconfig PATH=$(CLUSTER_DIR)/bin:$$PATH $(BIN)/pytest -n 4 --dist loadscope --no-loadscope-reorder $(PYTEST_ARGS)

LONG := tests/properties tests/crash tests/cluster/test_cluster_l_leader.py tests/cluster/test_cluster_n_arrays.py tests/cluster/test_cluster_z_storm.py
test-long: $(READY) helm cluster node-image kwok operator-down rights ## Run histories and crashes at full length: hours
	@HYPOTHESIS_PROFILE=long BATCHYARD_CRASH=1,2,3,5,8 BATCHYARD_PAUSE=60 BATCHYARD_ARRAY=10000 \
	BATCHYARD_KILLS=100 BATCHYARD_TAKEOVERS=10 BATCHYARD_FAULTS=long \
	KUBECONFIG=$(CLUSTER_DIR)/kubeconfig PATH=$(CLUSTER_DIR)/bin:$$PATH $(BIN)/pytest --timeout 36000 $(LONG) $(PYTEST_ARGS)

bench: $(PLOTS) ## Run all workloads beside their floors on a cluster of their own, an hour; results in bench/ (REPEAT=3)
	@$(BIN)/python -m bench --repeat $(REPEAT) --out bench

bench-quick: $(PLOTS) ## Run jobs, one array, waiting jobs and their floors, small: 6 minutes; results in bench/quick/
	@$(BIN)/python -m bench --quick --out bench/quick

.PHONY: bench-packing
bench-packing: $(PLOTS) ## Compare the nodes that are launched for 10,000 jobs with what no packing beats, minutes; into bench/packing.md
	@$(BIN)/python -m bench.packing

.PHONY: day
day: $(PLOTS) ## Simulate a day of mixed work, spot first against on-demand only (DAY_SEED=1), minutes; into docs/how-to/spot.md
	@$(BIN)/python -m bench.day --seed $(or $(DAY_SEED),1)

.PHONY: bench-linger
bench-linger: $(READY) ## Simulate days of short and long jobs with and without gathering the long ones, a minute; into docs/explanation/how-it-decides.md
	@$(BIN)/python -m bench.linger

soak: $(PLOTS) ## Run jobs at half the full rate while the operator is killed at random (SOAK_SECONDS=3600, SOAK_RATE=45); results in bench/soak/
	@SOAK_RATE=$(SOAK_RATE) $(BIN)/python -m bench soak --jobs $(SOAK_SECONDS) --out bench/soak

$(PLOTS): $(READY)
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-input --editable '.[bench]'
	@touch $@

prometheus: ## Build Prometheus and promtool, without web pages, unless they are in the cache
	@$(DEVCLUSTER) tools prometheus promtool >/dev/null

MONITORED = KUBECONFIG=$(CLUSTER_DIR)/kubeconfig BATCHYARD_PROMETHEUS=$$($(DEVCLUSTER) tools prometheus)
test-dashboards: $(READY) helm cluster kwok operator-down prometheus ## Check every panel and alert on a real Prometheus that scrapes a real run
	@$(MONITORED) $(BIN)/pytest tests/monitoring $(PYTEST_ARGS)

dashboards: $(READY) metrics-table ## Write the Grafana dashboards and the tables of docs/metrics.md from the code
	@$(BIN)/python -m dashboards charts/batchyard/files/dashboards

metrics-table: $(READY)
	@$(BIN)/python tools/metrics_table.py

dashboard-pictures: $(PLOTS) helm cluster kwok operator-down prometheus ## Draw what the dashboards show in a real run (PICTURE_SECONDS=300); into docs/images
	@$(MONITORED) $(BIN)/python -m dashboards.pictures docs/images $(PICTURE_SECONDS)

test-unit: $(READY) ## Run the tests that need no cluster
	@$(BIN)/pytest -m "not cluster and not nodes" $(PYTEST_ARGS)

BROWSER := $(VENV)/.browser
test-page: $(BROWSER) ## Look at the status page in headless Chromium (Debian's); pictures in build/page (BATCHYARD_PICTURES=docs/images)
	@BATCHYARD_BROWSER=1 $(BIN)/pytest tests/page $(PYTEST_ARGS)

$(BROWSER): $(READY)
	@command -v chromium >/dev/null || { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends chromium >/dev/null; }
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-input --editable '.[page]'
	@touch $@

helm: ## Build the helm client unless it is in the cache
	@$(DEVCLUSTER) tools helm >/dev/null

rights: helm cluster ## Apply the CRDs and the chart's rights; write the operator's kubeconfig, good for a week
	@$(PYTHON) tools/operator_kubeconfig.py $(OPERATOR_KUBECONFIG)

run: $(READY) helm cluster node-image operator-down rights ## Run the operator here, in the foreground, with the rights of the chart's ServiceAccount
	@KUBECONFIG=$(OPERATOR_KUBECONFIG) BATCHYARD_HOST=127.0.0.1 BATCHYARD_LOG_FORMAT=console exec $(BIN)/python -m batchyard run

demo: $(READY) cluster helm node-image ## Show everything: a real batch over real files, from nothing to the result
	@$(BIN)/python -m demo

operator-up: $(READY) cluster helm node-image ## Run the operator in the background; make operator-down ends it
	@$(BIN)/python -m demo up

demo-down: $(READY) ## Remove what the demo made (jobs, queue, environments, nodes, the operator); the cluster stays
	@$(BIN)/python -m demo down

operator-down: ## End the operator that `make operator-up` or `make demo` left running
	@$(PYTHON) -m demo.background stop

LOCK_TOOLS := build/lock
$(LOCK_TOOLS)/.ready:
	@$(PYTHON) -m venv $(LOCK_TOOLS) && $(LOCK_TOOLS)/bin/pip install --quiet --disable-pip-version-check uv pip-audit && touch $@

UV_LOCK = $(LOCK_TOOLS)/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header \
	  --no-annotate --no-emit-index-url
lock: $(LOCK_TOOLS)/.ready ## Renew requirements*.lock: the image's dependencies and what installs them, each with version and hashes
	@$(UV_LOCK) pyproject.toml --extra ec2 --output-file requirements.lock
	@echo "pip setuptools>=77" | tr ' ' '\n' | $(UV_LOCK) - --output-file requirements-build.lock

audit: $(LOCK_TOOLS)/.ready ## Look for known weaknesses of the locked dependencies; fails where nobody can be asked about them
	@$(LOCK_TOOLS)/bin/pip-audit --vulnerability-service pypi --strict --require-hashes --disable-pip --progress-spinner off \
	  --requirement requirements.lock || { echo "audit: not clean, or no advisories to be had here (docs/security.md)"; exit 1; }

image: $(READY) engine ## Build the operator's image and print its size (IMAGE; BASE_IMAGE, debian-local: made here of Debian packages)
	@$(BIN)/python tools/image.py $(IMAGE) $(if $(BASE_IMAGE),--base $(BASE_IMAGE))

E2E := batchyard.dev/operator:e2e
.PHONY: e2e
e2e: $(READY) engine $(if $(filter kind,$(CLUSTER)),job-image,helm node-image) ## Image, chart, users, upgrade, a dead leader: all of it in a cluster of its own (CLUSTER=kind: in kind)
	@$(BIN)/python tools/image.py $(E2E) $(if $(BASE_IMAGE),--base $(BASE_IMAGE),$(if $(filter kind,$(CLUSTER)),,--base debian-local))
	@BATCHYARD_E2E=$(or $(CLUSTER),devcluster) $(BIN)/pytest -x -s tests/e2e $(PYTEST_ARGS)

.PHONY: test-karpenter
test-karpenter: $(READY) helm cluster operator-down rights ## Run jobs on nodes that the real Karpenter makes, with its KWOK cloud; the first time builds Karpenter
	@$(DEVCLUSTER) karpenter up
	@trap '$(DEVCLUSTER) karpenter down' EXIT; BATCHYARD_KARPENTER=1 KUBECONFIG=$(CLUSTER_DIR)/kubeconfig PATH=$(CLUSTER_DIR)/bin:$$PATH \
	  $(BIN)/pytest tests/karpenter tests/pools/test_conformance.py -k karpenter $(PYTEST_ARGS)

.PHONY: test-clusterapi
test-clusterapi: $(READY) helm cluster operator-down rights ## Run jobs on nodes that the real core controllers of Cluster API make, in a played cloud; the first time builds them
	@$(DEVCLUSTER) cluster-api up
	@trap '$(DEVCLUSTER) cluster-api down' EXIT; BATCHYARD_CLUSTERAPI=1 KUBECONFIG=$(CLUSTER_DIR)/kubeconfig PATH=$(CLUSTER_DIR)/bin:$$PATH \
	  $(BIN)/pytest tests/clusterapi tests/pools/test_conformance.py -k clusterapi $(PYTEST_ARGS)

.PHONY: docs docs-serve test-docs test-examples workflow-lint operator-up
docs: $(READY) ## Build the documentation site into build/site, warnings as errors
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet && echo "docs: build/site/index.html"

docs-serve: $(READY) ## Show the documentation at http://127.0.0.1:8000 while you write it
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs serve

test-docs: $(READY) operator-down ## Type every command of the tutorial and of the README's first job, on a real cluster
	@$(BIN)/pytest -x --override-ini timeout=3600 tests/docs/long_pages.py $(PYTEST_ARGS)

test-examples: $(READY) helm cluster node-image kwok operator-down rights ## Apply every file of examples/ with docker nodes, see each end as it says
	@BATCHYARD_EXAMPLES=real KUBECONFIG=$(CLUSTER_DIR)/kubeconfig PATH=$(CLUSTER_DIR)/bin:$$PATH \
	$(BIN)/pytest tests/cluster/test_cluster_x_examples.py $(PYTEST_ARGS)

workflow-lint: ## Check the GitHub workflows with actionlint, built once into the cache
	@"$$($(DEVCLUSTER) tools actionlint)" && echo "workflow-lint: no complaints"

clean: ## Remove what was generated here; the cluster and the cache in ~/.cache/batchyard stay
	rm -rf $(VENV) dist build operator/*.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find $(CODE) -name __pycache__ -type d -prune -exec rm -rf {} +
