package plugins

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"github.com/edgecache/edgecache/hostabi"
	"github.com/edgecache/edgecache/plugins/meter"
)

// Inspection is what can be told about a module of which nothing has run. What could not be read is zero or nil.
type Inspection struct {
	// Verdict is VerdictOK or VerdictRefused, Reason why it is refused.
	Verdict string `json:"verdict"`
	Reason  string `json:"reason"`
	// Name and Version are the manifest's, which follows as a whole.
	Name     string            `json:"name"`
	Version  string            `json:"version"`
	Manifest *hostabi.Manifest `json:"manifest"`
	// Grants are what an operator must grant before the plugin loads: capabilities, and "memory_pages".
	Grants []string `json:"grants_needed"`
	// Exports and Imports are in the module's order.
	Exports []InspectedExport `json:"exports"`
	Imports []InspectedImport `json:"imports"`
	// Memory is in pages of 64 KiB.
	Memory *InspectedMemory `json:"memory"`
	Fuel   *InspectedFuel   `json:"fuel"`
	// Size is the module's in bytes, Digest "sha256:" and its SHA-256 in hexadecimal.
	Size   int    `json:"size"`
	Digest string `json:"digest"`
}

// The verdicts.
const (
	VerdictOK      = "ok"
	VerdictRefused = "refused"
)

// InspectedExport is an export. Type is a function's.
type InspectedExport struct {
	Name string `json:"name"`
	Kind string `json:"kind"`
	Type string `json:"type,omitempty"`
}

// InspectedImport is an import. Reason says why it is not allowed.
type InspectedImport struct {
	Module  string `json:"module"`
	Name    string `json:"name"`
	Kind    string `json:"kind"`
	Type    string `json:"type,omitempty"`
	Allowed bool   `json:"allowed"`
	Reason  string `json:"reason,omitempty"`
}

// InspectedMemory is what the module's memory begins with, how far it would grow, -1 if it does not say, and how far the
// host lets it, -1 for a policy, where the number of objects decides.
type InspectedMemory struct {
	Min   int64 `json:"min"`
	Max   int64 `json:"max"`
	Limit int64 `json:"limit"`
}

// InspectedFuel is what is known of the module's use of fuel. Units are those of package meter.
type InspectedFuel struct {
	// PerCall is the most that a hook may burn in a call, or a policy for a request.
	PerCall int64 `json:"per_call"`
	// Functions and Loops are how many there are, Cost what all of their instructions cost once, LargestRun the most that
	// runs between two looks at the fuel.
	Functions  int   `json:"functions"`
	Loops      int   `json:"loops"`
	Cost       int64 `json:"cost"`
	LargestRun int64 `json:"largest_run"`
}

// Inspect says what a source is and whether Load would take it if all that its manifest asks for were granted. Nothing of
// the module runs: what its initialization, or its configuration, makes of a plugin, only Load finds out.
func (h *Host) Inspect(src Source) *Inspection {
	r := &Inspection{Verdict: VerdictOK, Size: len(src.Wasm)}
	sum := sha256.Sum256(src.Wasm)
	r.Digest = "sha256:" + hex.EncodeToString(sum[:])
	if m, err := src.manifest(); err == nil {
		r.Name, r.Version, r.Manifest = m.Name, m.Version, m
		r.Grants = src.Grants.grant(m)
	}
	if err := h.inspectModule(&src, r); err != nil {
		r.Verdict, r.Reason = VerdictRefused, err.Error()
	}
	return r
}

// inspectModule describes the module, and returns why it would be refused.
func (h *Host) inspectModule(src *Source, r *Inspection) (err error) {
	defer recoverAs(&err)
	if mod, err := hostabi.ParseModule(src.Wasm); err == nil {
		r.describe(mod)
		r.fuel(mod, src)
	}
	if r.Manifest != nil && r.Manifest.ABI == hostabi.ABIPolicy {
		return h.inspectPolicy(src)
	}
	p := &Plugin{host: h, name: r.Name, abi: hostabi.ABIHook}
	if r.Manifest != nil {
		p.abi = r.Manifest.ABI
	}
	v, err := p.prepare(src)
	if err != nil {
		return err
	}
	return v.compiled.Close(context.Background())
}

// inspectPolicy returns why an eviction policy would be refused.
func (h *Host) inspectPolicy(src *Source) error {
	m, err := h.preparePolicy(src)
	if err != nil {
		return err
	}
	if _, _, err := m.compile(max(m.least, m.pagesFor(&hostabi.PolicySpec{}))); err != nil {
		return err
	}
	return m.Close(context.Background())
}

// grant adds what the manifest asks for and is not granted to the grants, and returns that.
func (g *Grants) grant(m *hostabi.Manifest) []string {
	asked := []string{}
	for _, need := range m.Needs {
		if !slices.Contains(offered(), need) {
			asked = append(asked, need)
		}
	}
	if m.Lengthen && !slices.Contains(g.Needs, lengthen) {
		asked = append(asked, lengthen)
	}
	g.Needs = append(slices.Clip(g.Needs), asked...)
	if m.MemoryPages > g.mostPages() {
		g.MemoryPages = m.MemoryPages
		asked = append(asked, "memory_pages")
	}
	return asked
}

// describe lists the module's parts.
func (r *Inspection) describe(mod *hostabi.Module) {
	m := r.Manifest
	if m == nil {
		m = &hostabi.Manifest{}
	}
	r.Exports, r.Imports = []InspectedExport{}, []InspectedImport{}
	for _, e := range mod.Exports {
		r.Exports = append(r.Exports, InspectedExport{e.Name, hostabi.KindName(e.Kind), functionType(e.Kind, e.Signature)})
	}
	for _, i := range mod.Imports {
		one := InspectedImport{Module: i.Module, Name: i.Name, Kind: hostabi.KindName(i.Kind), Type: functionType(i.Kind, i.Signature)}
		err := checkImport(i, m)
		if one.Allowed = err == nil; err != nil {
			one.Reason = err.Error()
		}
		r.Imports = append(r.Imports, one)
	}
	if len(mod.Memories) == 1 {
		r.Memory = &InspectedMemory{Min: int64(mod.Memories[0].Min), Max: -1, Limit: int64(cmp.Or(m.MemoryPages, hostabi.DefaultMemoryPages))}
		if m.ABI == hostabi.ABIPolicy {
			r.Memory.Limit = -1
		}
		if mod.Memories[0].HasMax {
			r.Memory.Max = int64(mod.Memories[0].Max)
		}
	}
}

func functionType(kind byte, s hostabi.Signature) string {
	if kind != hostabi.KindFunction {
		return ""
	}
	return s.String()
}

// fuel fills in what the meter makes of the module, if it takes it.
func (r *Inspection) fuel(mod *hostabi.Module, src *Source) {
	_, info, err := meter.Rewrite(src.Wasm, meter.Options{})
	if err != nil {
		return
	}
	r.Fuel = &InspectedFuel{Functions: info.Functions, Loops: info.Loops, Cost: info.Cost, LargestRun: info.LargestRun}
	switch {
	case r.Manifest == nil:
	case r.Manifest.ABI == hostabi.ABIPolicy:
		r.Fuel.PerCall = cmp.Or(src.Grants.Fuel, r.Manifest.Fuel, policyFuel)
	default:
		r.Fuel.PerCall = src.allowances(r.Manifest, usesWASI(mod), defaultTimeout)[callHook].full
	}
}
