# Everything a developer runs. `make` alone lists it. Nothing is installed outside .venv.

PYTHON ?= python3
# Most tests wait for processes of their own most of the time, so two share a core.
PYTEST_ARGS ?= -n $(shell echo $$((2 * $$(getconf _NPROCESSORS_ONLN)))) --dist worksteal
BIN := .venv/bin
READY := .venv/.ready

.DEFAULT_GOAL := help

# Each of several workers of pytest would compile all tests at every run.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help
help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Hookline needs Python 3.11 or newer; $(PYTHON) is older. Try: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "$(PYTHON) cannot make virtual environments. On Debian or Ubuntu: apt-get install python3-venv"; exit 1; }
	@echo "Setting up .venv (once, about a minute) ..."
	@$(PYTHON) -m venv .venv
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

.PHONY: setup
setup: $(READY) ## make .venv with everything in it

.PHONY: run
run: $(READY) ## start Redis, ingress and processor on this machine (Ctrl-C stops)
	@$(BIN)/hookline up

.PHONY: test
test: $(READY) ## run all tests against real Redis servers
	@$(BIN)/python -m pytest $(PYTEST_ARGS)

.PHONY: test-unit
test-unit: PYTEST_ARGS := -n $(shell getconf _NPROCESSORS_ONLN) --dist worksteal
test-unit: $(READY) ## run the fast tests: no servers, no waiting
	@$(BIN)/python -m pytest $(PYTEST_ARGS) tests/unit

.PHONY: test-matrix
test-matrix: $(READY) ## run all tests on Redis 6.2, Redis 7.0 and Valkey 8
	@$(BIN)/python -m tests.matrix

.PHONY: test-browser
test-browser: $(READY) ## the console in a real browser: pages, keyboard, phone, accessibility (a minute; needs chromium and npm)
	@$(BIN)/pip install --quiet --disable-pip-version-check --upgrade --target .venv/browser playwright==1.65.2
	@cd tests/browser/axe && npm ci --silent --no-audit --no-fund
	@HOOKLINE_TEST_BROWSER=1 PYTHONPATH=.venv/browser $(BIN)/python -m pytest -rs -n 0 tests/browser

.PHONY: console-pictures
console-pictures: $(READY) ## draw docs/images/console-*.png again (a minute; after make test-browser)
	@PYTHONPATH=.venv/browser $(BIN)/python -m tests.browser.pictures

.PHONY: test-lowest
test-lowest: ## the tests of single services with the oldest versions that pyproject.toml allows (5 minutes)
	@$(PYTHON) -m venv --clear .venv/lowest
	@.venv/lowest/bin/pip install --quiet --disable-pip-version-check uv
	@VIRTUAL_ENV=.venv/lowest .venv/lowest/bin/uv pip install --quiet --resolution lowest-direct --all-extras -r pyproject.toml -e .
	@.venv/lowest/bin/python -m pytest $(PYTEST_ARGS) tests/unit tests/integration

.PHONY: emulator
emulator: ## install the emulator of Twilio that the acceptance tests use (needs Node.js 20 or newer)
	@cd tests/acceptance/emulator && npm ci --silent --no-audit --no-fund

.PHONY: calls
calls: $(READY) ## a minute of calls while processors, ingresses, Redis and the app behind them are killed in turn
	@HOOKLINE_CALLS_S=$${HOOKLINE_CALLS_S:-60} $(BIN)/python -m pytest -s -n 0 tests/acceptance/live/test_calls.py

.PHONY: outage
outage: $(READY) ## the app behind a forward away for five minutes, at 100 messages/s (10 minutes)
	@HOOKLINE_OUTAGE_S=$${HOOKLINE_OUTAGE_S:-300} $(BIN)/python -m pytest -s -n 0 tests/acceptance/live/test_outage.py

.PHONY: live-costs
live-costs: $(READY) ## what live routes add to an answer, and what 2 000 callers who wait take (a minute)
	@HOOKLINE_LIVE_COSTS=1 $(BIN)/python -m pytest -s -n 0 tests/acceptance/live/test_live_costs.py

.venv/apps/.ready: tests/acceptance/apps/requirements.txt tests/acceptance/apps/express/package-lock.json
	@$(PYTHON) -m venv --clear .venv/apps
	@.venv/apps/bin/pip install --quiet --disable-pip-version-check -r tests/acceptance/apps/requirements.txt
	@cd tests/acceptance/apps/express && npm ci --silent --no-audit --no-fund
	@touch $@

.PHONY: sample-apps
sample-apps: $(READY) .venv/apps/.ready ## apps of others, with Twilio's validators, behind forwards (a minute; needs Node.js 20 or newer, and php-cli)
	@HOOKLINE_TEST_APPS=1 HOOKLINE_TEST_APPS_PYTHON=.venv/apps/bin/python $(BIN)/python -m pytest -rs -n 0 tests/acceptance/apps

