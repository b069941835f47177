package core

import (
	"context"
	"errors"
	"fmt"
)

// MemoOptions configures Memoize and MemoizeMany for arguments of type A and results of type T. The zero value is the
// default.
type MemoOptions[A, T any] struct {
	// Name begins the keys and tells the functions of one cache apart. "" is the function's own name with its package,
	// which functions that share theirs with others (literals, bound methods, instances of generic ones) do not have.
	Name string
	// Key makes the part of the key that follows Name and a colon: equal for equal arguments, else different. nil writes
	// the arguments in a canonical form, hashed where it is long; structs are their fields, maps have no order, pointers
	// are what they point to, and numbers are equal if their values are: 1 and 1.0 in an any are one argument.
	Key func(args A) string
	// TypedKeys tells arguments of different types apart: 1 and 1.0 in an any, or functions with the same Name.
	TypedKeys bool
	// Skip returns true for results that are not to be kept. nil keeps all.
	Skip func(args A, result T) bool
	// Load says how results are loaded and stored.
	Load LoadOptions
}

// CallOptions change one call of a memoized function.
type CallOptions struct {
	// NoRead calls the function whatever the cache has, and NoWrite does not keep the result. Both hold beside those of
	// MemoOptions.Load.
	NoRead, NoWrite bool
	// Background returns the result before it is written.
	Background bool
}

func (o CallOptions) on(l LoadOptions) LoadOptions {
	l.NoRead, l.NoWrite, l.Background = l.NoRead || o.NoRead, l.NoWrite || o.NoWrite, l.Background || o.Background
	return l
}

// memo is what Memo and MemoMany have in common.
type memo[A, T any] struct {
	typed *Typed[T]
	key   func(A) (string, error)
	o     MemoOptions[A, T]
}

func newMemo[A, T any](t *Typed[T], fn any, o MemoOptions[A, T]) (memo[A, T], error) {
	m := memo[A, T]{typed: t, o: o}
	if t == nil {
		return m, errors.New("core: memoize: there is no Typed to keep the results in")
	}
	if o.Name == "" {
		var err error
		if o.Name, err = functionName(fn); err != nil {
			return m, err
		}
	}
	if o.Key != nil {
		prefix := o.Name + ":"
		m.key = func(args A) (string, error) { return prefix + o.Key(args), nil }
		return m, nil
	}
	var err error
	m.key, err = keyBuilder[A](o.Name, o.TypedKeys)
	return m, err
}

// Key returns the key under which the result of args is kept. The error is that of arguments that no key can be made of.
func (m *memo[A, T]) Key(args A) (string, error) { return m.key(args) }

// Invalidate removes the result of args and reports whether there was one. A call of the function under way does not put
// it back.
func (m *memo[A, T]) Invalidate(ctx context.Context, args A) (bool, error) {
	key, err := m.Key(args)
	if err != nil {
		return false, err
	}
	return m.typed.Delete(ctx, key)
}

// Memo is a function whose results are kept in a cache. It is safe for concurrent use.
type Memo[A, T any] struct {
	memo[A, T]
	fn func(context.Context, A) (T, error)
}

// Memoize returns fn with its results kept in t. Nil and zero results are kept like others; errors are not, but for
// ErrNotFound (LoadOptions.NegativeTTL).
//
// Concurrent calls with equal arguments share one call of fn, as GetOrLoad says; LoadOptions.Lease shares it between
// processes. The cache never fails a call: where it fails, or has no key for the arguments, that is logged and counted
// (LoadStats), and fn is called.
func Memoize[A, T any](t *Typed[T], fn func(context.Context, A) (T, error), o MemoOptions[A, T]) (*Memo[A, T], error) {
	m, err := newMemo(t, fn, o)
	if err != nil {
		return nil, err
	}
	return &Memo[A, T]{memo: m, fn: fn}, nil
}

// Get returns the result of args, kept or new.
func (m *Memo[A, T]) Get(ctx context.Context, args A) (T, error) {
	return m.Call(ctx, args, CallOptions{})
}

