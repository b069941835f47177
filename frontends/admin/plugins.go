package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"
)

// PluginManager changes the plugins of a running server. Its methods are safe for concurrent use. An error that is no
// *StatusError says that a plugin is not as it should be.
type PluginManager interface {
	List() []PluginInfo
	Load(ctx context.Context, u PluginUpload) (PluginChange, error)
	Replace(ctx context.Context, name string, u PluginUpload) (PluginChange, error)
	Reload(ctx context.Context, name string) (PluginChange, error)
	SetEnabled(ctx context.Context, name string, enabled bool) (PluginChange, error)
	Rollback(ctx context.Context, name string) (PluginChange, error)
	Remove(ctx context.Context, name string) (PluginChange, error)
}

// StatusError is an error with the status of HTTP that says of what kind it is.
type StatusError struct {
	Status int
	Err    error
}

func (e *StatusError) Error() string { return e.Err.Error() }

// Unwrap returns the error without the status.
func (e *StatusError) Unwrap() error { return e.Err }

// PluginList is the body of GET /plugins.
type PluginList struct {
	Plugins []PluginInfo `json:"plugins"` // in the order in which commands pass them
}

// PluginInfo describes a loaded plugin.
type PluginInfo struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	State   string `json:"state"` // enabled or disabled
	// Digest is the module's: "sha256:" and hexadecimal digits.
	Digest   string       `json:"digest"`
	Source   PluginSource `json:"source"`
	Priority int          `json:"priority"`
	Hooks    []string     `json:"hooks"`
	Ops      []string     `json:"ops"`
	Needs    []string     `json:"needs"`
	Granted  PluginGrants `json:"granted"`
	// Rollback says that there is a version to go back to.
	Rollback bool        `json:"rollback"`
	Stats    PluginStats `json:"stats"`
}

// PluginSource says where a plugin is from.
type PluginSource struct {
	Kind   string `json:"kind"` // file, built-in or sent
	Module string `json:"module"`
	Config string `json:"config,omitempty"` // the name of the configuration, if it has one
}

// PluginGrants are what a plugin gets beside what everyone does. Zero values are the defaults.
type PluginGrants struct {
	Needs       []string `json:"needs,omitempty"`
	MemoryPages int      `json:"memory_pages,omitempty"` // of 64 KiB, for each instance
	Fuel        int64    `json:"fuel,omitempty"`
	Keys        []string `json:"keys,omitempty"`
	KVBytes     int      `json:"kv_bytes,omitempty"`
	KVEntries   int      `json:"kv_entries,omitempty"`
	Failure     string   `json:"failure,omitempty"`
}

// PluginStats are the host's figures of a plugin since it was loaded; what it counts itself stands in /stats.
type PluginStats struct {
	Calls uint64 `json:"calls"`
	// Nanos is an estimate of the time that calls took.
	Nanos       uint64            `json:"nanos"`
	Fuel        uint64            `json:"fuel"`
	Failures    map[string]uint64 `json:"failures"` // by kind; those that did not occur are left out
	LastFailure string            `json:"last_failure,omitempty"`
	Skipped     uint64            `json:"skipped"`
	Refused     uint64            `json:"refused"`
	Lost        uint64            `json:"lost"`
	Swaps       uint64            `json:"swaps"`
	Rollbacks   uint64            `json:"rollbacks"`
	Instances   int               `json:"instances"`
	MemoryBytes uint64            `json:"memory_bytes"`
	Breaker     string            `json:"breaker"` // closed, open or half-open
	// KVEntries and KVBytes are what it keeps by capability kv.
	KVEntries int `json:"kv_entries"`
	KVBytes   int `json:"kv_bytes"`
}

// PluginUpload is the body of POST /plugins and PUT /plugins/{name}.
type PluginUpload struct {
	// Name is what the plugin shall be called. "" is the manifest's name, or at a replacement that of the one in place, which
	// is the only one possible there.
	Name string `json:"name,omitempty"`
	// Wasm is the module, in base64 on the wire.
	Wasm []byte `json:"wasm"`
	// Manifest is used in place of the one in the module.
	Manifest json.RawMessage `json:"manifest,omitempty"`
	// Config is the plugin's configuration. Without one a replacement gets that of the version before.
	Config json.RawMessage `json:"config,omitempty"`
	// Grants are used in place of those that the server was started with, or of those of the version before. Only where a
	// token is asked for may somebody ask for grants.
	Grants *PluginGrants `json:"grants,omitempty"`
	// Module and ConfigName are what the sender calls module and configuration, for the listing.
	Module     string `json:"module,omitempty"`
	ConfigName string `json:"config_name,omitempty"`
}

// PluginChange is the body that answers a change.
type PluginChange struct {
	// Action is loaded, replaced, rolled back, enabled, disabled or removed, or unchanged where there was nothing to do.
	Action string `json:"action"`
	// Fresh says that the plugin's figures begin anew, since its version wants something else than the one before.
	Fresh bool `json:"fresh"`
	// Plugin is as it is now, or was.
	Plugin PluginInfo `json:"plugin"`
}

const (
	// maxUpload bounds a body: a module of 64 MiB in base64, with its configuration.
	maxUpload = 96 << 20
	// uploadTime is how long a body may take, changeTime how long the answer.
	uploadTime, changeTime = time.Minute, 2 * time.Minute
)

