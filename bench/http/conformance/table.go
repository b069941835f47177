package main

import (
	"fmt"
	"os"
	"text/tabwriter"
)

// table prints how many tests of each kind the caches pass, and how the other required ones ended.
func table(targets []target, results []*result) {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 1, ' ', tabwriter.Debug)
	fmt.Fprintln(w, "cache\trequired\tfail\tdependency\tsetup and other\toptimal\tcheck: yes")
	for i, t := range targets {
		count := results[i].count()
		required := count("required", "")
		passed, failed, depends := count("required", "pass"), count("required", "fail"), count("required", "dependency")
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%d\t%s\t%s\n", t.name, share(passed, required), failed, depends,
			required-passed-failed-depends, share(count("optimal", "pass"), count("optimal", "")),
			share(count("check", "yes"), count("check", "")))
	}
	_ = w.Flush() // to stdout, as the rest
}

// count returns how many tests of a kind had an outcome, or with "" how many there are.
func (r *result) count() func(kind, outcome string) int {
	n := map[[2]string]int{}
	for _, t := range r.Tests {
		n[[2]string{t.Kind, t.Outcome}]++
		n[[2]string{t.Kind, ""}]++
	}
	return func(kind, outcome string) int { return n[[2]string{kind, outcome}] }
}

func share(n, of int) string {
	if of == 0 {
		return "-"
	}
	return fmt.Sprintf("%d/%d (%.1f %%)", n, of, 100*float64(n)/float64(of))
}
