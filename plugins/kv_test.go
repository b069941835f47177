package plugins

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/hostabi"
)

const (
	full   = hostabi.KVFull
	absent = hostabi.KVAbsent
	differ = hostabi.KVDiffers
	failed = math.MinInt64
)

// TestKVFunctions has a guest call them all; each line has what it must return.
func TestKVFunctions(t *testing.T) {
	const before = hostabi.ExportBefore
	s := newScript("kv")
	var want []int64
	call := func(result int64, function string, args ...any) {
		s.call(before, function, args...)
		want = append(want, result)
	}
	none := region2{0, math.MaxUint32} // the length -1
	long := region2{scriptFree, hostabi.MaxKVKey + 1}
	big, most := region2{scriptFree, hostabi.MaxKVValue + 1}, region2{scriptFree, hostabi.MaxKVValue}
	nowhere := region2{scriptFree, 0}

	call(absent, hostabi.HostKVGet, "a", nowhere)
	call(0, hostabi.HostKVSet, "a", "hello", 0)
	call(5, hostabi.HostKVGet, "a", nowhere)
	call(5, hostabi.HostKVGet, "a", region2{scriptFree, 3})
	call(differ, hostabi.HostKVCAS, "a", none, "x", 0)
	call(differ, hostabi.HostKVCAS, "a", "hell", "x", 0)
	call(differ, hostabi.HostKVCAS, "a", "", "x", 0)
	call(0, hostabi.HostKVCAS, "a", "hello", "", 0)
	call(0, hostabi.HostKVGet, "a", nowhere)
	call(differ, hostabi.HostKVCAS, "a", none, "x", 0)
	call(0, hostabi.HostKVCAS, "a", "", "x", 0)
	call(differ, hostabi.HostKVCAS, "b", "", "x", 0)
	call(differ, hostabi.HostKVCAS, "b", "x", "x", 0)
	call(0, hostabi.HostKVCAS, "b", none, "x", 0)
	call(0, hostabi.HostKVDelete, "b")
	call(absent, hostabi.HostKVDelete, "b")

	call(-3, hostabi.HostKVAdd, "n", -3, 0)
	call(4, hostabi.HostKVAdd, "n", 7, 0)
	call(8, hostabi.HostKVGet, "n", nowhere)
	call(0, hostabi.HostKVCAS, "n", "\x04\x00\x00\x00\x00\x00\x00\x00", "\xff\xff\xff\xff\xff\xff\xff\x7f", 0)
	call(failed, hostabi.HostKVAdd, "n", 1, 0)
	call(math.MaxInt64, hostabi.HostKVAdd, "n", 0, 0)
	call(failed, hostabi.HostKVAdd, "a", 1, 0) // one byte
	call(failed, hostabi.HostKVAdd, "m", math.MinInt64, 0)
	call(absent, hostabi.HostKVGet, "m", nowhere)
	call(math.MinInt64+1, hostabi.HostKVAdd, "m", math.MinInt64+1, 0)
	call(failed, hostabi.HostKVAdd, "m", -1, 0)
	call(math.MinInt64+1, hostabi.HostKVAdd, "m", 0, 0)

	call(full, hostabi.HostKVSet, long, "x", 0)
	call(absent, hostabi.HostKVGet, long, nowhere)
	call(absent, hostabi.HostKVDelete, long)
	call(full, hostabi.HostKVCAS, long, none, "x", 0)
	call(full, hostabi.HostKVCAS, "a", "wrong", big, 0)
	call(failed, hostabi.HostKVAdd, long, 1, 0)
	call(full, hostabi.HostKVSet, "a", big, 0)
	call(1, hostabi.HostKVGet, "a", nowhere)
	call(0, hostabi.HostKVSet, "a", most, 0)
	call(hostabi.MaxKVValue, hostabi.HostKVGet, "a", nowhere)
	call(0, hostabi.HostKVSet, "", "", 0)
	call(0, hostabi.HostKVGet, "", nowhere)
	call(0, hostabi.HostKVSet, "forever", "x", math.MaxInt64)
	call(1, hostabi.HostKVGet, "forever", nowhere)
	call(0, hostabi.HostKVSet, "also", "x", -5)
	call(1, hostabi.HostKVGet, "also", nowhere)

	got := s.run(t, &core.Command{Op: core.OpGet, Key: "k"}, len(want))
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("call %d returned %d, want %d", i, got[i], want[i])
		}
	}
}

