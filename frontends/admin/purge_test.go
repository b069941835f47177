package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// purges is a Purger that notes what it was asked for.
type purges struct {
	asked  []PurgeRequest
	result PurgeResult
	err    error
}

func (p *purges) Purge(_ context.Context, r PurgeRequest) (PurgeResult, error) {
	p.asked = append(p.asked, r)
	return p.result, p.err
}

func TestPurge(t *testing.T) {
	shared := PurgeResult{Purged: 2, Shared: true}
	many := `{"tags":["t` + strings.Repeat(`","t`, MaxPurge) + `"]}`
	for _, tt := range []struct {
		name    string
		body    string
		headers []string
		purger  purges
		token   string
		asked   *PurgeRequest
		status  int
		want    string
	}{
		{"url", `{"url":"https://h/x?y"}`, nil, purges{result: shared}, "", &PurgeRequest{URLs: Texts{"https://h/x?y"}}, 200, `"shared": true`},
		{
			"of all kinds, softly", `{"url":["https://h/1","https://h/2"],"prefix":"https://h/b/","tags":["a","b"],"soft":true}`, nil,
			purges{result: shared},
			"", &PurgeRequest{Texts{"https://h/1", "https://h/2"}, Texts{"https://h/b/"}, Texts{"a", "b"}, false, true},
			200, `"purged": 2`,
		},
		{"everything", `{"all":true}`, nil, purges{result: shared}, "", &PurgeRequest{All: true}, 200, ""},
		{
			"here alone", `{"tags":"a"}`, nil,
			purges{result: PurgeResult{Purged: 1, Detail: "redis is away"}},
			"",
			&PurgeRequest{Tags: Texts{"a"}}, 202, "redis is away",
		},
		{
			"with a token", `{"tags":"a"}`,
			[]string{"Authorization", "Bearer t", "peer", "192.0.2.1:5"},
			purges{result: shared},
			"t",
			&PurgeRequest{Tags: Texts{"a"}}, 200, "",
		},
		{"without the token", `{"tags":"a"}`, nil, purges{}, "t", nil, 401, "the token is missing"},
		{"from elsewhere", `{"tags":"a"}`, []string{"peer", "192.0.2.1:5"}, purges{}, "", nil, 403, "only clients on this machine"},
		{"from a browser", `{"tags":"a"}`, []string{ChangeHeader, ""}, purges{}, "", nil, 403, ChangeHeader},
		{"refused", `{"url":"nonsense"}`, nil, purges{err: errors.New("no URL")}, "", &PurgeRequest{URLs: Texts{"nonsense"}}, 400, "no URL"},
		{
			"out of order", `{"url":"u"}`, nil,
			purges{err: &StatusError{http.StatusServiceUnavailable, errors.New("closed")}},
			"",
			&PurgeRequest{URLs: Texts{"u"}}, 503, "closed",
		},
		{"nothing", `{"soft":true}`, nil, purges{}, "", nil, 400, "nothing is named"},
		{"all and more", `{"all":true,"tags":"x"}`, nil, purges{}, "", nil, 400, "stands alone"},
		{"too many", many, nil, purges{}, "", nil, 413, "1001 names, 1000 are allowed"},
		{"too large", `{"tags":"` + strings.Repeat("x", maxPurge) + `"}`, nil, purges{}, "", nil, 413, "more than 1 MiB"},
		{"unknown field", `{"tag":"x"}`, nil, purges{}, "", nil, 400, "tag"},
		{"of another type", `{"tags":7}`, nil, purges{}, "", nil, 400, "body"},
		{"two objects", `{"tags":"x"}{}`, nil, purges{}, "", nil, 400, "follows"},
		{"no JSON", `tags=x`, nil, purges{}, "", nil, 400, "body"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := Handler(Options{Cache: newCache(t), Purger: &tt.purger, Token: tt.token})
			w := httptest.NewRecorder()
			h.ServeHTTP(w, localRequest(t, http.MethodPost, "/http/purge", tt.body, tt.headers...))
			if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.want) || !json.Valid(w.Body.Bytes()) {
				t.Errorf("%d %s, want %d and %q", w.Code, w.Body, tt.status, tt.want)
			}
			var want []PurgeRequest
			if tt.asked != nil {
				want = append(want, *tt.asked)
			}
			if diff := cmp.Diff(want, tt.purger.asked); diff != "" {
				t.Errorf("asked for, -want +got:\n%s", diff)
			}
		})
	}
	t.Run("GET", func(t *testing.T) {
		w := httptest.NewRecorder()
		Handler(Options{Cache: newCache(t), Purger: &purges{}}).ServeHTTP(w, localRequest(t, http.MethodGet, "/http/purge", ""))
		if w.Code != http.StatusMethodNotAllowed {
			t.Errorf("status %d, want 405", w.Code)
		}
	})
	t.Run("no HTTP cache", func(t *testing.T) {
		h := Handler(Options{Cache: newCache(t)})
		if status, problem := answer(t, h, localRequest(t, http.MethodPost, "/http/purge", `{"all":true}`)); status != 404 || !strings.Contains(problem, "no HTTP cache") {
			t.Errorf("%d %s", status, problem)
		}
	})
}

func FuzzReadPurge(f *testing.F) {
	f.Add(`{"url":"https://h/","prefix":["a","b"],"tags":[],"soft":true}`)
	f.Add(`{"all":true}`)
	f.Add(`{"tags":null,"url":[null]}`)
	f.Fuzz(func(t *testing.T, body string) {
		p, err := readPurge(strings.NewReader(body))
		if err != nil {
			return
		}
		if n := len(slices.Concat(p.URLs, p.Prefixes, p.Tags)); p.All != (n == 0) || n > MaxPurge {
			t.Fatalf("readPurge(%q) = %+v", body, p)
		}
		text, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		again, err := readPurge(strings.NewReader(string(text)))
		if diff := fmt.Sprint(again) != fmt.Sprint(p); err != nil || diff {
			t.Fatalf("%s read again is %+v, %v, want %+v", text, again, err, p)
		}
	})
}
