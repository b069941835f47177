package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/edgecache/edgecache/frontends/admin"
	"github.com/edgecache/edgecache/internal/config"
	examples "github.com/edgecache/edgecache/wasm-examples"
)

// prefixer writes keyrewrite under the name "mine" into dir, with a manifest changed by pairs of old and new text, and a
// configuration that puts prefix before keys. It returns the path of the module; the configuration is config.json beside it.
func prefixer(t *testing.T, dir, prefix string, changes ...string) string {
	t.Helper()
	wasm, manifest, _ := examples.Lookup("keyrewrite")
	text := strings.NewReplacer(append(changes, `"keyrewrite"`, `"mine"`)...).Replace(string(manifest))
	path := filepath.Join(dir, "mine.wasm")
	if err := errors.Join(os.WriteFile(path, wasm, 0o600), os.WriteFile(path+".json", []byte(text), 0o600),
		os.WriteFile(filepath.Join(dir, "config.json"), []byte(`{"rules":[{"prefix":"`+prefix+`"}]}`), 0o600)); err != nil {
		t.Fatal(err)
	}
	return path
}

// fewerOps is a change of keyrewrite's manifest that makes it want something else.
func fewerOps() []string {
	return []string{`"exists", "ttl", "expire", "delete", "delete_many"`, `"exists", "ttl", "expire", "delete"`}
}

// storedAs sets the key k and returns the keys that are stored, so what the plugins made of it.
func storedAs(t *testing.T, c *redis.Client) string {
	t.Helper()
	if err := errors.Join(c.FlushAll(t.Context()).Err(), c.Set(t.Context(), "k", "v", 0).Err()); err != nil {
		t.Fatal(err)
	}
	return strings.Join(c.Keys(t.Context(), "*").Val(), " ")
}

// sent is the body that the commands would send for the plugin at path, with the configuration beside it.
func sent(t *testing.T, path string) *admin.PluginUpload {
	t.Helper()
	u, err := (&sending{config: filepath.Join(filepath.Dir(path), "config.json")}).upload(path)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// send asks the admin frontend for a change, with headers as pairs besides the one that makes it possible, and returns what
// it answered.
func (p *process) send(t *testing.T, method, path string, body any, headers ...string) (status int, problem string) {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	q, err := http.NewRequestWithContext(t.Context(), method, "http://"+p.admin+path, bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set(admin.ChangeHeader, "1")
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			q.Host = headers[i+1]
		}
		q.Header.Set(headers[i], headers[i+1])
	}
	answer, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var got struct{ Action, Error string }
	if text, err = io.ReadAll(answer.Body); err == nil {
		err = json.Unmarshal(text, &got)
	}
	if err != nil || (got.Action == "") != (answer.StatusCode >= 300) {
		t.Fatalf("%s %s: %v in %s", method, path, err, text)
	}
	return answer.StatusCode, got.Error
}

