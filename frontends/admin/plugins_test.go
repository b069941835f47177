package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// changes is a manager that notes what it is told, and knows one plugin.
type changes struct {
	told   []string
	upload PluginUpload
}

func (c *changes) do(what, name string) (PluginChange, error) {
	c.told = append(c.told, what+" "+name)
	switch name {
	case "mine", "":
		return PluginChange{Action: what, Plugin: PluginInfo{Name: "mine"}}, nil
	case "bad":
		return PluginChange{}, errors.New("export ec_before is missing")
	default:
		return PluginChange{}, &StatusError{http.StatusNotFound, fmt.Errorf("no such plugin: %q", name)}
	}
}

func (c *changes) List() []PluginInfo { return []PluginInfo{{Name: "mine"}} }

func (c *changes) Load(_ context.Context, u PluginUpload) (PluginChange, error) {
	c.upload = u
	return c.do("loaded", u.Name)
}

func (c *changes) Replace(_ context.Context, name string, u PluginUpload) (PluginChange, error) {
	c.upload = u
	return c.do("replaced", name)
}

func (c *changes) Reload(_ context.Context, name string) (PluginChange, error) {
	return c.do("reloaded", name)
}

func (c *changes) SetEnabled(_ context.Context, name string, enabled bool) (PluginChange, error) {
	return c.do(map[bool]string{true: "enabled", false: "disabled"}[enabled], name)
}

func (c *changes) Rollback(_ context.Context, name string) (PluginChange, error) {
	return c.do("rolled back", name)
}

func (c *changes) Remove(_ context.Context, name string) (PluginChange, error) {
	return c.do("removed", name)
}

// localRequest is a request that may change plugins where there is no token, changed by pairs of header and value. Host and
// peer are headers here, too.
func localRequest(t *testing.T, method, path, body string, headers ...string) *http.Request {
	t.Helper()
	q := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	q.Host, q.RemoteAddr = "127.0.0.1:9380", "127.0.0.1:4711"
	q.Header.Set(ChangeHeader, "1")
	for i := 0; i < len(headers); i += 2 {
		switch headers[i] {
		case "Host":
			q.Host = headers[i+1]
		case "peer":
			q.RemoteAddr = headers[i+1]
		default:
			q.Header.Set(headers[i], headers[i+1])
		}
	}
	return q
}

// answer has h answer q and returns status and error.
func answer(t *testing.T, h http.Handler, q *http.Request) (status int, problem string) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, q)
	var body struct{ Error string }
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
		t.Errorf("%s %s: %v in %s", q.Method, q.URL, err, w.Body)
	}
	if (w.Code/100 == 2) != (body.Error == "") {
		t.Errorf("%s %s: status %d with error %q", q.Method, q.URL, w.Code, body.Error)
	}
	return w.Code, body.Error
}

