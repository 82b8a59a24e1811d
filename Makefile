SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup demo bench bench-quick bench-registry test test-all lint fuzz judge compat scores screenshots fresh clean
env := . dev/env.sh &&
# Most of the time of a test of a daemon is waiting, so there are more processes than processors.
pytest := $(env) pytest --numprocesses $(or $(WORKERS),4) --dist loadgroup

help:           ## Print this list
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 24

setup:          ## Install what is missing to build images
	@bash dev/setup.sh

demo: setup     ## Build an image on a base out of a registry, and show it
	@bash dev/demo.sh

test:           ## Check style and types, then run the tests; more arguments: make test ARGS='-k tar'
	@bash dev/setup.sh test
	@$(MAKE) --no-print-directory lint
	@$(pytest) -m "not thorough" --durations=25 --durations-min=5 $(ARGS)

test-all:       ## The same, and what `make test` leaves out: heavy work with more consumers, and the newest consumers
	@bash dev/setup.sh test-all
	@$(MAKE) --no-print-directory lint
	@$(pytest) --newest $(ARGS)

lint: setup     ## Check style and types only
	@$(env) ruff check && ruff format --check && mypy

fuzz:           ## Feed every reader with damaged input for TIME seconds each: make fuzz TIME=600
	@bash dev/setup.sh
	@.venv/bin/python -c 'import atheris' 2>/dev/null || .venv/bin/pip --disable-pip-version-check install -qq -e '.[fuzz]'
	@$(env) python -m tests.fuzz --seconds $(or $(TIME),60)

judge:          ## Compare our readers with Go's, GNU tar's and Python's for TIME seconds each
	@bash dev/setup.sh
	@$(env) for reader in tar documents compressed; do python -m tests.judge --seconds $(or $(TIME),60) $$reader || exit; done

differential:   ## Give unusual images to docker, podman, Skopeo and Lamina for TIME seconds: make differential TIME=600
	@bash dev/setup.sh test
	@$(env) python -m tests.differential --seconds $(or $(TIME),60)

compat:         ## Try every example in every consumer, and write docs/generated/compatibility.md; RELEASES=forky for some
	@bash dev/setup.sh test-all
	@$(env) python -m tests.support.consumers.compat $(RELEASES)

scores:         ## Have every tool save an image, and write docs/generated/checks.md and saved.md
	@bash dev/setup.sh test
	@$(env) python -m tests.support.consumers.scores

screenshots:    ## Show pages of `lamina report` in Chromium, and write docs/use/report-*.png
	@bash dev/setup.sh browser
	@$(env) python -m tests.support.screenshots

bench:          ## Measure speed beside GNU tar and other tools, then the reference scenario (some 20 minutes)
	@bash dev/setup.sh test
	@.venv/bin/python -c 'import matplotlib' 2>/dev/null || .venv/bin/pip --disable-pip-version-check install -qq -e '.[bench]'
	@$(env) python -m bench

bench-quick:    ## Measure speed beside GNU tar only, in less than a minute
	@bash dev/setup.sh test
	@$(env) python -m bench --quick

bench-registry: ## Measure pushing and serving, and write bench/registry.md (some 8 minutes)
	@bash dev/setup.sh test
	@$(env) python -m bench.registry

fresh:          ## Run `make demo` and `make test` on HEAD in a new minimal Debian 12, as CI does (root)
	@bash dev/fresh.sh

clean:          ## Remove what make made in the checkout
	rm -rf .venv .state .mypy_cache .pytest_cache .ruff_cache .hypothesis result result-*
