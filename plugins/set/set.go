// Package set holds the plugins of one cache while it serves: they are loaded, replaced, switched off and on, taken back and
// taken out under traffic, and no command fails for it.
package set

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/hostabi"
	"github.com/edgecache/edgecache/plugins"
)

// Options configures New.
type Options struct {
	// Host runs the plugins. It is required, and the caller closes it after the set.
	Host *plugins.Host
	// Cache is whose hooks and observers the set decides, all of them. It is required.
	Cache *core.Cache
	// Grants are what plugins get by their names, unless a Request says otherwise.
	Grants map[string]plugins.Grants
	// Logger receives what goes wrong where nobody waits for an answer. nil discards it.
	Logger *slog.Logger
}

// Set is the plugins of a cache, in the order in which commands pass them: that of their manifests' priorities, lower ones
// first, and else that in which they were loaded. Its methods are safe for concurrent use. Changes take turns, and a change
// that fails leaves everything as it was.
type Set struct {
	o    Options
	turn chan struct{} // holds a token while somebody changes the set

	members atomic.Pointer[[]member] // a snapshot in order, replaced as a whole by who has the turn
	loaded  int                      // how many were ever loaded; of who has the turn

	closing sync.Mutex // held while a plugin that was taken out is closed
	closed  bool       // guarded by closing
}

// member is a plugin of the set. Its fields do not change: a change makes another member.
type member struct {
	plugin   *plugins.Plugin
	seq      int // the order in which it was loaded
	disabled bool
	current  *version // what is in place
	previous *version // what was before, nil if there is nothing to go back to
	fresh    bool     // current was loaded as another plugin than previous
}

// version is what a plugin was made from.
type version struct {
	Request
	digest [sha256.Size]byte // of the module
}

func newVersion(r Request) *version { return &version{r, sha256.Sum256(r.Source.Wasm)} }

// Errors that say more than that a plugin is not as it should be.
var (
	// ErrNotFound says that no plugin has such a name.
	ErrNotFound = errors.New("no such plugin")
	// ErrConflict says that a change is not possible as things stand.
	ErrConflict = errors.New("not possible now")
)

// New returns a set without plugins.
func New(o Options) *Set {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Set{o: o, turn: make(chan struct{}, 1)}
	s.members.Store(new([]member))
	return s
}

// Close ends changes: those that come find ErrConflict, one under way is waited for within ctx. The plugins stay in place
// until their host is closed. It is idempotent.
func (s *Set) Close(ctx context.Context) error {
	var err error
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		err = fmt.Errorf("plugins: a change is still under way: %w", ctx.Err())
	}
	s.closing.Lock()
	defer s.closing.Unlock()
	s.closed = true
	return err
}

// begin waits for the caller's turn to change the set, which end gives back.
func (s *Set) begin(ctx context.Context) error {
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	s.closing.Lock()
	defer s.closing.Unlock()
	if s.closed {
		s.end()
		return fmt.Errorf("%w: the server is stopping", ErrConflict)
	}
	return nil
}

func (s *Set) end() { <-s.turn }

// Plugins returns the plugins in order, disabled ones included.
func (s *Set) Plugins() []*plugins.Plugin {
	members := *s.members.Load()
	all := make([]*plugins.Plugin, len(members))
	for i := range members {
		all[i] = members[i].plugin
	}
	return all
}

// find returns the member called name and its place.
func (s *Set) find(name string) (int, member, error) {
	for i, m := range *s.members.Load() {
		if m.plugin.Name() == name {
			return i, m.settled(), nil
		}
	}
	return 0, member{}, fmt.Errorf("%w: %.80q", ErrNotFound, name)
}

// settled returns the member as it is now: a plugin whose new version fails too often goes back to the one before by itself.
func (m member) settled() member {
	if m.previous == nil || m.fresh {
		return m
	}
	if src := m.plugin.Source(); identical(src, m.previous.source()) && !identical(src, m.current.source()) {
		m.current, m.previous = m.previous, nil
	}
	return m
}

// put makes m the member at place i, or a new one where i is negative.
func (s *Set) put(i int, m member) error {
	members := slices.Clone(*s.members.Load())
	if i < 0 {
		return s.publish(append(members, m), nil)
	}
	var out *plugins.Plugin
	if members[i].plugin != m.plugin {
		out = members[i].plugin
	}
	members[i] = m
	return s.publish(members, out)
}

// publish makes members the set, and closes out, if there is one, when no command uses it any more.
func (s *Set) publish(members []member, out *plugins.Plugin) error {
	slices.SortStableFunc(members, func(a, b member) int {
		return cmp.Or(cmp.Compare(a.plugin.Manifest().Priority, b.plugin.Manifest().Priority), cmp.Compare(a.seq, b.seq))
	})
	var hooks []core.Hook
	var observers []core.Observer
	for _, m := range members {
		if m.disabled {
			continue
		}
		if h := m.plugin.Hook(); h != nil {
			hooks = append(hooks, h)
		}
		if o := m.plugin.Observer(); o != nil {
			observers = append(observers, o)
		}
	}
	var drained func()
	if out != nil {
		drained = func() { s.drop(out) }
	}
	if err := s.o.Cache.ReplaceHooks(hooks, observers, drained); err != nil {
		return err
	}
	s.members.Store(&members)
	return nil
}

// drop closes a plugin that nobody uses, unless its host is about to.
func (s *Set) drop(p *plugins.Plugin) {
	s.closing.Lock()
	defer s.closing.Unlock()
	if s.closed {
		return
	}
	if err := p.Close(context.Background()); err != nil {
		s.o.Logger.LogAttrs(context.Background(), slog.LevelWarn, "plugin was not closed",
			slog.String("plugin", p.Name()), slog.Any("error", err))
	}
}

// nameOf returns the name that src will have, "" if its manifest is so bad that loading it says more.
func nameOf(src *plugins.Source) (string, error) {
	text := src.Manifest
	if text == nil {
		text, _, _ = hostabi.ReadManifest(src.Wasm) // loading reports what is wrong
	}
	m, err := hostabi.ParseManifest(text)
	if err != nil {
		return src.Name, nil //nolint:nilerr // loading reports it
	}
	if src.Name != "" {
		m.Name = src.Name
	}
	return m.Name, m.Validate()
}
