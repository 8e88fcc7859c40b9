# Everything a contributor types. Nothing is installed outside this folder, but Debian's Chromium for the browser tests.
# uv comes pinned into .tools/; it makes one environment per purpose from hashed locks, as the tools disagree about botocore.

.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c

UV := .tools/bin/uv
DEV := .venvs/dev
LOCAL := .venvs/local
OPS := .venvs/ops
PEERS := .venvs/peers
RUNTIME := .venvs/runtime
SAM := .venvs/sam
CLIENTS := .venvs/clients
COMPILERS := .venvs/compilers
NODE_PACKAGES := $(COMPILERS)/node_modules/.package-lock.json
READY := .ready-stamp

# The browser tests start Debian's.
CHROMIUM := $(wildcard /usr/bin/chromium)

export SAM_CLI_TELEMETRY := 0
export PYTHONDONTWRITEBYTECODE := 1

.PHONY: help
help: ## Explain the targets
	@echo "synced-accounts: what you can type"
	@sed -nE 's/^([a-z-]+):.*## (.*)/\1\t\2/p' $(MAKEFILE_LIST) | \
	  while IFS=$$'\t' read -r target what; do printf '  make %-14s %s\n' "$$target" "$$what"; done

# --- running -------------------------------------------------------------------------------------------------------

INSTALLED = $(wildcard $(LOCAL)/$(READY) $(RUNTIME)/$(READY) $(SAM)/$(READY))

.PHONY: introduction
introduction:
	@echo "This builds the functions, deploys them into an AWS double on this machine, and says what to open." >&2
	@$(if $(word 3,$(INSTALLED)),:,echo "The first time, tools are installed into this folder: about 450 MB, and a minute or two." >&2)

.PHONY: run
run: introduction $(LOCAL)/$(READY) $(RUNTIME)/$(READY) $(SAM)/$(READY) ## Build and start the whole system offline, or update it while it runs (PORT=8080, POWENS_SANDBOX_PORT=8081, PARAMETERS="Name=value …")
	@exec $(LOCAL)/bin/python -m local run $(addprefix --parameter=,$(PARAMETERS))

.PHONY: events
events: $(LOCAL)/$(READY) ## Show the events on the bus of the running system, as they come
	@exec $(LOCAL)/bin/python -m local events

.PHONY: catalogue
catalogue: $(LOCAL)/$(READY) ## Renew the catalogue of institutions of the running system, as its schedule does each hour
	@exec $(LOCAL)/bin/python -m local catalogue

.PHONY: endpoint
endpoint: $(LOCAL)/$(READY) ## Print what leads AWS tools to the running system, as a line for env
	@exec $(LOCAL)/bin/python -m local endpoint

.PHONY: token
# USER is always set by the shell to the login name, so only a value given to make counts.
token: $(LOCAL)/$(READY) ## Print a bearer token of a demo user: make token USER=alice
	@exec $(LOCAL)/bin/python -m local token "$(if $(filter command line,$(origin USER)),$(USER),alice)"

.PHONY: sandbox
sandbox: $(LOCAL)/$(READY) ## Start the Powens sandbox alone (POWENS_SANDBOX_PORT=8081)
	@exec $(LOCAL)/bin/python -m powens_sandbox

# --- operating -----------------------------------------------------------------------------------------------------

# STACK names a deployment on AWS, with the credentials at hand. Without it the running offline system is meant, which
# says where it is; of the operator's own AWS settings nothing goes there.
ON_STACK = $(if $(STACK),exec,reached=$$($(LOCAL)/bin/python -m local endpoint); \
  exec env -u AWS_PROFILE -u AWS_SESSION_TOKEN $$reached) $(OPS)/bin/python -m ops
OPERATING := $(OPS)/$(READY) $(if $(STACK),,$(LOCAL)/$(READY))

.PHONY: dead-letters
dead-letters: $(OPERATING) ## List what could not be consumed (STACK=synced-accounts-prod for a deployment)
	@$(ON_STACK) dead-letters

.PHONY: orphans
orphans: $(OPERATING) ## List users at Powens whom nobody here owns, as the last check saw them [STACK=...]
	@$(ON_STACK) orphans

.PHONY: replay-dlq
replay-dlq: $(OPERATING) ## Send dead letters back: QUEUE=commands|refresh|outbox|housekeeping|live-updates [STACK=...]
	@$(ON_STACK) replay-dlq "$(QUEUE)"

.PHONY: pause-powens
pause-powens: $(OPERATING) ## Let nobody call Powens for a while, without a deployment: MINUTES=60 [STACK=...]
	@$(ON_STACK) pause-powens "$(or $(MINUTES),$(error MINUTES is for how long))"

