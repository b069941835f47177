package trace

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Options say how a trace is read. The zero value guesses everything and takes all of it.
type Options struct {
	// Format is the name of one of Formats. Empty: it is guessed from the file's name and its first bytes.
	Format string
	// Columns say where CSV and JSON lines have what: "time=1,key=2,size=3", counted from 1, or by name as in "key=url".
	// What is given replaces what is guessed from the header. JSON lines take a path: "key=request.url".
	Columns string
	// Ops are the operations that are taken, such as "get" or "get,set". Empty: all, or for access logs "get". Where a
	// source has no operations, all requests are "get".
	Ops string
	// Sample is which part of the objects is taken, chosen by a hash of their keys. Zero means all.
	Sample float64
	// Seed chooses which part.
	Seed uint64
	// From and To bound the time of what is taken, From being in and To out, in the source's own unit; where it has none, a
	// request's time is its position. A To of zero means the end.
	From, To int64
	// Split cuts requests for block devices into blocks of so many bytes, each an object of its own. Zero does not.
	Split uint32
	// Lifetimes has gets that say nothing of the lifetime of their object say what was said of it last, also by requests that Ops
	// leaves out: so long lives what a cache fetches for them. A source without lifetimes is an error.
	Lifetimes bool
	// VerifyKeys keeps the keys of all objects, so that those whose 64-bit hashes are the same are told apart. It takes as
	// much memory as the keys have bytes.
	VerifyKeys bool
	// HeavyTail gives objects the sizes of Trace.GiveHeavyTail instead of their own.
	HeavyTail bool
	// SkipBad is how many bad records are passed over. One more is an error.
	SkipBad int
	// Cache keeps what was read beside the file, with ".ect" behind its name, and takes it from there the next time if the
	// file is the same. Where the folder can't be written, nothing is kept.
	Cache bool

	everyOp bool // Ops are taken later: what the others do has a meaning before
}

// filtered reports whether something may be left out.
func (o *Options) filtered() bool {
	return o.Ops != "" || o.Sample != 0 || o.From != 0 || o.To != 0
}

func (o *Options) validate() error {
	switch {
	case o.Format != "" && !slices.Contains(Formats(), o.Format):
		return fmt.Errorf("trace: no format is called %q: there are %s", o.Format, strings.Join(Formats(), ", "))
	case math.IsNaN(o.Sample) || o.Sample < 0 || o.Sample > 1:
		return fmt.Errorf("trace: a sample of %v is not between 0 and 1", o.Sample)
	case o.To != 0 && o.To <= o.From:
		return fmt.Errorf("trace: nothing is between %d and %d", o.From, o.To)
	case o.SkipBad < 0:
		return fmt.Errorf("trace: %d bad records can't be passed over", o.SkipBad)
	}
	_, err := parseOps(o.Ops)
	return err
}
