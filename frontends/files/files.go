// Package files is the frontend that serves a folder over HTTP: small files out of the cache, in codings made once or found
// beside them, large ones from the disk.
package files

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/frontends/internal/encode"
	"github.com/edgecache/edgecache/rfc9110"
)

// Options configures a Handler.
type Options struct {
	// Root is the folder that is served. Nothing outside of it ever is, whatever links say. It is required.
	Root string
	// Cache is where bodies are kept: a namespace for this Handler alone, which clears it. Its tiers should be of this machine
	// alone. It is required.
	Cache *core.Cache
	// Index is the file that is served for a folder. "" means index.html.
	Index string
	// CacheControl is that header's value. "" leaves the header out.
	CacheControl string
	// MaxFileBytes is the largest file that is cached and compressed; others are read for each request. 0 means 8 MiB.
	MaxFileBytes int64
	// MinCompressBytes is the smallest file that is compressed. 0 means 512 bytes.
	MinCompressBytes int64
	// Encodings are the content codings that are offered: br, zstd, gzip and deflate. nil is all but deflate, which clients that
	// know it know gzip beside; an empty one is none.
	Encodings []string
	// Types are media types by the ends of names (".css"), before those that the Handler knows.
	Types map[string]string
	// TTL is how long something stays cached however seldom the file changes. 0 means an hour; core.NoExpiry is no bound.
	TTL time.Duration
	// Ignore are patterns (path.Match) of names. What has such a name, or is below a folder that has, is neither cached nor
	// watched, but served. nil means DefaultIgnore.
	Ignore []string
	// DotFiles also serves what has a name that begins with a dot. Else only /.well-known is.
	DotFiles bool
	// NoWatch does without the system's notices of changes: files are then compared as Recheck says.
	NoWatch bool
	// Debounce is how long changes of one file that follow a first one are gathered. 0 means 50 ms.
	Debounce time.Duration
	// Recheck is how long a cached file is served without a look at the disk where changes of it may go unnoticed: with
	// NoWatch, where the system can't watch, and behind links. 0 means a second.
	Recheck time.Duration
	// Logger is told what goes wrong beside requests, and about files that can't be read. nil discards it.
	Logger *slog.Logger
}

// DefaultIgnore are the patterns of what editors, compilers and version control leave in folders.
func DefaultIgnore() []string {
	return []string{
		"*.log", "*.pyc", "*.pyo", "*.so", "*~", "*.bak", "*.tmp", "*.swp", "*.swx", "*.orig", ".#*", "#*#", "4913",
		"__pycache__", ".git", ".svn", ".hg", "node_modules",
	}
}

