package plugins

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/edgecache/edgecache/hostabi"
)

// maxTable bounds a table's elements: tables grow outside of the memory limit.
const maxTable = 1 << 16

// wasiFunctions returns what may be imported from WASI: what the runtimes of Go and wasi-libc can't do without. There are
// no files, arguments, variables or sockets behind them.
func wasiFunctions() []string {
	return []string{
		"args_get", "args_sizes_get", "environ_get", "environ_sizes_get", "clock_time_get", "fd_write", "poll_oneoff",
		"proc_exit", "random_get", "sched_yield",
		"fd_close", "fd_fdstat_get", "fd_prestat_get", "fd_prestat_dir_name", "fd_read", "fd_seek", // wasi-libc's stdio
		"fd_fdstat_set_flags", // Go's os package
	}
}

// offered returns the capabilities that everyone gets, all of them harmless. The others are for an operator to grant.
func offered() []string { return []string{"clock", "hash", "log", "rng"} }

// lengthen is what an operator grants to hooks of HTTP whose manifest asks for it.
const lengthen = "lengthen"

// checkNeeds reports a capability that the plugin needs and does not get.
func checkNeeds(m *hostabi.Manifest, g Grants) error {
	for _, need := range m.Needs {
		if !slices.Contains(offered(), need) && !slices.Contains(g.Needs, need) {
			return fmt.Errorf("manifest: needs capability %q, which it was not granted", need)
		}
	}
	if m.Lengthen && !slices.Contains(g.Needs, lengthen) {
		return fmt.Errorf("manifest: asks for %s, to keep responses that no-store, private or Authorization forbid to keep, which "+
			"it was not granted", lengthen)
	}
	return nil
}

// checkModule reports what keeps a module from being run as what its manifest says. None of its code has run.
func checkModule(mod *hostabi.Module, m *hostabi.Manifest, pages uint32) error {
	if mod.HasStart {
		return fmt.Errorf("module has a start function, which would run before anything is set up: export it as %s",
			hostabi.ExportInitialize)
	}
	if err := checkMemory(mod, pages); err != nil {
		return err
	}
	for _, i := range mod.Imports {
		if err := checkImport(i, m); err != nil {
			return fmt.Errorf("import %s.%s: %w", i.Module, i.Name, err)
		}
	}
	if err := checkMarker(mod, m.Marker()); err != nil {
		return err
	}
	if m.ABI == hostabi.ABIPolicy {
		return checkExports(mod, hostabi.PolicySignatures(), policyRequired(mod))
	}
	if m.ABI == hostabi.ABIHTTP {
		return checkExports(mod, hostabi.HTTPSignatures(), required(mod, m))
	}
	return checkExports(mod, hostabi.ExportSignatures(), required(mod, m))
}

// policyRequired returns the exports that an eviction policy must have.
func policyRequired(mod *hostabi.Module) []requirement {
	const why = "a policy"
	all := []requirement{{hostabi.ExportBuf, why}, {hostabi.ExportPolicyInit, why}, {hostabi.ExportPolicyRemove, why}}
	if mod.Export(hostabi.ExportPolicyBatch) == nil {
		why := "a policy without " + hostabi.ExportPolicyBatch
		for _, name := range eventExports() {
			all = append(all, requirement{name, why})
		}
	}
	return all
}

// eventExports returns what a policy exports that is asked by events.
func eventExports() []string {
	return []string{hostabi.ExportPolicyHit, hostabi.ExportPolicyInsert, hostabi.ExportPolicyEvict}
}

func checkMemory(mod *hostabi.Module, pages uint32) error {
	switch e := mod.Export(hostabi.ExportMemory); {
	case e == nil || e.Kind != hostabi.KindMemory || len(mod.Memories) != 1:
		return fmt.Errorf("export %s: the module must have one memory and export it", hostabi.ExportMemory)
	case mod.Memories[0].Min > pages:
		return fmt.Errorf("memory begins with %d pages: at most %d are allowed: raise memory_pages in the manifest, and in the "+
			"grants beyond %d", mod.Memories[0].Min, pages, defaultMaxPages)
	}
	return nil
}

