package resp

import (
	"context"
	"math"
	"strings"
	"sync/atomic"

	"github.com/edgecache/edgecache/core"
)

// parameter is what CONFIG GET shows and, if it has a setting, CONFIG SET changes.
type parameter struct {
	name    string
	value   string
	setting *atomic.Int64
}

// parameters returns the parameters with their values of now. Those that clients ask for by habit are among them.
func (s *Server) parameters() []parameter {
	_, policy := s.evictionPolicy()
	return []parameter{
		{"maxclients", number(s.maxClients.Load()), &s.maxClients},
		{"timeout", number(s.idleTimeout.Load()), &s.idleTimeout},
		{"maxmemory", number(s.opts.MaxMemory), nil},
		{"maxmemory-policy", policy, nil},
		{"proto-max-bulk-len", number(s.opts.MaxBulk), nil},
		{"databases", "1", nil},
		{"save", "", nil},
		{"appendonly", "no", nil},
		{"protected-mode", yesNo(!s.opts.Unprotected), nil},
	}
}

// evictionPolicy returns the policy that local entries are evicted by, and the one of Redis's names that comes nearest.
func (s *Server) evictionPolicy() (own, redis string) {
	for _, t := range s.cache.Stats().Tiers {
		if own = t.Policy; own != "" {
			break
		}
	}
	switch name, _, _ := strings.Cut(own, ":"); {
	case strings.Contains(name, "lfu"):
		return own, "allkeys-lfu"
	case name == "random":
		return own, "allkeys-random"
	case name == "":
		return own, "noeviction"
	default:
		return own, "allkeys-lru"
	}
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// configGet is CONFIG GET pattern ...
func configGet(_ context.Context, c *conn, args [][]byte) {
	var found []parameter
	for _, p := range c.server.parameters() {
		for _, pattern := range args[2:] {
			if match(string(pattern), p.name) {
				found = append(found, p)
				break
			}
		}
	}
	c.dict(len(found))
	for _, p := range found {
		c.text(p.name)
		c.text(p.value)
	}
}

// configSet is CONFIG SET parameter value ... All values are checked before the first is set.
func configSet(_ context.Context, c *conn, args [][]byte) {
	if len(args)%2 != 0 {
		c.fail(syntaxError)
		return
	}
	parameters := c.server.parameters()
	for i := 2; i < len(args); i += 2 {
		if why := checkParameter(parameters, args[i], args[i+1]); why != "" {
			c.err(why)
			return
		}
	}
	for i := 2; i < len(args); i += 2 {
		if p := findParameter(parameters, args[i]); p.setting != nil {
			n, _ := core.ParseInt(args[i+1])
			p.setting.Store(n)
		}
	}
	c.ok()
}

func findParameter(parameters []parameter, name []byte) *parameter {
	for i := range parameters {
		if is(name, parameters[i].name) {
			return &parameters[i]
		}
	}
	return nil
}

// checkParameter says what is wrong with a setting, or "". A fixed parameter may be set to what it is.
func checkParameter(parameters []parameter, name, value []byte) string {
	p := findParameter(parameters, name)
	failed := "CONFIG SET failed (possibly related to argument '" + cString(name) + "') - "
	switch {
	case p == nil:
		return "Unknown option or number of arguments for CONFIG SET - '" + cString(name) + "'"
	case p.setting != nil:
		if n, ok := core.ParseInt(value); !ok || n < 0 || n > math.MaxInt32 || n == 0 && p.name == "maxclients" {
			return failed + "argument couldn't be parsed into an integer"
		}
		return ""
	case strings.EqualFold(p.value, string(value)):
		return ""
	default:
		return failed + "can't set immutable config"
	}
}
