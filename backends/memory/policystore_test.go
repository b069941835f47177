package memory

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgecache/edgecache/backends/backendtest"
	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/core/evict"
)

// openStore opens a backend with a policy and returns its store, too.
func openStore(t testing.TB, o Options) (*Backend, *policyStore) {
	t.Helper()
	b := open(t, o)
	return b, b.open.Load().store.(*policyStore)
}

func TestPolicyConformance(t *testing.T) {
	for _, name := range names()[1:] {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			backendtest.Run(t, func(t *testing.T) core.Backend {
				return open(t, Options{MaxBytes: 24 << 20, Policy: native(t, name)})
			})
		})
	}
}

func TestNative(t *testing.T) {
	for _, c := range []struct {
		name, says string
		ghosts     float64
	}{
		{name: "lru", ghosts: 1},
		{name: "s3fifo", ghosts: 1},
		{name: "lirs", ghosts: 2},
		{name: "lirs:ghost=5", ghosts: 5},
		{name: "wtinylfu:window=0.1", ghosts: 2},
		{name: "opt", says: "knows the future"},
		{name: "opt:x=1", says: "knows the future"},
		{name: "lru+second-hit", says: "policy lru+second-hit: admission is for the simulator"},
		{name: "slru:segments=2+size:max=64KiB", says: "take slru:segments=2"},
		{name: "best", says: "no policy is called"},
		{name: "slru:sets=2", says: `parameter "sets" is not known`},
		{name: "lirs:ghost=many", says: "no number"},
	} {
		p, err := Native(c.name)
		switch {
		case c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)):
			t.Errorf("Native(%q) = %v, want an error with %q", c.name, err, c.says)
		case c.says == "" && err != nil:
			t.Errorf("Native(%q): %v", c.name, err)
		case c.says == "" && (p.Ghosts != c.ghosts || p.Name != c.name):
			t.Errorf("Native(%q) = %q with %v ghosts, want %v", c.name, p.Name, p.Ghosts, c.ghosts)
		}
	}
}

func TestPolicyThatCannotBeMade(t *testing.T) {
	broken := errors.New("no")
	p := &Policy{Name: "none", New: func(evict.Spec) (evict.Policy, error) { return nil, broken }}
	if _, err := New(Options{Policy: p}); !errors.Is(err, broken) {
		t.Errorf("New = %v, want the policy's error", err)
	}
}

// TestLikeSimulated demands that the store hits and evicts exactly as the policy alone does, where it is told at once.
func TestLikeSimulated(t *testing.T) {
	const entries, asked, requests = 300, 3000, 60_000
	for _, name := range []string{"lru", "sieve", "s3fifo", "fifo", "arc", "2q", "lirs", "lfu", "clock", "gdsf"} {
		for _, sized := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/sized=%v", name, sized), func(t *testing.T) {
				valueOf := func(id int) []byte {
					if !sized {
						return make([]byte, 100)
					}
					return make([]byte, id*7919%2000)
				}
				each := weight(key(0), &core.Entry{Value: make([]byte, 1000)})
				o := Options{MaxBytes: entries * each, Policy: native(t, name)}
				b, s := openStore(t, o)
				var spec evict.Spec
				alone, err := o.Policy.New(evict.Spec{Objects: asked, Capacity: uint64(o.MaxBytes), Bytes: true, Seed: s.spec.Seed})
				if err != nil {
					t.Fatal(spec, err)
				}
				zipf := rand.NewZipf(rand.New(rand.NewPCG(1, 2)), 1.05, 20, asked-1)
				var hit [1]uint64
				hits := 0
				for i := range requests {
					id := int(zipf.Uint64())
					e := &core.Entry{Value: valueOf(id)}
					want := alone.Replay([]uint32{uint32(id)}, []uint32{uint32(weight(key(id), e))}, hit[:]) == 0
					_, err := b.Get(t.Context(), key(id))
					if err != nil {
						_ = b.Set(t.Context(), key(id), e)
					} else {
						hits++
					}
					drained(b)
					if got := err == nil; got != want {
						t.Fatalf("request %d, of object %d: hit is %v, want %v", i, id, got, want)
					}
				}
				if _, bytes := b.Size(); uint64(bytes) != alone.Used() || s.rule.Used() != alone.Used() {
					t.Errorf("entries weigh %d, to the policy %d, to it alone %d", bytes, s.rule.Used(), alone.Used())
				}
				if hits == 0 || hits == requests || b.Evictions() == 0 {
					t.Errorf("%d hits of %d, %d evictions: this shows nothing", hits, requests, b.Evictions())
				}
				sound(t, s)
			})
		}
	}
}

