package core

import (
	"context"
	"errors"
	"fmt"

	"github.com/edgecache/edgecache/core/codec"
)

// TypedOptions configures a Typed. The zero value is the default.
type TypedOptions struct {
	// Codec makes bytes of the values. nil is codec.Bytes for []byte, codec.String for string, codec.Integer for int and
	// int64, and codec.JSON for all else.
	Codec codec.Codec
	// KeepDecoded keeps a value that was read from a memory tier beside its bytes: further reads share it and decode
	// nothing. Readers must not change what it points to. It counts nothing towards the tier's weight.
	KeepDecoded bool
	// AutoClone gives every reader a value of its own, also those who share a load: made by the value's method Clone() T
	// where it has one, which must stand nil, else by decoding. Without such a method KeepDecoded is then of no use,
	// which NewTyped refuses.
	AutoClone bool
}

// Typed is a cache of values of type T: a view of a Cache, which has everything that is not about values. Any number of
// them, of any types, may share one. It is safe for concurrent use.
//
// Nil and zero values are values like any other. Reading bytes that are damaged, or that another codec has made, is a
// miss: the error is both ErrNotFound and ErrDecode, and Stats.DecodeErrors counts it.
type Typed[T any] struct {
	cache  *Cache
	codec  codec.Codec
	id     uint8 // the codec's
	keyed  bool  // codec is a codec.Keyed
	keep   bool
	clone  bool
	cloner func(T) T // nil: by decoding
}

// kept is what KeepDecoded leaves beside the bytes of an entry.
type kept[T any] struct{ value T }

// NewTyped returns a view of c for values of type T.
func NewTyped[T any](c *Cache, o TypedOptions) (*Typed[T], error) {
	if c == nil {
		return nil, errors.New("core: a Typed needs a cache")
	}
	t := &Typed[T]{cache: c, codec: o.Codec, keep: o.KeepDecoded, clone: o.AutoClone}
	if t.codec == nil {
		t.codec = defaultCodec(*new(T))
	}
	if t.codec.ID() == codec.IDAbsent {
		return nil, fmt.Errorf("core: codec %s has the number %d, which is taken", t.codec.Name(), codec.IDAbsent)
	}
	t.id = t.codec.ID()
	_, t.keyed = t.codec.(codec.Keyed)
	if o.AutoClone {
		t.cloner = cloner[T]()
	}
	if o.KeepDecoded && o.AutoClone && t.cloner == nil {
		return nil, fmt.Errorf("core: KeepDecoded and AutoClone of %T: give it a method Clone, or choose one of them", *new(T))
	}
	return t, nil
}

func defaultCodec(v any) codec.Codec {
	switch v.(type) {
	case []byte:
		return codec.Bytes{}
	case string:
		return codec.String{}
	case int, int64:
		return codec.Integer{}
	default:
		return codec.JSON{}
	}
}

// cloner returns what calls the method Clone of T, or nil.
func cloner[T any]() func(T) T {
	if _, ok := any(*new(T)).(interface{ Clone() T }); !ok {
		return nil
	}
	return func(v T) T { return any(v).(interface{ Clone() T }).Clone() }
}

// WithCodec returns the same view through another codec, for single calls.
func (t *Typed[T]) WithCodec(c codec.Codec) *Typed[T] {
	w := *t
	w.codec, w.id = c, c.ID()
	_, w.keyed = c.(codec.Keyed)
	return &w
}

// Cache returns the cache under the view.
func (t *Typed[T]) Cache() *Cache { return t.cache }

// Get returns the value of key, or ErrNotFound.
func (t *Typed[T]) Get(ctx context.Context, key string) (v T, err error) {
	e, err := t.cache.GetEntry(ctx, key)
	if err != nil {
		return v, err
	}
	if k := t.kept(e); k != nil {
		return k.value, nil
	}
	return t.Decode(key, e)
}

// kept returns what is beside the bytes of e, if readers may have it as it is.
func (t *Typed[T]) kept(e *Entry) *kept[T] {
	if !t.keep || t.clone || e.Codec != t.id {
		return nil
	}
	k, _ := e.Decoded().(*kept[T])
	return k
}

// Lookup returns the value of key and whether it is there.
func (t *Typed[T]) Lookup(ctx context.Context, key string) (v T, ok bool, err error) {
	v, err = t.Get(ctx, key)
	if errors.Is(err, ErrNotFound) {
		return v, false, nil
	}
	return v, err == nil, err
}

// GetOr returns the value of key, or def where it is absent.
func (t *Typed[T]) GetOr(ctx context.Context, key string, def T) (T, error) {
	v, ok, err := t.Lookup(ctx, key)
	if !ok {
		v = def
	}
	return v, err
}

// GetToken returns the value of key in the farthest tier, with the token that CompareAndSwap needs, or ErrNotFound.
func (t *Typed[T]) GetToken(ctx context.Context, key string) (v T, token uint64, err error) {
	e, err := t.cache.GetAuthority(ctx, key)
	if err != nil {
		return v, 0, err
	}
	v, err = t.Decode(key, e)
	return v, e.Token(), err
}

// Found is a value that may be absent.
type Found[T any] struct {
	Value T
	OK    bool
}

// GetMany returns the values of keys in their order. Errors are those of Cache.GetMany.
func (t *Typed[T]) GetMany(ctx context.Context, keys []string) ([]Found[T], error) {
	values := make([]Found[T], len(keys))
	err := t.each(ctx, keys, func(i int, v T) { values[i] = Found[T]{Value: v, OK: true} })
	return values, err
}