// serveHere runs a cache in this process, so that the race detector sees it, until the test ends.
func serveHere(t *testing.T) *process {
	t.Helper()
	settings := config.NewRun()
	settings.RESP, settings.Admin = "127.0.0.1:0", "127.0.0.1:0"
	s, err := wire(t.Context(), settings, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	failed := s.serve()
	t.Cleanup(func() {
		if err := errors.Join(s.stop(context.Background()), <-failed); err != nil {
			t.Error(err)
		}
	})
	return &process{resp: s.respAddr.Addr().String(), admin: s.adminAddr.Addr().String()}
}

func (p *process) plugins(t *testing.T) []admin.PluginInfo {
	t.Helper()
	got := edgecache(t, p.env(), "", "plugin", "list", "-o", "json")
	var l admin.PluginList
	if err := json.Unmarshal([]byte(got.out), &l); err != nil || got.code != 0 {
		t.Fatalf("plugin list = %+v: %v", got, err)
	}
	return l.Plugins
}

func TestPluginCommands(t *testing.T) {
	p := start(t, nil)
	c := p.client(t)
	one, two, other := t.TempDir(), t.TempDir(), t.TempDir()
	a := prefixer(t, one, "a:")
	b := prefixer(t, two, "b:", `"version": "1.0.0"`, `"version": "2.0.0"`)
	wants := prefixer(t, other, "c:", fewerOps()...)
	for _, tt := range []struct {
		args   string
		want   result // out and errOut are looked for
		stored string
	}{
		{"load " + a + " --config " + one + "/config.json", result{0, "loaded mine 1.0.0\n", ""}, "a:k"},
		{"load " + a, result{1, "", "a plugin called mine is loaded"}, "a:k"},
		{"reload mine " + a, result{0, "unchanged mine 1.0.0\n", ""}, "a:k"},
		{"reload mine " + b, result{0, "replaced mine 2.0.0\n", ""}, "a:k"},
		{"reload mine " + b + " --config " + two + "/config.json", result{0, "replaced mine 2.0.0\n", ""}, "b:k"},
		{"rollback mine", result{0, "rolled back mine 2.0.0\n", ""}, "a:k"},
		{"rollback mine", result{1, "", "mine has no version to go back to"}, "a:k"},
		{"disable mine", result{0, "disabled mine 2.0.0\n", ""}, "k"},
		{"disable mine", result{0, "unchanged mine 2.0.0\n", ""}, "k"},
		{"enable mine", result{0, "enabled mine 2.0.0\n", ""}, "a:k"},
		{"reload mine " + wants, result{0, "replaced mine 1.0.0: it wants something else", ""}, "a:k"},
		{"reload mine", result{1, "", "mine was sent (mine.wasm)"}, "a:k"},
		{"load " + b + " --name other -o json", result{0, `"action": "loaded"`, ""}, "a:k"},
		{"reload mine --config x", result{2, "", "FILE is missing"}, "a:k"},
		{"load " + b + " --name x --grant files", result{2, "", `--grant: "files" can't be granted`}, "a:k"},
		{"load " + b + " --name x --grant kv", result{1, "", "--admin-token"}, "a:k"},
		{"load " + one + "/config.json --name x", result{1, "", "no WebAssembly module"}, "a:k"},
		{"load " + b + " --name x --config " + a, result{1, "", "it is no JSON"}, "a:k"},
		{"load nosuch.wasm", result{1, "", "nosuch.wasm"}, "a:k"},
		{"remove nosuch", result{1, "", `no such plugin: "nosuch"`}, "a:k"},
		{"reload keyrewrite", result{0, "unchanged keyrewrite 1.0.0\n", ""}, "a:k"},
		{"remove keyrewrite", result{0, "removed keyrewrite 1.0.0\n", ""}, "a:k"},
		{"remove mine", result{0, "removed mine 1.0.0\n", ""}, "k"},
		{"frob", result{2, "", `unknown command "frob" for "edgecache plugin"`}, "k"},
		{"enable", result{2, "", "NAME is missing"}, "k"},
		{"list", result{0, "NAME", ""}, "k"},
	} {
		got := edgecache(t, p.env(), "", append([]string{"plugin"}, strings.Fields(tt.args)...)...)
		if got.code != tt.want.code || !strings.Contains(got.out, tt.want.out) || !strings.Contains(got.errOut, tt.want.errOut) {
			t.Errorf("edgecache plugin %s = %+v, want %+v", tt.args, got, tt.want)
		}
		if stored := storedAs(t, c); stored != tt.stored {
			t.Errorf("edgecache plugin %s: stored %s, want %s", tt.args, stored, tt.stored)
		}
	}
	var names []string
	for _, i := range p.plugins(t) {
		names = append(names, i.Name)
	}
	if want := []string{"hitratio", "timing", "other"}; !slices.Equal(names, want) {
		t.Errorf("plugins = %q, want %q", names, want)
	}
	stats := p.stats(t)
	if _, page := p.get(t, "/metrics"); len(stats.Plugins) != 3 || strings.Contains(page, `plugin="mine"`) || !strings.Contains(page, `plugin="other"`) {
		t.Errorf("plugins in /stats: %v; they and /metrics must have those that are loaded", stats.Plugins)
	}
	if log := p.logged(); !strings.Contains(log, `msg="plugins changed" request="DELETE /plugins/mine" peer=127.0.0.1:`) {
		t.Errorf("no change in the log:\n%s", log)
	}
}

func TestPluginListTells(t *testing.T) {
	dir := t.TempDir()
	path := prefixer(t, dir, "a:")
	p := start(t, nil, "--plugin", path+"="+dir+"/config.json", "--grant", "mine=memory:32,fuel:1000000,keys:k", "--grant", "timing=failure:closed")
	storedAs(t, p.client(t))
	all := p.plugins(t)
	mine := all[len(all)-1]
	if mine.Stats.Calls == 0 || mine.Stats.Instances == 0 || mine.Stats.MemoryBytes == 0 || mine.Stats.Failures == nil {
		t.Errorf("stats = %+v", mine.Stats)
	}
	mine.Stats = admin.PluginStats{Breaker: mine.Stats.Breaker}
	text, err := json.Marshal(mine)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"name":"mine","version":"1.0.0","state":"enabled","digest":"sha256:` + mine.Digest[len("sha256:"):] + `",` +
		`"source":{"kind":"file","module":"` + path + `","config":"` + dir + `/config.json"},"priority":0,"hooks":["before"],` +
		`"ops":["get","get_many","set","set_many","add","replace","compare_and_swap","append","prepend","increment","decrement",` +
		`"exists","ttl","expire","delete","delete_many"],"needs":[],` +
		`"granted":{"memory_pages":32,"fuel":1000000,"keys":["k"]},"rollback":false,` +
		`"stats":{"calls":0,"nanos":0,"fuel":0,"failures":null,"skipped":0,"refused":0,"lost":0,"swaps":0,"rollbacks":0,` +
		`"instances":0,"memory_bytes":0,"breaker":"closed","kv_entries":0,"kv_bytes":0}}`
	if string(text) != want || len(mine.Digest) != len("sha256:")+64 {
		t.Errorf("mine = %s\nwant %s", text, want)
	}
}

func TestPluginTable(t *testing.T) {
	stats := admin.PluginStats{
		Calls: 2_000_000_000, Nanos: 250_000_000_000, Failures: map[string]uint64{"time": 1, "trap": 2}, Instances: 16,
		MemoryBytes: 42 << 20, Breaker: "closed",
	}
	var out strings.Builder
	if err := writePlugins(&out, []admin.PluginInfo{
		{Name: "keyrewrite", Version: "1.0.0", State: "enabled", Source: admin.PluginSource{Kind: "built-in"}, Stats: stats},
		{Name: "idle", Version: "2", State: "disabled", Source: admin.PluginSource{Kind: "file", Module: "/long/path"}},
	}); err != nil {
		t.Fatal(err)
	}
	const want = `NAME        VERSION  STATE     CALLS       NS/CALL  FAILURES  BREAKER  INSTANCES  MEMORY   SOURCE
keyrewrite  1.0.0    enabled   2000000000  125      3         closed   16         42.0MiB  built-in
idle        2        disabled  0           -        0                  0          0KiB     file
`
	if got := out.String(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	for line := range strings.Lines(out.String()) {
		if len(line) > 101 {
			t.Errorf("%d columns: %s", len(line)-1, line)
		}
	}
}

func TestGrantsAtTheStart(t *testing.T) {
	dir := t.TempDir()
	path := prefixer(t, dir, "a:")
	for _, tt := range []struct {
		args string
		code int
		want string
	}{
		{"--grant nosuch=kv", exitUsage, `--grant (EDGECACHE_GRANT): no plugin is called "nosuch", there are hitratio, keyrewrite, timing, mine`},
		{"--grant mine=disk", exitUsage, `mine: "disk" can't be granted`},
		{"--grant mine=kv --grant mine=value", exitUsage, "mine is given twice"},
		{"--grant mine=memory:4", exitFailed, "memory_pages 16: at most 4 are granted"},
	} {
		args := "run --resp 127.0.0.1:0 --admin off --plugin " + path + " " + tt.args
		if got := edgecache(t, nil, "", strings.Fields(args)...); got.code != tt.code || !strings.Contains(got.errOut, tt.want) {
			t.Errorf("%s: %+v, want status %d and %q", tt.args, got, tt.code, tt.want)
		}
	}
}

