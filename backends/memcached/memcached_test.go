package memcached

import (
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/edgecache/edgecache/backends/backendtest"
	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/internal/testserver"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// slow is time enough for servers on a busy machine.
const slow = 10 * time.Second

func start(t testing.TB, n int, args ...string) (addrs []string) {
	t.Helper()
	for range n {
		addrs = append(addrs, testserver.Memcached(t, args...).Addr())
	}
	return addrs
}

func open(t testing.TB, servers []string, opts Options) *Backend {
	t.Helper()
	if opts.Timeout == 0 {
		opts.Timeout = slow
	}
	b, err := Open(servers, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

func TestConformance(t *testing.T) {
	for _, c := range []struct {
		name    string
		servers int
		opts    Options
		limits  backendtest.Limits
	}{
		{"Enveloped", 1, Options{}, enveloped},
		{"EnvelopedOwned", 1, Options{Owned: true, MaxConns: 2}, enveloped},
		{"EnvelopedThreeServers", 3, Options{}, enveloped},
		{"Raw", 1, Options{Values: Raw}, rawLimits},
		{"RawThreeServers", 3, Options{Values: Raw}, rawLimits},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel() // most of the time goes by waiting for seconds to end
			servers := start(t, c.servers, "-m", "64")
			c.limits.Run(t, func(t *testing.T) core.Backend {
				b := open(t, servers, c.opts)
				if err := b.plain.FlushAll(); err != nil {
					t.Fatal(err)
				}
				return b
			})
		})
	}
}

var (
	enveloped = backendtest.Limits{NumberResolution: time.Second}
	rawLimits = backendtest.Limits{
		Resolution: time.Second, NoVersion: true, NoCodec: true, LooseNumbers: true,
	}
)
