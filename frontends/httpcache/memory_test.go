package httpcache

import (
	"fmt"
	"testing"
	"time"
)

func TestMemory(t *testing.T) {
	const now = int64(1_700_000_000e9)
	m := newMemory(2 * time.Minute)
	if m.has("a", now) {
		t.Error("an empty memory has a key")
	}
	m.add("a", now)
	m.add("b", now)
	if !m.has("a", now) || !m.has("a", now+119e9) || m.has("a", now+120e9) {
		t.Error("a is not remembered for just two minutes")
	}
	m.forget("a")
	if m.has("a", now) || !m.has("b", now) {
		t.Error("forget(a) does not forget just a")
	}
}

func TestMemoryIsBounded(t *testing.T) {
	const now = int64(1_700_000_000e9)
	m := newMemory(time.Minute)
	for i := range 10 * memorySets * memoryWays {
		m.add(fmt.Sprint(i), now+int64(i)*1e3)
	}
	last := fmt.Sprint(10*memorySets*memoryWays - 1)
	if !m.has(last, now) {
		t.Error("the last key is not remembered")
	}
	if n := testing.AllocsPerRun(100, func() { m.add(last, now); m.has(last, now) }); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}
