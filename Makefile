# Everything that the project does, in one word each. `make help` lists the targets.
.DEFAULT_GOAL := help
.PHONY: help setup proto demo run test check lint types contracts bench lock clean
BIN := .venv/bin

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

setup: ## Make .venv with the locked packages and the generated contracts (no root needed)
	@tools/setup.sh

proto: setup ## Generate the Python stubs of the contracts into gen/
	@$(BIN)/python -m tools.protogen --force

demo: setup ## Start the mesh, ask the built-in model over gRPC, REST and the OpenAI client, stop it again
	@$(BIN)/python -m examples.demo

run: setup ## Start the mesh on loopback and keep it running until Ctrl-C
	@$(BIN)/altiplano up

test: setup ## Run all tests
	@$(BIN)/python -m pytest $(ARGS)

check: lint types contracts ## Lint, types, import contracts and the contracts' own checks

lint: setup ## Run ruff and the import contracts
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/lint-imports

types: setup ## Check the types
	@$(BIN)/mypy mesh gateway services cli tools

contracts: setup ## Lint the contracts and compare them with the last release
	@tools/contracts.sh

bench: setup ## Run the benchmarks; they print ratios against a peer from the same run
	@for script in bench/*.py; do [ "$$script" = bench/__init__.py ] || $(BIN)/python $$script || exit 1; done

lock: setup ## Resolve the dependencies anew into requirements/
	@tools/lock.sh

clean: ## Remove what was built, keep .venv
	@rm -rf gen build .pytest_cache .mypy_cache .ruff_cache .hypothesis
