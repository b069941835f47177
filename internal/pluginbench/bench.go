// Package pluginbench measures what a plugin costs a command.
package pluginbench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/hostabi"
	"github.com/edgecache/edgecache/plugins"
)

// Options say what to measure.
type Options struct {
	// Source is the plugin. All that its manifest asks for is granted.
	Source plugins.Source
	// Op is the command's operation, core.OpNone for get, or else the first that the manifest names.
	Op core.Op
	// Keys are those of the commands, taken in turn. There must be one.
	Keys []string
	// ValueSize is how long values are that commands write and find, in bytes.
	ValueSize int
	// Duration is about how long it may take.
	Duration time.Duration
}

// Result is what came out. Times are in nanoseconds and those of the plugin alone: what the same commands take without it
// is taken off.
type Result struct {
	Plugin  string `json:"plugin"`
	Version string `json:"version"`
	// Op is the commands' operation, Keys how many different keys they had.
	Op   string `json:"op"`
	Keys int    `json:"keys"`
	// Hooks are the hooks that the plugin has, one after the other. A pure plugin has "remembered" besides: "before" for
	// keys that the host remembers, while "before" itself is measured without that.
	Hooks []Hook `json:"hooks"`
	// Refused is the share of commands that the plugin refused, from 0 to 1.
	Refused float64 `json:"refused"`
	// InstanceBytes is the memory of one instance.
	InstanceBytes uint64 `json:"instance_bytes"`
	// LoadCold and LoadWarm are what loading takes the first time, and when compiled code is there.
	LoadCold time.Duration `json:"load_cold_ns"`
	LoadWarm time.Duration `json:"load_warm_ns"`
}

// Hook is what a call of one hook costs. For "observe" it is the cost of one event in a batch of 256.
type Hook struct {
	Hook string `json:"hook"`
	// NS is the median of batches, Unmetered the same of a guest that does not run on fuel.
	NS        float64 `json:"ns"`
	Unmetered float64 `json:"unmetered_ns"`
	// P50, P99 and P999 are of calls that were timed one by one. A clock that is read for each makes them coarse.
	P50  float64 `json:"p50_ns"`
	P99  float64 `json:"p99_ns"`
	P999 float64 `json:"p999_ns"`
	// Allocs is how often the host allocates, Fuel how many units the guest burns.
	Allocs float64 `json:"allocs"`
	Fuel   float64 `json:"fuel"`
}

// Run measures the plugin. A plugin that fails is an error.
func Run(ctx context.Context, o Options) (res *Result, err error) {
	if len(o.Keys) == 0 {
		return nil, errors.New("no keys are given")
	}
	m, err := grantAll(&o.Source)
	if err != nil {
		return nil, err
	}
	if o.Op == core.OpNone {
		o.Op = firstOp(m)
	}
	dir, err := os.MkdirTemp("", "edgecache-bench-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	r := &run{options: o, manifest: m, dir: dir, res: &Result{
		Plugin: m.Name, Version: m.Version, Op: o.Op.String(), Keys: len(o.Keys),
	}}
	for _, part := range []func(context.Context) error{r.loads, r.metered, r.unmetered} {
		if err := part(ctx); err != nil {
			return nil, err
		}
	}
	return r.res, nil
}

// grantAll grants what the source's manifest asks for, and returns it.
func grantAll(src *plugins.Source) (*hostabi.Manifest, error) {
	manifest := src.Manifest
	if manifest == nil {
		section, ok, err := hostabi.ReadManifest(src.Wasm)
		if err != nil {
			return nil, fmt.Errorf("module %w", err)
		}
		if !ok {
			return nil, errors.New("the module has no manifest, nor is there one beside it")
		}
		manifest = section
	}
	m, err := hostabi.ParseManifest(manifest)
	if err != nil {
		return nil, err
	}
	src.Grants.Needs, src.Grants.MemoryPages = m.Needs, m.MemoryPages
	return m, nil
}

// firstOp returns get if the manifest has it, or else the first operation on one key that it names.
func firstOp(m *hostabi.Manifest) core.Op {
	for _, name := range m.Ops {
		op, ok := core.ParseOp(name)
		if ok && OnOneKey(op) && !slices.Contains(m.Ops, core.OpGet.String()) {
			return op
		}
	}
	return core.OpGet
}

// OnOneKey reports whether the operation is on one key, as those are that can be measured.
func OnOneKey(op core.Op) bool { return core.OpNone < op && op < core.OpClear && !op.Many() }

// impure returns the source with a manifest that promises no purity, so that the guest itself is measured.
func impure(src plugins.Source, m *hostabi.Manifest) (plugins.Source, error) {
	changed := *m
	changed.Pure = false
	manifest, err := json.Marshal(&changed)
	src.Manifest = manifest
	return src, err
}
