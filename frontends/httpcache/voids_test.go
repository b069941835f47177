package httpcache

import (
	"fmt"
	"testing"
)

func TestVoids(t *testing.T) {
	v := newVoids()
	before := v.moment()
	v.add("a")
	after := v.moment()
	if !v.since("a", before) || v.since("a", after) || v.since("b", before) {
		t.Error("a is not void for just what was asked for before")
	}
	for i := range 2 * maxVoids {
		v.add(fmt.Sprint(i))
	}
	if len(v.at) > maxVoids {
		t.Errorf("%d keys are remembered, want at most %d", len(v.at), maxVoids)
	}
	if !v.since("a", before) || !v.since("b", before) {
		t.Error("what was forgotten is not taken for void")
	}
	if last := v.moment(); v.since("b", last) {
		t.Error("what is asked for now is void")
	}
}
