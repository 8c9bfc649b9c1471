# "make help" lists the targets.

TAGS        := nomsgpack
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.8.0
HELM        := helm.sh/helm/v4/cmd/helm@v4.3.2
# Use a copy of the vulnerability database beside the tree, if there is one.
VULNDB      := $(wildcard ../shared/vulndb)

.DEFAULT_GOAL := build
.PHONY: help build run test needs clients faults chart bench growth peers lint format vet staticcheck vulncheck release reproduce docs clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /	/' | expand -t 14

build: ## build bin/sallyport: static, no C library, no local paths
	CGO_ENABLED=0 go build -tags $(TAGS) -trimpath -buildvcs=auto -ldflags '-s -w' -o bin/sallyport ./cmd/sallyport

run: ## run a development server with test users and a demo application
	go run -tags $(TAGS) ./cmd/sallyport dev

# The race detector does not look into packages that compute on text that never changes or on values
# of their own: expressions, templates being parsed, numbers, and SQLite, which is translated from C
# and shares no memory between connections that it could judge. None of them may use sync.Map or an
# atomic pointer: the linker may take their copy of such generic code for the whole program, and the
# detector then misses what orders two accesses. Collecting garbage less often saves a third of the rest.
RACE := -race -gcflags=modernc.org/...=-race=false -gcflags=golang.org/x/crypto/argon2=-race=false -gcflags=golang.org/x/crypto/blake2b=-race=false -gcflags=golang.org/x/text/...=-race=false -gcflags=crypto/internal/fips140/bigmod=-race=false -gcflags=crypto/internal/fips140/nistec/...=-race=false -gcflags=math/big=-race=false -gcflags=regexp/...=-race=false -gcflags=html/template=-race=false -gcflags=text/template/parse=-race=false -gcflags=strings=-race=false -gcflags=strconv=-race=false -gcflags=unicode/...=-race=false

# Databases wait for their disk at each commit, which is most of the time of their tests. In
# memory they do not, where the machine has a file system for that with 8 GiB to spare.
MEMORY := $(shell findmnt -nb -o AVAIL,OPTIONS /dev/shm 2>/dev/null | awk '$$1 >= 8 * 2^30 && !/noexec/ { print "GOTMPDIR=$${TMPDIR:-/tmp} TMPDIR=/dev/shm" }' | head -1)

# One package more than there are cores at a time: e2e takes longest, waits for browsers, and is not the first in the list.
test: needs ## run all tests, with the race detector, on SQLite and PostgreSQL, in a real browser
	$(MEMORY) CGO_ENABLED=1 GOGC=400 go test $(RACE) -p $$(($$(nproc) + 1)) -vet=off -tags $(TAGS) -timeout 45m ./...

# The tests need the PostgreSQL server programs, Patroni, etcd, PgBouncer, nginx, HAProxy, Chromium, Node.js and a C
# compiler (for the race detector). Install what is missing, or name it and fail: no test of `make test`
# but those of `make clients` is skipped.
needs:
	@deploy/needs

# Builds oauth2-proxy once, in a cache, and an application with Spring Security; that needs Maven and a JDK 17.
clients: needs ## test with oauth2-proxy and Spring Security, which `make test` leaves out
	SALLYPORT_TEST_CLIENTS=long go test -tags $(TAGS) -v -count 1 -run 'TestOAuth2Proxy|TestSpringSecurity' ./e2e

# RUN=regexp selects tests, CHARTS is the folder of the charts it draws; docs/reliability.md has the rest.
faults: needs ## inject faults, the long form: machines that die, full disks, kills, floods
	@mkdir -p $(or $(CHARTS),bin)
	SALLYPORT_TEST_FAULTS=long SALLYPORT_TEST_CHARTS=$(abspath $(or $(CHARTS),bin)) \
		go test -tags $(TAGS) -v -count 1 -timeout 60m -run '$(RUN)' ./e2e/faults

chart: ## lint the Helm chart, and render it for the tests
	go test -tags $(TAGS) ./e2e -run TestTheRenderedChartIsCurrent -helm "go run $(HELM)"

# BENCH=regexp selects runs, COMPARE=old.json prints ratios; docs/performance.md has the rest.
bench: needs ## measure every flow on both databases, save the figures in bin/bench.json
	@mkdir -p bin
	BENCH_OUT=$(abspath $(or $(BENCH_OUT),bin/bench.json)) COMPARE=$(abspath $(COMPARE)) PROFILES=$(abspath $(PROFILES)) \
		go test -tags $(TAGS) -run '^$$' -bench Server -benchtime 1x -timeout 60m ./e2e/bench

# GROWTH_SIZES=10000,1000000,10000000 needs 30 GB; docs/scale.md has the rest.
growth: needs ## fill databases of several sizes and measure how operations grow with them
	@mkdir -p bin
	GROWTH_OUT=$(abspath $(or $(GROWTH_OUT),bin/growth.json)) GROWTH_CHARTS=$(abspath $(or $(GROWTH_CHARTS),bin)) \
		go test -tags $(TAGS) -run '^$$' -bench Growth -benchtime 1x -timeout 180m ./e2e/bench

# Downloads and builds the peers once; e2e/peers says how to provide or choose them.
peers: ## measure beside other OpenID providers in the same run, into bin/peers.json
	@mkdir -p bin
	PEERS_OUT=$(or $(PEERS_OUT),$(abspath bin/peers.json)) go test -tags $(TAGS) -run '^$$' -bench Peers -benchtime 1x -timeout 120m ./e2e/peers

lint: format vet staticcheck vulncheck ## run all static checks

format:
	@files=$$(find . -name node_modules -prune -o -name '*.go' -print | xargs gofmt -l); \
	if [ -n "$$files" ]; then echo "not formatted (run gofmt -w):"; echo "$$files"; exit 1; fi

vet:
	go vet -tags $(TAGS) ./...

staticcheck:
	go run $(STATICCHECK) -tags $(TAGS) ./...

vulncheck:
	go run $(GOVULNCHECK) -tags $(TAGS) $(if $(VULNDB),-db file://$(abspath $(VULNDB))) ./...

release: ## build dist: archives for linux on amd64 and arm64, bills of materials, checksums
	deploy/release

reproduce: ## build a release twice, in different places, and compare every byte
	deploy/reproduce

docs: ## regenerate the references in docs from comments in config, provider/desired and tests
	go test -tags $(TAGS) ./cmd/sallyport -run TestReferencesAreCurrent -update

clean: ## remove build output; keep the data of "run"
	rm -rf bin dist
