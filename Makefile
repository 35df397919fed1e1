# The developer's commands; CI calls the same ones (.ci/run).
SHELL := /bin/sh
.DEFAULT_GOAL := help
.NOTPARALLEL: # `setup` must come before `venv`

PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.stamp
# What the leak check at the end of the suite counts: `host` is everything new on this machine, `own` only what
# can be traced to the tests (for a machine where other people start containers at the same time).
LEAKS ?= host
# How many processes run the suite: containers mostly wait, so that there may be more than processors.
WORKERS ?= 3
# Whose branch coverage is measured: `fast` is tests that need neither root nor a peer, `all` takes twice the time.
COVERAGE ?= fast
# Further arguments for pytest, the demo or the bench.
ARGS ?=

.PHONY: help setup venv bytecode proto objects check format test coverage test-fast test-shim test-runsc test-docker demo record load bench pull-bench vm-setup vm-test lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## install what is missing from Debian's packages (root)
	@PYTHON=$(PYTHON) sh tools/setup.sh

venv: $(STAMP) ## make .venv from requirements.lock, with the command at .venv/bin/podwright

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Podwright needs Python 3.11 or newer: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' || \
		{ echo "this Python has no venv module: run 'make setup' as root" >&2; exit 1; }
	@$(BIN)/python -c 'import pip, ssl' 2>/dev/null || { echo "$(PYTHON) -m venv .venv"; $(PYTHON) -m venv --clear .venv; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

proto: venv ## regenerate the stubs beside the protos
	$(BIN)/python -m tools.proto

objects: venv ## regenerate the typed objects below podwright/k8s/objects
	$(BIN)/python -m tools.k8s_objects

check: venv ## format, lint, types, import contracts, drift of what is generated
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy -p podwright -p tests -p tools
	$(BIN)/lint-imports
	$(BIN)/python -m tools.proto --check
	$(BIN)/python -m tools.k8s_objects --check

format: venv ## rewrite the sources as the format check wants them
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

# Programs are started by the hundred here; some environments do not let Python keep what it compiles.
bytecode: venv
	@$(BIN)/python -m compileall -q podwright tools

test: setup venv bytecode ## the whole suite (root; starts containers and containerd)
	PODWRIGHT_COVERAGE=$(COVERAGE) $(BIN)/python -m pytest --leaks=$(LEAKS) -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

coverage: ## as test, and measure branch coverage of all tests and processes (root; twice the time)
	@$(MAKE) --no-print-directory test COVERAGE=all

test-fast: venv ## the tests that need neither root nor a peer
	$(BIN)/python -m pytest -m "not root and not peer" $(ARGS)

test-shim: setup venv bytecode ## all conformance cases over containerd's shim for runc (root; `make test` runs a part)
	$(BIN)/python -m pytest --leaks=$(LEAKS) -n $(WORKERS) --dist loadfile --shim=only podwright/conformance/cases $(ARGS)

test-docker: setup venv bytecode ## all conformance cases on a Docker Engine (root; `make test` runs a part)
	$(BIN)/python -m pytest --leaks=$(LEAKS) -n $(WORKERS) --dist loadfile --docker=only podwright/conformance/cases $(ARGS)

test-runsc: setup venv bytecode ## all conformance cases over gVisor (root; `make test` runs a part)
	$(BIN)/python -m pytest --leaks=$(LEAKS) -n $(WORKERS) --dist loadfile --runsc=only podwright/conformance/cases $(ARGS)

demo: setup venv bytecode ## run examples/hello.yaml, then have a node run it; images from a registry on loopback (root)
	$(BIN)/python -m tools.demo $(ARGS)

record: setup venv bytecode ## record the terminal session of the README anew: docs/session.svg (root)
	$(BIN)/python -m tools.recording $(ARGS)

load: setup venv ## an hour of random load on a runtime and an agent; PODWRIGHT_LOAD_S sets the seconds (root)
	PODWRIGHT_LOAD_S=$${PODWRIGHT_LOAD_S:-3600} $(BIN)/python -m pytest --leaks=own -o log_cli=true -o log_cli_level=WARNING \
		tests/agent/load $(ARGS)

bench: setup venv bytecode ## measure Podwright, containerd, Docker and, if it is there, CRI-O; reports go to build/bench (root)
	$(BIN)/python -m tools.bench $(ARGS)

pull-bench: setup venv bytecode ## time pulls beside containerd, and CRI-O, Docker, skopeo and umoci where they are installed (root)
	$(BIN)/python -m tools.pull_bench $(ARGS)

vm-setup: setup ## install what the virtual machines of vm-test need from Debian's packages (root)
	@PYTHON=$(PYTHON) sh tools/setup.sh qemu-system-x86:/usr/bin/qemu-system-x86_64 qemu-utils:/usr/bin/qemu-img \
		mmdebstrap:/usr/bin/mmdebstrap e2fsprogs:/usr/sbin/mke2fs openssh-client:/usr/bin/ssh

vm-test: vm-setup venv ## the tests on Debian 12 and 13 in virtual machines, with both cgroup drivers (root; hours without KVM)
	$(BIN)/python -m tools.vm $(ARGS)

lock: venv ## resolve requirements.lock anew from pyproject.toml
	$(BIN)/pip-compile --quiet --upgrade --allow-unsafe --extra=bench --extra=dev --generate-hashes --no-emit-find-links \
		--no-emit-index-url --no-emit-trusted-host --output-file=requirements.lock --strip-extras pyproject.toml

clean: ## remove .venv, caches and build leftovers
	rm -rf .venv build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
