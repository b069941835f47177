package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
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
		{"-p lru,sieve -s 10,5%", 0, `^keys.txt: 20,000 requests for [\d,]+ objects\n\ncache of 10 objects`, `^$`},
		{"-p lru -s 10", 0, `MISS +BYTE MISS +GAP CLOSED +EVICTIONS +MREQ/S +POLICY\n +0\.\d{4} +0\.\d{4} +-?\d+\.\d % +[\d,]+ +\d+\.\d  lru\n$`, `^$`},
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
		{"-p ./mine.wasm", 2, `^$`, `no policy is called "./mine.wasm"`},
		{"-s lots", 2, `^$`, `size "lots": a count, a percentage or bytes`},
		{"-p lru -s 1MiB", 1, `^$`, `size 1MiB is bytes`},
		{"-p lru --bytes", 1, `^$`, `has no sizes`},
		{"-p lru --sample 0.1", 1, `^$`, `below 8192 it says nothing`},
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
