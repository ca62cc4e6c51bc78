# Everything a developer does. `make help` lists it.
SHELL := /bin/bash
TOOL  := go tool -modfile=tools.mod
E2E   := NEXPORT_TEST_MLFLOW3=$(CURDIR)/.venv-mlflow3 NEXPORT_TEST_MLFLOW2=$(CURDIR)/.venv-mlflow2 NEXPORT_TEST_MLFLOWNEXT=$(CURDIR)/.venv-mlflow-next NEXPORT_TEST_NEPTUNE3=$(CURDIR)/.venv-neptune3 NEXPORT_TEST_NEPTUNE2=$(CURDIR)/.venv-neptune2 NEXPORT_TEST_POSTGRES=$(CURDIR)/.postgres \
	NEXPORT_TEST_CHROMIUM="$$(scripts/chromium.sh)"

.PHONY: help build demo test check fetch all short lint cross e2e bench fuzz tidy venv postgres chromium
.DEFAULT_GOAL := help

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / {printf "  %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## the command, in bin/
	CGO_ENABLED=0 go build -trimpath -o bin/ ./cmd/nexport

demo: build venv ## make the demo and show it in a real MLflow, until Ctrl-C
	scripts/demo.sh

test: ## everything that has to pass
	$(MAKE) --no-print-directory -j2 fetch check
	NEXPORT_TEST_POSTGRES=$(CURDIR)/.postgres go test -race -short $$(go list ./... | grep -v /e2e)
	$(MAKE) --no-print-directory all

check: ## lint and cross, one after the other
	$(MAKE) --no-print-directory lint
	$(MAKE) --no-print-directory cross

fetch: ## what tests need from elsewhere
	$(MAKE) --no-print-directory venv
	$(MAKE) --no-print-directory postgres
	$(MAKE) --no-print-directory chromium

# The end-to-end tests wait a lot, so the others run beside them.
all: fetch ## all tests, end to end first
	$(E2E) go test -count=1 -timeout 60m -parallel 4 ./e2e/... $$(go list ./... | grep -v /e2e)

short: ## what needs no Python and little time
	go test -short $$(go list ./... | grep -v /e2e)

lint: ## format, vet, staticcheck
	@unformatted=$$($(TOOL) gofumpt -l $$(git ls-files '*.go')); \
	if [ -n "$$unformatted" ]; then echo "run gofumpt -w on:" $$unformatted; exit 1; fi
	go vet ./...
	$(TOOL) staticcheck ./...

# The systems that the tests do not run on; what differs between processors is Go's affair.
PLATFORMS ?= darwin/arm64 windows/amd64

cross: ## the static binary for other platforms
	@for platform in $(PLATFORMS); do \
		echo "build $$platform"; \
		CGO_ENABLED=0 GOOS=$${platform%/*} GOARCH=$${platform#*/} go build -o /dev/null ./cmd/nexport || exit 1; \
	done

e2e: fetch ## load into real MLflow servers and databases of both lines and read everything back
	$(E2E) go test -count=1 -timeout 60m -parallel 4 ./e2e/... ./mlflow/internal/schema

bench: venv postgres ## figures, as ratios of one run
	go test -run '^$$' -bench . -benchmem ./parquetstore ./convert ./mlflow
	$(E2E) go run ./e2e/bench $(PARTS)

fuzz: ## each fuzz test for a minute
	@for pkg in $$(go list ./...); do \
		for name in $$(go test -list '^Fuzz' $$pkg | grep '^Fuzz'); do \
			go test -run '^$$' -fuzz "^$$name$$" -fuzztime 1m $$pkg || exit 1; \
		done; \
	done

tidy: ## go.mod and tools.mod
	go mod tidy
	go mod tidy -modfile=tools.mod

venv:
	@scripts/venv.sh

postgres:
	@scripts/postgres.sh

chromium:
	@scripts/chromium.sh >/dev/null
