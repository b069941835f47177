package redis

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestParseURL(t *testing.T) {
	for url, want := range map[string]target{
		"redis://localhost":                   {network: "tcp", addrs: []string{"localhost:6379"}},
		"redis://":                            {network: "tcp", addrs: []string{"localhost:6379"}},
		"redis://:6380":                       {network: "tcp", addrs: []string{"localhost:6380"}},
		"redis://h:1/3":                       {network: "tcp", addrs: []string{"h:1"}, db: 3},
		"redis://[::1]":                       {network: "tcp", addrs: []string{"[::1]:6379"}},
		"redis://[::1]:7":                     {network: "tcp", addrs: []string{"[::1]:7"}},
		"redis://u:p%40%2F@h":                 {network: "tcp", addrs: []string{"h:6379"}, username: "u", password: "p@/"},
		"redis://:p@h":                        {network: "tcp", addrs: []string{"h:6379"}, password: "p"},
		"redis://h?timeout=1s&pool_size=3":    {network: "tcp", addrs: []string{"h:6379"}, timeout: time.Second, poolSize: 3},
		"redis://h?protocol=2&client_name=me": {network: "tcp", addrs: []string{"h:6379"}, protocol: 2, clientName: "me"},
		"unix:///run/redis.sock":              {network: "unix", addrs: []string{"/run/redis.sock"}},
		"unix://u:p@/run/redis.sock?db=2":     {network: "unix", addrs: []string{"/run/redis.sock"}, username: "u", password: "p", db: 2},
		"redis+cluster://u:p@a:1,b,[::1]:2": {
			topology: cluster, network: "tcp", addrs: []string{"a:1", "b:6379", "[::1]:2"}, username: "u", password: "p",
		},
		"redis+sentinel://main@a,b:1/4": {
			topology: sentinel, network: "tcp", addrs: []string{"a:26379", "b:1"}, master: "main", db: 4,
		},
		"redis+sentinel://main:p@a?username=u&sentinel_username=su&sentinel_password=sp": {
			topology: sentinel, network: "tcp", addrs: []string{"a:26379"}, master: "main", username: "u", password: "p",
			sentinelUsername: "su", sentinelPassword: "sp",
		},
	} {
		t.Run(url, func(t *testing.T) {
			got, err := parseURL(url)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(want, *got, cmp.AllowUnexported(target{}), cmpopts.EquateEmpty()); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestParseURLOverTLS(t *testing.T) {
	for url, skip := range map[string]bool{
		"rediss://h:1":                     false,
		"rediss://h:1?skip_verify=true":    true,
		"rediss+cluster://h:1,i:2":         false,
		"rediss+sentinel://main@h:1,i:2/0": false,
	} {
		got, err := parseURL(url)
		if err != nil || got.tls == nil || got.tls.ServerName != "h" || got.tls.InsecureSkipVerify != skip {
			t.Errorf("parseURL(%q) = %+v, %v", url, got, err)
		}
	}
}

func TestParseURLErrors(t *testing.T) {
	for url, want := range map[string]string{
		"localhost:6379":                 "no scheme",
		"http://h":                       `scheme "http"`,
		"redis+ring://h":                 "cluster or sentinel",
		"unix+cluster:///s":              "scheme",
		"redis://a,b":                    "several hosts",
		"redis://h:port":                 `port "port"`,
		"redis://h:0":                    `port "0"`,
		"redis://h:70000":                `port "70000"`,
		"redis://h/x":                    `database "x"`,
		"redis://h/-1":                   `database "-1"`,
		"redis+cluster://h/1":            "only database 0",
		"redis+sentinel://h:1":           "master's name",
		"unix://h/run/redis.sock":        "socket",
		"unix://":                        "socket",
		"redis://h?pool=3":               "there are timeout, pool_size, protocol, client_name",
		"redis://h?db=3":                 `parameter "db"`,
		"redis://h?skip_verify=true":     `parameter "skip_verify"`,
		"redis://h?sentinel_password=p":  `parameter "sentinel_password"`,
		"redis://h?timeout=5":            "timeout=5",
		"redis://h?timeout=-5s":          "must be positive",
		"redis://h?pool_size=0":          "must be positive",
		"redis://h?protocol=4":           "must be 2 or 3",
		"rediss://h?skip_verify=perhaps": "skip_verify",
		"redis://u:secret%zz@h":          "escape",
		"redis://u:secret@h:6379:6379":   `host "h:6379:6379"`,
		"redis://u:secret@h/%zz":         "malformed",
	} {
		_, err := parseURL(url)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("parseURL(%q) = %v, want an error with %q", url, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("parseURL(%q) tells the password: %v", url, err)
		}
	}
}

func FuzzParseURL(f *testing.F) {
	f.Add("redis://u:p@h:1/2?timeout=1s")
	f.Add("redis+cluster://a:1,[::1]:2")
	f.Add("unix:///s?db=1")
	f.Fuzz(func(t *testing.T, url string) {
		got, err := parseURL(url)
		if err == nil && len(got.addrs) == 0 {
			t.Errorf("parseURL(%q) has no address", url)
		}
	})
}

func TestEscapeGlob(t *testing.T) {
	for in, want := range map[string]string{"": "", "a:b": "a:b", `*?[]\^-`: `\*\?\[\]\\^-`, "\x00\xff*": "\x00\xff\\*"} {
		if got := escapeGlob(in); got != want {
			t.Errorf("escapeGlob(%q) = %q, want %q", in, got, want)
		}
	}
}