// TestPluginsChangeUnderTraffic replaces a plugin that fails commands once it is closed, by versions that take its place and
// by such as can't, and switches it off and on, while clients write and read.
// actor is a plugin that does what the key asks for.
const actor = "../../plugins/testdata/actor.wasm"

func TestPluginTimeout(t *testing.T) {
	const timeout = 300 * time.Millisecond
	p := start(t, nil, "--plugin", actor, "--grant", "actor=fuel:100000000000", "--plugin-timeout", timeout.String())
	began := time.Now()
	if err := p.client(t).Get(t.Context(), "spin").Err(); !errors.Is(err, redis.Nil) {
		t.Errorf("Get = %v, want a miss past the plugin that fails", err)
	}
	if took := time.Since(began); took < timeout {
		t.Errorf("the plugin was stopped after %v, want %v", took, timeout)
	}
	all := p.plugins(t)
	if got := all[len(all)-1].Stats.Failures; !maps.Equal(got, map[string]uint64{"time": 1}) {
		t.Errorf("failures = %v, want one of kind time", got)
	}
}

func TestDebugPlugins(t *testing.T) {
	const warning = "level=WARN msg=\"plugins run without fuel and timeout"
	for _, debug := range []bool{false, true} {
		p := start(t, nil, "--plugin", actor, "--debug-plugins="+strconv.FormatBool(debug))
		if err := p.client(t).Get(t.Context(), "spin:10").Err(); !errors.Is(err, redis.Nil) {
			t.Fatal(err)
		}
		all := p.plugins(t)
		s := all[len(all)-1].Stats
		if s.Calls == 0 || (s.Fuel == 0) != debug || strings.Contains(p.logged(), warning) != debug {
			t.Errorf("--debug-plugins=%v: stats %+v, log:\n%s", debug, s, p.logged())
		}
	}
}

