package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/edgecache/edgecache/hostabi"
	"github.com/edgecache/edgecache/plugins"
)

func (a *app) pluginInspectCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "inspect MODULE|FOLDER",
		Short: "Say what a module is and whether the host takes it, without running it",
		Long: `Say what a module is and whether the host takes it: its manifest, exports, imports, memory, size, digest, how
much fuel its code takes. Nothing of it runs. The status is 0 if the verdict is ok, and 1 if the module is refused.
What an operator must grant is listed; asking for it is no reason to refuse.`,
		Example: "  edgecache plugin inspect mine.wasm\n  edgecache plugin inspect mine.wasm -o json",
		Args:    arguments(1, 1, "module"),
	}
	out := bindFormat(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		report, err := inspectFile(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		if *out == "json" {
			err = writeJSON(a.out, report)
		} else {
			err = writeInspection(a.out, report)
		}
		if err == nil && report.Verdict != plugins.VerdictOK {
			err = fmt.Errorf("%s is refused: %s", args[0], report.Reason)
		}
		return err
	}
	return cmd
}

// inspectFile inspects the plugin at path. A file too large to be read is refused.
func inspectFile(ctx context.Context, path string) (*plugins.Inspection, error) {
	src, _, err := findPlugin(path)
	var large *sizeError
	switch {
	case errors.As(err, &large):
		return &plugins.Inspection{Verdict: plugins.VerdictRefused, Reason: large.Error(), Size: int(large.size)}, nil
	case err != nil:
		return nil, err
	default:
		return inspect(ctx, src)
	}
}

// inspect asks a host of its own about a plugin.
func inspect(ctx context.Context, src plugins.Source) (report *plugins.Inspection, err error) {
	host, err := plugins.NewHost(ctx, plugins.HostOptions{})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, host.Close(ctx)) }()
	return host.Inspect(src), nil
}

// writeInspection prints an inspection as tables.
func writeInspection(out io.Writer, r *plugins.Inspection) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "verdict\t%s\n", r.Verdict)
	if r.Reason != "" {
		fmt.Fprintf(w, "reason\t%s\n", r.Reason)
	}
	if m := r.Manifest; m != nil {
		writeManifest(w, m)
		fmt.Fprintf(w, "grants needed\t%s\n", words(r.Grants))
	}
	if r.Memory != nil {
		most := "no maximum"
		if r.Memory.Max >= 0 {
			most = fmt.Sprintf("at most %d", r.Memory.Max)
		}
		limit := "the host's limit grows with the objects"
		if r.Memory.Limit >= 0 {
			limit = fmt.Sprintf("the host's limit is %d", r.Memory.Limit)
		}
		fmt.Fprintf(w, "memory pages\t%d at first, %s; %s\n", r.Memory.Min, most, limit)
	}
	if f := r.Fuel; f != nil {
		fmt.Fprintf(w, "functions\t%d, with %d loops\n", f.Functions, f.Loops)
		unit := "call"
		if r.Manifest != nil && r.Manifest.ABI == hostabi.ABIPolicy {
			unit = "request"
		}
		fmt.Fprintf(w, "fuel\t%d units for a %s; %d if every instruction runs once, %d at most between two checks\n",
			f.PerCall, unit, f.Cost, f.LargestRun)
	}
	fmt.Fprintf(w, "size\t%d bytes\ndigest\t%s\n", r.Size, cmp.Or(r.Digest, "not computed"))
	writeExports(w, r.Exports)
	writeImports(w, r.Imports)
	return w.Flush()
}

func writeManifest(w io.Writer, m *hostabi.Manifest) {
	fmt.Fprintf(w, "name\t%s\nversion\t%s\nabi\t%s\n", m.Name, m.Version, m.ABI)
	if m.ABI == hostabi.ABIPolicy {
		fmt.Fprintf(w, "needs\t%s\n", words(m.Needs))
		return
	}
	if m.ABI == hostabi.ABIHTTP {
		fmt.Fprintf(w, "phases\t%s\nrequest headers\t%s\nresponse headers\t%s\nneeds\t%s\n",
			words(m.Phases), words(m.Headers), words(m.ResponseHeaders), words(m.Needs))
	} else {
		fmt.Fprintf(w, "hooks\t%s\nops\t%s\nneeds\t%s\n", words(m.Hooks), words(m.Ops), words(m.Needs))
	}
	if len(m.Keys) > 0 {
		fmt.Fprintf(w, "keys\t%q\n", m.Keys)
	}
	var traits []string
	for _, t := range []struct {
		name string
		has  bool
	}{{"pure", m.Pure}, {"pure key", m.PureKey}, {"lengthens", m.Lengthen}, {"stateful", m.Stateful}, {"lossy", m.Lossy}} {
		if t.has {
			traits = append(traits, t.name)
		}
	}
	fmt.Fprintf(w, "failure\t%s\ntraits\t%s\n", cmp.Or(m.Failure, hostabi.FailOpen), words(traits))
}

func words(all []string) string { return cmp.Or(strings.Join(all, ", "), "none") }

func writeExports(w io.Writer, exports []plugins.InspectedExport) {
	if len(exports) > 0 {
		fmt.Fprint(w, "\nEXPORT\tKIND\tTYPE\n")
	}
	for _, e := range exports {
		fmt.Fprintf(w, "%s\t%s\t%s\n", e.Name, e.Kind, e.Type)
	}
}

func writeImports(w io.Writer, imports []plugins.InspectedImport) {
	if len(imports) > 0 {
		fmt.Fprint(w, "\nIMPORT\tKIND\tTYPE\tALLOWED\n")
	}
	for _, i := range imports {
		fmt.Fprintf(w, "%s.%s\t%s\t%s\t%s\n", i.Module, i.Name, i.Kind, i.Type, cmp.Or(i.Reason, "yes"))
	}
}
