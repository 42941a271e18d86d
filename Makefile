# `make help` lists the targets. Tools and Fluent Bit are found, and what is
# missing is said, by scripts/preflight.sh and scripts/fluent-bit.sh.

SHELL := /bin/bash

# Stamped into every plugin and logged when it starts.
ifndef VERSION
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
endif
# How long `make fuzz` runs each target, and a regular expression for which (FUZZ).
FUZZTIME ?= 30s
# Flags of the bench targets and of `make faults`; BENCH=-help and FAULTS=-help list them (those of `make bench`: scripts/bench.sh).
BENCH ?=
FAULTS ?=

# Where the official packages live; see `make install`.
DESTDIR ?=
PREFIX ?= /opt/fluent-bit
LIBDIR ?= $(PREFIX)/lib/fluent-bit
CONFDIR ?= /etc/fluent-bit

# What `make image` builds: its name, and for which platforms (the engine's own).
IMAGE ?= fluent-bit-flbgo
PLATFORM ?=
IMAGE_FLAGS ?=

PLUGINS := bin/flb-filter_enrich.so bin/out_field_metrics.so bin/out_kafka_batch.so

# The Go that is here and no other: preflight has said whether it is new enough.
export GOTOOLCHAIN := local
# A plugin is a C library.
export CGO_ENABLED := 1
export FUZZTIME FUZZ VULNDB

.DEFAULT_GOAL := help
# Go and the stages use all cores by themselves; at once they would only time
# each other out. Several makes at a time are fine: see scripts/plugin.sh.
.NOTPARALLEL:

.PHONY: help preflight preflight-host build filter_enrich out_field_metrics out_kafka_batch
.PHONY: demo demo-full run test test-short test-unit test-contract test-e2e faults faults-cluster fuzz vuln lint
.PHONY: bench bench-count bench-scale bench-peers
.PHONY: install uninstall doctor clean
.PHONY: test-arm64 test-dist dist image

help: ## list the targets
	@sed -n 's/^\([a-z][a-z_0-9-]*\):[^#]*## /\1\t/p' $(firstword $(MAKEFILE_LIST)) | expand -t 20

# Once per make, before anything else, and as thorough as any of its goals needs.
preflight: ## check that the plugins can be built, install what is missing
	@scripts/preflight.sh $(if $(filter preflight-host demo demo-full run test test-e2e test-dist faults faults-cluster bench-peers,$(MAKECMDGOALS)),fluent-bit)

preflight-host: preflight ## the same, and that a Fluent Bit is there or can be built

build: preflight filter_enrich out_field_metrics out_kafka_batch ## build the three plugins into bin/

# Always handed to go build: its cache knows better than file times what is new.
filter_enrich: preflight ## build bin/flb-filter_enrich.so
	@scripts/plugin.sh plugins/filter_enrich bin/flb-filter_enrich.so "$(VERSION)"

out_field_metrics: preflight ## build bin/out_field_metrics.so
	@scripts/plugin.sh plugins/out_field_metrics bin/out_field_metrics.so "$(VERSION)"

out_kafka_batch: preflight ## build bin/out_kafka_batch.so
	@scripts/plugin.sh plugins/out_kafka_batch bin/out_kafka_batch.so "$(VERSION)"

demo: build ## run the whole pipeline on real input, break it on purpose, give a verdict
	@scripts/demo.sh

demo-full: build ## the demo with a Prometheus, the rules and alerts of conf/prometheus (DEMO=-run goes on until Ctrl-C)
	@scripts/demo.sh -prometheus -duration 30s $(DEMO)

run: build ## the same without faults and without an end (Ctrl-C)
	@scripts/demo.sh -run

test: preflight test-unit test-contract test-e2e ## run every test

test-short: preflight ## unit tests, without race detector: needs no Fluent Bit and no network
	@scripts/stage.sh "unit tests, short" scripts/test.sh short

