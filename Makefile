# "make run" and "make test" are enough to begin with; "make check" is what CI runs beside the tests.

# A Go that "make bootstrap" fetched wins over the machine's.
ifneq ($(wildcard $(CURDIR)/.tools/go/bin/go),)
export PATH := $(CURDIR)/.tools/go/bin:$(PATH)
endif

GO       ?= go
VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null)
# gRPC's tracing drags html/template in, which keeps the linker from leaving out what nobody calls: hence the tag.
RELEASE   = CGO_ENABLED=0 $(GO) build -trimpath -tags grpcnotrace -ldflags "-s -w -X main.release=$(VERSION)"
MAX_SIZE := 33554432 # bytes of the release binary
FUZZTIME ?= 1s
ALONE    := TestPolicies|TestAdmissions|TestModels|TestPFOOLBounds|TestReference|TestInclusion|TestSpec|TestMutatedPrograms|TestRandomPrograms|TestFlippedBits|TestGoGuest|TestABI/go|TestNewProjectsWork|TestScenarios/.*/go|TestRust|TestKeyRewrite|TestPolicyConformance|TestLiveHitRatio|TestLimitHolds|TestLikeSimulated|TestOverhead|TestFlippedBytes|TestAccuracy|TestAllocationsOfAHit
BENCHCOUNT ?= 15
LOG      ?= ../shared/traces/apache_logs # an access log for "make demo", which makes one up where this is absent
TRACES   ?= $(CURDIR)/../shared/traces # public traces for "make sim-check", which is skipped without
LONG     ?= 1 # empty: "make sim-check" leaves out traces that take minutes
DURATION ?= 10m # how long "make torture" takes
CACHE_TESTS ?= tools/cachetests/node_modules/http-cache-tests # the suite of "make cache-tests": a checkout of the newest works, too
ARGS     ?= # arguments for "make run"

.DEFAULT_GOAL := build
.PHONY: examples http3 guests compilers run build test check lint fmt race fuzz wasm wasm-check sim-check size docs bench bench-peers bench-plugins bench-wire demo tools servers bootstrap dist clean \
	cache-tests cache-tests-peers browser torture behaviour fill bench-http http-peers

## run: build and run the cache: in memory, with the built-in plugins (ARGS="--redis redis://...")
run: build
	./bin/edgecache run $(ARGS)

## build: build bin/edgecache as it is released
build:
	$(RELEASE) -o bin/edgecache ./cmd/edgecache

## test: install the servers that tests need and run all tests
test: servers
	EDGECACHE_REQUIRE_SERVERS=1 $(GO) test -skip '^TestReferenceCounts$$' ./...
	$(MAKE) --no-print-directory sim-check LONG=

## check: everything else that must hold
check: lint race fuzz wasm-check guests examples http3 size demo cache-tests browser

## race: tests with the race detector, but for some that take long with it and have others beside them
race: servers
	@tools/install.sh gcc=gcc
	EDGECACHE_REQUIRE_SERVERS=1 CGO_ENABLED=1 $(GO) test -race -skip '$(ALONE)' ./...

## fuzz: every fuzz target for a few seconds (FUZZTIME=1m)
fuzz:
	tools/fuzz.sh $(FUZZTIME)

## lint: go vet, golangci-lint and the format
lint: .tools/golangci-lint
	$(GO) vet ./...
	.tools/golangci-lint run

## fmt: format the source
fmt: .tools/golangci-lint
	.tools/golangci-lint fmt

## wasm: build the example plugins
wasm:
	@tools/install.sh clang=clang wasm-ld=lld
	$(MAKE) -C wasm-examples

## wasm-check: build the example plugins elsewhere and compare them with those committed
wasm-check:
	@tools/install.sh clang=clang wasm-ld=lld
	$(MAKE) -C wasm-examples check

