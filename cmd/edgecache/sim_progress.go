package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/edgecache/edgecache/bench/sim"
)

// simProgress is a line on a terminal that says how far a simulation is.
type simProgress struct {
	out   io.Writer
	shown bool
}

// clearLine brings a terminal back to the start of the line and wipes it out.
const clearLine = "\r\x1b[K"

func (p *simProgress) show(now sim.Progress) {
	p.shown = true
	left := time.Duration(float64(now.Elapsed) / float64(now.Done) * float64(now.Jobs-now.Done))
	fmt.Fprintf(p.out, clearLine+"%d of %d caches, %.0f Mreq/s, about %v left",
		now.Done, now.Jobs, float64(now.Requests)/1e6/now.Elapsed.Seconds(), left.Round(100*time.Millisecond))
}

// clear takes the line away.
func (p *simProgress) clear() {
	if p.shown {
		fmt.Fprint(p.out, clearLine)
	}
}

// isTerminal reports whether a person sees what is written to w.
func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
