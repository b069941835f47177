package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/edgecache/edgecache/hostabi"
)

// keysFile writes a trace of keys, one a line, and returns where it is.
func keysFile(t *testing.T) string {
	t.Helper()
	popularity := rand.NewZipf(rand.New(rand.NewPCG(1, 2)), 1.1, 2, 2000)
	var b strings.Builder
	for range 20_000 {
		fmt.Fprintf(&b, "user:%d\n", popularity.Uint64())
	}
	path := filepath.Join(t.TempDir(), "keys.txt")
	if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestSimCommand(t *testing.T) {
	path := keysFile(t)
	for _, tt := range []struct {
		args        string
		code        int
		out, errOut string // patterns
	}{
		{"-p lru -s 10 --on-miss ignore", 1, `^$`, `no request of keys.txt sets an object`},
		{"-p lru -s 10 --on-miss later", 2, `^$`, `--on-miss later: insert or ignore is wanted`},
		{"-p all -s 10% --ttl 2", 0, `MISS +EXPIRED +EVICTIONS`, `^$`},
		{"-p opt -s 10% --ttl 2", 1, `^$`, `policies that know the future`},
		{"-p lru --ttl trace", 1, `^$`, `keys.txt: the source says nothing of lifetimes: give one for all objects, as in --ttl 3600`},
		{"-p lru --ttl soon", 2, `^$`, `--ttl soon: expected a number of at least 1 in the trace's unit of time, or "trace"`},
		{"-p lru,sieve -s 10,5%", 0, `^keys.txt: 20,000 requests for [\d,]+ objects\n\ncache of 10 objects`, `^$`},
		{"-p lru -s 10", 0, `MISS +GAP CLOSED +EVICTIONS +WRITE AMP +B/OBJECT +MREQ/S +POLICY\n +0\.\d{4} +-?\d+\.\d % +[\d,]+ +0\.\d{3} +9\.\d +\d+\.\d  lru\n$`, `^$`},
		{
			"-p lru,slru:segments=2 -s 10 -s 1% --csv", 0,
			`^trace,size_mode,cache_size,policy,requests,misses,miss_ratio,byte_miss_ratio,mreq_per_s,[a-z_,]+\n` +
				`(keys.txt,obj,\d+,lru,20000,\d+,0\.\d{6},0\.\d{6},[\d.]+,\d+,-?[\d.]+,[^\n]*\n){2}` +
				`(keys.txt,obj,\d+,slru:segments=2,20000,\d+,0\.\d{6},0\.\d{6},[\d.]+,\d+,-?[\d.]+,[^\n]*\n){2}$`, `^$`,
		},
		{"-p lru --mrc 5 --heavy-tail --bytes --json", 0, `"size_mode": "byte"`, `^$`},
		{"-p lru --mrc 5 --no-gap --csv", 0, `^(.*\n){6}$`, `^$`},
		{"-p lru -s 10 --assert lru.miss<=1", 0, ``, `^$`},
		{"-p lru -s 10 --assert lru.miss<=0.01 --assert fifo.miss<1", 1, ``, `(?s)assert: lru.miss<=0.01: at size 10 it is 0.*no such policy.*2 of the results`},
		{"-p lru -s 10 --assert lru.mass<=1", 2, `^$`, `no metric is called`},
		{"-p lrx", 2, `^$`, `no policy is called "lrx"`},
		{"-p ./mine.wasm", 1, `^$`, `open ./mine.wasm: no such file`},
		{"-p ./mine.wasm:k", 2, `^$`, `policy ./mine.wasm: parameter "k" is no name=value`},
		{"-p product:otter,lru+second-hit,slru:segments=2+probability:p=0.5 -s 10 --csv", 0, `(?s),product:otter,.*,lru\+second-hit,.*,slru:segments=2\+probability:p=0.5,`, `^$`},
		{"-p product:lru", 2, `^$`, `no product is called "lru": there is product:otter`},
		{"-p lru+size -s 10", 1, `^keys.txt`, `admission size goes by sizes`},
		{"-s lots", 2, `^$`, `size "lots": a count, a percentage or bytes`},
		{"-p lru -s 1MiB", 1, `^$`, `size 1MiB is bytes`},
		{"-p lru --bytes", 1, `^$`, `has no sizes`},
		{"-p lru --sample 0.1", 1, `^$`, `below 8192 it says nothing`},
		{"-p lru -s 10 --color always", 0, `\x1b\[1;32mlru\x1b\[0m`, `^$`},
		{"-p lru -s 10 --color always --csv", 0, `^trace,size_mode`, `^$`},
		{"-p lru -s 10 --color sometimes", 2, `^$`, `auto, always or never`},
		{"-p lru --cost latency", 1, `^$`, `no columns`},
		{"-p lru --mrc -1", 2, `^$`, `below 1`},
		{"-p lru --tolerance -1", 2, `^$`, `0 or more`},
		{"-p lru --json --csv", 2, `^$`, `json csv`},
		{"-p lru --baseline " + path, 1, `^$`, `keys.txt: no report`},
		{"-p lru --baseline absent", 1, `^$`, `no such file`},
		{"-p lru --html " + filepath.Join(path, "x"), 1, `^keys.txt`, `not a directory`},
	} {
		got := edgecache(t, nil, "", append([]string{"sim", path, "--no-cache"}, strings.Fields(tt.args)...)...)
		if got.code != tt.code || !regexp.MustCompile(tt.out).MatchString(got.out) || !regexp.MustCompile(tt.errOut).MatchString(got.errOut) {
			t.Errorf("edgecache sim %s = %+v, want %d, %s, %s", tt.args, got, tt.code, tt.out, tt.errOut)
		}
	}
}

func TestSimCommandWritesPictures(t *testing.T) {
	path := keysFile(t)
	svg, page := filepath.Join(t.TempDir(), "c.svg"), filepath.Join(t.TempDir(), "c.html")
	if got := edgecache(t, nil, "", "sim", path, "--no-cache", "-p", "lru,fifo", "--mrc", "8", "--svg", svg, "--html", page); got.code != 0 {
		t.Fatal(got)
	}
	for _, file := range []string{svg, page} {
		text, err := os.ReadFile(file)
		if err != nil || !strings.Contains(string(text), `data-policy="fifo"`) {
			t.Errorf("%s has no curve of FIFO: %v", file, err)
		}
	}
}

func TestSimCommandComparesWithABaseline(t *testing.T) {
	path := keysFile(t)
	baseline := filepath.Join(t.TempDir(), "old.json")
	run := func(args ...string) result {
		return edgecache(t, nil, "", append([]string{"sim", path, "--no-cache", "--json", "-p", "lru", "-s", "50"}, args...)...)
	}
	old := run()
	if old.code != 0 {
		t.Fatal(old)
	}
	for _, tt := range []struct {
		was       string
		tolerance string
		code      int
		errOut    string
	}{
		{`"miss_ratio": 0.`, "0.001", 0, "^$"},
		{`"miss_ratio": 0.0`, "0.001", 1, `worse: lru at size 50: miss ratio was 0\.0`},
		{`"miss_ratio": 0.0`, "1", 0, `^differs: lru at size 50: miss ratio was 0\.0`},
		{`"miss_ratio": 1.`, "0", 0, `^differs: `},
	} {
		text := strings.Replace(old.out, `"miss_ratio": 0.`, tt.was, 1)
		if err := os.WriteFile(baseline, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		got := run("--baseline", baseline, "--tolerance", tt.tolerance)
		if got.code != tt.code || !regexp.MustCompile(tt.errOut).MatchString(got.errOut) {
			t.Errorf("against %s with tolerance %s it ended with %d and %q, want %d and %s", tt.was, tt.tolerance, got.code, got.errOut, tt.code, tt.errOut)
		}
	}
}

// guestFolder makes a folder with a trace, and with LRU as a guest under the names that modules are to have.
func guestFolder(t *testing.T, names map[string]string) string {
	t.Helper()
	wasm, err := os.ReadFile("../../plugins/testdata/policy/lru.wasm")
	if err != nil {
		t.Fatal(err)
	}
	path := keysFile(t)
	for file, name := range names {
		module := hostabi.AppendManifest(wasm, []byte(`{"name": "`+name+`", "version": "1", "abi": "policy/1"}`))
		if err := os.WriteFile(filepath.Join(filepath.Dir(path), file), module, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Dir(path)
}

func TestSimCommandRunsGuests(t *testing.T) {
	dir := guestFolder(t, map[string]string{"a.wasm": "mine", "b.wasm": "mine", "lru.wasm": "lru"})
	if err := os.WriteFile(filepath.Join(dir, "text.wasm"), []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	const refuses = "policy mine: ec_policy_init: protocol: refuses: lru has no parameters"
	for _, tt := range []struct {
		args string
		want result // out and errOut are looked for
	}{
		{"sim keys.txt -p a.wasm -s 10 --no-cache", result{0, "  mine\n", ""}},
		{"sim keys.txt -p ./a.wasm:form=event,b.wasm,./b.wasm -s 10 --csv --no-gap --no-cache", result{0, ",10,mine:form=event,20000,", ""}},
		{"sim keys.txt -p lru,lru.wasm -s 10 --csv --no-cache", result{0, ",10,lru.wasm,20000,", ""}},
		{"sim keys.txt -p lru,a.wasm:k=v,l=w -s 10 --no-cache", result{1, "  lru\n", "failed: policy mine:k=v,l=w at size 10: " + refuses}},
		{"sim keys.txt -p lru,a.wasm:k=v -s 10 --no-cache --csv", result{1, ",10,mine:k=v,,", "1 of the results"}},
		{"sim keys.txt -p lru,a.wasm:k=v -s 10 --no-cache --json", result{1, `"error": "` + refuses + `"`, ""}},
		{"sim keys.txt -p a.wasm -s 10 --assert mine.miss<=0.01 --no-cache", result{1, "  mine\n", "assert: mine.miss<=0.01: at size 10"}},
		{"sim keys.txt -p a.wasm+second-hit,./a.wasm:form=event+second-hit,product:otter -s 10 --csv --no-cache", result{0, ",10,mine+second-hit,20000,", ""}},
		{"sim keys.txt -p a.wasm+second-hit:ghost=x -s 10", result{2, "", "a.wasm+second-hit:ghost=x: admission second-hit"}},
		{"run --policy ./a.wasm+second-hit --no-plugins", result{2, "", "--policy (EDGECACHE_POLICY): policy ./a.wasm+second-hit: admission is for the simulator"}},
		{"sim keys.txt -p lru,text.wasm", result{1, "", "text.wasm: policy: module is no WebAssembly module"}},
		{"sim keys.txt -p lru,a.wasm:form=odd -s 10 --no-cache", result{1, "  lru\n", `parameter form="odd": "batch" and "event" are possible`}},
		{"plugin inspect a.wasm", result{0, "abi            policy/1\nneeds          none\n", ""}},
		{"plugin bench a.wasm", result{1, "", `abi "policy/1": it is an eviction policy`}},
	} {
		got := edgecacheIn(t, dir, strings.Fields(tt.args)...)
		if got.code != tt.want.code || !strings.Contains(got.out, tt.want.out) || !strings.Contains(got.errOut, tt.want.errOut) {
			t.Errorf("edgecache %s = %+v, want %+v", tt.args, got, tt.want)
		}
	}
}

// TestGuestsMissAsNativePolicies compares every row of a guest with that of the native policy.
func TestGuestsMissAsNativePolicies(t *testing.T) {
	dir := guestFolder(t, map[string]string{"a.wasm": "mine"})
	for _, more := range []string{"", " --heavy-tail --bytes", " --ttl 100", " --heavy-tail --bytes --ttl 1000"} {
		got := edgecacheIn(t, dir, strings.Fields("sim keys.txt -p lru,a.wasm,a.wasm:form=event -s 1,10,5%,90% --no-cache --no-gap --csv"+more)...)
		misses := make(map[string]map[string]string) // by size, and by policy
		for line := range strings.Lines(got.out) {
			c := strings.Split(line, ",")
			if misses[c[2]] == nil {
				misses[c[2]] = make(map[string]string)
			}
			misses[c[2]][c[3]] = strings.Join([]string{c[5], c[7], c[9]}, " ")
		}
		if delete(misses, "cache_size"); len(misses) < 4 {
			t.Fatalf("%+v", got)
		}
		for size, by := range misses {
			if by["lru"] == "" || by["mine"] != by["lru"] || by["mine:form=event"] != by["lru"] {
				t.Errorf("size %s%s: %v", size, more, by)
			}
		}
	}
}

func TestSimCommandWeighsMissesByCost(t *testing.T) {
	path := filepath.Join(t.TempDir(), "costs.csv")
	if err := os.WriteFile(path, []byte("key,ms\na,5\na,5\nb,1\nb,1\nc,3\na,5\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	got := edgecache(t, nil, "", "sim", path, "--no-cache", "-p", "lru", "-s", "1", "--no-gap", "--cost", "ms")
	if want := regexp.MustCompile(`MISS +COST MISS .*\n +0\.6667 +0\.7000 `); got.code != 0 || !want.MatchString(got.out) {
		t.Errorf("four of six requests miss, 14 of 20 ms: %+v, want %s", got, want)
	}
	got = edgecache(t, nil, "", "sim", path, "--no-cache", "-p", "lru", "--cost", "us")
	if got.code != 1 || !strings.Contains(got.errOut, `no column called "us"`) {
		t.Errorf("a column that is not there: %+v", got)
	}
}

func TestColors(t *testing.T) {
	for _, tt := range []struct {
		when, no string
		want     bool
	}{{"always", "1", true}, {"never", "", false}, {"auto", "", false}} {
		a := &app{streams: streams{out: &strings.Builder{}}, lookupEnv: func(string) (string, bool) { return tt.no, true }}
		if got := a.colors(tt.when); got != tt.want {
			t.Errorf("--color %s, NO_COLOR=%s: %v, want %v where nobody looks", tt.when, tt.no, got, tt.want)
		}
	}
}
