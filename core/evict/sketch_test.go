package evict

import (
	"math/rand/v2"
	"testing"
)

func TestSketchNeverCountsTooLittle(t *testing.T) {
	dice := rand.New(rand.NewPCG(1, 2))
	s := newSketch(1000)
	counts := make([]int, 5000)
	for i := range 9 * len(s.words) {
		id := uint32(dice.ExpFloat64() * 300)
		if int(id) >= len(counts) {
			continue
		}
		if s.add(id) {
			t.Fatalf("request %d of at most %d halved the counts", i, 9*len(s.words))
		}
		counts[id]++
	}
	over := 0
	for id, n := range counts {
		got := s.of(uint32(id))
		if got < min(n, sketchMost) {
			t.Errorf("of(%d) = %d after %d requests", id, got, n)
		}
		over += got - min(n, sketchMost)
	}
	if most := len(counts) / 10; over > most {
		t.Errorf("counts are %d too much all in all, want at most %d", over, most)
	}
}

func TestSketchHalves(t *testing.T) {
	s := newSketch(64)
	for range 9 {
		s.add(7)
	}
	s.halve()
	if got := s.of(7); got != 4 {
		t.Errorf("of(7) = %d after 9 requests and a halving, want 4", got)
	}
	if s.requests != 4 || s.halvings != 1 {
		t.Errorf("the sketch has %d requests after %d halvings, want 4 after 1", s.requests, s.halvings)
	}
	for range 4 {
		s.halve()
	}
	if got := s.of(7); got != 0 {
		t.Errorf("of(7) = %d after five halvings, want 0", got)
	}
}

func TestSketchHalvesAfterTenRequestsForEachWord(t *testing.T) {
	s := newSketch(100)
	if len(s.words) != 128 {
		t.Fatalf("a sketch for 100 objects has %d words, want 128", len(s.words))
	}
	for id := range uint32(10*128 - 1) {
		if s.add(id) {
			t.Fatalf("request %d halved the counts", id)
		}
	}
	if !s.add(1 << 20) {
		t.Error("request 1280 did not halve the counts")
	}
}

func TestSketchGrows(t *testing.T) {
	s := newSketch(100)
	s.add(1)
	s.grow(128)
	if s.of(1) != 1 {
		t.Error("a sketch that is large enough forgot a count")
	}
	s.grow(129)
	if len(s.words) != 256 || s.of(1) != 0 {
		t.Errorf("a sketch for 129 objects has %d words and a count of %d, want 256 and 0", len(s.words), s.of(1))
	}
}