// TestKVGetCopies looks at what arrives in the guest's memory.
func TestKVGetCopies(t *testing.T) {
	s := newScript("kv")
	at := s.room(8)
	s.call(hostabi.ExportBefore, hostabi.HostKVSet, "a", "hello", 0)
	s.call(hostabi.ExportBefore, hostabi.HostKVGet, "a", region2{at, 3})
	s.call(hostabi.ExportBefore, hostabi.HostKVGet, "a", region2{at + 4, 4})
	cmd := core.Command{Op: core.OpGet, Key: "k"}
	if s.run(t, &cmd, 0); cmd.Key[:8] != "hel\x00hell" {
		t.Errorf("the guest has %q", cmd.Key[:8])
	}
}

// TestKVIsSharedAndKept sets an entry with one version and reads it with the next, which has less room.
func TestKVIsSharedAndKept(t *testing.T) {
	h, _ := newHost(t)
	writer, reader := newScript("kv"), newScript("kv")
	writer.call(hostabi.ExportBefore, hostabi.HostKVSet, "a", strings.Repeat("x", 1000), 0)
	writer.call(hostabi.ExportBefore, hostabi.HostKVAdd, "n", 1, 0)
	writer.reply()
	reader.call(hostabi.ExportBefore, hostabi.HostKVGet, "a", region2{scriptFree, 0})
	reader.call(hostabi.ExportBefore, hostabi.HostKVAdd, "n", 1, 0)
	reader.call(hostabi.ExportBefore, hostabi.HostKVSet, "b", "x", 0)
	reader.call(hostabi.ExportBefore, hostabi.HostKVSet, "a", strings.Repeat("x", 1001), 0)
	reader.call(hostabi.ExportBefore, hostabi.HostKVSet, "a", strings.Repeat("x", 999), 0)
	reader.call(hostabi.ExportBefore, hostabi.HostKVSet, "a", "y", 0)
	reader.reply()
	p := load(t, h, writer.source())
	results := func() []int64 {
		t.Helper()
		cmd := core.Command{Op: core.OpGet, Key: "k"}
		if err := before(t, p, &cmd, new(core.Result)); err != nil {
			t.Fatal(err)
		}
		return numbers(cmd.Key)
	}
	if got := results(); !slices.Equal(got, []int64{0, 1}) {
		t.Errorf("the writer got %d", got)
	}
	src := reader.source()
	src.Grants.KVBytes = 500
	if err := p.Swap(t.Context(), src); err != nil {
		t.Fatal(err)
	}
	if got := results(); !slices.Equal(got, []int64{1000, 2, full, full, 0, 0}) {
		t.Errorf("the reader got %d", got)
	}
	if s := p.Stats(); s.KVEntries != 2 || s.KVBytes != 2*kvOverhead+2+1+8 {
		t.Errorf("%d entries of %d bytes", s.KVEntries, s.KVBytes)
	}
	if err := p.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s := p.Stats(); s.KVEntries != 0 || s.KVBytes != 0 {
		t.Errorf("%d entries of %d bytes when closed", s.KVEntries, s.KVBytes)
	}
}

// TestKVOfPlugins has two plugins with the same code: what one has set the other does not see.
func TestKVOfPlugins(t *testing.T) {
	h, _ := newHost(t)
	s := newScript("kv")
	s.call(hostabi.ExportBefore, hostabi.HostKVAdd, "n", 1, 0)
	s.reply()
	for _, name := range []string{"a", "b"} {
		src := s.source()
		src.Name = name
		cmd := core.Command{Op: core.OpGet, Key: "k"}
		if err := before(t, load(t, h, src), &cmd, new(core.Result)); err != nil || numbers(cmd.Key)[0] != 1 {
			t.Errorf("%s: %d, %v", name, numbers(cmd.Key), err)
		}
	}
}

