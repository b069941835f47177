package admin

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/edgecache/edgecache/core"
)

// Stats is the body of /stats.
type Stats struct {
	Version string  `json:"version"`
	Uptime  float64 `json:"uptime_seconds"`
	// Commands counts commands, those on many keys once; Hits and Misses count the keys read.
	Commands  uint64  `json:"commands"`
	Hits      uint64  `json:"hits"`
	Misses    uint64  `json:"misses"`
	HitRatio  float64 `json:"hit_ratio"`
	Collapsed uint64  `json:"collapsed"`
	// Operations are the counts of each operation's outcomes, and under "total" their sum. What never happened is left
	// out.
	Operations map[string]map[string]uint64 `json:"operations"`
	Tiers      []Tier                       `json:"tiers"`
	// Plugins are the figures that plugins report, by name. One that can't be asked has only "error".
	Plugins map[string]json.RawMessage `json:"plugins"`
	RESP    *RESP                      `json:"resp,omitempty"`
	Files   any                        `json:"files,omitempty"`
	HTTP    any                        `json:"http,omitempty"`
}

// Tier is what one tier has counted. Entries and Bytes are -1 where the store does not tell. Policy
// is what a local tier evicts by, PolicyError why another one failed before it.
type Tier struct {
	Name         string `json:"name"`
	Hits         uint64 `json:"hits"`
	Misses       uint64 `json:"misses"`
	Errors       uint64 `json:"errors"`
	Failures     uint64 `json:"failures"`
	Breaker      string `json:"breaker,omitempty"`
	Entries      int64  `json:"entries"`
	Bytes        int64  `json:"bytes"`
	Evictions    int64  `json:"evictions"`
	DecodeErrors int64  `json:"decode_errors"`
	Policy       string `json:"policy,omitempty"`
	PolicyError  string `json:"policy_error,omitempty"`
}

func (o Options) serveStats(w http.ResponseWriter, _ *http.Request) {
	s := o.Cache.Stats()
	body := Stats{
		Version: o.Version, Uptime: time.Since(o.Started).Seconds(),
		Commands: s.Total(), Hits: s.Hits, Misses: s.Misses, Collapsed: s.Collapsed,
		Operations: operations(&s), Tiers: make([]Tier, len(s.Tiers)), Plugins: o.reports(),
	}
	if reads := s.Hits + s.Misses; reads > 0 {
		body.HitRatio = float64(s.Hits) / float64(reads)
	}
	for i, t := range s.Tiers {
		body.Tiers[i] = Tier(t)
	}
	if o.RESP != nil {
		figures := o.RESP()
		body.RESP = &figures
	}
	if o.Files != nil {
		body.Files = o.Files()
	}
	if o.HTTP != nil {
		body.HTTP = o.HTTP()
	}
	writeJSON(w, http.StatusOK, body)
}

func operations(s *core.Stats) map[string]map[string]uint64 {
	ops := make(map[string]map[string]uint64)
	for op := range s.Commands {
		counts := make(map[string]uint64)
		for outcome, n := range s.Commands[op] {
			if n > 0 {
				counts[core.Outcome(outcome).String()] = n
				counts["total"] += n
			}
		}
		if len(counts) > 0 {
			ops[core.Op(op).String()] = counts
		}
	}
	return ops
}

// reports asks every plugin for its figures, in which all commands that have ended are counted.
func (o Options) reports() map[string]json.RawMessage {
	reports := make(map[string]json.RawMessage)
	if o.Plugins == nil {
		return reports
	}
	o.Cache.Flush()
	for _, p := range o.Plugins() {
		r, err := p.Report()
		if err != nil {
			text, _ := json.Marshal(err.Error()) // a string always marshals
			reports[p.Name()] = json.RawMessage(`{"error":` + string(text) + `}`)
			continue
		}
		reports[p.Name()] = r.JSON(o.Cache.NamespacePath)
	}
	return reports
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	text, err := json.MarshalIndent(body, "", "  ")
	if err != nil {
		http.Error(w, "admin: "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(append(text, '\n')) // a client that went away has no use for an error
}