const postPlugins = "POST /plugins" // the change that makes something

// handlePlugins serves /plugins and what is below.
func (o Options) handlePlugins(mux *http.ServeMux) {
	mux.HandleFunc("/plugins", serveNowhere)
	mux.HandleFunc("/plugins/", serveNowhere)
	if o.Manager == nil {
		return
	}
	mux.HandleFunc("GET /plugins", o.see(func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, PluginList{o.Manager.List()})
	}))
	mux.HandleFunc(postPlugins, o.change(o.serveUpload(func(ctx context.Context, _ string, u PluginUpload) (PluginChange, error) {
		return o.Manager.Load(ctx, u)
	})))
	mux.HandleFunc("PUT /plugins/{name}", o.change(o.serveUpload(o.Manager.Replace)))
	for pattern, do := range map[string]func(context.Context, string) (PluginChange, error){
		"DELETE /plugins/{name}":        o.Manager.Remove,
		"POST /plugins/{name}/reload":   o.Manager.Reload,
		"POST /plugins/{name}/rollback": o.Manager.Rollback,
		"POST /plugins/{name}/enable": func(ctx context.Context, name string) (PluginChange, error) {
			return o.Manager.SetEnabled(ctx, name, true)
		},
		"POST /plugins/{name}/disable": func(ctx context.Context, name string) (PluginChange, error) {
			return o.Manager.SetEnabled(ctx, name, false)
		},
	} {
		mux.HandleFunc(pattern, o.change(func(w http.ResponseWriter, q *http.Request) {
			allow(w, changeTime)
			c, err := do(q.Context(), q.PathValue("name"))
			o.answerChange(w, q, c, err)
		}))
	}
}

// serveNowhere answers what is no endpoint, or none without plugins.
func serveNowhere(w http.ResponseWriter, q *http.Request) {
	writeError(w, http.StatusNotFound,
		fmt.Errorf("there is no %s %s here, or the server was started with --no-plugins", q.Method, q.URL.Path))
}

// allow gives the answer more time than the server's timeouts do.
func allow(w http.ResponseWriter, d time.Duration) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(d)) // a test's writer has none
}

// serveUpload reads a PluginUpload and hands it to do.
func (o Options) serveUpload(do func(ctx context.Context, name string, u PluginUpload) (PluginChange, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, q *http.Request) {
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(uploadTime)) // as in allow
		allow(w, uploadTime+changeTime)
		u, err := readUpload(http.MaxBytesReader(w, q.Body, maxUpload))
		name := q.PathValue("name")
		switch {
		case err != nil:
		case u.Grants != nil && o.Token == "":
			err = &StatusError{http.StatusForbidden, errors.New("grants: they can only be asked for where the server was started with " +
				"--admin-token: use --grant there")}
		case name != "" && u.Name != "" && u.Name != name:
			err = fmt.Errorf("name %.80q: it can't be changed, it is %q in the path", u.Name, name)
		}
		var c PluginChange
		if err == nil {
			c, err = do(q.Context(), name, u)
		}
		o.answerChange(w, q, c, err)
	}
}

// readUpload reads one JSON object. Unknown fields are errors.
func readUpload(body io.Reader) (u PluginUpload, err error) {
	d := json.NewDecoder(body)
	d.DisallowUnknownFields()
	if err = d.Decode(&u); err == nil {
		if _, err = d.Token(); errors.Is(err, io.EOF) {
			err = nil
		} else if err == nil {
			err = errors.New("something follows the object")
		}
	}
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return u, &StatusError{http.StatusRequestEntityTooLarge, fmt.Errorf("the body has more than %d MiB", large.Limit>>20)}
	case err != nil:
		return u, fmt.Errorf("body: %w", err)
	case len(u.Wasm) == 0:
		return u, errors.New("body: wasm is missing: the module in base64")
	}
	for _, part := range []*json.RawMessage{&u.Manifest, &u.Config} {
		if string(*part) == "null" {
			*part = nil
		}
	}
	return u, nil
}

// answerChange answers a change and logs it.
func (o Options) answerChange(w http.ResponseWriter, q *http.Request, c PluginChange, err error) {
	attrs := []slog.Attr{slog.String("request", q.Method+" "+q.URL.Path), slog.String("peer", q.RemoteAddr)}
	if err != nil {
		status := http.StatusBadRequest
		if kind, ok := errors.AsType[*StatusError](err); ok {
			status = kind.Status
		}
		o.Logger.LogAttrs(q.Context(), slog.LevelWarn, "plugins not changed", append(attrs, slog.Any("error", err))...)
		writeError(w, status, err)
		return
	}
	o.Logger.LogAttrs(q.Context(), slog.LevelInfo, "plugins changed", append(attrs, slog.String("action", c.Action),
		slog.String("plugin", c.Plugin.Name), slog.String("version", c.Plugin.Version), slog.String("digest", c.Plugin.Digest))...)
	status := http.StatusOK
	if q.Pattern == postPlugins {
		status = http.StatusCreated
	}
	writeJSON(w, status, c)
}

// writeError answers with an error.
func writeError(w http.ResponseWriter, status int, err error) {
	writeJSON(w, status, map[string]string{"error": err.Error()})
}