func (o Options) withDefaults() (Options, error) {
	if o.Index == "" {
		o.Index = "index.html"
	}
	if o.Encodings == nil {
		o.Encodings = []string{"br", "zstd", "gzip"}
	}
	if o.Ignore == nil {
		o.Ignore = DefaultIgnore()
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	defaults := func(n *int64, value int64) {
		if *n == 0 {
			*n = value
		}
	}
	defaults(&o.MaxFileBytes, 8<<20)
	defaults(&o.MinCompressBytes, 512)
	defaults((*int64)(&o.TTL), int64(time.Hour))
	defaults((*int64)(&o.Debounce), int64(50*time.Millisecond))
	defaults((*int64)(&o.Recheck), int64(time.Second))
	return o, o.validate()
}

func (o *Options) validate() error {
	switch {
	case o.Root == "":
		return errors.New("files: Root is empty: name the folder to serve")
	case o.Cache == nil:
		return errors.New("files: Cache is nil: pass the namespace that shall keep the files")
	case !fs.ValidPath(o.Index) || o.Index == ".":
		return fmt.Errorf("files: Index %q is no name of a file", o.Index)
	case o.MaxFileBytes < 0 || o.MinCompressBytes < 0 || o.Debounce < 0 || o.Recheck < 0:
		return errors.New("files: MaxFileBytes, MinCompressBytes, Debounce and Recheck must not be negative")
	case strings.ContainsAny(o.CacheControl, "\r\n"):
		return errors.New("files: CacheControl has more than one line")
	}
	for _, p := range o.Ignore {
		if _, err := path.Match(p, ""); err != nil {
			return fmt.Errorf("files: Ignore %q: %w", p, err)
		}
	}
	return nil
}

// Handler serves a folder. It is safe for concurrent use; Close must follow when nobody uses it any more.
type Handler struct {
	options Options
	root    *os.Root
	folder  string // the absolute path of root, without links
	cache   *core.Cache
	offered [rfc9110.Codings]bool
	types   map[string]string
	flights singleflight.Group // loads of bodies by key
	encoder *encode.Encoder
	marks   marks
	watcher *watcher // nil without
	stats   counts
	closing sync.Once

	cacheControl, acceptRanges, varyHeader []string // values of headers, shared
}

var _ http.Handler = (*Handler)(nil)

// New returns a Handler of a folder. It walks through the folder in order to watch it.
func New(o Options) (*Handler, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	h := &Handler{
		options: o, cache: o.Cache, types: webTypes(), marks: marks{seed: maphash.MakeSeed()},
		acceptRanges: []string{"bytes"}, varyHeader: []string{"Accept-Encoding"},
	}
	if o.CacheControl != "" {
		h.cacheControl = []string{o.CacheControl}
	}
	for ext, t := range o.Types {
		h.types[strings.ToLower(ext)] = t
	}
	for _, name := range o.Encodings {
		c, ok := rfc9110.ParseCoding(name)
		if !ok || c == rfc9110.Identity {
			return nil, fmt.Errorf("files: Encodings %q is not offered: br, zstd, gzip or deflate is wanted", name)
		}
		h.offered[c] = true
	}
	if h.encoder, err = encode.New(); err != nil {
		return nil, fmt.Errorf("files: %w", err)
	}
	if err := h.open(); err != nil {
		return nil, fmt.Errorf("files: %w", err)
	}
	return h, nil
}

// open opens the folder and begins to watch it.
func (h *Handler) open() (err error) {
	if h.folder, err = filepath.Abs(h.options.Root); err != nil {
		return err
	}
	if h.folder, err = filepath.EvalSymlinks(h.folder); err != nil {
		return err
	}
	if h.root, err = os.OpenRoot(h.folder); err != nil {
		return err
	}
	if !h.options.NoWatch {
		h.watcher = h.startWatcher()
	}
	return nil
}

// Close stops watching and gives the folder back. The cache stays as it is: it belongs to whoever made it.
func (h *Handler) Close() (err error) {
	h.closing.Do(func() {
		if h.watcher != nil {
			h.watcher.close()
		}
		err = h.root.Close()
	})
	return err
}

// ServeHTTP answers GET, HEAD and OPTIONS for the files of the folder.
func (h *Handler) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	h.stats.requests.Add(1)
	switch q.Method {
	case http.MethodGet, http.MethodHead:
	case http.MethodOptions:
		w.Header().Set("Allow", allowed)
		w.WriteHeader(http.StatusNoContent)
		return
	default:
		w.Header().Set("Allow", allowed)
		h.refuse(w, http.StatusMethodNotAllowed)
		return
	}
	name, isFolder, ok := h.name(q.URL.Path)
	if !ok {
		h.refuse(w, http.StatusNotFound)
		return
	}
	if err := h.serve(w, q, name); err != nil {
		h.fail(w, q, name, isFolder, err)
	}
}

const allowed = "GET, HEAD, OPTIONS"

// name returns the path of the file within the folder, and whether it is the index of one that was asked for. Paths that
// are not the one way to write where something is are not ok, nor are those of hidden files.
func (h *Handler) name(urlPath string) (name string, isFolder, ok bool) {
	name = strings.TrimPrefix(urlPath, "/")
	if name == "" {
		return h.options.Index, true, true
	}
	if name, isFolder = strings.CutSuffix(name, "/"); !fs.ValidPath(name) || name == "." || strings.IndexByte(name, 0) >= 0 {
		return "", false, false
	}
	if !h.options.DotFiles && hidden(name) {
		return "", false, false
	}
	if isFolder {
		name += "/" + h.options.Index
	}
	return name, isFolder, true
}

