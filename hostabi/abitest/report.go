package abitest

import (
	"math"
	"testing"
	"time"

	"github.com/edgecache/edgecache/hostabi"
)

// statistics checks the columns of all kinds, and by them the calls and events.
func (k *kit) statistics(t *testing.T) {
	g := k.load(t, "", nil)
	begin := uint64(time.Now().UnixNano())
	send(t, g, Command{Op: hostabi.OpSet, Keys: []string{"pass:a"}, Value: "12345", TTL: 60000})
	send(t, g, Command{Op: hostabi.OpAdd, Keys: []string{"pass:b"}, Value: "1", TTL: hostabi.TTLNone})
	send(t, g, Command{Op: hostabi.OpGet, Keys: []string{"pass:a"}})
	send(t, g, Command{Op: hostabi.OpGet, Keys: []string{"pass:missing"}})
	send(t, g, Command{Op: hostabi.OpGet, Keys: []string{"deny"}})
	send(t, g, Command{Op: hostabi.OpGetMany, Keys: []string{"pass:a", "pass:b", "pass:c"}})
	send(t, g, Command{Op: hostabi.OpGet, Namespace: "shop", Keys: []string{"pass:a"}})
	rows, err := g.Report()
	if err != nil {
		t.Fatal(err)
	}
	end := uint64(time.Now().UnixNano())
	if len(rows) == 0 || rows[0].Op != 0 || rows[0].Namespace != hostabi.NamespaceAll {
		t.Fatalf("the first row is not that of all: %+v", rows)
	}
	root := namespaceOf(rows, hostabi.OpSet)
	for _, test := range []struct {
		what   string
		row    map[string]Column
		counts map[string]uint64
	}{
		{"all", rows[0].Columns, map[string]uint64{
			"before": 9, "events": 9, "continued": 2, "hits": 3, "bytes": 17, "hashed": 9, "ttl": math.MaxUint32, "tier": 1, "shortest": 4,
		}},
		{"set", find(rows, hostabi.OpSet, root), map[string]uint64{
			"before": 1, "after": 1, "events": 1, "continued": 0, "hits": 0, "bytes": 5, "hashed": 1, "ttl": 60, "shortest": 6,
		}},
		{"add", find(rows, hostabi.OpAdd, root), map[string]uint64{"before": 1, "after": 1, "events": 1, "bytes": 1, "ttl": math.MaxUint32}},
		{"get", find(rows, hostabi.OpGet, root), map[string]uint64{
			"before": 3, "events": 3, "continued": 0, "hits": 1, "bytes": 5, "ttl": 0, "tier": 1, "shortest": 4,
		}},
		{"get_many", find(rows, hostabi.OpGetMany, root), map[string]uint64{
			"before": 3, "after": 3, "events": 3, "continued": 2, "hits": 2, "bytes": 6, "shortest": 6,
		}},
	} {
		for column, want := range test.counts {
			if got := test.row[column].Count; got != want {
				t.Errorf("%s: %s is %d, want %d", test.what, column, got, want)
			}
		}
		checkEvents(t, test.what, test.row, begin, end)
	}
	checkNamespaces(t, rows, root)
}

// checkEvents checks what a row has of the times of its events, and what the host derives.
func checkEvents(t *testing.T, what string, row map[string]Column, begin, end uint64) {
	t.Helper()
	events := row["events"].Count
	if at := row["time"].Count; at < begin || at > end {
		t.Errorf("%s: the last event was at %d, not from %d to %d", what, at, begin, end)
	}
	var timed uint64
	for _, n := range row["elapsed"].Buckets {
		timed += n
	}
	if len(row["elapsed"].Buckets) != hostabi.HistogramSlots || timed != events {
		t.Errorf("%s: the histogram has %d times in %d slots, want %d in %d", what, timed, len(row["elapsed"].Buckets), events, hostabi.HistogramSlots)
	}
	for column, dividend := range map[string]string{"mean_bytes": "bytes", "hit_ratio": "hits"} {
		if got, want := row[column].Ratio, float64(row[dividend].Count)/float64(events); math.Abs(got-want) > 1e-9 {
			t.Errorf("%s: %s is %g, want %g", what, column, got, want)
		}
	}
}

// checkNamespaces sees that calls and events in a namespace have the same number, which is not the root's.
func checkNamespaces(t *testing.T, rows []Row, root uint16) {
	t.Helper()
	for _, r := range rows[1:] {
		if r.Op == hostabi.OpGet && r.Namespace != root {
			if r.Columns["before"].Count != 1 || r.Columns["events"].Count != 1 {
				t.Errorf("get in namespace number %d: %+v", r.Namespace, r.Columns)
			}
			return
		}
	}
	t.Error("there is no row of the other namespace")
}

// namespaceOf returns the namespace of the first row of an operation.
func namespaceOf(rows []Row, op uint8) uint16 {
	for _, r := range rows {
		if r.Op == op {
			return r.Namespace
		}
	}
	return hostabi.NamespaceAll
}

func find(rows []Row, op uint8, namespace uint16) map[string]Column {
	for _, r := range rows {
		if r.Op == op && r.Namespace == namespace {
			return r.Columns
		}
	}
	return nil
}

// idle checks that ec_idle is called between many calls.
func (k *kit) idle(t *testing.T) {
	g := k.load(t, "", func(m *hostabi.Manifest) { m.Stateful = true })
	for range 5000 {
		if ask(t, g, "idle") != "0" {
			return
		}
	}
	t.Error("ec_idle was not called in 5,000 calls")
}
