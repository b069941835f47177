// Package admin is the frontend for people and machines that look after the cache: whether it lives, whether it is
// ready, what it has counted, which plugins it has. Plugins can be changed over it, requests recorded and responses purged, by those who may.
package admin

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/edgecache/edgecache/core"
)

// Options configures Handler.
type Options struct {
	// Cache is the root namespace of the cache that is looked after. It is required.
	Cache *core.Cache
	// Version is the program's.
	Version string
	// Started is when it began.
	Started time.Time
	// Metrics serves /metrics. nil leaves the path out.
	Metrics http.Handler
	// Stores are those of the remote tiers that can be asked whether they answer.
	Stores []Store
	// Local says that the cache has a tier that needs no store: it then serves, degraded, without any of Stores.
	Local bool
	// Ready reports what keeps the process from serving beside its stores. nil is nothing.
	Ready func() error
	// Plugins returns the plugins that are loaded now. nil is none.
	Plugins func() []Plugin
	// Manager serves /plugins. nil says there that the server has no plugins.
	Manager PluginManager
	// Capturer serves /capture. nil leaves the path out.
	Capturer Capturer
	// Purger serves /http/purge. nil says there that there is no HTTP cache.
	Purger Purger
	// Token is what /plugins, /capture, /http/purge and profiles ask for. "" lets everyone look, and only clients of this
	// machine that are no browsers change plugins, capture and purge.
	Token string
	// Logger receives who changed what, and who was not let in. nil discards it.
	Logger *slog.Logger
	// RESP returns the figures of the RESP frontend. nil is none.
	RESP func() RESP
	// Advise returns what GET /advise answers, as JSON. nil says there that nothing is known.
	Advise func(ctx context.Context) (any, error)
	// Files returns the figures of the file frontend, as JSON has them. nil is none.
	Files func() any
	// HTTP returns the figures of the HTTP cache, as JSON has them. nil is none.
	HTTP func() any
	// PProf serves profiles under /debug/pprof/, which also tell the command line.
	PProf bool
}

// Plugin is a loaded plugin.
type Plugin interface {
	Name() string
	core.Reporter
}

// Store is what a remote tier asks.
type Store struct {
	Name   string // the tier's
	Pinger core.Pinger
}

// RESP is what the RESP frontend has counted: connections open now, all there have been, those sent away; commands
// read; connections closed for what they sent, and for exceeding a limit.
type RESP struct {
	Connections    int64 `json:"connections"`
	Accepted       int64 `json:"accepted"`
	Refused        int64 `json:"refused"`
	Commands       int64 `json:"commands"`
	ProtocolErrors int64 `json:"protocol_errors"`
	Killed         int64 `json:"killed"`
}

// Handler serves the paths of the admin frontend.
func Handler(o Options) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, health{Status: "alive"}) })
	mux.HandleFunc("GET /readyz", o.serveReady)
	mux.HandleFunc("GET /stats", o.serveStats)
	mux.HandleFunc("GET /advise", o.serveAdvise)
	if o.Metrics != nil {
		mux.Handle("GET /metrics", o.Metrics)
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.PProf {
		mux.HandleFunc("GET /debug/pprof/", o.see(pprof.Index))
		mux.HandleFunc("GET /debug/pprof/cmdline", o.see(pprof.Cmdline))
		mux.HandleFunc("GET /debug/pprof/profile", o.see(pprof.Profile))
		mux.HandleFunc("GET /debug/pprof/symbol", o.see(pprof.Symbol))
		mux.HandleFunc("GET /debug/pprof/trace", o.see(pprof.Trace))
	}
	o.handlePlugins(mux)
	o.handleCapture(mux)
	o.handlePurge(mux)
	return mux
}

// writeTimeout bounds an answer: it leaves time for a profile of a minute.
const writeTimeout = 75 * time.Second

// Server returns a server of h whose clients can't hold it up.
func Server(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
	}
}

// serveAdvise answers what other policies and sizes would do.
func (o Options) serveAdvise(w http.ResponseWriter, q *http.Request) {
	if o.Advise == nil {
		writeError(w, http.StatusNotFound, errors.New("there are no shadow caches: start the server with --shadow on"))
		return
	}
	body, err := o.Advise(q.Context())
	if err != nil {
		writeError(w, http.StatusServiceUnavailable, err)
		return
	}
	writeJSON(w, http.StatusOK, body)
}

// health is the body of /livez and /readyz.
type health struct {
	Status  string            `json:"status"` // alive; ready, degraded or unready
	Reasons map[string]string `json:"reasons,omitempty"`
}

// pingTimeout bounds how long /readyz waits for all of the stores.
const pingTimeout = time.Second

// serveReady answers 503 if commands can't be served, and 200 with the reasons if they are served without some store.
func (o Options) serveReady(w http.ResponseWriter, q *http.Request) {
	h, status := health{Status: "ready", Reasons: make(map[string]string)}, http.StatusOK
	for tier, err := range o.pingAll(q.Context()) {
		h.Status, h.Reasons[tier] = "degraded", err.Error()
	}
	if o.Ready != nil {
		if err := o.Ready(); err != nil {
			h.Reasons["process"] = err.Error()
		}
	}
	if h.Reasons["process"] != "" || !o.Local && len(o.Stores) > 0 && len(h.Reasons) == len(o.Stores) {
		h.Status, status = "unready", http.StatusServiceUnavailable
	}
	writeJSON(w, status, h)
}

// pingAll asks all stores at once and returns the errors by tier.
func (o Options) pingAll(ctx context.Context) map[string]error {
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	type answer struct {
		tier string
		err  error
	}
	answers := make(chan answer, len(o.Stores))
	for _, s := range o.Stores {
		go func() { answers <- answer{s.Name, s.Pinger.Ping(ctx)} }()
	}
	failed := make(map[string]error)
	for range o.Stores {
		if a := <-answers; a.err != nil {
			failed[a.tier] = a.err
		}
	}
	return failed
}
