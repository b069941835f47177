//go:build wasip1

// ttl gives keys a time to live by their pattern. See ../README.md.
package main

import (
	"encoding/binary"

	edgecache "github.com/edgecache/edgecache/hostabi/sdk/go"
)

const (
	maxRules = 64
	maxTTL   = 315_360_000 // ten years in seconds
)

type rule struct {
	match  glob
	ttl    int64   // milliseconds
	jitter float64 // the largest share taken off
}

type plugin struct {
	rules []rule
	force bool // also over what the client asked for
	seed  uint64
}

func init() {
	var p plugin
	edgecache.Register(edgecache.Plugin{Init: p.configure, Before: p.before})
}

func main() {}

func (p *plugin) configure(config []byte) error {
	err := edgecache.ReadConfig(config, edgecache.Fields{
		"rules": func(r *edgecache.Reader) { r.Array(p.readRule) },
		"force": func(r *edgecache.Reader) { p.force = r.Bool() },
	})
	var random [8]byte
	edgecache.Random(random[:])
	p.seed = binary.LittleEndian.Uint64(random[:])
	return err
}

func (p *plugin) readRule(r *edgecache.Reader) {
	var n rule
	var hasMatch bool
	begin := r.Here()
	r.Object(edgecache.Fields{
		"match":  func(r *edgecache.Reader) { n.match, hasMatch = readGlob(r), true },
		"ttl_s":  func(r *edgecache.Reader) { n.ttl = r.Int(1, maxTTL) * 1000 },
		"jitter": func(r *edgecache.Reader) { n.jitter = r.Float(0, 1) },
	})
	switch {
	case !hasMatch || n.ttl == 0:
		r.FailAt(begin, "a rule needs match and ttl_s")
	case len(p.rules) == maxRules:
		r.FailAt(begin, "more than 64 rules")
	}
	p.rules = append(p.rules, n)
}

func (p *plugin) before(c *edgecache.Call) edgecache.Action {
	if !p.force && (c.TTL() != edgecache.TTLDefault || c.Op() == edgecache.OpExpire) {
		return edgecache.Continue
	}
	key := c.Key()
	for i := range p.rules {
		if r := &p.rules[i]; r.match.matches(key) {
			return c.Patch().TTL(p.draw(r)).Action()
		}
	}
	return edgecache.Continue
}

// draw returns the rule's time to live in milliseconds, less a random share of it.
func (p *plugin) draw(r *rule) int64 {
	if r.jitter == 0 {
		return r.ttl
	}
	share := r.jitter * float64(p.random()>>11) / (1 << 53)
	return max(r.ttl-int64(share*float64(r.ttl)), 1)
}

// random is SplitMix64 by Steele, Lea and Flood: https://doi.org/10.1145/2714064.2660195
func (p *plugin) random() uint64 {
	p.seed += 0x9e3779b97f4a7c15
	z := p.seed
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}
