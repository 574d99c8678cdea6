# Everything a newcomer runs. CI runs the same.

.DEFAULT_GOAL := help
.SILENT:
.NOTPARALLEL:
PY := .venv/bin/python
# A file of tests stays in one process; each process has servers of its own.
SIDE_BY_SIDE := -n auto --maxprocesses 4 --dist loadfile

help: ## show this help
	awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' Makefile

setup: ## make .venv and install what the product needs (Python 3.11 or newer)
	sh scripts/setup.sh runtime

setup-dev: ## the same, and what tests and checks need
	sh scripts/setup.sh dev

demo: setup ## run everything here: servers, a seeded practice, web, worker, demo PIMS (PORT=8000)
	exec $(PY) -m widget demo

demo-reset: setup ## forget what the demo has kept, then run it afresh
	exec $(PY) -m widget demo-reset

test: setup-dev ## run the tests (ARGS="-k claims" chooses)
	CHROMIUM="$$(sh scripts/chromium.sh)" && export CHROMIUM && exec $(PY) -m pytest $(SIDE_BY_SIDE) $(ARGS)

lint: setup-dev ## check format, lint, types, import rules and migrations
	echo "Format" && $(PY) -m ruff format --check .
	echo "Lint" && $(PY) -m ruff check .
	echo "Types" && $(PY) -m mypy
	echo "Import rules" && .venv/bin/lint-imports
	echo "Migrations" && sh scripts/lint_migrations.sh

check: lint test ## everything CI checks: lint, then test

format: setup-dev ## rewrite the code in the one format, and fix what can be fixed safely
	$(PY) -m ruff check --fix-only --quiet .
	$(PY) -m ruff format .

prove: setup-dev ## the tests, with fifty times as many generated cases
	CHROMIUM="$$(sh scripts/chromium.sh)" && export CHROMIUM && VETSLOT_PROVE=1 exec $(PY) -m pytest $(SIDE_BY_SIDE) $(ARGS)

pictures: ## take the README's pictures anew, from the tests that book in a browser
	$(MAKE) test ARGS="-q tests/e2e/test_a_pet_owner_books.py"
	mkdir -p docs/pictures && cp tests/output/times.png tests/output/schedule.png docs/pictures/

bench: setup-dev ## measure (benchmarks/)
	for each in $$(grep -l __main__ benchmarks/*.py | xargs -n 1 basename -s .py); do $(PY) -m "benchmarks.$$each" || exit 1; done

new-pims: setup-dev ## write the folders of an adapter for another PIMS (NAME=acme)
	$(PY) -m pims_adapters._new "$(NAME)"
	for each in pims_adapters tests/pims_adapters; do \
		$(PY) -m ruff check --fix-only --quiet "$$each/$(NAME)" && $(PY) -m ruff format --quiet "$$each/$(NAME)" || exit 1; done

readme: setup-dev ## write the README's table of PIMS anew from the adapters
	$(PY) -m pims_adapters.table README.md

lock: ## write requirements/*.txt anew from pyproject.toml (needs uv)
	sh scripts/lock.sh

.PHONY: help setup setup-dev demo demo-reset test lint check format prove pictures bench new-pims readme lock