.PHONY: resume-powens
resume-powens: $(OPERATING) ## Let Powens be called again [STACK=...]
	@$(ON_STACK) resume-powens

.PHONY: copy-back
copy-back: $(OPERATING) ## Give users what they lost, from a restored table: FROM=repair USERS="id id" [STACK=...]
	@$(ON_STACK) copy-back "$(FROM)" $(USERS)

.PHONY: user-key
user-key: $(OPERATING) ## Say how the traces name a user, for the saved queries: OF=sub-of-the-token [STACK=...]
	@$(ON_STACK) user-key "$(or $(OF),$(error OF is the sub of the user's tokens))"

.PHONY: powens-setup
powens-setup: $(OPERATING) ## Say what the Powens domain of a stack lacks, APPLY=1 makes it (POWENS_CONFIG_TOKEN) [STACK=...]
	@$(ON_STACK) powens-setup $(if $(APPLY),--apply)

.PHONY: first-contact
first-contact: $(OPERATING) ## Look whether a deployment works; a journey with TEST_USER_TOKEN, YES=1 asks nobody [STACK=...]
	@$(ON_STACK) first-contact $(if $(YES),--yes) $(if $(REPORT),--report "$(REPORT)") \
	  $(if $(RETRY_MINUTES),--retry-minutes $(RETRY_MINUTES))

# --- checking ------------------------------------------------------------------------------------------------------

.PHONY: check
check: $(DEV)/$(READY) $(RUNTIME)/$(READY) $(SAM)/$(READY) $(LOCAL)/$(READY) ## The fast part: format, lint, types, unit tests (under a minute)
	$(DEV)/bin/ruff format --check .
	$(DEV)/bin/ruff check .
	$(DEV)/bin/mypy
	$(DEV)/bin/pytest -q -m "not slow and not browser" tests/unit tests/template

.PHONY: openapi
openapi: $(DEV)/$(READY) ## Write docs/openapi.json and the collection made from it anew, when the API was meant to change
	@exec $(DEV)/bin/python -m tests.openapi