// hidden reports whether an element begins with a dot. RFC 8615 has a folder that does at the root.
func hidden(name string) bool {
	name = strings.TrimPrefix(name, ".well-known/")
	return strings.HasPrefix(name, ".") || strings.Contains(name, "/.")
}

// ignored reports whether an element of name is one of those that are not cached.
func (h *Handler) ignored(name string) bool {
	for element := range strings.SplitSeq(name, "/") {
		if slices.ContainsFunc(h.options.Ignore, func(pattern string) bool {
			match, _ := path.Match(pattern, element) // patterns have been tried
			return match
		}) {
			return true
		}
	}
	return false
}

// Reasons not to serve a file.
var (
	errFolder        = errors.New("it is a folder")
	errNotAcceptable = errors.New("the file is in no coding that the client accepts")
)

// fail answers for a file that can't be served.
func (h *Handler) fail(w http.ResponseWriter, q *http.Request, name string, isFolder bool, err error) {
	switch {
	case errors.Is(err, errNotAcceptable):
		h.vary(w.Header())
		h.refuse(w, http.StatusNotAcceptable)
	case errors.Is(err, errFolder) && !isFolder:
		h.redirect(w, q)
	case errors.Is(err, fs.ErrPermission):
		h.refuse(w, http.StatusForbidden)
	case errors.Is(err, fs.ErrNotExist) && isFolder && h.isFolder(path.Dir(name)):
		h.refuse(w, http.StatusForbidden) // there is a folder, and it is not listed
	case absent(err):
		h.refuse(w, http.StatusNotFound)
	default:
		h.stats.errors.Add(1)
		h.options.Logger.LogAttrs(q.Context(), slog.LevelError, "a file can't be served", slog.String("file", name), slog.Any("error", err))
		h.refuse(w, http.StatusInternalServerError)
	}
}

func (h *Handler) isFolder(name string) bool {
	info, err := h.root.Stat(name)
	return err == nil && info.IsDir()
}

// refuse answers with an error. It says nothing that the status does not.
func (h *Handler) refuse(w http.ResponseWriter, status int) {
	h.stats.refused.Add(1)
	http.Error(w, http.StatusText(status), status)
}

// redirect sends to the path of a folder, relative to what was asked for, so that neither a prefix that was taken off nor
// another host comes into it.
func (h *Handler) redirect(w http.ResponseWriter, q *http.Request) {
	h.stats.redirects.Add(1)
	to := url.URL{Path: path.Base(q.URL.Path) + "/", RawQuery: q.URL.RawQuery}
	w.Header()["Location"] = []string{to.String()}
	w.WriteHeader(http.StatusMovedPermanently)
}

// serve answers with the file.
func (h *Handler) serve(w http.ResponseWriter, q *http.Request, name string) error {
	wanted := rfc9110.Accept(q.Header["Accept-Encoding"])
	for range attempts {
		s, err := h.state(q.Context(), name)
		switch {
		case err != nil:
			return err
		case s.ignored || s.info.Size > h.options.MaxFileBytes:
			return h.stream(w, q, s, &wanted)
		}
		b, err := h.choose(q.Context(), s, &wanted)
		if errors.Is(err, errChanged) {
			h.forget(q.Context(), name)
			continue
		}
		if err != nil {
			return err
		}
		h.respond(w, q, &b.representation, s.vary)
		return nil
	}
	return h.snapshot(w, q, name, &wanted)
}

// attempts is how often a file that changes while it is read is begun anew.
const attempts = 3

// choose returns the body in the coding that the client likes best of those there are.
func (h *Handler) choose(ctx context.Context, s *state, wanted *rfc9110.Acceptable) (*body, error) {
	for _, c := range wanted.List() {
		if !s.has[c] {
			continue
		}
		b, err := h.body(ctx, s, c)
		if err != nil || b.data != nil {
			return b, err
		}
	}
	return nil, errNotAcceptable
}
