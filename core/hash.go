package core

import "hash/maphash"

// seed is the process's own: what is hashed with it never leaves the process. It is never changed.
var seed = maphash.MakeSeed()

// hashKey is a 64-bit hash of a namespace's number and a key.
func hashKey(namespace uint16, key string) uint64 {
	return maphash.String(seed, key) ^ uint64(namespace)*0x9e3779b97f4a7c15
}