// GetMap returns the values of those of keys that are there.
func (t *Typed[T]) GetMap(ctx context.Context, keys []string) (map[string]T, error) {
	values := make(map[string]T, len(keys))
	err := t.each(ctx, keys, func(i int, v T) { values[keys[i]] = v })
	return values, err
}

// each calls hit for every key that is there.
func (t *Typed[T]) each(ctx context.Context, keys []string, hit func(i int, v T)) error {
	k := t.cache.call(OpGetMany, "")
	defer t.cache.free(k)
	k.cmd.Keys = append(k.cmd.Keys, keys...)
	err := t.cache.Do(ctx, &k.cmd, &k.res)
	for i := range k.res.Items {
		if e := k.res.Items[i].Entry; e != nil {
			if v, err := t.Decode(keys[i], e); err == nil {
				hit(i, v)
			}
		}
	}
	return err
}

// Set stores v at key. It returns ErrEncode where v has no bytes.
func (t *Typed[T]) Set(ctx context.Context, key string, v T, opts EntryOptions) error {
	return t.write(ctx, OpSet, key, &v, 0, opts)
}

// Add stores v only if key is absent; else it returns ErrExists.
func (t *Typed[T]) Add(ctx context.Context, key string, v T, opts EntryOptions) error {
	return t.write(ctx, OpAdd, key, &v, 0, opts)
}

// Replace stores v only if key is present; else it returns ErrNotFound.
func (t *Typed[T]) Replace(ctx context.Context, key string, v T, opts EntryOptions) error {
	return t.write(ctx, OpReplace, key, &v, 0, opts)
}

// CompareAndSwap stores v only if key still has the value whose token GetToken returned; else it returns ErrConflict, or
// ErrNotFound if the key is gone.
func (t *Typed[T]) CompareAndSwap(ctx context.Context, key string, token uint64, v T, opts EntryOptions) error {
	return t.write(ctx, OpCompareAndSwap, key, &v, token, opts)
}

func (t *Typed[T]) write(ctx context.Context, op Op, key string, v *T, token uint64, opts EntryOptions) error {
	data, err := t.encode(key, v)
	if err != nil {
		return &OpError{Op: op, Namespace: t.cache.ns.path, Key: key, Err: err}
	}
	return t.cache.store(ctx, op, key, data, token, t.entryOptions(opts))
}

// SetMany stores values[i] at keys[i], in one batch. Where one of them has no bytes none is stored.
func (t *Typed[T]) SetMany(ctx context.Context, keys []string, values []T, opts EntryOptions) error {
	if len(keys) != len(values) {
		return &OpError{Op: OpSetMany, Namespace: t.cache.ns.path, Err: fmt.Errorf("%w: %d values for %d keys", ErrUnsupported, len(values), len(keys))}
	}
	data := make([][]byte, len(values))
	for i := range values {
		var err error
		if data[i], err = t.encode(keys[i], &values[i]); err != nil {
			return &OpError{Op: OpSetMany, Namespace: t.cache.ns.path, Key: keys[i], Err: err}
		}
	}
	return t.cache.SetMany(ctx, keys, data, t.entryOptions(opts))
}

// SetMap stores values by their keys, as SetMany does.
func (t *Typed[T]) SetMap(ctx context.Context, values map[string]T, opts EntryOptions) error {
	keys, vs := make([]string, 0, len(values)), make([]T, 0, len(values))
	for k, v := range values {
		keys, vs = append(keys, k), append(vs, v)
	}
	return t.SetMany(ctx, keys, vs, opts)
}

// Delete removes key and reports whether it was there.
func (t *Typed[T]) Delete(ctx context.Context, key string) (bool, error) {
	return t.cache.Delete(ctx, key)
}

// Decode returns the value of e, the entry of key. Its error is both ErrNotFound and ErrDecode.
func (t *Typed[T]) Decode(key string, e *Entry) (v T, err error) {
	if e.Codec != t.id && !codec.Accepts(t.codec, e.Codec) {
		return v, t.undecoded(key, fmt.Errorf("%w: it is of codec %d, not %d (%s)", ErrDecode, e.Codec, t.codec.ID(), t.codec.Name()))
	}
	if t.keep {
		if k, ok := e.Decoded().(*kept[T]); ok {
			return t.reader(k.value), nil
		}
	}
	p := new(T)
	if err := codec.DecodeFor(t.codec, e.Value, t.bound(key), p); err != nil {
		return v, t.undecoded(key, err)
	}
	if t.keep {
		e.SetDecoded(&kept[T]{*p})
		return t.reader(*p), nil
	}
	return *p, nil
}

// reader returns a kept value as a reader gets it.
func (t *Typed[T]) reader(v T) T {
	if t.clone {
		return t.cloner(v)
	}
	return v
}

// undecoded counts and describes a value that can't be read.
func (t *Typed[T]) undecoded(key string, err error) error {
	t.cache.engine.counters.local().undecoded.Add(1)
	return &OpError{Op: OpGet, Namespace: t.cache.ns.path, Key: key, Err: fmt.Errorf("%w: %w", ErrNotFound, err)}
}

// encode returns the bytes of *v.
func (t *Typed[T]) encode(key string, v *T) ([]byte, error) {
	return codec.AppendFor(t.codec, nil, t.bound(key), v)
}

// bound is the key that a Keyed codec binds the bytes to.
func (t *Typed[T]) bound(key string) string {
	if !t.keyed {
		return ""
	}
	return t.cache.ns.prefix + key
}

// entryOptions are opts with what is the view's.
func (t *Typed[T]) entryOptions(opts EntryOptions) EntryOptions {
	opts.Codec, opts.Decoded = t.id, nil
	return opts
}