func TestPluginsChangeUnderTraffic(t *testing.T) {
	p := serveHere(t)
	one, two, other := t.TempDir(), t.TempDir(), t.TempDir()
	versions := []*admin.PluginUpload{
		sent(t, prefixer(t, one, "a:")), sent(t, prefixer(t, two, "b:")), sent(t, prefixer(t, other, "c:", fewerOps()...)),
	}
	if status, problem := p.send(t, http.MethodPost, "/plugins", versions[0]); status != http.StatusCreated {
		t.Fatal(status, problem)
	}
	var stop atomic.Bool
	var commands, failed atomic.Int64
	var traffic sync.WaitGroup
	for range 4 {
		c := p.client(t)
		traffic.Go(func() {
			for !stop.Load() {
				err := c.Set(t.Context(), "k", "v", 0).Err()
				if err == nil {
					err = c.Get(t.Context(), "k").Err()
				}
				if err != nil && !errors.Is(err, redis.Nil) && failed.Add(1) == 1 {
					t.Errorf("a command failed: %v", err)
				}
				commands.Add(2)
			}
		})
	}
	for i := range 30 {
		for _, change := range []struct {
			method, path string
			body         *admin.PluginUpload
		}{
			{http.MethodPut, "/plugins/mine", versions[(i+1)%len(versions)]},
			{http.MethodPost, "/plugins/mine/disable", nil},
			{http.MethodPost, "/plugins/mine/enable", nil},
			{http.MethodPost, "/plugins/mine/rollback", nil},
			{http.MethodPut, "/plugins/mine", versions[(i+1)%len(versions)]},
		} {
			if status, problem := p.send(t, change.method, change.path, change.body); status != http.StatusOK {
				t.Errorf("%s %s: %d %s", change.method, change.path, status, problem)
			}
		}
	}
	stop.Store(true)
	traffic.Wait()
	if n := failed.Load(); n != 0 || commands.Load() < 100 {
		t.Errorf("%d of %d commands failed", n, commands.Load())
	}
}

func TestWhoIsLetInToChangePlugins(t *testing.T) {
	open := start(t, nil)
	guarded := start(t, map[string]string{"EDGECACHE_ADMIN_TOKEN": "s3cret"}, "--pprof")
	disable := "/plugins/keyrewrite/disable"
	for _, tt := range []struct {
		name    string
		p       *process
		headers []string
		status  int
	}{
		{"rebound name", open, []string{"Host", "rebound.example"}, 403},
		{"form", open, []string{admin.ChangeHeader, "", "Content-Type", "application/x-www-form-urlencoded", "Origin", "http://evil.example"}, 403},
		{"proxy", open, []string{"X-Forwarded-For", "203.0.113.9"}, 403},
		{"local program", open, nil, 200},
		{"no token", guarded, nil, 401},
		{"wrong token", guarded, []string{"Authorization", "Bearer s3cre7"}, 401},
		{"token", guarded, []string{"Authorization", "Bearer s3cret", "Host", "cache.example"}, 200},
	} {
		status, problem := tt.p.send(t, http.MethodPost, disable, nil, tt.headers...)
		disabled := false
		for _, i := range open.plugins(t) {
			disabled = disabled || i.State == "disabled"
		}
		if status != tt.status || tt.p == open && disabled != (status == 200) {
			t.Errorf("%s: %d %s, disabled: %v; want %d", tt.name, status, problem, disabled, tt.status)
		}
	}
	for path, want := range map[string]int{"/plugins": 401, "/debug/pprof/cmdline": 401, "/stats": 200, "/metrics": 200, "/readyz": 200} {
		if status, _ := guarded.get(t, path); status != want {
			t.Errorf("GET %s without the token = %d, want %d", path, status, want)
		}
	}
	if got := edgecache(t, guarded.env(), "", "plugin", "list"); got.code != exitFailed || !strings.Contains(got.errOut, "EDGECACHE_ADMIN_TOKEN") {
		t.Errorf("list without the token = %+v", got)
	}
	env := guarded.env()
	env["EDGECACHE_ADMIN_TOKEN"] = "s3cret"
	path := prefixer(t, t.TempDir(), "a:")
	if got := edgecache(t, env, "", "plugin", "load", path, "--grant", "memory:99"); got.code != 0 {
		t.Errorf("load with the token = %+v", got)
	}
	if got := edgecache(t, env, "", "plugin", "list", "-o", "json"); !strings.Contains(got.out, `"memory_pages": 99`) {
		t.Errorf("list with the token = %+v", got)
	}
	if log := guarded.logged(); strings.Contains(log, "s3cre") || !strings.Contains(log, "admin request refused") {
		t.Errorf("the log tells the token, or not who was refused:\n%s", log)
	}
}