## guests: build the example plugins in every language and test them, and the hostile ones
guests: compilers
	$(MAKE) -C wasm-examples
	EDGECACHE_REQUIRE_GUESTS=1 NODE_MODULES=$(CURDIR)/wasm-examples/node_modules $(GO) test ./wasm-examples/... ./hostabi/... \
		./plugins/... ./internal/... ./cmd/...

## compilers: install what builds guests; Zig, which npm need not have, is left out where it fails
compilers:
	@tools/install.sh clang=clang wasm-ld=lld wat2wasm=wabt node=nodejs npm=npm /usr/bin/rustc=rustc \
		/usr/lib/rustlib/wasm32-unknown-unknown/lib=libstd-rust-dev-wasm32
	@cd wasm-examples && { [ -x node_modules/.bin/asc ] || npm install --no-package-lock --no-fund --no-audit; }

## size: compare the release binary's size with its limit
size: build
	@size=$$(wc -c < bin/edgecache); echo "bin/edgecache: $$size bytes of $(MAX_SIZE)"; test $$size -le $(MAX_SIZE)

## docs: write the generated documents anew
docs:
	UPDATE=1 $(GO) test -count=1 -run 'UpToDate$$' ./internal/... ./hostabi/sdk

## examples: test what stands in modules of its own
examples:
	cd examples/backend && $(GO) vet ./... && $(GO) test ./...

## http3: test the module that serves HTTP/3
http3:
	cd http3 && $(GO) vet ./... && $(GO) test ./...

## bench: what a command costs, and what it may (BENCHCOUNT=15)
bench:
	@mkdir -p bin
	$(GO) test -run '^$$' -bench . -benchmem -cpu 1,2 -count $(BENCHCOUNT) -benchtime 100ms ./bench | tee bin/bench.txt
	@$(GO) run ./bench/ratios < bin/bench.txt

## bench-peers: plugins beside Extism's and the memory tier beside other caches, each in one run (BENCHCOUNT=15)
bench-peers:
	@tools/install.sh clang=clang wasm-ld=lld
	$(MAKE) --no-print-directory -C bench/peers/extism check
	@mkdir -p bin
	cd bench/peers && $(GO) test ./...
	cd bench/peers && $(GO) test -run '^$$' -bench . -benchmem -cpu 2 -count $(BENCHCOUNT) -benchtime 100ms ./... | tee ../../bin/peers.txt
	@$(GO) run ./bench/ratios < bin/peers.txt
	p3="$(abspath $(strip $(TRACES)))/arc.P3.lis.zst"; [ -f "$$p3" ] || p3=; \
		cd bench/peers && $(GO) run ./caches -trace "$$p3" -json ../../bin/caches.json > ../../bin/caches.txt && cat ../../bin/caches.txt

## bench-plugins: what plugins cost by language: calls, loads, being stopped, calls of the host
bench-plugins: compilers
	@mkdir -p bin
	$(GO) test -run '^$$' -bench '^Benchmark(Guest|Hook|Load|Runaway)$$' -cpu 2 -count $(BENCHCOUNT) -benchtime 50ms ./bench | tee bin/bench-plugins.txt
	@$(GO) run ./bench/ratios < bin/bench-plugins.txt
	$(GO) test -run '^$$' -bench HostCall -cpu 2 -count $(BENCHCOUNT) -benchtime 50ms ./plugins | tee bin/bench-calls.txt

## bench-wire: edgecache and redis-server by turns over loopback, without plugins and with them
bench-wire: build servers
	$(GO) run ./bench/wire -- --no-plugins
	$(GO) run ./bench/wire -idle 100 --

## sim-check: misses of the policies on public traces, compared with those of other simulators (TRACES=folder, LONG= for short ones)
sim-check:
	EDGECACHE_TRACES=$(strip $(TRACES)) EDGECACHE_LONG_TRACES=$(LONG) $(GO) test -count=1 -timeout 20m -run '^TestReference' -v ./bench/sim ./bench/product

