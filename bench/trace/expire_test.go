package trace_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/edgecache/edgecache/bench/trace"
)

func TestExpire(t *testing.T) {
	const head = "time,key,size,op,ttl\n"
	for _, c := range []struct {
		what, source string
		ttl          int64
		want         []uint32
		expired      int
	}{
		{"a get after the end", head + "0,a,5,set,10\n9,a,5,get,0\n10,a,5,get,0\n11,a,5,get,0\n", trace.SourceTTL, []uint32{0, 0, 1, 1}, 1},
		{"a set prolongs", head + "0,a,5,set,10\n9,a,5,set,10\n18,a,5,get,0\n19,a,5,get,0\n", trace.SourceTTL, []uint32{0, 0, 0, 1}, 1},
		{"a set without an end", head + "0,a,5,set,10\n9,a,5,set,0\n99,a,5,get,0\n", trace.SourceTTL, []uint32{0, 0, 0}, 0},
		{"a get does not prolong", head + "0,a,5,get,10\n9,a,5,get,10\n10,a,5,get,10\n", trace.SourceTTL, []uint32{0, 0, 1}, 1},
		{"a delete ends", head + "0,a,5,set,0\n1,a,5,delete,0\n2,a,5,get,0\n", trace.SourceTTL, []uint32{0, 0, 1}, 1},
		{"others wait", head + "0,a,5,set,10\n0,b,6,set,99\n20,b,6,get,0\n20,a,5,get,0\n", trace.SourceTTL, []uint32{0, 1, 1, 2}, 1},
		{"one for all", "time,key,size\n0,a,5\n5,a,5\n6,a,5\n9,a,5\n12,a,5\n", 6, []uint32{0, 0, 1, 1, 2}, 2},
		{"positions for times", "a\nb\na\na\n", 3, []uint32{0, 1, 0, 2}, 1},
		{"far away", head + "9223372036854775807,a,5,set,10\n", trace.SourceTTL, []uint32{0}, 0},
	} {
		name := "t.csv"
		if c.what == "positions for times" {
			name = "t"
		}
		tr, err := load(t, name, []byte(c.source), trace.Options{TTL: c.ttl})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(tr.IDs, c.want) || tr.Expired != c.expired || tr.Objects != int(slices.Max(c.want))+1 {
			t.Errorf("%s: ids %v of %d objects, %d expired, want %v and %d", c.what, tr.IDs, tr.Objects, tr.Expired, c.want, c.expired)
		}
	}
}

func TestExpiredObjectsKeepTheirSize(t *testing.T) {
	tr, err := load(t, "t.csv", []byte("time,key,size,ttl\n0,a,5,1\n9,a,7,1\n9,b,3,1\n"), trace.Options{TTL: trace.SourceTTL})
	if err != nil || tr.Footprint != 13 || !slices.Equal(tr.Sizes, []uint32{5, 5, 3}) {
		t.Errorf("Load = %+v, %v", tr, err)
	}
}

func TestLifetimesAreNeeded(t *testing.T) {
	_, err := load(t, "t.csv", []byte("time,key\n0,a\n"), trace.Options{TTL: trace.SourceTTL})
	if err == nil || err.Error() != "t.csv: the source says nothing of lifetimes: give one for all objects, as in --ttl 3600" {
		t.Errorf("the error is %v", err)
	}
	if _, err := load(t, "t.csv", nil, trace.Options{TTL: -2}); err == nil || errors.Unwrap(err) != nil {
		t.Errorf("the error is %v", err)
	}
}

// TestSidecarKeepsEveryColumn reads lifetimes, operations and late sizes from a log, and again from its sidecar.
func TestSidecarKeepsEveryColumn(t *testing.T) {
	source := `1795283371.7 [0 127.0.0.1:51898] "get" "a"
1795283372.7 [0 127.0.0.1:51898] "setex" "a" "9" "value"
1795283399.7 [0 127.0.0.1:51898] "get" "a"
`
	for _, ttl := range []int64{0, trace.SourceTTL} {
		o := trace.Options{Cache: true, TTL: ttl}
		path := t.TempDir() + "/t"
		writeFile(t, path, source)
		first, err := trace.Load(t.Context(), path, o)
		if err != nil {
			t.Fatal(err)
		}
		if want := []uint32{6, 6, 6}; !slices.Equal(first.Sizes, want) || first.Expired != -int(ttl) {
			t.Errorf("Load = %+v", first)
		}
		again, err := trace.Load(t.Context(), path, o)
		if diff := cmp.Diff(first, again); err != nil || diff != "" {
			t.Errorf("%v (-source +sidecar):\n%s", err, diff)
		}
	}
}

// TestSetsThatAreNotTakenMakeLives has gets alone taken.
func TestSetsThatAreNotTakenMakeLives(t *testing.T) {
	source := []byte("time,key,size,op,ttl\n0,a,5,set,10\n1,c,9,set,0\n9,a,5,get,0\n10,b,7,get,0\n10,a,5,get,0\n11,a,5,get,0\n")
	tr, err := load(t, "t.csv", source, trace.Options{TTL: trace.SourceTTL, Ops: "get", Cache: true})
	if err != nil {
		t.Fatal(err)
	}
	want := &trace.Trace{
		Name: "t.csv", Format: "csv", IDs: []uint32{0, 1, 2, 2}, Sizes: []uint32{5, 7, 5, 5}, Times: []int64{9, 10, 10, 11},
		Ops: []trace.Op{get, get, get, get}, TTLs: make([]uint32, 4), Objects: 3, Footprint: 17, Expired: 1,
	}
	if diff := cmp.Diff(want, tr); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, err := load(t, "t.csv", source, trace.Options{TTL: 5, Ops: "delete"}); err == nil {
		t.Error("nothing was taken, and that is no error")
	}
}