// sound checks what the store knows of its nodes against the policy, once that is told of everything.
func sound(t *testing.T, s *policyStore) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drain()
	var nodes, live, timed int
	var bytes, most int64
	for i := range s.tables {
		for _, n := range s.tables[i].all() {
			nodes++
			bytes += weight(n.key, n.entry.Load())
			most += int64(n.size.Load())
			if !s.ids.holds(n) || !s.rule.Contains(n.id) {
				t.Errorf("%q is there, and not to the policy", n.key)
			}
			if size := int64(n.size.Load()); size < weight(n.key, n.entry.Load()) {
				t.Errorf("%q weighs %d to the policy, and %d", n.key, size, weight(n.key, n.entry.Load()))
			}
		}
	}
	for id, n := range s.ids.nodes {
		if n == nil {
			if s.rule.Contains(uint32(id)) {
				t.Errorf("the policy has number %d, and nobody else", id)
			}
			continue
		}
		live++
		if s.ids.rings.in(uint32(id) + anchors) {
			timed++
		}
		if n.entry.Load() == nil {
			t.Errorf("the policy has %q, which is gone", n.key)
		}
	}
	if nodes != live || int64(nodes) != s.entries.Load() || bytes != s.bytes.Load() || uint64(most) != s.rule.Used() {
		t.Errorf("%d nodes in tables, %d with the policy, %d counted; they weigh %d, counted %d, to the policy %d, counted there %d",
			nodes, live, s.entries.Load(), bytes, s.bytes.Load(), most, s.rule.Used())
	}
	if most > s.most*4 && bytes > int64(s.spec.Capacity) {
		t.Errorf("entries weigh %d of %d", bytes, s.spec.Capacity)
	}
	if timed != s.ids.wheel.timed || live != s.ids.live {
		t.Errorf("%d timers, counted %d; %d nodes, counted %d", timed, s.ids.wheel.timed, live, s.ids.live)
	}
	if lag := s.changes.lag.Load(); lag != 0 {
		t.Errorf("%d bytes lag when everything is told", lag)
	}
}

// TestModel does random things to a cache that is large enough for all of them, and to a map.
func TestModel(t *testing.T) {
	for _, name := range []string{"lru", "s3fifo", "wtinylfu", "lirs"} {
		t.Run(name, func(t *testing.T) {
			b, s := openStore(t, Options{MaxBytes: 8 << 20, Policy: native(t, name)})
			model := make(map[string]string)
			random := rand.New(rand.NewPCG(3, 4))
			ctx := t.Context()
			for i := range 40_000 {
				k, v := key(random.IntN(500)), strings.Repeat("v", random.IntN(3000))
				old, had := model[k]
				switch random.IntN(10) {
				case 0, 1, 2:
					model[k] = v
					_ = b.Set(ctx, k, &core.Entry{Value: []byte(v)})
				case 3:
					delete(model, k)
					if found, _ := b.Delete(ctx, k); found != had {
						t.Fatalf("step %d: Delete(%q) = %v, want %v", i, k, found, had)
					}
				case 4:
					model[k] = old + "+"
					_, _ = b.Update(ctx, k, func(e *core.Entry) (*core.Entry, error) {
						if (e != nil) != had {
							t.Fatalf("step %d: Update(%q) has %v, want %v", i, k, e, had)
						}
						return &core.Entry{Value: []byte(model[k])}, nil
					})
				case 5:
					if random.IntN(2000) == 0 {
						clear(model)
						_ = b.Clear(ctx, "")
					}
				default:
					if e, err := b.Get(ctx, k); (err == nil) != had || had && string(e.Value) != old {
						t.Fatalf("step %d: Get(%q) = %v, %v, want %v %q", i, k, e, err, had, old)
					}
				}
			}
			sound(t, s)
			if entries, _ := b.Size(); int(entries) != len(model) || b.Evictions() != 0 {
				t.Errorf("%d entries, want %d; %d evictions, want none", entries, len(model), b.Evictions())
			}
		})
	}
}

