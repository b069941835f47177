//go:build wasip1

// httpttl gives responses a time to live by their content type. See ../README.md.
package main

import (
	"bytes"
	"strings"

	edgecache "github.com/edgecache/edgecache/hostabi/sdk/go"
)

const (
	maxRules = 64
	maxTTL   = 315_360_000 // ten years in seconds
)

// The manifest's response_headers.
const (
	contentType = iota
	cacheControl
)

type rule struct {
	match    string // type/subtype, type/* or */*
	ttl, swr int64  // milliseconds
	tag      string
}

type plugin struct {
	rules []rule
	force bool // also over what the origin says
}

func init() {
	p := plugin{rules: []rule{
		{match: "image/*", ttl: 86_400_000, swr: 3_600_000},
		{match: "font/*", ttl: 86_400_000, swr: 3_600_000},
		{match: "text/css", ttl: 3_600_000, swr: 60_000},
		{match: "text/javascript", ttl: 3_600_000, swr: 60_000},
	}}
	edgecache.Register(edgecache.Plugin{Init: p.configure, HTTP: p.response})
}

func main() {}

func (p *plugin) configure(config []byte) error {
	return edgecache.ReadConfig(config, edgecache.Fields{
		"rules": func(r *edgecache.Reader) {
			p.rules = nil
			r.Array(p.readRule)
		},
		"force": func(r *edgecache.Reader) { p.force = r.Bool() },
	})
}

func (p *plugin) readRule(r *edgecache.Reader) {
	var n rule
	begin := r.Here()
	r.Object(edgecache.Fields{
		"type":  func(r *edgecache.Reader) { n.match = strings.ToLower(r.Text()) },
		"ttl_s": func(r *edgecache.Reader) { n.ttl = r.Int(0, maxTTL) * 1000 },
		"swr_s": func(r *edgecache.Reader) { n.swr = r.Int(0, maxTTL) * 1000 },
		"tag":   func(r *edgecache.Reader) { n.tag = r.Text() },
	})
	switch {
	case !strings.Contains(n.match, "/"):
		r.FailAt(begin, "a rule needs a type, such as image/* or text/html")
	case len(p.rules) == maxRules:
		r.FailAt(begin, "more than 64 rules")
	}
	p.rules = append(p.rules, n)
}

// response gives a response the time of the first rule that fits it.
func (p *plugin) response(f *edgecache.Frame, v *edgecache.Verdict) {
	if f.Barred() || f.Status() != 200 {
		return
	}
	if _, says := f.ResponseHeader(cacheControl); says && !p.force {
		return
	}
	kind, _ := f.ResponseHeader(contentType)
	kind, _, _ = bytes.Cut(kind, []byte(";"))
	name := strings.ToLower(string(bytes.TrimSpace(kind)))
	for i := range p.rules {
		if r := &p.rules[i]; r.fits(name) {
			r.apply(v)
			return
		}
	}
}

// fits reports whether the rule is for a content type in lower case.
func (r *rule) fits(kind string) bool {
	if main, ok := strings.CutSuffix(r.match, "/*"); ok {
		return main == "*" || strings.HasPrefix(kind, main) && strings.HasPrefix(kind[len(main):], "/")
	}
	return r.match == kind
}

// apply says what the rule says. A time of 0 keeps the response out.
func (r *rule) apply(v *edgecache.Verdict) {
	v.Store(r.ttl > 0)
	v.TTL(r.ttl)
	v.SWR(r.swr)
	if r.tag != "" && r.ttl > 0 {
		v.Tag(r.tag)
	}
}