func checkImport(i hostabi.Import, m *hostabi.Manifest) error {
	switch {
	case i.Kind != hostabi.KindFunction:
		return fmt.Errorf("is a %s: only functions can be imported", hostabi.KindName(i.Kind))
	case i.Module == hostabi.WASIModule:
		if !slices.Contains(wasiFunctions(), i.Name) {
			return errors.New("is not among the WASI functions that guests get")
		}
		return nil
	case i.Module != hostabi.ImportModule:
		return fmt.Errorf("is of an unknown module: guests import from %s (and a part of %s)",
			hostabi.ImportModule, hostabi.WASIModule)
	}
	for _, f := range hostabi.HostFunctions() {
		if f.Name == i.Name {
			return checkFunction(f, i, m)
		}
	}
	return errors.New("is not known to this version of the host")
}

func checkFunction(f hostabi.HostFunction, i hostabi.Import, m *hostabi.Manifest) error {
	switch {
	case f.Signature != i.Signature:
		return fmt.Errorf("has type %v: it must be %v", i.Signature, f.Signature)
	case f.Needs != "" && !m.NeedsCapability(f.Needs):
		return fmt.Errorf("belongs to capability %q: list it under needs in the manifest", f.Needs)
	}
	return nil
}

// checkMarker reports a module of another ABI, or of none.
func checkMarker(mod *hostabi.Module, marker string) error {
	if e := mod.Export(marker); e != nil {
		return nil // checkExports looks at its type
	}
	for _, e := range mod.Exports {
		if strings.HasPrefix(e.Name, "edgecache_abi_") {
			return fmt.Errorf("export %s: the module was built for another ABI: this host speaks %s", e.Name, marker)
		}
	}
	return fmt.Errorf("export %s is missing: is this a plugin?", marker)
}

// checkExports reports an export that is missing or of the wrong type.
func checkExports(mod *hostabi.Module, signatures map[string]hostabi.Signature, needed []requirement) error {
	for _, e := range mod.Exports {
		want, ok := signatures[e.Name]
		switch {
		case !ok:
		case e.Kind != hostabi.KindFunction:
			return fmt.Errorf("export %s is a %s: it must be a function %v", e.Name, hostabi.KindName(e.Kind), want)
		case e.Signature != want:
			return fmt.Errorf("export %s has type %v: it must be %v", e.Name, e.Signature, want)
		}
	}
	for _, r := range needed {
		if mod.Export(r.export) == nil {
			return fmt.Errorf("export %s is missing: %s needs it", r.export, r.why)
		}
	}
	return nil
}

type requirement struct{ export, why string }

// required returns the exports that the manifest and other exports ask for.
func required(mod *hostabi.Module, m *hostabi.Manifest) []requirement {
	var all []requirement
	for _, hook := range m.Hooks {
		why := fmt.Sprintf("hook %q", hook)
		switch hook {
		case hostabi.HookBefore:
			all = append(all, requirement{hostabi.ExportBuf, why}, requirement{hostabi.ExportBefore, why})
		case hostabi.HookAfter:
			all = append(all, requirement{hostabi.ExportBuf, why}, requirement{hostabi.ExportAfter, why})
		case hostabi.HookObserve:
			all = append(all, requirement{hostabi.ExportEvents, why}, requirement{hostabi.ExportObserve, why})
		}
	}
	for _, phase := range m.Phases {
		why := fmt.Sprintf("phase %q", phase)
		if phase == hostabi.HTTPPhaseEvent {
			all = append(all, requirement{hostabi.ExportEvents, why}, requirement{hostabi.ExportObserve, why})
		} else {
			all = append(all, requirement{hostabi.ExportBuf, why}, requirement{hostabi.ExportHTTP, why})
		}
	}
	if mod.Export(hostabi.ExportInit) != nil {
		all = append(all, requirement{hostabi.ExportBuf, hostabi.ExportInit})
	}
	if len(m.Stats) > 0 {
		all = append(all, requirement{hostabi.ExportStats, "stats of the manifest"})
	}
	return all
}

// usesWASI reports whether the module imports from WASI.
func usesWASI(mod *hostabi.Module) bool {
	return slices.ContainsFunc(mod.Imports, func(i hostabi.Import) bool { return i.Module == hostabi.WASIModule })
}