// Call is Get with options.
func (m *Memo[A, T]) Call(ctx context.Context, args A, o CallOptions) (T, error) {
	key, err := m.Key(args)
	if err != nil {
		m.typed.cache.engine.loadTrouble(ctx, OpGet, err)
		return m.fn(ctx, args)
	}
	noRead := o.NoRead || m.o.Load.NoRead
	v, bad, miss := m.typed.quick(ctx, key, noRead)
	if miss == nil {
		return v, nil
	}
	return m.load(ctx, args, &loader[T]{
		Typed: m.typed, key: key, o: o.on(m.o.Load), missed: miss != errSlow, bad: bad, //nolint:errorlint // a marker
	})
}

func (m *Memo[A, T]) load(ctx context.Context, args A, l *loader[T]) (T, error) {
	l.load = func(ctx context.Context, _ string) (T, error) { return m.fn(ctx, args) }
	if m.o.Skip != nil {
		l.keep = func(v T) bool { return !m.o.Skip(args, v) }
	}
	return l.get(ctx)
}

// Uncached calls the function itself, past the cache.
func (m *Memo[A, T]) Uncached(ctx context.Context, args A) (T, error) { return m.fn(ctx, args) }

// MemoMany is a function of many arguments whose results are kept in a cache one by one. It is safe for concurrent use.
type MemoMany[A comparable, T any] struct {
	memo[A, T]
	fn func(context.Context, []A) (map[A]T, error)
}

// MemoizeMany returns fn, which maps each of its arguments to a result, with these kept in t: only those that are missing
// reach fn, each once, in one call, and none if there are none. Arguments that fn leaves out have no result; results that
// it returns beyond them are kept and returned, too. It otherwise does as Memoize does, but for LoadOptions.Lease, which
// is not taken.
func MemoizeMany[A comparable, T any](
	t *Typed[T], fn func(context.Context, []A) (map[A]T, error), o MemoOptions[A, T],
) (*MemoMany[A, T], error) {
	m, err := newMemo(t, fn, o)
	if err != nil {
		return nil, err
	}
	return &MemoMany[A, T]{memo: m, fn: fn}, nil
}

// Get returns the results of args, kept or new. With an error the results that there are stand.
func (m *MemoMany[A, T]) Get(ctx context.Context, args []A) (map[A]T, error) {
	return m.Call(ctx, args, CallOptions{})
}

// Call is Get with options.
func (m *MemoMany[A, T]) Call(ctx context.Context, args []A, o CallOptions) (map[A]T, error) {
	c := &callMany[A, T]{MemoMany: m, args: make(map[string]A, len(args)), more: make(map[string]A)}
	keys := make([]string, len(args))
	for i, a := range args {
		var err error
		if keys[i], err = m.Key(a); err != nil {
			m.typed.cache.engine.loadTrouble(ctx, OpGetMany, err)
			return m.fn(ctx, args)
		}
		c.args[keys[i]] = a
	}
	l := &loaderMany[T]{Typed: m.typed, load: c.load, o: o.on(m.o.Load)}
	if m.o.Skip != nil {
		l.keep = func(key string, v T) bool { return !m.o.Skip(c.arg(key), v) }
	}
	values, err := l.get(ctx, keys)
	results := make(map[A]T, len(values))
	for key, v := range values {
		results[c.arg(key)] = v
	}
	return results, err
}

// Uncached calls the function itself, past the cache.
func (m *MemoMany[A, T]) Uncached(ctx context.Context, args []A) (map[A]T, error) {
	return m.fn(ctx, args)
}

// callMany is a call of a MemoMany.
type callMany[A comparable, T any] struct {
	*MemoMany[A, T]
	args map[string]A // those asked for, by key
	more map[string]A // those beyond, written by the loader; who finds their keys among the values may read them
}

// arg returns the argument whose key it is.
func (c *callMany[A, T]) arg(key string) A {
	if a, ok := c.args[key]; ok {
		return a
	}
	return c.more[key]
}

func (c *callMany[A, T]) load(ctx context.Context, missing []string) (map[string]T, error) {
	args := make([]A, len(missing))
	for i, key := range missing {
		args[i] = c.args[key]
	}
	results, err := c.fn(ctx, args)
	values := make(map[string]T, len(results))
	for a, v := range results {
		key, keyErr := c.Key(a)
		if keyErr != nil {
			return values, fmt.Errorf("core: memoize: a result of %v: %w", a, keyErr)
		}
		if _, asked := c.args[key]; !asked {
			c.more[key] = a
		}
		values[key] = v
	}
	return values, err
}
