package core

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
)

// NewKeyBuilder returns a hook that has every key built by build: it appends to dst what is to be the key within the
// namespace, whose path it gets ("" is the root), and returns it. It is called for each key of each command, whatever way
// that came, by many goroutines at once, and must not keep key. Two keys must not become one. Patterns and what OpKeys
// lists are keys as they are stored.
//
// The hook is called name, stands where Options.Hooks has it, and sees what the hooks before it made of the key.
func NewKeyBuilder(name string, build func(dst []byte, namespace, key string) []byte) Hook {
	return &keyHook{name: name, build: build}
}

type keyHook struct {
	name  string
	build func(dst []byte, namespace, key string) []byte
}

// keyedOps are the operations whose keys name entries.
const keyedOps = AllOps &^ (1<<OpKeys | 1<<OpClear | 1<<OpRaw)

// Spec asks for all operations with keys.
func (b *keyHook) Spec() HookSpec { return HookSpec{Name: b.name, Before: keyedOps} }

// Before builds the keys.
func (b *keyHook) Before(_ context.Context, cmd *Command, _ *Result) error {
	var room [128]byte
	for i := range cmd.Size() {
		cmd.SetKey(i, b.build(room[:0], cmd.Namespace.Path(), *cmd.KeyAt(i)))
	}
	return nil
}

// After does nothing.
func (b *keyHook) After(context.Context, *Command, *Result) error { return nil }

// ConfigHash returns 32 hexadecimal digits that are others when any of parts is: the name of a namespace for values that
// depend on a configuration, on the digests of plugins, on a version. A change then makes everything of before a miss, and
// it expires or is evicted like all that nobody asks for. Strings and bytes count as they are, all else as its JSON, in
// which the keys of maps are sorted; what has no JSON is an error.
func ConfigHash(parts ...any) (string, error) {
	h := sha256.New()
	for i, part := range parts {
		var b []byte
		kind := byte('s')
		switch p := part.(type) {
		case string:
			b = []byte(p)
		case []byte:
			b = p
		default:
			kind = 'j'
			var err error
			if b, err = json.Marshal(part); err != nil {
				return "", fmt.Errorf("core: hash of configuration: part %d: %w", i+1, err)
			}
		}
		var head [9]byte // so that "a", "bc" and "ab", "c" differ
		head[0] = kind
		binary.LittleEndian.PutUint64(head[1:], uint64(len(b)))
		h.Write(head[:])
		h.Write(b)
	}
	return hex.EncodeToString(h.Sum(nil)[:16]), nil
}