// TestParallel lets 64 goroutines do everything to a cache that is much too small. Values tell their keys.
func TestParallel(t *testing.T) {
	for _, name := range []string{"lru", "sieve", "s3fifo", "wtinylfu", "arc"} {
		for _, lossless := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/lossless=%v", name, lossless), func(t *testing.T) {
				b, s := openStore(t, Options{MaxBytes: 1 << 20, Policy: native(t, name), Lossless: lossless})
				var wg sync.WaitGroup
				for g := range 64 {
					wg.Go(func() { storm(t, b, rand.New(rand.NewPCG(5, uint64(g)))) })
				}
				wg.Wait()
				sound(t, s)
				if b.Evictions() == 0 {
					t.Error("nothing was evicted")
				}
			})
		}
	}
}

func storm(t *testing.T, b *Backend, random *rand.Rand) {
	ctx := t.Context()
	for i := range 1500 {
		k := key(int(random.ExpFloat64() * 1000))
		e := &core.Entry{Value: append([]byte(k), make([]byte, random.IntN(2000))...)}
		if random.IntN(2) == 0 {
			e.Expires = time.Now().Add(time.Duration(random.IntN(300)) * time.Millisecond).UnixNano()
		}
		switch random.IntN(20) {
		case 0, 1, 2, 3:
			_ = b.Set(ctx, k, e)
		case 4:
			_, _ = b.Delete(ctx, k)
		case 5:
			_, _ = b.Update(ctx, k, func(old *core.Entry) (*core.Entry, error) {
				if old != nil && !strings.HasPrefix(string(old.Value), k) {
					t.Errorf("Update(%q) has the value of %q", k, old.Value[:16])
				}
				return e, nil
			})
		case 6:
			_ = b.SetIf(ctx, k, e, core.IfAbsent)
		case 7:
			if i%500 == 7 {
				_ = b.Clear(ctx, "")
			}
		case 8:
			_, _ = b.Expire(ctx, k, e.Expires)
		default:
			if got, err := b.Get(ctx, k); err == nil && !strings.HasPrefix(string(got.Value), k) {
				t.Errorf("Get(%q) has the value of %q", k, got.Value[:16])
			}
		}
	}
}

// TestReadersWhileGrowing looks for a key that is there all the while others come and their table grows.
func TestReadersWhileGrowing(t *testing.T) {
	b, _ := openStore(t, Options{MaxBytes: 64 << 20, Policy: native(t, "fifo")})
	ctx, stay := t.Context(), make([]string, 64)
	for i := range stay {
		stay[i] = key(i)
		_ = b.Set(ctx, stay[i], &core.Entry{})
	}
	done := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-done:
					return
				default:
				}
				if _, err := b.Get(ctx, stay[i%len(stay)]); err != nil {
					t.Errorf("Get(%q) = %v", stay[i%len(stay)], err)
					return
				}
			}
		})
	}
	for i := range 100_000 {
		_ = b.Set(ctx, key(1000+i), &core.Entry{})
	}
	close(done)
	readers.Wait()
}

