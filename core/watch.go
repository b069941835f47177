package core

import (
	"slices"
	"sync"
)

// Watch adds an observer that stays until stop is called, whatever SetHooks puts in place meanwhile. Its name must differ
// from those of all observers that come. Commands that are under way may tell it less than its spec asks for. stop returns
// when o has been told of all commands that ended before, and is not called again: it must not be called from Observe. It
// is idempotent. Safe under traffic.
func (c *Cache) Watch(o Observer) (stop func(), err error) {
	e := c.engine
	e.tableMu.Lock()
	defer e.tableMu.Unlock()
	more := e.additions()
	more.watchers = append(slices.Clone(e.watchers), o)
	if _, err := e.install(e.table.Load().hooks, e.observers, more); err != nil {
		return nil, err
	}
	return sync.OnceFunc(func() { e.unwatch(o) }), nil
}

func (e *engine) unwatch(o Observer) {
	e.tableMu.Lock()
	defer e.tableMu.Unlock()
	e.watchers = slices.DeleteFunc(slices.Clone(e.watchers), func(w Observer) bool { return w == o })
	e.reinstall()
}
