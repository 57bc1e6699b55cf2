# Everything that the project does, in one word each. `make help` lists the targets.
.DEFAULT_GOAL := help
.PHONY: help setup proto demo flywheel run test long check lint types contracts k8s scratch installs manifests images sbom audit bench lock clean
BIN := .venv/bin

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

setup: ## Make .venv with the locked packages and the generated contracts (no root needed)
	@tools/setup.sh

proto: ## Generate the Python stubs of the contracts into gen/ (needs the compiler alone, not all packages)
	@tools/proto.sh

demo: setup ## Start the mesh, ask the built-in model over gRPC, REST and the OpenAI client, stop it again
	@$(BIN)/python -m examples.demo

flywheel: setup ## Have an agent's sessions become a better model: collect, train, evaluate, promote (10 minutes)
	@$(BIN)/python -m examples.flywheel --start

run: setup ## Start the mesh on loopback and keep it running until Ctrl-C
	@$(BIN)/altiplano up

test: setup ## Run all tests
	@$(BIN)/python -m pytest $(ARGS)

long: setup ## Run the tests that take minutes each: several Ray jobs, killed and resumed
	@$(BIN)/python -m pytest tests -m long $(ARGS)

check: lint types contracts k8s scratch ## Lint, types, import contracts, the contracts' own checks, the chart's, an image

lint: setup ## Run ruff and the import contracts
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/lint-imports

types: setup ## Check the types
	@$(BIN)/mypy mesh gateway services cli tools

contracts: setup ## Lint the contracts and compare them with the last release
	@tools/contracts.sh

k8s: setup ## Render the chart and hold it against schemas, policies and the code
	@tools/k8s.sh check

scratch: setup ## Build the gateway's image from scratch and start it, where buildah runs (ARGS=memory for others)
	@tools/images.sh $(ARGS)

installs: setup ## Install what each image holds into an environment of its own and start it there (minutes; ARGS=eval for one)
	@tools/installs.sh $(ARGS)

manifests: setup ## Write the rendered default of the chart to deploy/k8s/manifests
	@$(BIN)/python -m tools.dashboards && tools/k8s.sh manifests

SERVICES := gateway inference agents memory training eval
images: ## Build an image of every service with docker (IMAGE_TAG=0.1.0, SERVICES="inference-cuda training-cuda" for GPUs)
	@for service in $(SERVICES); do docker build -f deploy/images/Dockerfile --build-arg SERVICE=$$service \
	  -t altiplano-$$service:$(or $(IMAGE_TAG),0.1.0) . || exit 1; done

sbom: setup ## Write a CycloneDX bill of materials of every image to build/sbom
	@tools/k8s.sh sbom

audit: setup ## Look the packages of every image up in a database of vulnerabilities (ARGS names another than PyPI's)
	@tools/k8s.sh audit $(ARGS)

bench: setup ## Run the benchmarks; they print ratios against a peer from the same run
	@for script in bench/*.py; do [ "$$script" = bench/__init__.py ] || $(BIN)/python $$script || exit 1; done

lock: setup ## Resolve the dependencies anew into requirements/
	@tools/lock.sh

clean: ## Remove what was built, keep .venv
	@rm -rf gen build .pytest_cache .mypy_cache .ruff_cache .hypothesis