func TestKVFills(t *testing.T) {
	s := newKVStore(func() int64 { return 1 })
	s.limit(Grants{})
	n := 0
	for s.set([]byte(fmt.Sprint(n)), nil, 0) == hostabi.KVOK {
		n++
	}
	if entries, size := s.figures(); entries != defaultKVEntries || n != entries || size > defaultKVBytes {
		t.Errorf("%d entries of %d bytes", entries, size)
	}
	if got := s.add([]byte("more"), 1, 0); got != failed {
		t.Errorf("add = %d where there is no room", got)
	}
	s.clear()
	n = 0
	for s.set([]byte(fmt.Sprint(n)), make([]byte, 10_000), 0) == hostabi.KVOK {
		n++
	}
	if _, size := s.figures(); n != defaultKVBytes/(10_000+kvOverhead+3) || size > defaultKVBytes {
		t.Errorf("%d entries of 10,000 bytes, %d in all", n, size)
	}
}

// model is a plain map that does what the store should.
type model struct {
	entries map[string]modelEntry
	now     int64
	limits  Grants
}

type modelEntry struct {
	value   string
	expires int64
}

func (m *model) find(key string) (modelEntry, bool) {
	for k, e := range m.entries {
		if e.expires != 0 && e.expires <= m.now {
			delete(m.entries, k)
		}
	}
	e, ok := m.entries[key]
	return e, ok
}

func (m *model) size() (n int) {
	for k, e := range m.entries {
		n += kvOverhead + len(k) + len(e.value)
	}
	return n
}

func (m *model) set(key, value string, ttl int64) int32 {
	old, had := m.find(key)
	more := len(value) - len(old.value)
	if !had {
		more += kvOverhead + len(key)
	}
	if len(key) > hostabi.MaxKVKey || len(value) > hostabi.MaxKVValue || !had && len(m.entries) >= m.limits.KVEntries ||
		more > 0 && m.size()+more > m.limits.KVBytes {
		return full
	}
	e := modelEntry{value: value}
	if ttl > 0 {
		e.expires = m.now + ttl*int64(time.Millisecond)
	}
	m.entries[key] = e
	return 0
}

func (m *model) swap(key, old string, wantsNone bool, value string, ttl int64) int32 {
	e, ok := m.find(key)
	switch {
	case len(key) > hostabi.MaxKVKey || len(value) > hostabi.MaxKVValue:
		return full
	case ok == wantsNone || ok && e.value != old:
		return differ
	}
	return m.set(key, value, ttl)
}

func (m *model) add(key string, delta, ttl int64) int64 {
	e, ok := m.find(key)
	if !ok {
		e.value = string(make([]byte, 8))
	}
	if len(e.value) != 8 {
		return failed
	}
	n := int64(binary.LittleEndian.Uint64([]byte(e.value)))
	if delta > 0 && n > math.MaxInt64-delta || delta < 0 && n <= math.MinInt64-delta || n+delta == failed {
		return failed
	}
	e.value = string(binary.LittleEndian.AppendUint64(nil, uint64(n+delta)))
	if ok {
		m.entries[key] = e
	} else if m.set(key, e.value, ttl) != 0 {
		return failed
	}
	return n + delta
}

