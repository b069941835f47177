package memcached

import (
	"fmt"
	"net"

	"github.com/bradfitz/gomemcache/memcache"
	"github.com/cespare/xxhash/v2"
)

// selector finds the server of a key by rendezvous hashing: every server draws a number for the key, and the highest
// has it. Both clients use it. It does not change once the backend is open.
type selector struct{ servers []*server }

var _ memcache.ServerSelector = (*selector)(nil)

func (sel *selector) add(s *server) error {
	for _, other := range sel.servers {
		if other.addr == s.addr {
			return fmt.Errorf("memcached: server %s is listed twice", s.addr)
		}
	}
	sel.servers = append(sel.servers, s)
	return nil
}

// pick returns the server of a stored key.
func (sel *selector) pick(stored string) *server {
	best := sel.servers[0]
	if len(sel.servers) == 1 {
		return best
	}
	key, highest := xxhash.Sum64String(stored), uint64(0)
	for _, s := range sel.servers {
		if n := mix(key ^ s.seed); n > highest {
			best, highest = s, n
		}
	}
	return best
}

// mix spreads every bit of x over all of the result: MurmurHash3's finalizer.
func mix(x uint64) uint64 {
	x = (x ^ x>>33) * 0xff51afd7ed558ccd
	x = (x ^ x>>33) * 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}

// PickServer is for gomemcache.
func (sel *selector) PickServer(stored string) (net.Addr, error) { return sel.pick(stored).addr, nil }

// Each is for gomemcache.
func (sel *selector) Each(fn func(net.Addr) error) error {
	for _, s := range sel.servers {
		if err := fn(s.addr); err != nil {
			return err
		}
	}
	return nil
}
