# `make demo` and `make test` need Python 3.11 or newer, and nothing else. `make help` says the rest.

VENV := .venv
PY := $(VENV)/bin/python
# Touched when what is installed is what the requirements say.
RUNTIME := $(VENV)/.installed
TOOLS := $(VENV)/.installed-dev
BASELINES := $(VENV)/.installed-bench

# Another project's environment must not leak into this one.
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV DJANGO_SETTINGS_MODULE

.DEFAULT_GOAL := help
.PHONY: help demo demo-reset test simulate bench bench-full api-conformance properties mutants crashes screenshots restore-drill messages lint format clean

help: ## List what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-16s %s\n", $$1, $$2}' Makefile
	@echo
	@echo "  PORT=8080 make demo            another port"
	@echo "  DATABASE_URL=postgresql://...  another PostgreSQL than the embedded one"
	@echo "  make test ARGS='-k refill'     some of the tests"
	@echo "  make crashes ARGS=disk         one scenario (--minutes 2: for so long)"
	@echo "  make bench ARGS=ingest         one scenario"

demo: $(RUNTIME) ## Run the whole portal, with a company's past months in it (Ctrl-C stops it)
	@exec env DEBUG=1 $(PY) manage.py demo

demo-reset: $(RUNTIME) ## Delete the demo's data and run it anew
	@exec env DEBUG=1 $(PY) manage.py demo --reset

# A new test database each time, left behind at the end: the next run, or its folder's end, drops it.
test: $(TOOLS) ## Run all tests
	@exec $(PY) -m pytest --create-db --reuse-db $(ARGS)

MINUTES ?= 10
simulate: $(TOOLS) ## Live through months of business and bad luck, seed after seed (MINUTES=10)
	@exec env DEBUG=1 $(PY) manage.py simulate --minutes $(MINUTES) --processes 2 $(ARGS)

security: $(TOOLS) ## Attack it (tests/security), with the linter's rules and what is known of its libraries
	@$(PY) -m ruff check .
	@$(PY) -m pytest --create-db --reuse-db -q tests/security \
		accounts/tests/test_webhook_attacks.py $(ARGS)
	@if command -v pip-audit >/dev/null 2>&1; then \
		pip-audit --require-hashes --disable-pip -r requirements.lock; \
	else \
		echo "Known holes were not looked up: pip-audit is not installed (docs/security.md)."; \
	fi

lock: ## Pin every library and what it needs by hash: requirements*.lock (needs uv)
	@command -v uv >/dev/null 2>&1 || { echo "make lock needs uv: pip install uv" >&2; exit 1; }
	@for extra in "" -kafka -parquet; do \
		uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
			--no-emit-index-url --no-annotate --custom-compile-command "make lock" \
			requirements$$extra.txt --output-file requirements$$extra.lock || exit 1; \
	done

bench: $(BASELINES) ## Measure how quick it is, in a few minutes (results: bench/RESULTS.md)
	@exec $(PY) -m bench $(ARGS)

bench-full: $(BASELINES) ## Measure it in all rounds and with all rows
	@exec $(PY) -m bench --full $(ARGS)

api-conformance: $(TOOLS) ## Hold the API against its schema for some minutes, with ever other requests
	@exec env API_CONFORMANCE_EXAMPLES=300 $(PY) -m pytest --create-db --reuse-db -q \
		billing_portal/tests/test_api_conformance.py $(ARGS)

properties: $(TOOLS) ## Hold the books against a plain model for some minutes, with ever other examples
	@exec env PROPERTY_EXAMPLES=$${PROPERTY_EXAMPLES:-100} $(PY) -m pytest --create-db --reuse-db -q \
		tests/properties $(ARGS)

crashes: $(TOOLS) ## Kill parts of the portal under load for some minutes, and look at the books
	@exec nice -n 10 $(PY) -m tests.crashes $(ARGS)