.PHONY: test-compose
test-compose: $(READY) ## compose.yaml and deploy.sh in real containers (some minutes; needs Docker)
	@HOOKLINE_TEST_COMPOSE=1 $(BIN)/python -m pytest -rs \
	  tests/acceptance/deployment/test_compose.py tests/acceptance/deployment/test_compose_changes.py tests/acceptance/deployment/test_compose_options.py \
	  tests/acceptance/deployment/test_pod_life.py

.PHONY: fuzz
fuzz: $(READY) ## mutated requests at an ingress: FUZZ_REQUESTS=100000 (3 minutes); new cases are added to bench/fuzz/corpus.txt
	@$(BIN)/python -m bench.fuzz --requests $${FUZZ_REQUESTS:-100000}

.PHONY: attacks
attacks: $(READY) ## attack an ingress in a dozen ways, and print what it costs whom (2 minutes)
	@$(BIN)/python -m bench.attacks

.PHONY: soak
soak: $(READY) ## eight minutes of load and random faults, or HOOKLINE_SOAK_S seconds
	@HOOKLINE_SOAK_S=$${HOOKLINE_SOAK_S:-480} $(BIN)/python -m pytest -s --timeout 0 tests/acceptance/soak

.PHONY: sequences
sequences: $(READY) ## random sequences of faults and steps on several processors, HOOKLINE_TEST_EXAMPLES of each kind (10 minutes)
	@HOOKLINE_TEST_EXAMPLES=$${HOOKLINE_TEST_EXAMPLES:-50} $(BIN)/python -m pytest $(PYTEST_ARGS) --timeout 0 tests/integration/processor/machine

.PHONY: fleet
fleet: $(READY) ## a minute of load on four processors that are killed, stopped, added and asked to leave
	@HOOKLINE_FLEET_S=$${HOOKLINE_FLEET_S:-60} $(BIN)/python -m pytest -s --timeout 0 tests/acceptance/processors/test_fleet.py

.PHONY: kills
kills: $(READY) ## 20 000 webhooks while both services are killed again and again (a minute)
	@HOOKLINE_KILL_WEBHOOKS=$${HOOKLINE_KILL_WEBHOOKS:-20000} $(BIN)/python -m pytest -s -n 0 --timeout 0 tests/acceptance/processors/test_kill.py

.PHONY: replies
replies: $(READY) ## 20 000 replies and 1 000 conversations through a Twilio that loses 5 % of its answers, and kill -9 (ten minutes)
	@HOOKLINE_REPLIES=$${HOOKLINE_REPLIES:-20000} HOOKLINE_CONVERSATIONS=$${HOOKLINE_CONVERSATIONS:-1000} \
	  $(BIN)/python -m pytest -s -n 0 --timeout 0 tests/acceptance/replies

.PHONY: many-waiting
many-waiting: $(READY) ## a million events that wait for times within half an hour: lateness, others' latency, memory (40 minutes)
	@HOOKLINE_WAITING_EVENTS=$${HOOKLINE_WAITING_EVENTS:-1000000} $(BIN)/python -m pytest -s -n 0 tests/acceptance/events/test_many_waiting.py

.PHONY: slow-links
slow-links: $(READY) ## 2 000 events of 1 MB through links of 40 and 12 MB/s, for all that reads or writes many (half an hour)
	@SLOW_LINKS_SCALE=$${SLOW_LINKS_SCALE:-50} $(BIN)/python -m pytest -s -n 0 --timeout 0 tests/integration/slow_links

.PHONY: ledger-faults
ledger-faults: $(READY) ## the ledger's database away for half a minute under 500 events/s
	@HOOKLINE_LEDGER_OUTAGE_S=$${HOOKLINE_LEDGER_OUTAGE_S:-30} $(BIN)/python -m pytest -s --timeout 0 tests/acceptance/events/test_ledger_faults.py

.venv/release/.ready: deploy/release.lock
	@$(PYTHON) -m venv --clear .venv/release
	@.venv/release/bin/pip install --quiet --disable-pip-version-check --require-hashes -r deploy/release.lock
	@touch $@