test-unit: preflight ## unit tests of both modules, with race detector
	@scripts/stage.sh "unit tests" scripts/test.sh unit

test-contract: build ## a C program plays the host for each built plugin
	@scripts/stage.sh "contract tests" scripts/test.sh contract

test-e2e: build ## the built plugins in real Fluent Bits (FLUENT_BIT=a:b runs several)
	@scripts/stage.sh "end-to-end tests" scripts/test.sh e2e

test-arm64: preflight ## the contract tests with the linux/arm64 plugins, under qemu-user
	@VERSION="$(VERSION)" scripts/stage.sh "contract tests on arm64" scripts/test.sh arm64

test-dist: preflight-host ## make dist twice: equal bytes, old C libraries, dpkg, and a Fluent Bit that runs them
	@VERSION="$(VERSION)" scripts/stage.sh "release packages" scripts/test.sh dist

faults: build ## break the pipeline in every way we know, account for every line (FAULTS='-short -only sigkill')
	@scripts/stage.sh "faults" scripts/faults.sh $(FAULTS)

faults-cluster: build ## of these, what takes three nodes of a real Kafka (1 GB of memory)
	@scripts/stage.sh "faults of a cluster" scripts/faults.sh -only leader-lost,rolling-restart $(FAULTS)

fuzz: preflight ## run every fuzz target for FUZZTIME (30s) each (FUZZ=LZ4 chooses by name)
	@scripts/stage.sh "fuzzing" scripts/fuzz.sh

vuln: preflight ## look for known vulnerabilities in what is used (exit status 2: could not be checked)
	@scripts/vuln.sh

bench: preflight ## Go benchmarks of the hot paths, against the recorded ones (BENCH=-record keeps new ones)
	@scripts/bench.sh $(BENCH)

bench-count: preflight ## instructions per record under valgrind, against the recorded ones (BENCH=-record keeps new ones)
	@scripts/bench-tool.sh benchcount $(BENCH)

bench-scale: preflight ## cost per record by tags, partitions, series, workers and chunk sizes, into testdata/bench/scale.md
	@scripts/bench-tool.sh benchscale $(BENCH)

bench-peers: build ## measure beside the built-in plugins, into testdata/bench/ (BENCH='-rows kafka_batch -rounds 3')
	@scripts/bench-peers.sh $(BENCH)

lint: preflight ## gofmt, vet, staticcheck, shellcheck, the rules of scripts/lint
	@scripts/stage.sh "lint" scripts/lint.sh

dist: preflight ## pack tar.gz and .deb for amd64 and arm64, glibc 2.17 or later, with checksums into dist/
	@scripts/dist.sh "$(VERSION)" dist

image: ## build the image (IMAGE, PLATFORM=linux/amd64,linux/arm64, IMAGE_FLAGS=--push)
	@scripts/image.sh "$(VERSION)" "$(IMAGE)" "$(PLATFORM)" $(IMAGE_FLAGS)

# Builds only what is not there: root's PATH often has no Go.
install: $(if $(filter-out $(wildcard $(PLUGINS)),$(PLUGINS)),build) ## install plugins and plugin list (DESTDIR, PREFIX, LIBDIR, CONFDIR)
	@scripts/install.sh add "$(DESTDIR)" "$(LIBDIR)" "$(CONFDIR)" $(PLUGINS)

uninstall: ## remove what install put there
	@scripts/install.sh remove "$(DESTDIR)" "$(LIBDIR)" "$(CONFDIR)" $(PLUGINS)

doctor: ## print what is found here; CONF=file: what is wrong with a Fluent Bit configuration (MIGRATE=1: kafka, log_to_metrics sections as ours)
	@scripts/doctor.sh $(if $(CONF),$(if $(MIGRATE),-migrate) "$(CONF)")

clean: ## remove bin/ and dist/ (the cache folder stays: ~/.cache/flbgo)
	@rm -rf bin dist
