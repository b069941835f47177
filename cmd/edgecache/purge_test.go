package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/edgecache/edgecache/frontends/admin"
)

// purgeLog is an admin.Purger that notes what it was asked for.
type purgeLog struct {
	mu     sync.Mutex
	asked  []admin.PurgeRequest
	result admin.PurgeResult
}

func (p *purgeLog) Purge(_ context.Context, r admin.PurgeRequest) (admin.PurgeResult, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = append(p.asked, r)
	p.result.Purged = len(r.URLs) + len(r.Prefixes) + len(r.Tags)
	return p.result, nil
}

// TestPurgeCommand runs the command against an admin frontend.
func TestPurgeCommand(t *testing.T) {
	many := make([]string, admin.MaxPurge+1)
	for i := range many {
		many[i] = fmt.Sprint("https://h/", i)
	}
	for name, c := range map[string]struct {
		args  []string
		token string // what the frontend asks for
		code  int
		out   string
		err   string
		asked []admin.PurgeRequest
	}{
		"urls": {[]string{"https://h/1", "https://h/2"}, "", 0, "OK\n", "", []admin.PurgeRequest{{URLs: admin.Texts{"https://h/1", "https://h/2"}}}},
		"all kinds": {
			[]string{"https://h/1", "--tag", "a,b", "--tag", "c", "--prefix", "https://h/b/", "--soft"},
			"", 0, "OK\n", "",
			[]admin.PurgeRequest{{
				URLs: admin.Texts{"https://h/1"}, Tags: admin.Texts{"a,b", "c"}, Prefixes: admin.Texts{"https://h/b/"}, Soft: true,
			}},
		},
		"everything": {[]string{"--all", "--admin-token", "s"}, "s", 0, "OK\n", "", []admin.PurgeRequest{{All: true}}},
		"json":       {[]string{"--tag", "a", "-o", "json"}, "", 0, `{"purged":1,"shared":true}` + "\n", "", []admin.PurgeRequest{{Tags: admin.Texts{"a"}}}},
		"many": {
			many, "", 0, "OK\n", "",
			[]admin.PurgeRequest{{URLs: admin.Texts(many[:admin.MaxPurge])}, {URLs: admin.Texts(many[admin.MaxPurge:])}},
		},
		"token missing": {[]string{"--all"}, "s", 1, "", "--admin-token", nil},
		"nothing":       {[]string{"--soft"}, "", 2, "", "--all alone", nil},
		"all and more":  {[]string{"--all", "u"}, "", 2, "", "--all alone", nil},
	} {
		t.Run(name, func(t *testing.T) {
			log := &purgeLog{result: admin.PurgeResult{Shared: true}}
			server := httptest.NewServer(admin.Handler(admin.Options{Purger: log, Token: c.token}))
			defer server.Close()
			env := map[string]string{"EDGECACHE_ADMIN": server.Listener.Addr().String()}
			got := edgecache(t, env, "", append([]string{"purge"}, c.args...)...)
			if got.code != c.code || got.out != c.out || !strings.Contains(got.errOut, c.err) {
				t.Errorf("%+v, want code %d, %q and %q", got, c.code, c.out, c.err)
			}
			if diff := cmp.Diff(c.asked, log.asked); diff != "" {
				t.Errorf("asked for, -want +got:\n%s", diff)
			}
		})
	}
	t.Run("other nodes do not know", func(t *testing.T) {
		log := &purgeLog{result: admin.PurgeResult{Detail: "redis is away"}}
		server := httptest.NewServer(admin.Handler(admin.Options{Purger: log}))
		defer server.Close()
		got := edgecache(t, map[string]string{"EDGECACHE_ADMIN": server.Listener.Addr().String()}, "", "purge", "--all", "-o", "json")
		var r admin.PurgeResult
		if err := json.Unmarshal([]byte(got.out), &r); err != nil || got.code != 0 || r.Shared || !strings.Contains(got.errOut, "redis is away") {
			t.Errorf("%+v, %v", got, err)
		}
	})
}