// TestKVAgainstAModel makes random calls, with little room and a clock that moves, and compares every answer.
func TestKVAgainstAModel(t *testing.T) {
	for seed := range int64(20) {
		r := rand.New(rand.NewSource(seed))
		m := &model{entries: make(map[string]modelEntry), now: 1, limits: Grants{KVBytes: 2000, KVEntries: 12}}
		s := newKVStore(func() int64 { return m.now })
		s.limit(m.limits)
		for i := range 5000 {
			key := fmt.Sprint(r.Intn(20))
			if r.Intn(200) == 0 {
				key = strings.Repeat("k", hostabi.MaxKVKey+r.Intn(2))
			}
			value := strings.Repeat(fmt.Sprint(r.Intn(3)), []int{0, 1, 8, 8, 100, 700, hostabi.MaxKVValue + 1}[r.Intn(7)])
			ttl := []int64{0, -1, 1, 2, 5, 20}[r.Intn(6)]
			var got, want any
			var what string
			switch r.Intn(7) {
			case 0:
				what, got, want = "set", s.set([]byte(key), []byte(value), ttl), m.set(key, value, ttl)
			case 1:
				e, ok := m.find(key)
				old := []byte(e.value)
				if !ok || r.Intn(4) == 0 {
					old = nil
				}
				if r.Intn(4) == 0 {
					old = []byte("0")
				}
				what, got = "swap", s.swap([]byte(key), old, []byte(value), ttl)
				want = m.swap(key, string(old), old == nil, value, ttl)
			case 2, 3:
				delta := []int64{1, -1, math.MaxInt64, math.MinInt64, math.MinInt64 + 1}[r.Intn(5)]
				what, got, want = "add", s.add([]byte(key), delta, ttl), m.add(key, delta, ttl)
			case 4:
				_, ok := m.find(key)
				delete(m.entries, key)
				what, got, want = "remove", s.remove([]byte(key)), map[bool]int32{true: 0, false: absent}[ok]
			case 5:
				m.now += int64(r.Intn(3)) * int64(time.Millisecond)
				fallthrough
			default:
				e, ok := m.find(key)
				to := make([]byte, 50)
				n := s.get([]byte(key), to)
				what, got, want = "get", n, absent
				if ok {
					want = len(e.value)
				}
				if n >= 0 && !bytes.HasPrefix([]byte(e.value), to[:min(n, len(to))]) {
					t.Fatalf("seed %d, step %d: get %q brought %q of %q", seed, i, key, to, e.value)
				}
			}
			if got != want {
				t.Fatalf("seed %d, step %d: %s of %.30q: %v, the model has %v", seed, i, what, key, got, want)
			}
			m.find("")
			if entries, size := s.figures(); entries != len(m.entries) || size != m.size() {
				t.Fatalf("seed %d, step %d: %d entries of %d bytes, the model has %d of %d", seed, i, entries, size, len(m.entries), m.size())
			}
		}
	}
}

// TestKVConcurrently has goroutines add to one number while others come and go.
func TestKVConcurrently(t *testing.T) {
	s := newKVStore(core.Clock)
	s.limit(Grants{KVEntries: 20})
	const goroutines, each = 8, 2000
	var done sync.WaitGroup
	for g := range goroutines {
		done.Go(func() {
			own, to := []byte{byte(g)}, make([]byte, 16)
			for i := range each {
				if n := s.add([]byte("all"), 1, 0); n < 1 || n > goroutines*each {
					t.Errorf("add = %d", n)
				}
				if s.set(own, own, int64(i%3)-1) != hostabi.KVOK {
					t.Error("no room")
				}
				if n := s.get(own, to); n != 1 && n != hostabi.KVAbsent || n == 1 && to[0] != byte(g) {
					t.Errorf("get = %d, %q", n, to)
				}
				s.swap([]byte("shared"), nil, own, 1)
				s.remove(own)
			}
		})
	}
	done.Wait()
	if n := s.add([]byte("all"), 0, 0); n != goroutines*each {
		t.Errorf("the number is %d, want %d", n, goroutines*each)
	}
}

// TestKVOfInstances has a guest in many instances count its calls.
func TestKVOfInstances(t *testing.T) {
	h, _ := newHost(t)
	s := newScript("kv")
	s.call(hostabi.ExportBefore, hostabi.HostKVAdd, "n", 1, 60_000)
	s.reply()
	p := load(t, h, s.source())
	const goroutines, each = 8, 200
	var done sync.WaitGroup
	for range goroutines {
		done.Go(func() {
			for range each {
				cmd := core.Command{Op: core.OpGet, Key: "k", Namespace: pureNamespace, Cookies: make([]uint64, 1)}
				if err := p.Hook().Before(t.Context(), &cmd, new(core.Result)); err != nil {
					t.Errorf("Before = %v", err)
				}
			}
		})
	}
	done.Wait()
	if n := p.kv.add([]byte("n"), 0, 0); n != goroutines*each {
		t.Errorf("the guests counted %d, want %d", n, goroutines*each)
	}
}

func BenchmarkKV(b *testing.B) {
	s := newKVStore(core.Clock)
	s.limit(Grants{})
	key, value, to := []byte("some:key"), make([]byte, 64), make([]byte, 64)
	for i := range 1000 {
		s.set([]byte(fmt.Sprint(i)), value, 60_000)
	}
	for name, f := range map[string]func(){
		"set": func() { s.set(key, value, 0) },
		"get": func() { s.get(key, to) },
		"add": func() { s.add([]byte("number"), 1, 0) },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			s.set(key, value, 0)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					f()
				}
			})
		})
	}
}
