package main

import (
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/edgecache/edgecache/frontends/admin"
)

func TestCommandsTalkToTheCache(t *testing.T) {
	p := start(t, nil)
	for _, tt := range []struct {
		args  string
		stdin string
		want  result // errOut is looked for, the rest compared
	}{
		{"get greeting", "", result{1, "", `"greeting": key not found`}},
		{"set greeting hello --ttl 1h", "", result{0, "OK\n", ""}},
		{"get greeting", "", result{0, "hello\n", ""}},
		{"get greeting -o json", "", result{0, `{"key":"greeting","value":"hello"}` + "\n", ""}},
		{"set greeting hi --if-absent", "", result{1, "", "the key is there"}},
		{"set other hi --if-present", "", result{1, "", "the key is not there"}},
		{"set bytes -", "a\xff\x00\n", result{0, "OK\n", ""}},
		{"get bytes", "", result{0, "a\xff\x00\n\n", ""}},
		{"get bytes -o json", "", result{0, `{"key":"bytes","value":{"base64":"Yf8ACg=="}}` + "\n", ""}},
		{"incr n", "", result{0, "1\n", ""}},
		{"incr -- n -3", "", result{0, "-2\n", ""}},
		{"incr n 44 -o json", "", result{0, `{"key":"n","value":42}` + "\n", ""}},
		{"incr greeting", "", result{1, "", "not an integer"}},
		{"ttl n", "", result{0, "none\n", ""}},
		{"ttl n -o json", "", result{0, `{"key":"n","ttl_ms":null}` + "\n", ""}},
		{"ttl absent", "", result{1, "", "key not found"}},
		{"keys g*", "", result{0, "greeting\n", ""}},
		{"keys g* -o json", "", result{0, "\"greeting\"\n", ""}},
		{"set greeting hi --keep-ttl -o json", "", result{0, `{"key":"greeting","stored":true}` + "\n", ""}},
		{"del greeting n absent", "", result{0, "2\n", ""}},
		{"del bytes -o json", "", result{0, `{"deleted":1}` + "\n", ""}},
		{"keys", "", result{0, "", ""}},
	} {
		got := edgecache(t, p.env(), tt.stdin, strings.Fields(tt.args)...)
		if got.code != tt.want.code || got.out != tt.want.out || !strings.Contains(got.errOut, tt.want.errOut) || (tt.want.code == 0 && got.errOut != "") {
			t.Errorf("edgecache %s = %+v, want %+v", tt.args, got, tt.want)
		}
	}
	if got := edgecache(t, p.env(), "", "set", "k", "v", "--ttl", "1h"); got.code != 0 {
		t.Fatal(got)
	}
	if got := edgecache(t, p.env(), "", "ttl", "k"); got.code != 0 || !strings.HasPrefix(got.out, "59m59.") && got.out != "1h0m0s\n" {
		t.Errorf("ttl = %+v, want about an hour", got)
	}
}

func TestStatsCommand(t *testing.T) {
	p := start(t, nil)
	c := p.client(t)
	ctx := t.Context()
	if err := c.Set(ctx, "k", "v", 0).Err(); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := c.Get(ctx, "k").Err(); err != nil {
			t.Fatal(err)
		}
	}
	_ = c.Get(ctx, "absent").Err()

	got := edgecache(t, p.env(), "", "stats", "-o", "json")
	var s admin.Stats
	if err := json.Unmarshal([]byte(got.out), &s); err != nil || got.code != 0 {
		t.Fatalf("stats = %+v: %v", got, err)
	}
	if s.Hits != 3 || s.Misses != 1 || s.Commands != 5 || s.Operations["get"]["hit"] != 3 || s.Tiers[0].Entries != 1 {
		t.Errorf("stats = %+v, want 3 hits, 1 miss, 5 commands, 1 entry", s)
	}
	var hitratio struct {
		Total, Hits uint64
		Ratio       float64
	}
	if err := json.Unmarshal(s.Plugins["hitratio"], &hitratio); err != nil {
		t.Fatal(err)
	}
	if hitratio.Total != 4 || hitratio.Hits != 3 || hitratio.Ratio != 0.75 {
		t.Errorf("hitratio reports %+v, want 3 of 4", hitratio)
	}
	var timing struct {
		Count uint64 `json:"count"`
		Min   uint64 `json:"min"`
		Max   uint64 `json:"max"`
	}
	if err := json.Unmarshal(s.Plugins["timing"], &timing); err != nil {
		t.Fatal(err)
	}
	if timing.Count != 5 || timing.Min == 0 || timing.Max < timing.Min {
		t.Errorf("timing reports %+v, want 5 commands", timing)
	}
	if s.RESP == nil || s.RESP.Connections < 1 || s.RESP.Commands < 5 {
		t.Errorf("resp = %+v", s.RESP)
	}
	table := edgecache(t, p.env(), "", "stats")
	for _, want := range []string{"hit ratio    0.75", "PLUGIN hitratio", "memory  3"} {
		if !strings.Contains(table.out, want) {
			t.Errorf("the table lacks %q:\n%s", want, table.out)
		}
	}
}