mutants: $(TOOLS) ## Break each rule of database and code in turn, and see that a test notices (some minutes)
	@exec nice $(PY) -m tests.mutants $(ARGS)

screenshots: $(TOOLS) ## Take a picture of every page anew (docs/screenshots/)
	@exec $(PY) -m pytest --create-db --reuse-db -q \
		billing_portal/dashboard/tests/screenshots.py $(ARGS)

restore-drill: $(TOOLS) ## Restore backups of what the demo has made, and look whether the books are right
	@exec env DEBUG=1 $(PY) -m tests.restore_drill

messages: $(TOOLS) ## Bring the translations to what is marked in the code (docs/translating.md)
	@exec env DATABASE_URL=postgresql://nowhere/none DEBUG=1 $(PY) manage.py messages

lint: $(TOOLS) ## Check style and types
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@DATABASE_URL=postgresql://nowhere/none $(PY) -m mypy .

format: $(TOOLS) ## Put the code into its usual form
	@$(PY) -m ruff check --fix .
	@$(PY) -m ruff format .

clean: ## Delete what was installed (the demo's data stays)
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis staticfiles

$(RUNTIME): requirements.txt
	$(call install,requirements.txt,about half a minute)
	@touch $(RUNTIME)

$(TOOLS): requirements.txt requirements-dev.txt requirements-parquet.txt requirements-kafka.txt
	$(call install,requirements-dev.txt,about a minute)
	@touch $(RUNTIME) $(TOOLS)

$(BASELINES): requirements.txt requirements-bench.txt
	$(call install,requirements-bench.txt,about half a minute)
	@touch $(RUNTIME) $(BASELINES)

# Makes the environment unless it is there and works, then installs into it: with uv where there is
# one, else with pip. pip says little between start and end, so a dot stands for each package.
define install
@set -e; \
if ! $(PY) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	python=; \
	for name in $(PYTHON) python3.11 python3.12 python3.13 python3 python; do \
		if "$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
			python="$$name"; break; \
		fi; \
	done; \
	if [ -z "$$python" ]; then \
		echo "The portal needs Python 3.11 or newer, and none was found." >&2; \
		echo "Found: $$(python3 --version 2>&1 || true)" >&2; \
		echo "Install one, for example:" >&2; \
		echo "  Debian, Ubuntu:  sudo apt install python3.11 python3.11-venv" >&2; \
		echo "  Fedora:          sudo dnf install python3.11" >&2; \
		echo "  macOS:           brew install python@3.12" >&2; \
		echo "  or any system:   https://www.python.org/downloads/" >&2; \
		echo "If it has an unusual name: make demo PYTHON=/path/to/python" >&2; \
		exit 1; \
	fi; \
	echo "Making $(VENV) with $$("$$python" --version)"; \
	rm -rf $(VENV); \
	if command -v uv >/dev/null 2>&1; then \
		uv venv --quiet --python "$$python" $(VENV); \
	elif ! "$$python" -m venv $(VENV); then \
		rm -rf $(VENV); \
		echo "Python's venv module is missing. On Debian and Ubuntu:" >&2; \
		echo "  sudo apt install python3-venv" >&2; \
		exit 1; \
	fi; \
fi; \
if command -v uv >/dev/null 2>&1; then \
	echo "Installing $(1) with uv"; \
	uv pip install --quiet --python $(PY) -r $(1); \
else \
	$(PY) -m pip --version >/dev/null 2>&1 || $(PY) -m ensurepip >/dev/null; \
	printf 'Installing $(1) with pip ($(2)) '; \
	{ status=0; \
		$(PY) -m pip install --disable-pip-version-check --no-input --no-compile -r $(1) 2>&1 || status=$$?; \
		echo "pip ended with $$status"; } \
	| awk 'BEGIN{failed = 1} /^Collecting /{printf "."; fflush()} {said = said $$0 "\n"} \
		/^pip ended with /{failed = ($$4 != 0)} \
		END {print ""; if (failed) printf "%s", said; exit failed}'; \
fi
endef
