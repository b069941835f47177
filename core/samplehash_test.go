package core

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sync/atomic"
	"testing"
)

// TestSampleHash holds the hash against chance, for keys as programs make them and with many seeds: how many keys are in a
// sample, and how they spread over the highest bits.
func TestSampleHash(t *testing.T) {
	const keys = 1 << 15
	for _, format := range []string{"%d", "k%07d", "user:%d", "obj:%010d", "/images/products/%015d", "/p/%d/image.jpg?width=200&height=100", "%030d/this is a longer key of many words"} {
		all := make([]string, keys)
		for i := range all {
			all[i] = fmt.Sprintf(format, i)
		}
		for _, shift := range []uint{3, 7} {
			var sum float64 // of squared deviations, each 1 in the mean if keys were chosen by chance
			const seeds = 100
			for range seeds {
				s := sampler{seed: rand.Uint64()}
				n := 0
				for _, key := range all {
					if s.hash(0, key)&(1<<shift-1) == 0 {
						n++
					}
				}
				p := 1 / float64(uint64(1)<<shift)
				d := float64(n) - keys*p
				sum += d * d / (keys * p * (1 - p))
			}
			if mean := sum / seeds; mean > 1+6*math.Sqrt(2./seeds) {
				t.Errorf("%s: one key in %d: the number of keys varies %.1f times as much as chance has it", format, 1<<shift, mean)
			}
		}
		checkSpread(t, format, all)
	}
}

// checkSpread holds the keys of a sample against chance in the highest five bits, by a chi-squared test.
func checkSpread(t *testing.T, format string, keys []string) {
	t.Helper()
	s := sampler{seed: rand.Uint64()}
	var counts [32]float64
	n := 0.0
	for _, key := range keys {
		if h := s.hash(0, key); h&7 == 0 {
			counts[h>>59]++
			n++
		}
	}
	chi := 0.0
	for _, c := range counts {
		chi += (c - n/32) * (c - n/32) / (n / 32)
	}
	if chi > 90 { // 31 in the mean; more than this once in ten million
		t.Errorf("%s: the highest bits are not even: chi squared is %.0f", format, chi)
	}
}

func TestSampleHashTellsKeysApart(t *testing.T) {
	s := sampler{seed: rand.Uint64()}
	seen := make(map[uint64]string)
	for n := range 80 {
		for at := range max(n, 1) {
			key := make([]byte, n)
			if n > 0 {
				key[at] = 1
			}
			for ns := range uint16(2) {
				name := fmt.Sprintf("%d:%q", ns, key)
				h := s.hash(ns, string(key))
				if other, ok := seen[h]; ok {
					t.Fatalf("%s and %s have the same hash", name, other)
				}
				seen[h] = name
			}
		}
	}
}

// BenchmarkSampler is what a command on a key that is not in the sample pays.
func BenchmarkSampler(b *testing.B) {
	for _, n := range []int{8, 16, 32, 64} {
		b.Run(fmt.Sprintf("key=%d", n), func(b *testing.B) {
			s := sampler{seed: rand.Uint64(), mask: new(atomic.Uint64)}
			s.mask.Store(1<<20 - 1)
			keys := make([]string, 1024)
			for i := range keys {
				keys[i] = fmt.Sprintf("%0*d", n, i)
			}
			i, told := 0, 0
			for b.Loop() {
				if s.wants(0, keys[i&1023]) {
					told++
				}
				i++
			}
			if told > i/2 {
				b.Fatal("all keys are in the sample")
			}
		})
	}
}