func TestUsageMistakesEndWithTwo(t *testing.T) {
	for _, tt := range []struct {
		args string
		env  map[string]string
		want string
	}{
		{"frob", nil, `unknown command "frob"`},
		{"get", nil, "KEY is missing"},
		{"get a b", nil, `"b" is one word too many`},
		{"get a --frob", nil, "unknown flag: --frob"},
		{"get a -o xml", nil, "table or json"},
		{"get a", map[string]string{"EDGECACHE_RESP": "nowhere"}, "EDGECACHE_RESP"},
		{"get a --resp off", nil, "--resp"},
		{"stats --admin off", nil, "--admin"},
		{"set a b --ttl 1h --keep-ttl", nil, "ttl"},
		{"set a b --ttl -1s", nil, "--ttl"},
		{"incr a much", nil, `DELTA "much"`},
		{"run extra", nil, "one word too many"},
		{"run --max-memory lots", nil, "256MiB"},
		{"run", map[string]string{"EDGECACHE_MAX_MEMORY": "lots"}, "EDGECACHE_MAX_MEMORY (flag: --max-memory)"},
		{"run --no-plugins --plugin timing", nil, "--no-plugins"},
		{"run --resp 127.0.0.1:0 --admin off --policy best", nil, "--policy (EDGECACHE_POLICY): no policy is called"},
		{"run --resp 127.0.0.1:0 --admin off --policy opt", nil, "knows the future"},
		{"run --resp 127.0.0.1:0 --admin off --policy slru:sets=2", nil, "segments"},
		{"run --redis redis://h:1 --memcached h:1", nil, "--memcached"},
		{"run --resp 127.0.0.1:0 --admin off --redis http://secret@h:1", nil, "--redis (EDGECACHE_REDIS)"},
		{"run --resp 127.0.0.1:0 --admin off --plugin nosuch", nil, "hitratio, keyrewrite, timing"},
		{"run --resp 127.0.0.1:0 --admin off --plugin timing --plugin timing", nil, "twice"},
	} {
		got := edgecache(t, tt.env, "", strings.Fields(tt.args)...)
		if got.code != exitUsage || got.out != "" || !strings.Contains(got.errOut, tt.want) || !strings.Contains(got.errOut, "--help") {
			t.Errorf("edgecache %s = %+v, want status 2 and %q on stderr", tt.args, got, tt.want)
		}
		if strings.Contains(got.errOut, "secret") {
			t.Errorf("edgecache %s repeats a password: %s", tt.args, got.errOut)
		}
	}
}

func TestFailuresEndWithOne(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	off := " --admin off --resp "
	for _, tt := range []struct {
		args, want string
	}{
		{"get a --resp 127.0.0.1:1", `is "edgecache run" there?`},
		{"stats --admin 127.0.0.1:1", `is "edgecache run" or "edgecache proxy" there?`},
		{"stats --admin " + taken.Addr().String() + " --timeout 50ms", "deadline"},
		{"run" + off + taken.Addr().String(), "--resp (EDGECACHE_RESP): listen tcp"},
		{"run" + off + "127.0.0.1:0 --plugin " + write("cut.wasm", "\x00asm\x01\x00"), "plugin"},
		{"run" + off + "127.0.0.1:0 --plugin " + filepath.Join(dir, "absent.wasm"), "absent.wasm"},
		{"run" + off + "127.0.0.1:0 --plugin timing=" + filepath.Join(dir, "absent.json"), "configuration of plugin timing"},
		{"run" + off + "127.0.0.1:0 --plugin keyrewrite=" + write("bad.json", "{"), "keyrewrite"},
		{"run" + off + "127.0.0.1:0 --plugin-cache " + write("file", "") + "/x", "cache of compiled code"},
	} {
		got := edgecache(t, nil, "", strings.Fields(tt.args)...)
		if got.code != exitFailed || got.out != "" || !strings.Contains(got.errOut, tt.want) {
			t.Errorf("edgecache %s = %+v, want status 1 and %q on stderr", tt.args, got, tt.want)
		}
	}
}

func TestHelpBeginsWithAnExample(t *testing.T) {
	for _, command := range []string{
		"", "run", "get", "set", "del", "incr", "ttl", "keys", "stats", "version", "plugin",
		"cache clear", "cache inspect",
		"plugin list", "plugin load", "plugin reload", "plugin disable", "plugin enable", "plugin rollback", "plugin remove",
	} {
		got := edgecache(t, nil, "", append(strings.Fields(command), "--help")...)
		if want := "  edgecache " + command; got.code != 0 || !strings.HasPrefix(got.out, want) || got.errOut != "" {
			t.Errorf("edgecache %s --help = %+v, want an example first", command, got)
		}
	}
}

func TestVersion(t *testing.T) {
	if got := edgecache(t, nil, "", "version"); got.code != 0 || !strings.HasPrefix(got.out, "edgecache ") {
		t.Errorf("version = %+v", got)
	}
}

func TestSignalsStopWithZero(t *testing.T) {
	for _, sig := range []os.Signal{syscall.SIGTERM, syscall.SIGINT} {
		p := start(t, nil)
		c := p.client(t)
		if err := c.Set(t.Context(), "k", "v", 0).Err(); err != nil {
			t.Fatal(err)
		}
		if code := p.stop(t, sig); code != 0 || !strings.Contains(p.logged(), "msg=stopped") {
			t.Errorf("%v: status %d, log:\n%s", sig, code, p.logged())
		}
	}
}

func TestPasswordIsAskedFor(t *testing.T) {
	p := start(t, map[string]string{"EDGECACHE_PASSWORD": "open sesame"})
	if got := edgecache(t, p.env(), "", "get", "k"); got.code != exitFailed || !strings.Contains(got.errOut, "NOAUTH") {
		t.Errorf("get without a password = %+v, want NOAUTH", got)
	}
	env := p.env()
	env["EDGECACHE_PASSWORD"] = "open sesame"
	if got := edgecache(t, env, "", "set", "k", "v"); got.code != 0 {
		t.Errorf("set with the password = %+v", got)
	}
}
