package shadow

import (
	"math/rand/v2"
	"testing"
)

// TestObjects does at random what a map and a slice do too.
func TestObjects(t *testing.T) {
	const most = 256
	r := rand.New(rand.NewPCG(3, 4))
	objects, ids := newObjects(most), make(map[uint64]uint32)
	sizes := make(map[uint64]uint32)
	var order []uint64 // oldest first
	drop := func(hash uint64) {
		for i, h := range order {
			if h == hash {
				order = append(order[:i], order[i+1:]...)
				return
			}
		}
	}
	for range 50_000 {
		hash := uint64(r.IntN(2*most))<<maxShift | 3<<(maxShift+30) // they begin at few places
		id, ok := objects.find(hash)
		if want, known := ids[hash]; ok != known || ok && id != want {
			t.Fatalf("find(%x) = %d, %v, want %d, %v", hash, id, ok, want, known)
		}
		switch {
		case ok && r.IntN(3) == 0:
			objects.remove(id)
			delete(ids, hash)
			delete(sizes, hash)
			drop(hash)
		case ok:
			objects.touch(id)
			sizes[hash] = uint32(r.IntN(3))
			objects.resize(id, sizes[hash])
			drop(hash)
			order = append(order, hash)
		case objects.full():
			if objects.n != most {
				t.Fatalf("full with %d", objects.n)
			}
			oldest := objects.hash[objects.oldest]
			objects.remove(objects.oldest)
			delete(ids, oldest)
			delete(sizes, oldest)
			drop(oldest)
		default:
			ids[hash] = objects.add(hash)
			order = append(order, hash)
		}
		check(t, objects, ids, sizes, order)
	}
}

func check(t *testing.T, objects *objects, ids map[uint64]uint32, sizes map[uint64]uint32, order []uint64) {
	t.Helper()
	var bytes uint64
	sized := 0
	for _, size := range sizes {
		bytes += uint64(size)
		if size > 0 {
			sized++
		}
	}
	if objects.n != len(ids) || objects.bytes != bytes || objects.sized != sized {
		t.Fatalf("%d objects, %d of known size, %d bytes; want %d, %d, %d", objects.n, objects.sized, objects.bytes, len(ids), sized, bytes)
	}
	if len(order) > 0 && (objects.hash[objects.oldest] != order[0] || objects.hash[objects.newest] != order[len(order)-1]) {
		t.Fatal("the oldest or the newest is not the one that it was")
	}
	if len(order) == 0 && (objects.oldest != nobody || objects.newest != nobody) {
		t.Fatal("nothing is there, and something is the oldest")
	}
}
