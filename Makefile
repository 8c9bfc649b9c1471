# Everything there is to do with this tree. "make help" lists it.

TAGS        := nomsgpack
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.8.0
# A copy of the vulnerability database beside the tree is used where there is one.
VULNDB      := $(wildcard ../shared/vulndb)

.DEFAULT_GOAL := build
.PHONY: help build run test needs faults bench lint format vet staticcheck vulncheck release reproduce docs clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /	/' | expand -t 14

build: ## bin/sallyport: static, no C library, no paths of this machine
	CGO_ENABLED=0 go build -tags $(TAGS) -trimpath -buildvcs=auto -ldflags '-s -w' -o bin/sallyport ./cmd/sallyport

run: ## a development server with test users and a demo application
	go run -tags $(TAGS) ./cmd/sallyport dev

test: needs ## all tests, with the race detector, on SQLite and PostgreSQL, in a real browser
	CGO_ENABLED=1 go test -race -tags $(TAGS) -timeout 30m ./...

# The tests want the PostgreSQL server programs, Chromium, Node.js and a C compiler
# (for the race detector). What is missing is installed; where that is not possible,
# it is named and nothing is skipped.
needs:
	@deploy/needs

faults: needs ## the database fails, disks fill, servers are killed and flooded: the long form
	SALLYPORT_TEST_FAULTS=long go test -tags $(TAGS) -v -count 1 -timeout 20m ./e2e/faults

bench: needs ## throughput, latency and the statement budget
	go test -tags $(TAGS) -run '^$$' -bench . -benchtime 5s -timeout 60m ./e2e/bench ./cmd/...

lint: format vet staticcheck vulncheck ## everything that reads the code without running it

format:
	@files=$$(find . -name node_modules -prune -o -name '*.go' -print | xargs gofmt -l); \
	if [ -n "$$files" ]; then echo "not formatted (run gofmt -w):"; echo "$$files"; exit 1; fi

vet:
	go vet -tags $(TAGS) ./...

staticcheck:
	go run $(STATICCHECK) -tags $(TAGS) ./...

vulncheck:
	go run $(GOVULNCHECK) -tags $(TAGS) $(if $(VULNDB),-db file://$(abspath $(VULNDB))) ./...

release: ## dist: archives for linux on amd64 and arm64, what is in them, their sums
	deploy/release

reproduce: ## build a release twice, in different places, and compare every byte
	deploy/reproduce

docs: ## write the references in docs anew, from the comments in config and provider/desired
	go test -tags $(TAGS) ./cmd/sallyport -run TestTheReferencesAreFresh -update

clean: ## remove what was built; data of "run" stays
	rm -rf bin dist
