package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/edgecache/edgecache/observers/shadow"
)

// TestAdvise sends traffic, look-aside, until there is advice.
func TestAdvise(t *testing.T) {
	p := start(t, nil, "--no-plugins", "--max-memory", "4MiB", "--policy", "slru:segments=2", "--shadow-policies", "lru,sieve,wtinylfu-adaptive")
	if r := edgecache(t, p.env(), "", "advise"); r.code != 0 || !strings.Contains(r.out, "not enough traffic yet: 0 of ") {
		t.Errorf("before there is traffic: status %d, %q, %q", r.code, r.out, r.errOut)
	}
	report := traffic(t, p)
	if n := len(report.Results); n != 4*3 { // the policy of the memory tier is compared, too
		t.Errorf("%d results, want 12", n)
	}
	for i := range report.Results {
		c := &report.Results[i]
		if c.Error != "" || c.Miss.Ratio <= 0 || c.Miss.Ratio >= 1 || c.Current != (c.Policy == "slru:segments=2" && c.Factor == 1) {
			t.Errorf("%+v", c)
		}
	}
	r := edgecache(t, p.env(), "", "advise")
	for _, want := range []string{
		`(?m)^ +POLICY +SIZE +MISS +± +BYTE MISS +± +AGAINST NOW +±$`,
		`(?m)^\* +slru:segments=2 +4 MiB +0\.\d+ +0\.\d+ +0\.\d+ +0\.\d+ +[+-]0\.0000 +0\.0000$`,
		`(?m)^ +wtinylfu-adaptive +8 MiB +0\.`,
		`(?m)^(stay with slru:segments=2 at 4 MiB: |switch to \S+ at 4 MiB: -\d+\.\d points of miss ratio \(± \d+\.\d\), saves .*/s of origin traffic)`,
		`(?m)^at 2 MiB \S+ is best: [+-]\d+\.\d points of miss ratio`,
	} {
		if !regexp.MustCompile(want).MatchString(r.out) {
			t.Errorf("advise says\n%s%swant %s", r.out, r.errOut, want)
		}
	}
	_, page := p.get(t, "/metrics")
	for _, want := range []string{`(?m)^edgecache_shadow_ready({.*})? 1$`, `(?m)^edgecache_shadow_miss_ratio{.*policy="sieve",size="0.5"} 0\.`} {
		if !regexp.MustCompile(want).MatchString(page) {
			t.Errorf("the page has no %s", want)
		}
	}
}

// traffic reads and writes until the server has advice, and returns that.
func traffic(t *testing.T, p *process) *shadow.Report {
	t.Helper()
	const objects, most = 40_000, 400
	c := p.client(t)
	z := rand.NewZipf(rand.New(rand.NewPCG(1, 2)), 1.02, 100, objects-1)
	value := strings.Repeat("v", 100)
	var r shadow.Report
	for range most {
		for range 20 {
			look(t, c, z, value)
		}
		_, body := p.get(t, "/advise")
		if err := json.Unmarshal([]byte(body), &r); err != nil {
			t.Fatalf("%v in %s", err, body)
		}
		if r.Advice.Action != shadow.Wait {
			return &r
		}
	}
	t.Fatalf("no advice after so many reads: %+v", r)
	return nil
}

// look reads a thousand keys and writes those that are not there.
func look(t *testing.T, c *redis.Client, z *rand.Zipf, value string) {
	t.Helper()
	keys := make([]string, 1000)
	reads, writes := c.Pipeline(), c.Pipeline()
	for i := range keys {
		keys[i] = fmt.Sprintf("product:%d", z.Uint64())
		reads.Get(t.Context(), keys[i])
	}
	answers, _ := reads.Exec(t.Context()) // says that a key is absent, too
	for i, a := range answers {
		if a.Err() != nil {
			writes.Set(t.Context(), keys[i], value, 0)
		}
	}
	if _, err := writes.Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestAdviseWithoutShadow(t *testing.T) {
	p := start(t, nil, "--no-plugins", "--shadow", "off")
	if r := edgecache(t, p.env(), "", "advise"); r.code != 1 || !strings.Contains(r.errOut, "--shadow on") {
		t.Errorf("status %d, %q", r.code, r.errOut)
	}
	for _, args := range [][]string{
		{"run", "--shadow", "maybe"},
		{"run", "--shadow-policies", "opt"},
		{"run", "--shadow-policies", "lru+second-hit"},
		{"run", "--shadow-policies", "lur"},
		{"run", "--shadow-sizes", "0"},
		{"run", "--shadow", "off", "--shadow-policies", "lru"},
		{"run", "--shadow-policies", "lru,,arc"},
	} {
		if r := edgecache(t, map[string]string{"EDGECACHE_RESP": "127.0.0.1:0", "EDGECACHE_ADMIN": "127.0.0.1:0"}, "", args...); r.code != 2 {
			t.Errorf("%q: status %d, want 2: %s", args, r.code, r.errOut)
		}
	}
}
