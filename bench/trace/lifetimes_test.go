package trace_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/edgecache/edgecache/bench/trace"
)

func TestLifetimes(t *testing.T) {
	const head = "time,key,size,op,ttl\n"
	for _, c := range []struct {
		what, source string
		want         []uint32
	}{
		{"gets repeat a set", head + "0,a,5,set,10\n1,b,5,get,0\n9,a,5,get,0\n99,a,5,get,0\n", []uint32{10, 0, 10, 10}},
		{"a set without an end", head + "0,a,5,set,10\n9,a,5,set,0\n99,a,5,get,0\n", []uint32{10, 0, 0}},
		{"a get that says one", head + "0,a,5,get,10\n9,a,5,get,0\n10,a,5,get,7\n", []uint32{10, 10, 7}},
		{"what is no get is as it is", head + "0,a,5,set,9\n1,a,5,delete,0\n2,a,5,other,0\n2,a,5,other,8\n3,a,5,get,0\n", []uint32{9, 0, 0, 8, 8}},
		{"no operations", "time,key,ttl\n0,a,4\n5,a,0\n", []uint32{4, 4}},
	} {
		tr, err := load(t, "t.csv", []byte(c.source), trace.Options{Lifetimes: true})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(tr.TTLs, c.want) {
			t.Errorf("%s: lifetimes %v, want %v", c.what, tr.TTLs, c.want)
		}
	}
}

func TestLifetimesAreNeeded(t *testing.T) {
	_, err := load(t, "t.csv", []byte("time,key\n0,a\n"), trace.Options{Lifetimes: true})
	if err == nil || err.Error() != "t.csv: the source says nothing of lifetimes: give one for all objects, as in --ttl 3600" {
		t.Errorf("the error is %v", err)
	}
}

// TestSidecarKeepsEveryColumn reads lifetimes, operations and late sizes from a log, and again from its sidecar.
func TestSidecarKeepsEveryColumn(t *testing.T) {
	source := `1795283371.7 [0 127.0.0.1:51898] "get" "a"
1795283372.7 [0 127.0.0.1:51898] "setex" "a" "9" "value"
1795283399.7 [0 127.0.0.1:51898] "get" "a"
`
	for lifetimes, want := range map[bool][]uint32{false: {0, 9, 0}, true: {0, 9, 9}} {
		o := trace.Options{Cache: true, Lifetimes: lifetimes}
		path := t.TempDir() + "/t"
		writeFile(t, path, source)
		first, err := trace.Load(t.Context(), path, o)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(first.Sizes, []uint32{6, 6, 6}) || !slices.Equal(first.TTLs, want) {
			t.Errorf("Load = %+v", first)
		}
		again, err := trace.Load(t.Context(), path, o)
		if diff := cmp.Diff(first, again); err != nil || diff != "" {
			t.Errorf("%v (-source +sidecar):\n%s", err, diff)
		}
	}
}

// TestSetsThatAreNotTakenHaveTheirSay has gets alone taken.
func TestSetsThatAreNotTakenHaveTheirSay(t *testing.T) {
	source := []byte("time,key,size,op,ttl\n0,a,5,set,10\n1,c,9,set,0\n9,a,5,get,0\n10,b,7,get,0\n10,a,5,get,0\n11,a,5,get,0\n")
	tr, err := load(t, "t.csv", source, trace.Options{Lifetimes: true, Ops: "get", Cache: true})
	if err != nil {
		t.Fatal(err)
	}
	want := &trace.Trace{
		Name: "t.csv", Format: "csv", IDs: []uint32{0, 1, 0, 0}, Sizes: []uint32{5, 7, 5, 5}, Times: []int64{9, 10, 10, 11},
		Ops: []trace.Op{get, get, get, get}, TTLs: []uint32{10, 0, 10, 10}, Objects: 2, Footprint: 12,
	}
	if diff := cmp.Diff(want, tr); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, err := load(t, "t.csv", source, trace.Options{Lifetimes: true, Ops: "delete"}); err == nil {
		t.Error("nothing was taken, and that is no error")
	}
}