// TestEndedGiveBack demands that what has ended goes without anybody asking for it, at all distances.
func TestEndedGiveBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, err := New(Options{MaxBytes: 8 << 20, Policy: native(t, "lru")})
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		s := b.open.Load().store.(*policyStore)
		begin := time.Now()
		steps := []time.Duration{
			time.Millisecond, time.Second, 9 * time.Second, time.Minute, 10 * time.Minute, 20 * time.Minute,
		}
		for i, d := range steps {
			_ = b.Set(t.Context(), key(i), &core.Entry{Expires: begin.Add(d).UnixNano()})
		}
		_ = b.Set(t.Context(), "stays", &core.Entry{})
		_ = b.Set(t.Context(), "later", &core.Entry{Expires: begin.Add(time.Second).UnixNano()})
		_, _ = b.Expire(t.Context(), "later", begin.Add(time.Hour).UnixNano())
		_ = b.Set(t.Context(), "earlier", &core.Entry{Expires: begin.Add(time.Hour).UnixNano()})
		_, _ = b.Expire(t.Context(), "earlier", begin.Add(time.Second).UnixNano())
		for i, d := range steps {
			<-time.After(time.Until(begin.Add(d + 2<<tickBits)))
			left := len(steps) - i - 1 + 2
			if d < time.Second {
				left++ // earlier
			}
			if entries, _ := b.Size(); int(entries) != left {
				t.Errorf("%v after the beginning there are %d entries, want %d", d, entries, left)
			}
			sound(t, s)
		}
	})
}

// TestClockSet demands that timers hold when the clock jumps.
func TestClockSet(t *testing.T) {
	_, s := openStore(t, Options{MaxBytes: 1 << 20, Policy: native(t, "lru")})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ids.wheel.now = 1 << 20
	n := &node{}
	n.due.Store(1<<20 + 100)
	s.ids.take(n)
	for _, now := range []uint32{1 << 28, 1<<32 - 50, 1 << 10} {
		s.ids.start(n)
		if got := s.ids.dueNode(now); got != n {
			t.Fatalf("at tick %d no timer ends", now)
		}
		if got := s.ids.dueNode(now); got != nil {
			t.Fatalf("at tick %d a timer ends twice", now)
		}
		n.due.Store(now + 100)
		s.ids.start(n)
		if got := s.ids.dueNode(now + 99); got != nil {
			t.Fatalf("at tick %d a timer ends early", now+99)
		}
	}
	s.ids.stop(n)
	s.ids.release(n)
}

// failing is a policy that fails at some request, as a guest may.
type failing struct {
	evict.Policy
	left   int
	err    error
	closed bool
}

func (p *failing) Replay(ids, sizes []uint32, hits []uint64) int {
	if p.left -= len(ids); p.left < 0 {
		p.err = errors.New("request 7: out of fuel")
		return 0
	}
	return p.Policy.Replay(ids, sizes, hits)
}

func (p *failing) Err() error { return p.err }

func (p *failing) Close() error {
	p.closed = true
	return nil
}

