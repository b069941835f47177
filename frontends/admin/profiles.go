package admin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime"
	"runtime/pprof"
	"runtime/trace"
	"strconv"
	"strings"
	"time"
)

// serveProfiles serves what "go tool pprof" and "go tool trace" ask for. net/http/pprof does that too, and differences of
// profiles besides, for which it links a decoder of profiles: a quarter of a megabyte that nothing else needs.
func serveProfiles(mux *http.ServeMux) {
	mux.HandleFunc("GET /debug/pprof/{$}", serveIndex)
	mux.HandleFunc("GET /debug/pprof/{name}", serveProfile)
	mux.HandleFunc("GET /debug/pprof/cmdline", serveCmdline)
	mux.HandleFunc("GET /debug/pprof/profile", func(w http.ResponseWriter, q *http.Request) {
		record(w, q, 30*time.Second, pprof.StartCPUProfile, pprof.StopCPUProfile)
	})
	mux.HandleFunc("GET /debug/pprof/trace", func(w http.ResponseWriter, q *http.Request) {
		record(w, q, time.Second, trace.Start, trace.Stop)
	})
}

// serveIndex lists the profiles and how many entries they have.
func serveIndex(w http.ResponseWriter, _ *http.Request) {
	plain(w)
	for _, p := range pprof.Profiles() {
		fmt.Fprintf(w, "%s %d\n", p.Name(), p.Count())
	}
	_, _ = io.WriteString(w, "cmdline\nprofile?seconds=30\ntrace?seconds=1\n")
}

func serveCmdline(w http.ResponseWriter, _ *http.Request) {
	plain(w)
	_, _ = io.WriteString(w, strings.Join(os.Args, "\x00"))
}

// serveProfile writes a profile as it stands: for machines, or for people where debug is 1 or 2. With gc the heap is
// collected first.
func serveProfile(w http.ResponseWriter, q *http.Request) {
	p := pprof.Lookup(q.PathValue("name"))
	debug, err := number(q, "debug")
	switch {
	case p == nil:
		http.Error(w, "no such profile: /debug/pprof/ lists them", http.StatusNotFound)
		return
	case err == nil && q.FormValue("seconds") != "":
		err = errors.New("seconds: only profile (of the processors) and trace are recorded for a time")
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if collect, _ := number(q, "gc"); collect > 0 && p.Name() == "heap" {
		runtime.GC()
	}
	if debug != 0 {
		plain(w)
	} else {
		binary(w, p.Name())
	}
	_ = p.WriteTo(w, debug) // who asked has gone
}

// record writes what start writes until the seconds asked for are over or the client has gone.
func record(w http.ResponseWriter, q *http.Request, usual time.Duration, start func(io.Writer) error, stop func()) {
	seconds, err := number(q, "seconds")
	if err == nil && time.Duration(seconds)*time.Second >= writeTimeout {
		err = fmt.Errorf("seconds: %d are more than the %v that an answer may take", seconds, writeTimeout)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if seconds > 0 {
		usual = time.Duration(seconds) * time.Second
	}
	binary(w, "profile")
	if err := start(w); err != nil { // nothing is written yet
		w.Header().Del("Content-Disposition")
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	defer stop()
	over, cancel := context.WithTimeout(q.Context(), usual)
	defer cancel()
	<-over.Done()
}

// number returns a parameter of the query, 0 where there is none.
func number(q *http.Request, name string) (int, error) {
	given := q.FormValue(name)
	if given == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(given, 10, 31)
	if err != nil {
		return 0, fmt.Errorf("%s: %.20q is no number", name, given)
	}
	return int(n), nil
}

func plain(w http.ResponseWriter) { w.Header().Set("Content-Type", "text/plain; charset=utf-8") }

func binary(w http.ResponseWriter, name string) {
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
}
