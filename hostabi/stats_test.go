package hostabi

import (
	"encoding/binary"
	"math"
	"reflect"
	"strings"
	"testing"
)

var testStats = []Stat{
	{Name: "n", Kind: KindSum},
	{Name: "most", Kind: KindMax},
	{Name: "least", Kind: KindMin},
	{Name: "mean", Kind: KindMean, Of: []string{"n", "n"}},
}

func block(words ...uint64) []byte {
	var b []byte
	for _, w := range words {
		b = binary.LittleEndian.AppendUint64(b, w)
	}
	return b
}

func TestStatTable(t *testing.T) {
	const none = math.MaxUint64
	table := NewStatTable(testStats)
	for _, b := range [][]byte{
		nil,
		block(OpGet|2<<8, 1, 10, 5, OpSet|NamespaceOther<<8, 7, 1, none),
		block(OpGet|2<<8, 3, 4, 9, OpGet, 1, 1, 1),
	} {
		if err := table.Merge(b); err != nil {
			t.Fatal(err)
		}
	}
	want := []StatRow{
		{0, NamespaceAll, []uint64{12, 10, 1}},
		{OpGet, 0, []uint64{1, 1, 1}},
		{OpGet, 2, []uint64{4, 10, 5}},
		{OpSet, NamespaceOther, []uint64{7, 1, none}},
	}
	if got := table.Rows(); !reflect.DeepEqual(got, want) {
		t.Errorf("rows %+v, want %+v", got, want)
	}
	twice := NewStatTable(testStats)
	twice.MergeTable(table)
	twice.MergeTable(table)
	want[0].Slots[0], want[2].Slots[0] = 24, 8
	if got := twice.Rows(); !reflect.DeepEqual(got[0], want[0]) || !reflect.DeepEqual(got[2], want[2]) {
		t.Errorf("twice: rows %+v", got)
	}
}

func TestStatTotals(t *testing.T) {
	table := NewStatTable(testStats[:1])
	// Rows that are totals themselves are not added up again.
	if err := table.Merge(block(OpGet, 1, OpSet, 2, OpGet|NamespaceAll<<8, 100, 0|1<<8, 100)); err != nil {
		t.Fatal(err)
	}
	if n := table.Rows()[0].Slots[0]; n != 3 {
		t.Errorf("total %d, want 3", n)
	}
	if err := table.Merge(block(NamespaceAll<<8, 42)); err != nil {
		t.Fatal(err)
	}
	if rows := table.Rows(); rows[0].Slots[0] != 42 || len(rows) != 5 {
		t.Errorf("rows %+v, want the guest's total of 42 first", rows)
	}
	if n := NewStatTable(testStats).Rows()[0].Slots[2]; n != math.MaxUint64 {
		t.Errorf("least of nothing is %d", n)
	}
}

func TestStatBlocks(t *testing.T) {
	table := NewStatTable(testStats)
	if table.RowBytes() != 32 {
		t.Errorf("RowBytes = %d", table.RowBytes())
	}
	for name, test := range map[string]struct {
		block []byte
		want  string
	}{
		"part of a row": {block(OpGet, 1), "is not up to 4096 rows of 32"},
		"too many":      {make([]byte, 32*(MaxStatRows+1)), "is not up to 4096 rows"},
		"operation":     {block(OpGet, 1, 1, 1, OpCount, 1, 1, 1), "row 1: label 0x14"},
		"label":         {block(1<<24, 1, 1, 1), "row 0: label 0x1000000"},
	} {
		if err := table.Merge(test.block); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
	if rows := table.Rows(); len(rows) != 1 {
		t.Errorf("a bad block left %+v", rows)
	}
	if NewStatTable([]Stat{{Kind: KindLog2}}).RowBytes() != 8*(1+HistogramSlots) {
		t.Error("a histogram does not take its slots")
	}
}

func FuzzStats(f *testing.F) {
	f.Add(block(OpGet, 1, 2, 3))
	f.Add(block(1<<63, 1, 2, 3))
	f.Fuzz(func(t *testing.T, b []byte) {
		table := NewStatTable(testStats)
		if table.Merge(b) != nil {
			return
		}
		rows := table.Rows()
		if len(rows) > 1+len(b)/32 || rows[0].Op != 0 || rows[0].Namespace != NamespaceAll {
			t.Errorf("%d rows of %d bytes, first %+v", len(rows), len(b), rows[0])
		}
	})
}
