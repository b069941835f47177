package trace_test

import (
	"testing"

	"github.com/edgecache/edgecache/bench/trace"
)

// logLine is one of an access log, with something behind.
func logLine(behind string) string {
	return `1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 203 ` + behind + "\n"
}

func TestWhatTheSourcesCacheDidIsCounted(t *testing.T) {
	for _, c := range []struct {
		what, source string
		hits, served int
	}{
		{"nginx", logLine(`"-" "agent" HIT`) + logLine(`"-" "agent" MISS`) + logLine(`"-" "agent" -`) + logLine(`"-" "agent" STALE`), 2, 3},
		{"nginx in quotes", logLine(`"-" "HIT me" 0.003 "EXPIRED"`) + logLine(`"-" "agent" 0.003 "REVALIDATED"`), 1, 2},
		{"Varnish", logLine(`"-" "agent" hit`) + logLine(`"-" "agent" miss`) + logLine(`"-" "agent" pass`), 1, 3},
		{"neither", logLine(`"-" "agent"`) + logLine(`"-" "HIT x"`), 0, 0},
		{"common", logLine(""), 0, 0},
		{"squid", "1066036250.603 310 c TCP_REFRESH_UNMODIFIED/200 12 GET http://a - DIRECT/h text/html\n" +
			"1066036250.603 310 c TCP_MISS/200 12 GET http://a - DIRECT/h text/html\n", 1, 2},
		{"memcached", "ts=1.2 gid=2 type=item_get key=foo status=not_found clsid=0 cfd=25 size=0\n" +
			"ts=1.2 gid=2 type=item_get key=foo status=found clsid=0 cfd=25 size=3\n", 1, 2},
	} {
		tr, err := load(t, "t", []byte(c.source), trace.Options{})
		if err != nil || tr.SourceHits != c.hits || tr.SourceServed != c.served {
			t.Errorf("%s: %d hits of %d, %v, want %d of %d", c.what, tr.SourceHits, tr.SourceServed, err, c.hits, c.served)
		}
	}
}