.PHONY: dist
dist: $(READY) .venv/release/.ready ## build wheel and sdist into dist/, and try them in new environments (2 minutes)
	@rm -rf dist
	@.venv/release/bin/python -m build --no-isolation --quiet .
	@.venv/release/bin/twine check --strict dist/*
	@HOOKLINE_TEST_DIST=1 $(BIN)/python -m pytest -rs tests/acceptance/deployment/test_dist.py

.PHONY: chart
chart: $(READY) ## write the Helm chart again from the manifests of kustomize
	@$(BIN)/python deploy/helm/generate.py

.PHONY: test-chart
test-chart: $(READY) ## render the Helm chart with Helm, and compare it with what kustomize makes (a minute)
	@$(BIN)/pip install --quiet --disable-pip-version-check --upgrade --target .venv/chart helm-python-sdk==0.2.2
	@HOOKLINE_TEST_CHART=1 PYTHONPATH=.venv/chart $(BIN)/python -m pytest -rs tests/integration/deploy/test_chart.py

.PHONY: sbom
sbom: .venv/release/.ready ## write sbom.cdx.json: what the image and an installation of the wheel are made of
	@.venv/release/bin/cyclonedx-py requirements --pyproject pyproject.toml --mc-type application --output-reproducible \
	  --output-file sbom.cdx.json deploy/requirements.lock

.PHONY: up
up: ## start everything with Compose that does not run, from a clean clone too; what runs stays as it is
	@deploy/deploy.sh up

.PHONY: deploy
deploy: ## build the image and put it into service with Compose, or leave the version before serving
	@deploy/deploy.sh deploy $(if $(IMAGE),--image $(IMAGE))

.PHONY: smoke
smoke: ## send signed webhooks through the public port of what is in service, and see that all works
	@deploy/deploy.sh smoke

.PHONY: rollback
rollback: ## put the version before back into service
	@deploy/deploy.sh rollback

.PHONY: check
check: $(READY) ## lint, types, and the arrows between packages
	@$(BIN)/ruff format --check --quiet . || { echo "Formatting differs: run make fmt"; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

.PHONY: fmt
fmt: $(READY) ## format and mend what can be mended by itself
	@$(BIN)/ruff format --quiet .
	@$(BIN)/ruff check --quiet --fix .

.PHONY: pages
pages: $(READY) ## write the tables of docs/ that are made from the code again
	@$(BIN)/python -m hookline_cli.docs_generator.pages

.PHONY: bench
bench: $(READY) ## measure everything beside what people would use instead (within 20 minutes)
	@$(BIN)/python -m bench

.PHONY: bench-ledger
bench-ledger: $(READY) ## measure what the ledger costs, how fast it writes, and how fast it answers
	@$(BIN)/python -m bench.ledger

.PHONY: bench-marks
bench-marks: $(READY) ## measure the memory of a million dedupe marks in Redis, and the time to append and mark an event (2 minutes)
	@$(BIN)/python -m bench.marks

.PHONY: bench-console
bench-console: $(READY) ## measure the pages of the console over a ledger of a million events, and its memory (3 minutes)
	@$(BIN)/python -m bench.console

.PHONY: bench-quick
bench-quick: $(READY) ## the same, fewer and shorter rounds (within 3 minutes)
	@$(BIN)/python -m bench --quick

.PHONY: bench-dashboard
bench-dashboard: $(READY) ## draw docs/images/grafana-dashboards.png again: load and faults (2 minutes, needs prometheus)
	@$(BIN)/python -m bench.dashboard

.PHONY: bench-check
bench-check: $(READY) ## fail if a webhook or an event needs 15 % more CPU time than in AGAINST, or the first of history.toml (2 minutes)
	@$(BIN)/python -m bench.versions $(AGAINST) --limit $(or $(LIMIT),15)

.PHONY: bench-history
bench-history: $(READY) ## measure and draw the CPU time of a webhook and an event in each version of history.toml (4 minutes)
	@$(BIN)/python -m bench.versions --history

.PHONY: lock
lock: $(READY) ## resolve pyproject.toml into requirements.lock, and what of it the image has, again
	@$(PYTHON) -m venv .venv/lock
	@.venv/lock/bin/pip install --quiet --disable-pip-version-check uv
	@.venv/lock/bin/uv pip compile --quiet --universal --upgrade --python-version 3.11 --all-extras --generate-hashes \
	  --no-emit-index-url --no-annotate --custom-compile-command "make lock" -o requirements.lock pyproject.toml
	@.venv/lock/bin/uv pip compile --quiet --universal --constraint requirements.lock --python-version 3.11 --extra postgres --extra sendgrid --extra otel --extra console \
	  --generate-hashes --no-emit-index-url --no-annotate --custom-compile-command "make lock" -o deploy/requirements.lock pyproject.toml
	@echo hatchling | .venv/lock/bin/uv pip compile --quiet --universal --constraint requirements.lock --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-annotate --custom-compile-command "make lock" -o deploy/build.lock -
	@.venv/lock/bin/uv pip compile --quiet --universal --constraint requirements.lock --python-version 3.11 --group release \
	  --generate-hashes --no-emit-index-url --no-annotate --custom-compile-command "make lock" -o deploy/release.lock

.PHONY: lock-peers
lock-peers: $(READY) ## resolve what the benchmark's peers need again
	@$(PYTHON) -m venv .venv/lock
	@.venv/lock/bin/pip install --quiet --disable-pip-version-check uv
	@for wanted in bench/*/requirements.in bench/peers/*/requirements.in; do (cd $$(dirname $$wanted) && $(CURDIR)/.venv/lock/bin/uv pip compile --quiet \
	  --universal --upgrade --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate \
	  --custom-compile-command "make lock-peers" -o requirements.txt requirements.in) || exit 1; done
	@for wanted in bench/peers/*/package.json tests/acceptance/emulator/package.json tests/browser/axe/package.json; do (cd $$(dirname $$wanted) && npm install --package-lock-only \
	  --omit-lockfile-registry-resolved --no-audit --no-fund --silent) || exit 1; done
