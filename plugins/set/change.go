package set

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/edgecache/edgecache/plugins"
)

// Change is what a method did, and the plugin after it.
type Change struct {
	Action Action
	// Fresh says that the plugin's figures begin anew: a version that wants other hooks, operations or capabilities can't take
	// the place of the one before and is loaded as a plugin of its own.
	Fresh bool
	// Plugin is as it was, where it was removed.
	Plugin Info
}

// Action names what was done.
type Action string

// The actions.
const (
	Loaded     Action = "loaded"
	Replaced   Action = "replaced"
	RolledBack Action = "rolled back"
	Enabled    Action = "enabled"
	Disabled   Action = "disabled"
	Removed    Action = "removed"
	Unchanged  Action = "unchanged" // there was nothing to do
)

// Load loads a plugin and puts it at the end of those of its priority. A name that is taken is ErrConflict.
func (s *Set) Load(ctx context.Context, r Request) (Change, error) {
	if err := s.begin(ctx); err != nil {
		return Change{}, err
	}
	defer s.end()
	name, err := nameOf(&r.Source)
	if err != nil {
		return Change{}, err
	}
	r.Source.Name = name
	if _, _, err := s.find(name); err == nil {
		return Change{}, fmt.Errorf("%w: a plugin called %s is loaded: replace it, or give this one another name", ErrConflict, name)
	}
	if g, ok := s.o.Grants[name]; ok && r.Grants == nil {
		r.Grants = &g
	}
	p, err := s.o.Host.Load(ctx, r.source())
	if err != nil {
		return Change{}, err
	}
	s.loaded++
	m := member{plugin: p, seq: s.loaded, current: newVersion(r)}
	if err := s.put(-1, m); err != nil {
		return Change{}, errors.Join(err, p.Close(ctx))
	}
	return Change{Action: Loaded, Plugin: m.info()}, nil
}

// Reload reads the plugin again from where it is from and puts what it finds in its place. One that can't be read is
// ErrConflict.
func (s *Set) Reload(ctx context.Context, name string) (Change, error) {
	if err := s.begin(ctx); err != nil {
		return Change{}, err
	}
	defer s.end()
	i, m, err := s.find(name)
	if err != nil {
		return Change{}, err
	}
	origin := m.current.Origin
	if origin.Read == nil {
		return Change{}, fmt.Errorf("%w: %s was sent (%s), so there is nothing to read it from: replace it",
			ErrConflict, name, origin.Module)
	}
	src, err := origin.Read()
	if err != nil {
		return Change{}, fmt.Errorf("%w: %w", ErrConflict, err)
	}
	return s.replace(ctx, i, m, Request{Source: src, Grants: m.current.Grants, Origin: origin})
}

// ReloadAll does Reload with every plugin that can be read, in order. It returns the changes of those that could, and the
// errors of the others, which stay as they were.
func (s *Set) ReloadAll(ctx context.Context) ([]Change, error) {
	var changes []Change
	var errs []error
	for _, m := range *s.members.Load() {
		if m.current.Origin.Read == nil {
			continue
		}
		c, err := s.Reload(ctx, m.plugin.Name())
		switch {
		case err == nil:
			changes = append(changes, c)
		case !errors.Is(err, ErrNotFound): // somebody removed it meanwhile
			errs = append(errs, err)
		}
	}
	return changes, errors.Join(errs...)
}

// Replace puts another version in the plugin's place. Without a configuration it gets that of the one before.
func (s *Set) Replace(ctx context.Context, name string, r Request) (Change, error) {
	if err := s.begin(ctx); err != nil {
		return Change{}, err
	}
	defer s.end()
	i, m, err := s.find(name)
	if err != nil {
		return Change{}, err
	}
	if r.Grants == nil {
		r.Grants = m.current.Grants
	}
	if r.Source.Config == nil {
		r.Source.Config, r.Origin.Config = m.current.Source.Config, m.current.Origin.Config
	}
	return s.replace(ctx, i, m, r)
}

// Rollback puts the version back that the last change has replaced; after that there is none to go back to, which is
// ErrConflict. A plugin whose new version fails too often does the same by itself.
func (s *Set) Rollback(ctx context.Context, name string) (Change, error) {
	if err := s.begin(ctx); err != nil {
		return Change{}, err
	}
	defer s.end()
	i, m, err := s.find(name)
	if err != nil {
		return Change{}, err
	}
	if m.previous == nil {
		return Change{}, fmt.Errorf("%w: %s has no version to go back to", ErrConflict, name)
	}
	next := member{plugin: m.plugin, seq: m.seq, disabled: m.disabled, current: m.previous}
	if m.fresh {
		next.plugin, err = s.o.Host.Load(ctx, next.current.source())
	} else {
		err = m.plugin.Rollback(ctx)
	}
	return s.finish(ctx, i, m, next, RolledBack, err)
}

// replace makes m, the member at place i, what r says, under the name that it has.
func (s *Set) replace(ctx context.Context, i int, m member, r Request) (Change, error) {
	r.Source.Name = m.plugin.Name()
	if r.same(&m.current.Request) {
		return Change{Action: Unchanged, Plugin: m.info()}, nil
	}
	next := member{plugin: m.plugin, seq: m.seq, disabled: m.disabled, current: newVersion(r), previous: m.current}
	err := m.plugin.Swap(ctx, r.source())
	if errors.Is(err, plugins.ErrOtherWants) {
		next.fresh = true
		next.plugin, err = s.o.Host.Load(ctx, r.source())
	}
	return s.finish(ctx, i, m, next, Replaced, err)
}

// finish puts next in the place of m, if there was no error in making it.
func (s *Set) finish(ctx context.Context, i int, m, next member, action Action, err error) (Change, error) {
	if err != nil {
		return Change{}, err
	}
	fresh := next.plugin != m.plugin
	if err := s.put(i, next); err != nil {
		if fresh {
			err = errors.Join(err, next.plugin.Close(ctx))
		}
		return Change{}, err
	}
	return Change{Action: action, Fresh: fresh, Plugin: next.info()}, nil
}

// SetEnabled lets commands pass the plugin, or not. A disabled plugin stays loaded: its figures can be read and it can be
// replaced.
func (s *Set) SetEnabled(ctx context.Context, name string, enabled bool) (Change, error) {
	if err := s.begin(ctx); err != nil {
		return Change{}, err
	}
	defer s.end()
	i, m, err := s.find(name)
	if err != nil {
		return Change{}, err
	}
	if enabled != m.disabled {
		return Change{Action: Unchanged, Plugin: m.info()}, nil
	}
	next := m
	next.disabled = !enabled
	if err := s.put(i, next); err != nil {
		return Change{}, err
	}
	action := Disabled
	if enabled {
		action = Enabled
	}
	return Change{Action: action, Plugin: next.info()}, nil
}

// Remove takes the plugin out. It ends when the commands that began with it have.
func (s *Set) Remove(ctx context.Context, name string) (Change, error) {
	if err := s.begin(ctx); err != nil {
		return Change{}, err
	}
	defer s.end()
	i, m, err := s.find(name)
	if err != nil {
		return Change{}, err
	}
	info := m.info()
	rest := slices.Delete(slices.Clone(*s.members.Load()), i, i+1)
	return Change{Action: Removed, Plugin: info}, s.publish(rest, m.plugin)
}