## demo: replay an access log through the cache in front of a private Redis, and check what the plugins report (LOG=file)
demo: build servers
	$(GO) run ./bench/demo -log "$(strip $(LOG))"

## cache-tests: the public suite of HTTP caches around the proxy (CACHE_TESTS=checkout: the newest one, after "npm install" there)
cache-tests: build tools/cachetests/node_modules
	$(GO) run ./bench/http/conformance -suite "$(strip $(CACHE_TESTS))"

## cache-tests-peers: the same around nginx, Varnish and no cache, too
cache-tests-peers: build tools/cachetests/node_modules http-peers
	$(GO) run ./bench/http/conformance -suite "$(strip $(CACHE_TESTS))" -peers -reasons

tools/cachetests/node_modules: tools/cachetests/package.json
	@tools/install.sh node=nodejs npm=npm
	cd tools/cachetests && npm install --no-package-lock --no-fund --no-audit --ignore-scripts
	@touch $@

## browser: a page through the proxy in headless Chromium: cached, validated, ranged, purged
browser: build
	@tools/install.sh chromium=chromium
	cd tools/browser && $(GO) vet ./... && EDGECACHE_REQUIRE_BROWSER=1 $(GO) test -count=1 ./...

## torture: everything at once against the proxy under the race detector, every byte checked (DURATION=10m)
torture:
	@tools/install.sh gcc=gcc
	EDGECACHE_TORTURE=$(strip $(DURATION)) CGO_ENABLED=1 $(GO) test -race -count=1 -timeout 0 -run '^TestEdgecache$$' -v ./bench/http/torture

## behaviour: what proxies do with requests that come together: edgecache, nginx, Varnish
behaviour: build http-peers
	$(GO) run ./bench/http/behaviour

## fill: ten times as much as the proxy may keep, an object of 4 GiB among it, and what is resident meanwhile
fill: build
	$(GO) run ./bench/http/fill

## bench-http: hits and misses of the proxy beside net/http, nginx, Varnish and others, each on one core
bench-http: build http-peers
	@tools/install.sh wrk=wrk taskset=util-linux
	$(GO) build -o bin/floor ./bench/http/floor
	cd bench/peers && $(GO) build -o ../../bin/httppeers ./httpservers
	$(GO) run ./bench/http/throughput $(ARGS) | tee bin/bench-http.txt

http-peers:
	@tools/install.sh /usr/sbin/nginx=nginx /usr/sbin/varnishd=varnish

## tools: install everything that the other targets need
tools: servers .tools/golangci-lint .tools/gofumpt .tools/benchstat
	@tools/install.sh gcc=gcc clang=clang wasm-ld=lld

servers:
	@tools/install.sh redis-server=redis-server redis-benchmark=redis-tools memcached=memcached docker-registry=docker-registry minisign=minisign

.tools/golangci-lint .tools/gofumpt .tools/benchstat: tools/go.mod
	@mkdir -p .tools
	cd tools && $(GO) build -o ../.tools/ $$($(GO) list tool | grep '/$(@F)$$')
	@touch $@

## bootstrap: fetch the Go that go.mod asks for, where the machine's is older
bootstrap:
	tools/bootstrap.sh

## dist: release archives for other machines in dist/
dist:
	rm -rf dist && mkdir dist
	for target in linux/amd64 linux/arm64 darwin/amd64 darwin/arm64; do \
		name=edgecache_$(VERSION)_$$(echo $$target | tr / _) && mkdir dist/$$name && \
		GOOS=$${target%/*} GOARCH=$${target#*/} $(RELEASE) -o dist/$$name/edgecache ./cmd/edgecache && \
		cp LICENSE README.md CHANGELOG.md dist/$$name && tar -C dist -czf dist/$$name.tar.gz $$name && rm -r dist/$$name || exit 1; \
	done
	cd dist && sha256sum *.tar.gz > SHA256SUMS

clean:
	rm -rf bin dist
