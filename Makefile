# Both `make demo` and `make test` make their own virtual environment. Nothing else is needed but Python 3.11 or later: where there
# is a C compiler the leaves are compiled, else they are interpreted.

VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install -qq
# What is built from: a change of it installs anew, and compiles what changed.
LEAVES := $(wildcard kubelog/*/*.pxd)
SOURCES := pyproject.toml setup.py $(LEAVES) $(wildcard $(LEAVES:.pxd=.py))

TELL := $(BIN)/python -c 'import sys; from kubelog import native; sys.exit(native.kind() != "compiled")' || \
	echo "The leaves were not compiled: kubelog runs interpreted, many times slower." >&2

# Set for every pip below, those that build a wheel too.
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_INPUT := 1
ifeq ($(HOME),)
export PIP_NO_CACHE_DIR := 1
endif

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help demo test lint types unit bench bench-tools test-tools clean

help:
	@echo "make demo    what happened on a node whose disk ran full, read from its kubelet's log"
	@echo "make test    every check: lint, types, unit"
	@echo "make lint    ruff: rules and format"
	@echo "make types   mypy"
	@echo "make unit    pytest"
	@echo "make bench   what kubelog and its rivals cost, in an environment of its own (ARGS=--help)"
	@echo "make clean   remove all that these made"
	@echo "PYTHON=...   the interpreter to prefer, 3.11 or later"

demo: $(VENV)/core
	$(BIN)/kubelog timeline notebooks/node3/node3-kubelet.log --year 2017

test: lint types unit

lint: $(VENV)/test
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(VENV)/test
	$(BIN)/mypy

unit: $(VENV)/test $(VENV)/journal
	$(BIN)/pytest

# In an environment of its own: the rivals are no part of the project. Says what it had to leave out.
bench: bench-tools
	@$(MAKE) --silent --no-print-directory VENV=.venv-bench .venv-bench/bench
	@.venv-bench/bin/python -m benchmarks.run $(ARGS)

$(VENV)/bench: $(SOURCES) | $(BIN)/python
	@echo '*' > $(VENV)/.gitignore
	@echo "Installing kubelog, what its tables need, polars and duckdb into $(VENV) ..."
	@$(INSTALL) --editable '.[table]' || { echo "pyarrow or pandas cannot be installed here: tables are left out." >&2; $(INSTALL) --editable .; }
	@$(INSTALL) polars duckdb || echo "polars or duckdb cannot be installed here: they are left out." >&2
	@$(TELL)
	@touch $@

# What no Python package brings; only root installs it, and the benchmark does without what is missing.
bench-tools:
	@missing=""; \
	command -v cc >/dev/null || missing="$$missing gcc libc6-dev"; \
	command -v rg >/dev/null || missing="$$missing ripgrep"; \
	pkg-config --exists lognorm 2>/dev/null || missing="$$missing pkg-config liblognorm-dev"; \
	[ -n "$$missing" ] || exit 0; \
	if [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then \
	    echo "Not here, and left out:$$missing (Debian's names)" >&2; exit 0; \
	fi; \
	echo "Installing$$missing ..."; \
	apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y $$missing >/dev/null || \
	    echo "Not to be had, and left out:$$missing" >&2

# What writes the journals and the syslog files that the tests read, in every language, and what the journal is read with. No Python
# package brings it; only root installs it. Tests that need what is missing are skipped, or fail where CI is set.
test-tools:
	@missing=""; \
	command -v journalctl >/dev/null || missing="$$missing systemd"; \
	[ -x /usr/lib/systemd/systemd-journal-remote ] || [ -x /lib/systemd/systemd-journal-remote ] || missing="$$missing systemd-journal-remote"; \
	command -v localedef >/dev/null || missing="$$missing libc-bin"; \
	[ -e /usr/share/i18n/locales/de_DE ] || missing="$$missing locales"; \
	[ -e /usr/share/zoneinfo/Asia/Shanghai ] || missing="$$missing tzdata"; \
	command -v script >/dev/null || missing="$$missing bsdutils"; \
	[ -x /usr/sbin/rsyslogd ] || missing="$$missing rsyslog"; \
	command -v setpriv >/dev/null || missing="$$missing util-linux"; \
	command -v cc >/dev/null || missing="$$missing gcc libc6-dev"; \
	pkg-config --exists libsystemd 2>/dev/null || missing="$$missing pkg-config libsystemd-dev"; \
	[ -n "$$missing" ] || exit 0; \
	if [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then \
	    echo "Not here, and what needs it is not tested:$$missing (Debian's names)" >&2; exit 0; \
	fi; \
	echo "Installing$$missing ..."; \
	apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y $$missing >/dev/null || \
	    echo "Not to be had, and what needs it is not tested:$$missing" >&2

# Built from source: where that cannot be, the journal is read by journalctl.
$(VENV)/journal: $(VENV)/test | test-tools
	@$(INSTALL) --editable '.[journal]' || echo "systemd-python cannot be built here: what needs it is not tested." >&2
	@touch $@

clean:
	rm -rf $(VENV) .venv-bench benchmarks/build benchmarks/corpus build dist *.egg-info .hypothesis .mypy_cache .pytest_cache .ruff_cache kubelog/grammar/table.bin
	find kubelog -name '*.so' -delete
	find . -name __pycache__ -prune -exec rm -rf {} +

# Stamps, so that a second run installs nothing.
$(VENV)/core: $(SOURCES) | $(BIN)/python
	@echo "Installing kubelog into $(VENV) ..."
	@$(INSTALL) --editable .
	@$(TELL)
	@touch $@

$(VENV)/test: $(SOURCES) | $(BIN)/python
	@echo "Installing kubelog and what its tests need into $(VENV) ..."
	@$(INSTALL) --editable '.[test]'
	@$(TELL)
	@touch $@ $(VENV)/core

# The first Python that is new enough. Debian keeps the part that makes environments (ensurepip) in a package of its own.
$(BIN)/python:
	@for python in "$(PYTHON)" python3 python3.13 python3.12 python3.11; do \
	    "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
	    if ! "$$python" -c 'import ensurepip' 2>/dev/null; then \
	        package=$$("$$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])'); \
	        if [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then \
	            echo "$$python cannot make virtual environments here: install $$package, or set PYTHON to another." >&2; exit 1; \
	        fi; \
	        echo "Installing $$package ..."; \
	        apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y "$$package" >/dev/null || exit 1; \
	    fi; \
	    exec "$$python" -m venv --clear $(VENV); \
	done; \
	echo "kubelog needs Python 3.11 or later; none was found. Set PYTHON to its path." >&2; exit 1
