package trace

import (
	"bytes"
	"encoding/binary"
)

// verifier keeps what objects are, to tell those apart whose hashes are the same.
type verifier struct {
	all        []byte // one identity behind the other
	ends       []int  // by id: where its identity ends in all
	scratch    []byte
	collisions int
}

func newVerifier() *verifier { return new(verifier) }

// identity puts a key and a number together. What it returns is valid until the next call.
func (v *verifier) identity(name []byte, number uint64) []byte {
	v.scratch = binary.LittleEndian.AppendUint64(append(v.scratch[:0], name...), number)
	return v.scratch
}

// id returns the id of an object that the interner has under a key, where it may have mistaken it for another: that one keeps
// the key, and this one gets the next that is free.
func (v *verifier) id(t *interner, key uint64, id uint32, fresh bool, identity []byte) (uint32, bool) {
	first := key
	for !fresh {
		if bytes.Equal(v.of(id), identity) {
			return id, false
		}
		key = splitmix64(key + 1)
		id, fresh = t.id(key)
	}
	if key != first {
		v.collisions++
	}
	v.all = append(v.all, identity...)
	v.ends = append(v.ends, len(v.all))
	return id, true
}

// of returns the identity of an object.
func (v *verifier) of(id uint32) []byte {
	from := 0
	if id > 0 {
		from = v.ends[id-1]
	}
	return v.all[from:v.ends[id]]
}