func TestPluginEndpoints(t *testing.T) {
	const upload = `{"wasm":"AGFzbQ=="}`
	var log strings.Builder
	m := &changes{}
	h := Handler(Options{Cache: newCache(t), Manager: m, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	for _, tt := range []struct {
		request, body string
		status        int
		told, problem string
	}{
		{"GET /plugins", "", 200, "", ""},
		{"POST /plugins", upload, 201, "loaded ", ""},
		{"PUT /plugins/mine", upload, 200, "replaced mine", ""},
		{"PUT /plugins/mine", `{"wasm":"AA==","name":"mine"}`, 200, "replaced mine", ""},
		{"POST /plugins/mine/reload", "", 200, "reloaded mine", ""},
		{"POST /plugins/mine/disable", "", 200, "disabled mine", ""},
		{"POST /plugins/mine/enable", "", 200, "enabled mine", ""},
		{"POST /plugins/mine/rollback", "", 200, "rolled back mine", ""},
		{"DELETE /plugins/mine", "", 200, "removed mine", ""},
		{"POST /plugins/nosuch/disable", "", 404, "disabled nosuch", `no such plugin: "nosuch"`},
		{"POST /plugins", `{"wasm":"AA==","name":"bad"}`, 400, "loaded bad", "export ec_before is missing"},
		{"POST /plugins", "", 400, "", "body: EOF"},
		{"POST /plugins", `{}`, 400, "", "wasm is missing"},
		{"POST /plugins", `{"wasm":"?"}`, 400, "", "illegal base64"},
		{"POST /plugins", `{"wasm":"AA==","grant":{}}`, 400, "", `unknown field "grant"`},
		{"POST /plugins", upload + "7", 400, "", "something follows"},
		{"POST /plugins", `{"wasm":"AA==","grants":{"needs":["kv"]}}`, 403, "", "--admin-token"},
		{"PUT /plugins/mine", `{"wasm":"AA==","name":"other"}`, 400, "", "can't be changed"},
		{"POST /plugins", `{"wasm":"` + strings.Repeat("AAAA", maxUpload/4) + `"}`, 413, "", "more than 96 MiB"},
		{"POST /plugins/mine/explode", "", 404, "", "there is no POST /plugins/mine/explode"},
		{"DELETE /plugins", "", 404, "", "there is no"},
		{"OPTIONS /plugins/mine", "", 404, "", "there is no"},
	} {
		m.told = nil
		log.Reset()
		method, path, _ := strings.Cut(tt.request, " ")
		status, problem := answer(t, h, localRequest(t, method, path, tt.body))
		if told := strings.Join(m.told, ", "); status != tt.status || told != tt.told || !strings.Contains(problem, tt.problem) {
			t.Errorf("%s %.60s: %d, %q, told: %q; want %d, %q, told: %q", tt.request, tt.body, status, problem, told, tt.status, tt.problem, tt.told)
		}
		if logged := log.String(); tt.told != "" && (!strings.Contains(logged, "peer=127.0.0.1:4711") || !strings.Contains(logged, path)) {
			t.Errorf("%s: logged %s", tt.request, logged)
		}
	}
}

func TestUploadArrivesAsItWasSent(t *testing.T) {
	m := &changes{}
	h := Handler(Options{Cache: newCache(t), Manager: m, Token: "secret"})
	body := `{"wasm":"AGFzbQ==","manifest":{"name": "x"},"config":null,"grants":{"needs":["kv"],"memory_pages":7},"module":"m.wasm"}`
	if status, problem := answer(t, h, localRequest(t, http.MethodPost, "/plugins", body, "Authorization", "Bearer secret")); status != 201 {
		t.Fatal(status, problem)
	}
	want := PluginUpload{
		Wasm: []byte("\x00asm"), Manifest: json.RawMessage(`{"name": "x"}`), Module: "m.wasm",
		Grants: &PluginGrants{Needs: []string{"kv"}, MemoryPages: 7},
	}
	if diff := cmp.Diff(want, m.upload); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestWhoMayChangePlugins(t *testing.T) {
	none := func() []string { return nil }
	for _, tt := range []struct {
		name    string
		token   string
		headers []string
		status  int
	}{
		{"this machine", "", none(), 200},
		{"localhost", "", []string{"Host", "LocalHost:9380"}, 200},
		{"IPv6", "", []string{"Host", "[::1]:9380", "peer", "[::1]:4711"}, 200},
		{"no port", "", []string{"Host", "[::1]"}, 200},
		{"mapped", "", []string{"peer", "[::ffff:127.0.0.1]:4711"}, 200},
		{"another machine", "", []string{"peer", "203.0.113.9:4711"}, 403},
		{"another name of this machine", "", []string{"Host", "rebound.example:9380"}, 403},
		{"a name that looks like it", "", []string{"Host", "127.0.0.1.example"}, 403},
		{"no host", "", []string{"Host", ""}, 403},
		{"a form", "", []string{ChangeHeader, ""}, 403},
		{"another value", "", []string{ChangeHeader, "0"}, 403},
		{"a proxy", "", []string{"X-Forwarded-For", "203.0.113.9"}, 403},
		{"another kind of proxy", "", []string{"Forwarded", "for=203.0.113.9"}, 403},
		{"token", "secret", []string{"Authorization", "Bearer secret", ChangeHeader, "", "peer", "203.0.113.9:1", "Host", "cache.example"}, 200},
		{"token missing", "secret", none(), 401},
		{"token wrong", "secret", []string{"Authorization", "Bearer Secret"}, 401},
		{"token cut", "secret", []string{"Authorization", "Bearer secre"}, 401},
		{"token empty", "secret", []string{"Authorization", "Bearer "}, 401},
		{"token of another kind", "secret", []string{"Authorization", "Basic secret"}, 401},
		{"bare token", "secret", []string{"Authorization", "secret"}, 401},
	} {
		m := &changes{}
		h := Handler(Options{Cache: newCache(t), Manager: m, Token: tt.token, PProf: true})
		status, problem := answer(t, h, localRequest(t, http.MethodPost, "/plugins/mine/disable", "", tt.headers...))
		if status != tt.status || (len(m.told) == 1) != (status == 200) {
			t.Errorf("%s: %d %s, told %q; want %d", tt.name, status, problem, m.told, tt.status)
		}
		// Looking is free without a token, figures are always.
		want := 200
		if tt.token != "" {
			want = tt.status
		}
		if status, _ := answer(t, h, localRequest(t, http.MethodGet, "/plugins", "", tt.headers...)); status != want {
			t.Errorf("%s: GET /plugins = %d, want %d", tt.name, status, want)
		}
		for path, want := range map[string]int{"/debug/pprof/cmdline": want, "/stats": 200, "/livez": 200, "/readyz": 200} {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, localRequest(t, http.MethodGet, path, "", tt.headers...))
			if w.Code != want {
				t.Errorf("%s: GET %s = %d, want %d", tt.name, path, w.Code, want)
			}
		}
	}
}

func TestWithoutPlugins(t *testing.T) {
	h := Handler(Options{Cache: newCache(t)})
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		if status, problem := answer(t, h, localRequest(t, method, "/plugins", "{}")); status != 404 || !strings.Contains(problem, "--no-plugins") {
			t.Errorf("%s: %d %s", method, status, problem)
		}
	}
}

func FuzzReadUpload(f *testing.F) {
	f.Add(`{"name":"x","wasm":"AGFzbQ==","manifest":{},"config":null,"grants":{"needs":["kv"],"fuel":7}}`)
	f.Add(`{"wasm":"AA=="}{}`)
	f.Add(`{"wasm":[0],"config":{"a":[[[1e999]]]}}`)
	f.Fuzz(func(t *testing.T, body string) {
		u, err := readUpload(strings.NewReader(body))
		if err == nil && (len(u.Wasm) == 0 || u.Config != nil && !json.Valid(u.Config) || u.Manifest != nil && !json.Valid(u.Manifest)) {
			t.Errorf("readUpload(%q) = %+v", body, u)
		}
	})
}
