package file

import (
	"fmt"
	"runtime"
	"testing"
)

// TestIndexMemory measures what Options.MaxEntries says that an entry takes beside its key.
func TestIndexMemory(t *testing.T) {
	const n, said = 100_000, 150
	keys, names := make([]string, n), make([]name, n)
	for i := range keys {
		keys[i] = fmt.Sprint("key", i)
		names[i] = hashName(keys[i])
	}
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before, x := heap(), newIndex()
	for i := range keys {
		x.put(names[i], &item{key: keys[i], size: 1, expires: int64(i + 1)})
	}
	if each := (heap() - before) / n; each > said {
		t.Errorf("an entry takes %d bytes, want %d at most", each, said)
	} else {
		t.Logf("an entry takes %d bytes", each)
	}
	runtime.KeepAlive(x)
	runtime.KeepAlive(keys)
	runtime.KeepAlive(names)
}
