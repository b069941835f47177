package shadow

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"syscall"
	"testing"

	"github.com/edgecache/edgecache/backends/memory"
	"github.com/edgecache/edgecache/core"
)

// cpu is the processor time that the process has used, in nanoseconds: of the goroutine of the shadow caches, too.
func cpu(b *testing.B) int64 {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

// contender is a cache over the same tier as the others.
type contender struct {
	name   string
	cache  *core.Cache
	shadow *Shadow // nil: none
	spent  []float64
}

// BenchmarkGet reads one tier through caches by turns: without a sampler, with one whose sample is empty, so that it costs a
// hash and a comparison, and with 15 shadow caches at several rates. It reports the processor time of each Get, and what it
// is more than without; of all turns the median.
func BenchmarkGet(b *testing.B) {
	const objects, turn = 1 << 12, 1 << 19
	tier, err := memory.New(memory.Options{MaxBytes: 256 << 20})
	if err != nil {
		b.Fatal(err)
	}
	all := []*contender{{name: "none"}, {name: "hash"}}
	for _, shift := range []uint{5, 7, 10} {
		s, err := New(Options{
			Policies: []string{"lru", "sieve", "s3fifo", "arc"}, Bytes: 20 << 20, Overhead: memory.EntryOverhead, shift: &shift, whole: true,
		})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = s.Close() })
		all = append(all, &contender{name: fmt.Sprintf("1/%d", 1<<shift), shadow: s})
	}
	for _, c := range all {
		o := core.Options{Tiers: []core.Tier{{Name: "memory", Backend: tier}}}
		switch {
		case c.shadow != nil:
			o.Sampler = c.shadow
		case c.name == "hash":
			o.Sampler = nothing()
		}
		if c.cache, err = core.New(o); err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = c.cache.Close() })
	}
	keys := make([]string, objects)
	for i := range keys {
		keys[i] = fmt.Sprintf("/images/products/%015d", i)
		if err := all[0].cache.Set(b.Context(), keys[i], make([]byte, 64), core.EntryOptions{}); err != nil {
			b.Fatal(err)
		}
	}
	z := rand.NewZipf(rand.New(rand.NewPCG(1, 2)), 1.1, 16, objects-1)
	order := make([]string, turn)
	for i := range order {
		order[i] = keys[z.Uint64()]
	}
	for b.Loop() {
		for _, c := range all {
			c.turn(b, order)
		}
	}
	median := func(c *contender) float64 {
		slices.Sort(c.spent)
		return c.spent[len(c.spent)/2]
	}
	for _, c := range all {
		b.ReportMetric(median(c), "ns-"+c.name)
		b.ReportMetric(median(c)-median(all[0]), "ns-more-"+c.name)
	}
}

// turn reads all keys and waits until they were looked at.
func (c *contender) turn(b *testing.B, keys []string) {
	b.Helper()
	ctx := b.Context()
	start := cpu(b)
	for _, key := range keys {
		if _, err := c.cache.Get(ctx, key); err != nil {
			b.Fatal(err)
		}
	}
	if c.shadow != nil {
		c.cache.Flush()
		if _, err := c.shadow.Report(ctx); err != nil {
			b.Fatal(err)
		}
	}
	c.spent = append(c.spent, float64(cpu(b)-start)/float64(len(keys)))
}

// nothing is a sampler that no key is in the sample of.
func nothing() core.Observer {
	s := &Shadow{spec: core.ObserverSpec{Name: "nothing", Ops: core.Ops(core.OpGet)}}
	s.mask.Store(1<<64 - 1)
	s.spec.Sample = &s.mask
	return s
}
