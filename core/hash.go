package core

import "hash/maphash"

// seed is the process's own: what is hashed with it never leaves the process. It is never changed.
var seed = maphash.MakeSeed()

// hashKey is what events have as the hash of a key.
func (e *engine) hashKey(ns *Namespace, key string) uint64 {
	if e.keyHash != nil {
		return e.keyHash(ns.prefix, key)
	}
	return hashKey(ns.id, key)
}

// hashKey is a 64-bit hash of a namespace's number and a key.
func hashKey(namespace uint16, key string) uint64 {
	return maphash.String(seed, key) ^ uint64(namespace)*0x9e3779b97f4a7c15
}
