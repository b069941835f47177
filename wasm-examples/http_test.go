package examples

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/hostabi"
	"github.com/edgecache/edgecache/httphook"
	"github.com/edgecache/edgecache/plugins"
	httpguest "github.com/edgecache/edgecache/plugins/http"
)

// httpExamples are the hooks of HTTP.
func httpExamples() []string { return []string{"abtest", "botdeny", "httpkey", "httpttl"} }

// committed reads a hook of HTTP as it is committed, with its manifest inside.
func committed(t testing.TB, name, language string) []byte {
	t.Helper()
	folder := filepath.Join(name, language)
	wasm, err := os.ReadFile(filepath.Join(folder, name+".wasm"))
	if err != nil {
		t.Fatal(err)
	}
	if _, inside, err := hostabi.ReadManifest(wasm); err != nil || inside {
		return wasm
	}
	manifest, err := os.ReadFile(filepath.Join(folder, "manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	return hostabi.AppendManifest(wasm, manifest)
}

// httpHost returns a host that is closed with the test.
func httpHost(t testing.TB) *plugins.Host {
	t.Helper()
	host, err := plugins.NewHost(t.Context(), plugins.HostOptions{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := host.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return host
}

// loadHTTP loads a committed hook of HTTP, which must not have failed when the test ends.
func loadHTTP(t testing.TB, host *plugins.Host, name, language, config string) *httpguest.Guest {
	t.Helper()
	g, err := httpguest.Load(t.Context(), host, plugins.Source{Wasm: committed(t, name, language), Config: []byte(config)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if s := g.Plugin().Stats(); len(s.Failures) > 0 {
			t.Errorf("%s failed: %s", name, s.LastFailure)
		}
	})
	return g
}

// refuses sees that configurations are refused for the reasons that stand with them.
func refuses(t *testing.T, host *plugins.Host, name, language string, configs map[string]string) {
	t.Helper()
	for config, want := range configs {
		_, err := httpguest.Load(t.Context(), host, plugins.Source{Wasm: committed(t, name, language), Config: []byte(config)})
		if !errors.Is(err, core.ErrPlugin) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: with %s: Load = %v, want %q", name, config, err, want)
		}
	}
}

func get(target string, header http.Header) *httphook.Request {
	return &httphook.Request{
		Method: "GET", Scheme: "https", Host: "www.example.com", Target: target, Header: header, Client: netip.MustParseAddr("192.0.2.1"),
	}
}

func TestHTTPKey(t *testing.T) {
	host := httpHost(t)
	for _, test := range []struct {
		config  string
		targets [][2]string // before and after
	}{
		{``, [][2]string{
			{"/", "/"},
			{"/a", "/a"},
			{"/a?", "/a"},
			{"/a?b=1", "/a?b=1"},
			{"/a?utm_source=x&b=2&fbclid=3", "/a?b=2"},
			{"/a?gclid=1&utm_campaign=2", "/a"},
			{"/a?c=3&b=2&a=1", "/a?a=1&b=2&c=3"},
			{"/a?b=2&a=1&b=1&a", "/a?a=1&a&b=2&b=1"},
			{"/a?ab=1&a=2&a0=3", "/a?a=2&a0=3&ab=1"},
			{"/a?&&b=1&&a=2&", "/a?a=2&b=1"},
			{"/a?xutm_=1&UTM_a=2", "/a?UTM_a=2&xutm_=1"},
			{"/a?b=?&a=/%20?", "/a?a=/%20?&b=?"},
			{"/a?" + strings.Repeat("b&", 128) + "a", "/a?" + strings.Repeat("b&", 128) + "a"}, // too many: as it is
			{"/a?b&" + strings.Repeat("gclid=1&", 3000) + "a", "/a?a&b"},
		}},
		{`{"drop": ["session", "t*"]}`, [][2]string{{"/a?utm_x=1&time=2&session=3&sessions=4", "/a?sessions=4&utm_x=1"}}},
		{`{"drop": []}`, [][2]string{{"/a?b&gclid", "/a?b&gclid"}}},
		{`{"sort": false}`, [][2]string{{"/a?b&gclid&a", "/a?b&a"}}},
	} {
		g := loadHTTP(t, host, "httpkey", "c", test.config)
		for _, target := range test.targets {
			for range 3 { // the third is remembered
				var c httphook.KeyCall
				c.Reset(get(target[0], nil))
				if err := g.Key(t.Context(), &c); err != nil || c.Target != target[1] || !c.Forward || c.Extra != "" {
					t.Errorf("%s: Key(%.80q) = %v, %+v, want %.80q", test.config, target[0], err, c, target[1])
				}
			}
		}
	}
	g := loadHTTP(t, host, "httpkey", "c", `{"hide": true}`)
	var c httphook.KeyCall
	c.Reset(get("/a?gclid=1", nil))
	if err := g.Key(t.Context(), &c); err != nil || c.Target != "/a" || c.Forward {
		t.Errorf("Key = %v, %+v", err, c)
	}
	refuses(t, host, "httpkey", "c", map[string]string{
		`{"drop": 1}`:   "want an array",
		`{"sort": 1}`:   "want true or false",
		`{"absent": 1}`: "want drop, sort or hide",
	})
}

func TestABTest(t *testing.T) {
	host := httpHost(t)
	g := loadHTTP(t, host, "abtest", "rust", `{"cookie": "exp", "variants": ["red", "blue", "green"], "path": "/shop"}`)
	variant := func(r *httphook.Request) (header, extra, cookie string) {
		t.Helper()
		var request httphook.RequestCall
		var key httphook.KeyCall
		var deliver httphook.DeliverCall
		request.Reset(r)
		key.Reset(r)
		deliver.Reset(r)
		if err := errors.Join(g.Request(t.Context(), &request), g.Key(t.Context(), &key), g.Deliver(t.Context(), &deliver)); err != nil {
			t.Fatal(err)
		}
		for _, e := range request.Edits {
			header = e.Name + ": " + e.Value
		}
		for _, e := range deliver.Edits {
			cookie = e.Value
		}
		for _, f := range key.Vary {
			if f.Name != "Cookie" || f.Value != key.Extra {
				t.Errorf("vary is %+v", key.Vary)
			}
		}
		return header, key.Extra, cookie
	}
	for cookie, want := range map[string]string{
		"exp=blue":                  "blue",
		"a=b; exp=green; c=d":       "green",
		"xexp=blue; exp=red":        "red",
		"exp=red; exp=blue":         "red",
		"session=1;exp=blue;x=blue": "blue",
	} {
		header, extra, set := variant(get("/shop/1", http.Header{"Cookie": {cookie}}))
		if header != "X-Variant: "+want || extra != "exp="+want || set != "" {
			t.Errorf("with %q: header %q, extra %q, cookie %q, want %q", cookie, header, extra, set, want)
		}
	}
	// Cookies that name no variant, and none at all, give the client's lot.
	_, lot, _ := variant(get("/shop/1", nil))
	for _, cookie := range []string{"", "exp=", "exp=purple", "exp=redd", "exp", "EXP=red"} {
		header, extra, set := variant(get("/shop/1", http.Header{"Cookie": {cookie}}))
		if extra != lot || "exp="+strings.TrimPrefix(header, "X-Variant: ") != lot || !strings.HasPrefix(set, lot+"; Path=/;") {
			t.Errorf("with %q: header %q, extra %q, cookie %q, want %q", cookie, header, extra, set, lot)
		}
	}
	seen := make(map[string]int)
	for i := range 200 {
		r := get("/shop/1", nil)
		r.Client = netip.AddrFrom4([4]byte{10, 0, byte(i), 1})
		_, extra, _ := variant(r)
		seen[extra]++
	}
	if len(seen) != 3 || seen["exp=red"] < 30 || seen["exp=blue"] < 30 || seen["exp=green"] < 30 {
		t.Errorf("lots fall to %v", seen)
	}
	if header, extra, set := variant(get("/other", http.Header{"Cookie": {"exp=blue"}})); header+extra+set != "" {
		t.Errorf("elsewhere: header %q, extra %q, cookie %q", header, extra, set)
	}
	refuses(t, host, "abtest", "rust", map[string]string{
		`{"variants": ["a b"]}`: "are possible",
		`{"header": "a:b"}`:     "are possible",
		`{"cookie": ""}`:        "are possible",
		`{"variant": []}`:       "unknown field",
	})
}

func TestHTTPTTL(t *testing.T) {
	host := httpHost(t)
	const rules = `{"rules": [
		{"type": "image/*", "ttl_s": 60, "swr_s": 5, "tag": "img"}, {"type": "text/html", "ttl_s": 0}, {"type": "*/*", "ttl_s": 1}]}`
	stored := httphook.Lifetime{Store: true, TTL: time.Hour}
	for _, test := range []struct {
		name, config string
		status       int
		header       http.Header
		barred       bool
		want         httphook.Lifetime
	}{
		{"image", rules, 200, http.Header{"Content-Type": {"image/png"}}, false, httphook.Lifetime{Store: true, TTL: time.Minute, SWR: 5 * time.Second}},
		{"capitals", rules, 200, http.Header{"Content-Type": {" Image/PNG ;q=1"}}, false, httphook.Lifetime{Store: true, TTL: time.Minute, SWR: 5 * time.Second}},
		{"page", rules, 200, http.Header{"Content-Type": {"text/html; charset=utf-8"}}, false, httphook.Lifetime{}},
		{"other", rules, 200, http.Header{}, false, httphook.Lifetime{Store: true, TTL: time.Second}},
		{"the origin says", rules, 200, http.Header{"Content-Type": {"image/png"}, "Cache-Control": {"max-age=1"}}, false, stored},
		{"forced", `{"force": true, "rules": [{"type": "image/*", "ttl_s": 60}]}`, 200, http.Header{"Content-Type": {"image/png"}, "Cache-Control": {"max-age=1"}}, false, httphook.Lifetime{Store: true, TTL: time.Minute}},
		{"status", rules, 404, http.Header{"Content-Type": {"image/png"}}, false, stored},
		{"barred", rules, 200, http.Header{"Content-Type": {"image/png"}}, true, stored},
		{"no rule", ``, 200, http.Header{"Content-Type": {"application/pdf"}}, false, stored},
		{"no type", ``, 200, http.Header{"Content-Type": {"imagery/x"}}, false, stored},
		{"default", ``, 200, http.Header{"Content-Type": {"image/webp"}}, false, httphook.Lifetime{Store: true, TTL: 24 * time.Hour, SWR: time.Hour}},
	} {
		g := loadHTTP(t, host, "httpttl", "go", test.config)
		var c httphook.ResponseCall
		c.Reset(get("/", nil))
		c.Status, c.Header, c.Barred, c.Lifetime = test.status, test.header, test.barred, stored
		if err := g.Response(t.Context(), &c); err != nil || c.Lifetime != test.want {
			t.Errorf("%s: Response = %v, %+v, want %+v", test.name, err, c.Lifetime, test.want)
		}
		if tagged := test.name == "image" || test.name == "capitals"; tagged != (len(c.Tags) == 1) {
			t.Errorf("%s: tags %v", test.name, c.Tags)
		}
	}
	refuses(t, host, "httpttl", "go", map[string]string{`{"rules": [{"ttl_s": 1}]}`: "needs a type"})
}

func TestBotDeny(t *testing.T) {
	host := httpHost(t)
	for _, test := range []struct {
		config string
		agent  []string
		denied bool
	}{
		{``, nil, false},
		{``, []string{""}, false},
		{``, []string{"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}, false},
		{``, []string{"Mozilla/5.0 (compatible; GPTBot/1.2; +https://openai.com/gptbot)"}, true},
		{``, []string{"PYTHON-requests/2"}, true},
		{``, []string{strings.Repeat("x", 1018) + "ccbot"}, true},
		{``, []string{strings.Repeat("x", 1024) + "ccbot"}, false}, // as much is looked at
		{`{"empty": true}`, nil, true},
		{`{"empty": true}`, []string{""}, true},
		{`{"empty": true}`, []string{"x"}, false},
		{`{"deny": ["Evil"]}`, []string{"an evil one"}, true},
		{`{"deny": ["Evil"]}`, []string{"evi"}, false},
		{`{"deny": ["Evil"]}`, []string{"gptbot"}, false},
		{`{"allow": ["good"], "deny": ["bot"]}`, []string{"GoodBot"}, false},
		{`{"allow": ["good"], "deny": ["bot"]}`, []string{"robots"}, true},
		{`{"allow": ["goodgptbot"]}`, []string{"goodgptbot"}, false},
	} {
		g := loadHTTP(t, host, "botdeny", "as", test.config)
		header := http.Header{}
		if test.agent != nil {
			header["User-Agent"] = test.agent
		}
		var c httphook.RequestCall
		c.Reset(get("/", header))
		err := g.Request(t.Context(), &c)
		if denied := c.Action == httphook.Deny; err != nil || denied != test.denied {
			t.Errorf("%s: %.80q is denied: %v, want %v (%v)", test.config, test.agent, denied, test.denied, err)
		}
		if test.denied && (c.Status != 403 || string(c.Body) != "Robots are not served here.\n" || len(c.Edits) != 1 || c.Edits[0].Name != "Content-Type") {
			t.Errorf("the answer is %+v", c)
		}
		if r, err := g.Report(); err != nil || test.denied && r.Rows[0].Figures[0].Count != 1 {
			t.Errorf("Report = %+v, %v", r, err)
		}
	}
	refuses(t, host, "botdeny", "as", map[string]string{
		`{"deny": [""]}`:                  "a word is empty",
		`{"deny": ["a"], "allow": ["b"]}`: "allow must stand before deny",
		`{"bots": []}`:                    "want allow, deny or empty",
	})
}

// BenchmarkHTTP is what a call of each costs, in the phase of its work.
func BenchmarkHTTP(b *testing.B) {
	ctx, host := context.Background(), httpHost(b)
	header := http.Header{"User-Agent": {"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}, "Cookie": {"a=b; ab=b"}}
	r := get("/products/17?b=1&utm_source=mail&a=2", header)
	b.Run("httpkey", func(b *testing.B) {
		g := loadHTTP(b, host, "httpkey", "c", "")
		var c httphook.KeyCall
		for b.Loop() {
			c.Reset(r)
			_ = g.Key(ctx, &c)
		}
	})
	b.Run("abtest", func(b *testing.B) {
		g := loadHTTP(b, host, "abtest", "rust", "")
		var c httphook.KeyCall
		for b.Loop() {
			c.Reset(r)
			_ = g.Key(ctx, &c)
		}
	})
	b.Run("httpttl", func(b *testing.B) {
		g := loadHTTP(b, host, "httpttl", "go", "")
		var c httphook.ResponseCall
		of := http.Header{"Content-Type": {"image/png"}}
		for b.Loop() {
			c.Reset(r)
			c.Status, c.Header = 200, of
			_ = g.Response(ctx, &c)
		}
	})
	b.Run("botdeny", func(b *testing.B) {
		g := loadHTTP(b, host, "botdeny", "as", "")
		var c httphook.RequestCall
		for b.Loop() {
			c.Reset(r)
			_ = g.Request(ctx, &c)
		}
	})
}