func TestPolicyFails(t *testing.T) {
	var rule *failing
	policy := &Policy{Name: "mine", New: func(s evict.Spec) (evict.Policy, error) {
		p, err := evict.New("s3fifo", s)
		rule = &failing{Policy: p, left: 4000}
		return rule, err
	}}
	var log strings.Builder
	b, s := openStore(t, Options{MaxBytes: 1 << 20, Policy: policy, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	ctx := t.Context()
	e := &core.Entry{Value: make([]byte, 100)}
	for i := range 1000 {
		_ = b.Set(ctx, key(i), e)
	}
	if name, err := b.EvictionPolicy(); name != "mine" || err != nil {
		t.Errorf("EvictionPolicy = %q, %v", name, err)
	}
	for i := 0; ; i++ {
		if _, err := b.Get(ctx, key(i%1000)); err != nil {
			t.Fatalf("Get(%q) = %v after %d: what fits was lost", key(i%1000), err, i)
		}
		if i%1000 == 0 {
			drained(b)
		}
		if name, _ := b.EvictionPolicy(); name == "lru" {
			break
		}
	}
	if name, err := b.EvictionPolicy(); name != "lru" || err == nil || err.Error() != "policy mine: request 7: out of fuel" {
		t.Errorf("EvictionPolicy = %q, %v", name, err)
	}
	sound(t, s)
	if entries, _ := b.Size(); entries != 1000 || !rule.closed {
		t.Errorf("%d of 1000 entries are left; closed is %v", entries, rule.closed)
	}
	for i := range 10_000 {
		_ = b.Set(ctx, key(i), e)
	}
	sound(t, s)
	if n := strings.Count(log.String(), "eviction policy failed"); n != 1 || b.Evictions() == 0 {
		t.Errorf("told %d times, %d evictions", n, b.Evictions())
	}
}

// hoarder remembers all that it threw out.
type hoarder struct{ evict.Policy }

func TestPolicyThatForgetsNothing(t *testing.T) {
	policy := &Policy{Name: "hoarder", New: func(s evict.Spec) (evict.Policy, error) {
		forget := s.Forgotten
		var removing bool
		s.Forgotten = func(id uint32) {
			if removing {
				forget(id)
			}
		}
		p, err := evict.New("lru", s)
		return &remover{hoarder{p}, &removing}, err
	}}
	b, s := openStore(t, Options{MaxBytes: 1 << 20, Policy: policy})
	for i := range 100_000 {
		if err := b.Set(t.Context(), key(i), &core.Entry{Value: make([]byte, 64)}); err != nil {
			t.Fatal(err)
		}
	}
	sound(t, s)
	if entries, _ := b.Size(); entries < 1000 {
		t.Errorf("%d entries are left", entries)
	}
	if _, err := b.Get(t.Context(), key(99_999)); err != nil {
		t.Errorf("the last that came reads %v", err)
	}
}

// remover forgets what it is told to remove.
type remover struct {
	hoarder
	removing *bool
}

func (p *remover) Remove(id uint32) {
	*p.removing = true
	p.Policy.Remove(id)
	*p.removing = false
}

// TestNumbersComeBack demands that a key that comes back soon has its number again, and one that stays away does not keep it.
func TestNumbersComeBack(t *testing.T) {
	s := newIDs(1000)
	nodes := make([]*node, 100)
	for i := range nodes {
		nodes[i] = &node{hash: uint32(i) * 0x9e3779b9}
		if !s.take(nodes[i]) {
			t.Fatal("no number for the first")
		}
	}
	for _, n := range nodes {
		s.release(n)
	}
	back := &node{hash: nodes[42].hash}
	if s.take(back); back.id != nodes[42].id {
		t.Errorf("the key that came back has number %d, had %d", back.id, nodes[42].id)
	}
	for i := range 5000 {
		n := &node{hash: uint32(1000+i) * 0x9e3779b9}
		if !s.take(n) {
			t.Fatal("no number, though all but one are free")
		}
		s.release(n)
	}
	if len(s.nodes) > 200 {
		t.Errorf("%d numbers for at most 100 nodes", len(s.nodes))
	}
}

// TestSetAllocates bounds what an overwrite costs beside the entry.
func TestSetAllocates(t *testing.T) {
	b, _ := openStore(t, Options{MaxBytes: 1 << 20, Policy: native(t, "lru")})
	e := &core.Entry{Value: []byte("v"), Expires: time.Now().Add(time.Hour).UnixNano()}
	if n := testing.AllocsPerRun(1000, func() { _ = b.Set(context.Background(), "k", e) }); n != 0 {
		t.Errorf("an overwrite allocates %v times", n)
	}
}