func TestBadUploads(t *testing.T) {
	p := start(t, nil)
	good := sent(t, prefixer(t, t.TempDir(), "a:"))
	for name, tt := range map[string]struct {
		change func(*admin.PluginUpload)
		status int
		want   string
	}{
		"cut":           {func(u *admin.PluginUpload) { u.Wasm = u.Wasm[:200] }, 400, "plugin mine: module"},
		"no module":     {func(u *admin.PluginUpload) { u.Wasm = []byte("#!/bin/sh") }, 400, "no WebAssembly module"},
		"other exports": {func(u *admin.PluginUpload) { u.Wasm, _, _ = examples.Lookup("hitratio") }, 400, "is missing: hook"},
		"bad manifest":  {func(u *admin.PluginUpload) { u.Manifest = json.RawMessage(`{"name":7}`) }, 400, "manifest"},
		"bad config":    {func(u *admin.PluginUpload) { u.Config = json.RawMessage(`{"rules":[{"frob":1}]}`) }, 400, "refuses its configuration"},
		"bad name":      {func(u *admin.PluginUpload) { u.Name = "A B" }, 400, `name "A B"`},
		"taken name":    {func(u *admin.PluginUpload) { u.Name = "timing" }, 409, "timing is loaded"},
		"ungranted": {func(u *admin.PluginUpload) {
			u.Manifest = json.RawMessage(strings.Replace(string(u.Manifest), `"memory_pages"`, `"needs":["kv"],"memory_pages"`, 1))
		}, 400, `"kv", which it was not granted`},
		"grants": {func(u *admin.PluginUpload) { u.Grants = &admin.PluginGrants{Needs: []string{"kv"}} }, 403, "--admin-token"},
	} {
		u := *good
		tt.change(&u)
		if status, problem := p.send(t, http.MethodPost, "/plugins", u); status != tt.status || !strings.Contains(problem, tt.want) {
			t.Errorf("%s: %d %q, want %d %q", name, status, problem, tt.status, tt.want)
		}
	}
	if n := len(p.plugins(t)); n != 3 {
		t.Errorf("%d plugins, want the built-in ones", n)
	}
}

func TestHangupReloadsPlugins(t *testing.T) {
	dir := t.TempDir()
	path := prefixer(t, dir, "a:")
	p := start(t, nil, "--plugin", path+"="+dir+"/config.json")
	c := p.client(t)
	times := 0
	hangup := func(want string) {
		t.Helper()
		if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		times++
		eventually(t, "the plugins are reloaded", func() bool { return strings.Count(p.logged(), "reloaded plugins") == times })
		if got := storedAs(t, c); got != want {
			t.Errorf("stored %s, want %s; log:\n%s", got, want, p.logged())
		}
	}
	hangup("a:k")
	prefixer(t, dir, "b:")
	hangup("b:k")
	if err := os.WriteFile(dir+"/config.json", []byte(`{"rules":7}`), 0o600); err != nil {
		t.Fatal(err)
	}
	hangup("b:k")
	if log := p.logged(); !strings.Contains(log, "refuses its configuration") || !strings.Contains(log, "level=ERROR") {
		t.Errorf("no error in the log:\n%s", log)
	}
	prefixer(t, dir, "c:", fewerOps()...)
	hangup("c:k")
	prefixer(t, dir, "d:", fewerOps()...)
	if got := edgecache(t, p.env(), "", "plugin", "reload", "mine", "-o", "json"); got.code != 0 || !strings.Contains(got.out, `"action": "replaced"`) {
		t.Errorf("reload = %+v", got)
	}
	if got := storedAs(t, c); got != "d:k" {
		t.Errorf("stored %s, want d:k", got)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	hangup("d:k")
	if status, problem := p.send(t, http.MethodPost, "/plugins/mine/reload", nil); status != http.StatusConflict || !strings.Contains(problem, "mine.wasm") {
		t.Errorf("reload of a file that is gone: %d %s", status, problem)
	}
}