INTO := $(CURDIR)
.PHONY: clients
clients: $(CLIENTS)/$(READY) ## Generate clients in TypeScript, Kotlin and Swift into .clients/ (docs/clients) [INTO=folder]
	@rm -rf "$(INTO)/.clients"
	@JAVA_OPTS=-Dlog.level=warn $(CLIENTS)/bin/openapi-generator-cli batch --fail-fast --root-dir "$(INTO)" docs/clients/*.yaml >/dev/null
	@echo "made from docs/openapi.json: $$(echo "$(INTO)"/.clients/*)"

.PHONY: record
record: $(DEV)/$(READY) ## Record what today's code stores as a table of tests/released, on purpose only (TABLE=3)
	RECORD=$(or $(TABLE),$(error TABLE is the number of the recording)) \
	  $(DEV)/bin/pytest -q tests/integration/test_released_items.py -k leaves

# One suite of the tests, with the environments that it needs beside the developer's. The sandbox keeps its own beside it.
SUITES := unit integration clients ops template simulation sandbox local web e2e
ENVIRONMENTS := $(LOCAL)/$(READY) $(RUNTIME)/$(READY) $(SAM)/$(READY)
FOLDER = $(if $(filter sandbox,$(SUITE)),powens_sandbox/tests,tests/$(SUITE))
NEEDED_BY_template := $(ENVIRONMENTS)
NEEDED_BY_clients := $(CLIENTS)/$(READY) $(NODE_PACKAGES)
NEEDED_BY_ops := $(LOCAL)/$(READY)
NEEDED_BY_sandbox := $(LOCAL)/$(READY) chromium
NEEDED_BY_local := $(ENVIRONMENTS)
NEEDED_BY_web := $(LOCAL)/$(READY) chromium
NEEDED_BY_e2e := $(ENVIRONMENTS) $(NEEDED_BY_clients) chromium
ifneq ($(filter-out $(SUITES),$(SUITE)),)
$(error SUITE is one of: $(SUITES))
endif

.PHONY: test
test: $(DEV)/$(READY) $(if $(SUITE),$(NEEDED_BY_$(SUITE)),$(ENVIRONMENTS) $(NEEDED_BY_clients) chromium) ## Everything that gates a merge, or one folder of it (SUITE=integration; see tests/README.md)
ifdef SUITE
	$(DEV)/bin/pytest -q $(FOLDER)
else
	$(DEV)/bin/ruff format --check .
	$(DEV)/bin/ruff check .
	$(DEV)/bin/mypy
	@# Two processes for what does not mind; then, alone, what measures time. Coverage is that of both.
	$(DEV)/bin/pytest -q -m "not quiet" -n 2 --no-loadscope-reorder --durations=15 --cov --cov-report= --cov-fail-under=0
	$(DEV)/bin/pytest -q -m quiet --durations=5 --cov --cov-append --cov-report=term:skip-covered
endif

.PHONY: pictures
pictures: $(DEV)/$(READY) $(NEEDED_BY_web) ## Take the pictures of the README anew, when the page looks different
	PICTURES=1 $(DEV)/bin/pytest -q tests/web/test_pictures.py

.PHONY: simulate
simulate: $(DEV)/$(READY) ## Run many seeds of the simulated world (SEEDS=1000, FIRST_SEED=0)
	@exec $(DEV)/bin/python -m tests.simulation $(or $(SEEDS),1000) $(or $(FIRST_SEED),0)

.PHONY: staleness
staleness: $(DEV)/$(READY) ## What reading by expectation costs and how late it notices lost webhooks, beside two reads a day
	@exec $(DEV)/bin/python -m tests.staleness

.PHONY: scale
scale: $(DEV)/$(READY) ## What a month costs, and which limit is met first (USERS=1000000)
	@exec $(DEV)/bin/python -m tests.scale $(or $(USERS),1000000)

.PHONY: bench
bench: $(LOCAL)/$(READY) $(RUNTIME)/$(READY) $(SAM)/$(READY) $(PEERS)/$(READY) ## Cold start and warm time of the built functions beside a bare handler and the usual frameworks
	@exec $(LOCAL)/bin/python -m local.bench

.PHONY: bench-page
bench-page: $(DEV)/$(READY) $(LOCAL)/$(READY) $(RUNTIME)/$(READY) $(SAM)/$(READY) chromium ## From Terminer to the new state on the screen, 50 times, in a real browser
	@exec $(LOCAL)/bin/python -m local.bench.terminer

# Minutes of it: MINUTES=10, or SECONDS= directly. Bash keeps a SECONDS of its own, so only a value given to make counts.
DURATION = $(if $(filter command line,$(origin SECONDS)),$(SECONDS),$(if $(MINUTES),$$(( $(MINUTES) * 60 )),$(1)))

.PHONY: chaos
chaos: $(DEV)/$(READY) $(LOCAL)/$(READY) $(RUNTIME)/$(READY) $(SAM)/$(READY) ## Break everything for a while on the running system; nothing may be lost (MINUTES=3, SEED=)
	@exec $(DEV)/bin/python -m tests.e2e.chaos --seconds $(call DURATION,180) $(if $(SEED),--seed $(SEED))

.PHONY: load
load: $(DEV)/$(READY) $(LOCAL)/$(READY) $(RUNTIME)/$(READY) $(SAM)/$(READY) ## A storm of synchronisations while some people tap: what a tap takes (MINUTES=2, USERS=400)
	@exec $(DEV)/bin/python -m tests.e2e.storm --seconds $(call DURATION,120) $(if $(USERS),--users $(USERS))

.PHONY: format
format: $(DEV)/$(READY) ## Format the code and mend what the linter can mend
	$(DEV)/bin/ruff check --fix-only -q .
	$(DEV)/bin/ruff format .

.PHONY: build
build: $(SAM)/$(READY) $(RUNTIME)/$(READY) ## sam build for the deployed architecture, with bytecode, into .aws-sam/build
	PATH="$(CURDIR)/$(SAM)/bin:$$PATH" $(SAM)/bin/sam build --cached --parallel
	@# Lambda cannot write beside the code, so without this every cold start compiles everything again.
	$(RUNTIME)/bin/python -m compileall -q --invalidation-mode unchecked-hash .aws-sam/build

.PHONY: deploy
deploy: $(SAM)/$(READY) ## Deploy what make build has built, asking nobody: ENV=dev|staging|prod of samconfig.toml
	PATH="$(CURDIR)/$(SAM)/bin:$$PATH" $(SAM)/bin/sam deploy --config-env $(or $(ENV),$(error ENV is dev, staging or prod)) --no-confirm-changeset

# --- tools ---------------------------------------------------------------------------------------------------------

.PHONY: doctor
doctor: ## Say which tools are there and which are missing
	@echo "python 3.13: $$($(UV) python find 3.13 2>/dev/null || echo 'not found yet (make run looks for it through .python-version)')"
	@echo "uv:          $$($(UV) --version 2>/dev/null || echo 'not installed yet (make run does)')"
	@echo "sam:         $$($(SAM)/bin/sam --version 2>/dev/null || echo 'not installed yet (make run does)')"
	@if [ -x $(SAM)/bin/python ]; then $(SAM)/bin/python -c "import sys; from importlib.metadata import version as v; \
	  found = tuple(map(int, v('aws-sam-cli').split('.')[:2])); \
	  sys.exit(0 if found > (1, 144) else 'sam: the layer needs ParentPackageMode, which came after 1.144.0; found ' + v('aws-sam-cli'))"; fi
	@echo "browser:     $(or $(CHROMIUM),none yet (make test installs chromium by apt-get))"
	@if [ -x $(LOCAL)/bin/python ]; then $(LOCAL)/bin/python -m local doctor; fi

.PHONY: chromium
chromium:
	@if [ -z "$(CHROMIUM)" ]; then \
	  if [ "$$(id -u)" = 0 ]; then root=; else root=sudo; fi; \
	  echo "installing chromium for the browser tests"; \
	  $$root apt-get update -q >/dev/null && $$root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q chromium >/dev/null; fi

.PHONY: lock
lock: $(UV) $(COMPILERS)/$(READY) ## Renew the hashed locks from pyproject.toml, and of npm
	$(UV) pip compile -q $(UPGRADE) --generate-hashes --no-header --no-annotate pyproject.toml -o shared/requirements.txt --python-version 3.13
	for group in runtime local ops sam clients compilers; do \
	  $(UV) pip compile -q $(UPGRADE) --generate-hashes --no-header --no-annotate --group $$group -o local/locks/$$group.txt --python-version 3.13; done
	$(UV) pip compile -q $(UPGRADE) --generate-hashes --no-header --no-annotate pyproject.toml --group dev \
	  -c shared/requirements.txt -o local/locks/dev.txt --python-version 3.13
	$(UV) pip compile -q $(UPGRADE) --generate-hashes --no-header --no-annotate --group peers \
	  -c shared/requirements.txt -o local/locks/peers.txt --python-version 3.13
	PATH="$(CURDIR)/$(COMPILERS)/bin:$$PATH" npm install --prefix local/locks/npm --package-lock-only --omit-lockfile-registry-resolved --silent

.PHONY: update
update: ## Renew the locks with the newest versions that pyproject.toml allows; then make test says whether they do
	@$(MAKE) --no-print-directory lock UPGRADE=--upgrade

.PHONY: sbom
sbom: $(DEV)/$(READY) $(ENVIRONMENTS) $(OPS)/$(READY) ## Write sbom.json (CycloneDX) from the locks; fails for a licence that is not allowed
	@exec $(DEV)/bin/python -m ops.sbom sbom.json

.PHONY: clean
clean: ## Remove what was built and the state of the offline system (environments stay)
	rm -rf .local .clients .aws-sam .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage* htmlcov tests/screenshots powens_sandbox/tests/screenshots

.PHONY: distclean
distclean: clean ## Remove the environments and uv as well
	rm -rf .venvs .tools

# What a tool says goes into a file, and who waits reads a sentence: what is done, or what to do when it did not work.
# On standard error, as the output of `make -s token` is a token.
define step
@mkdir -p .tools; echo "$(1)" >&2; \
  { $(2); } >.tools/last.log 2>&1 || { echo "$(3) (docs/troubleshooting.md; what was said is in .tools/last.log)" >&2; exit 1; }
endef
OFFLINE := This did not work. Is there a network? Packages come from the indexes that pip and npm are set up for

# The first interpreter that answers: on some machines python3.13 is a version manager's stub that only complains.
FIRST_PYTHON = python=$$(for candidate in python3.13 python3; do \
  if "$$candidate" -c 'import ensurepip' 2>/dev/null; then echo "$$candidate"; break; fi; done); test -n "$$python"
NO_PYTHON := Python 3.13 is needed and was not found. Install it with its venv module, from your system or with pyenv

$(UV): local/locks/uv.txt
	$(call step,looking for Python,$(FIRST_PYTHON) && "$$python" -m venv .tools,$(NO_PYTHON))
	$(call step,installing uv into .tools,.tools/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r $<,$(OFFLINE))
	@touch $@

# npm says what it has installed in this file, and its age is that of the lock.
$(NODE_PACKAGES): local/locks/npm/package-lock.json $(COMPILERS)/$(READY)
	@cp local/locks/npm/package.json local/locks/npm/package-lock.json $(COMPILERS)
	$(call step,installing npm's packages into $(COMPILERS),PATH="$(CURDIR)/$(COMPILERS)/bin:$$PATH" npm ci --prefix $(COMPILERS) --no-audit --no-fund,$(OFFLINE))
	@touch $@

.venvs/%/$(READY): local/locks/%.txt $(UV)
	$(call step,making .venvs/$*,test -x .venvs/$*/bin/python || $(UV) venv -q --python 3.13 .venvs/$*,$(NO_PYTHON))
	$(call step,installing its packages,VIRTUAL_ENV="$(CURDIR)/.venvs/$*" $(UV) pip sync -q --compile-bytecode --require-hashes $<,$(OFFLINE))
	@touch $@
