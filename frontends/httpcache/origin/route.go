package origin

import (
	"cmp"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
)

// route is a Route as requests are matched against it.
type route struct {
	host, prefix string
	servers      []*server

	mu sync.Mutex // guards the turns of servers
}

func checkRoute(r *Route) error {
	switch {
	case len(r.Origins) == 0:
		return fmt.Errorf("the route %q has no origins", r.Host+r.Prefix)
	case len(r.Origins) > maxOrigins:
		return fmt.Errorf("the route %q has %d origins: %d are the most", r.Host+r.Prefix, len(r.Origins), maxOrigins)
	case r.Prefix != "" && r.Prefix[0] != '/':
		return fmt.Errorf("the route %q has a path that does not begin with a slash", r.Host+r.Prefix)
	case r.Host != strings.ToLower(r.Host) || strings.Contains(strings.TrimPrefix(r.Host, "*."), "*"):
		return fmt.Errorf("the route %q has a host that is no name in lower case, nor *. and one", r.Host+r.Prefix)
	case strings.HasPrefix(r.Host, "*.") && strings.Contains(r.Host, ":"):
		return fmt.Errorf("the route %q has a port behind a *.name: leave it out", r.Host+r.Prefix)
	}
	r.Prefix = strings.TrimSuffix(r.Prefix, "/")
	return nil
}

// maxOrigins is how many origins of a route an exchange can remember to have tried.
const maxOrigins = 64

// sortRoutes puts the routes in the order in which they are tried: hosts before names below one, these before all hosts; then
// longer ones before shorter ones.
func sortRoutes(routes []*route) error {
	slices.SortStableFunc(routes, func(a, b *route) int {
		return cmp.Or(cmp.Compare(kind(a.host), kind(b.host)), cmp.Compare(len(b.host), len(a.host)),
			cmp.Compare(a.host, b.host), cmp.Compare(len(b.prefix), len(a.prefix)), cmp.Compare(a.prefix, b.prefix))
	})
	for i := 1; i < len(routes); i++ {
		if a, b := routes[i-1], routes[i]; a.host == b.host && a.prefix == b.prefix {
			return fmt.Errorf("the route %q is given twice: give its origins together", a.host+a.prefix)
		}
	}
	return nil
}

// kind is the place of a route's host in the order: with a port, without, a wildcard, none.
func kind(host string) int {
	switch {
	case host == "":
		return 3
	case host[0] == '*':
		return 2
	case strings.Contains(host, ":"):
		return 0
	default:
		return 1
	}
}

// find returns the route of a request, or nil. host is as the client gave it, path without its encoding.
func (f *Forwarder) find(host, path string) *route {
	if len(f.routes) == 1 && f.routes[0].host == "" && f.routes[0].prefix == "" {
		return f.routes[0]
	}
	host = strings.ToLower(host)
	name := hostname(host)
	for _, r := range f.routes {
		if r.fitsHost(host, name) && r.fitsPath(path) {
			return r
		}
	}
	return nil
}

// hostname returns host without its port.
func hostname(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	return host
}

func (r *route) fitsHost(host, name string) bool {
	switch {
	case r.host == "" || r.host == host || r.host == name:
		return true
	case r.host[0] == '*':
		return len(name) > len(r.host)-1 && strings.HasSuffix(name, r.host[1:])
	default:
		return false
	}
}

func (r *route) fitsPath(path string) bool {
	rest, ok := strings.CutPrefix(path, r.prefix)
	return ok && (rest == "" || rest[0] == '/' || r.prefix == "")
}
