package hostabi

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
)

// StatRow is one row of statistics: an operation in a namespace, or totals of them.
type StatRow struct {
	// Op is the operation, 0 for all of them.
	Op uint8
	// Namespace is the namespace's number or a Namespace constant.
	Namespace uint16
	// Slots are the columns' slots in the manifest's order, without the label.
	Slots []uint64
}

// SplitStats takes apart what ec_stats returned.
func SplitStats(v uint64) (addr, rows uint32) { return uint32(v >> 32), uint32(v) }

// StatTable adds up the statistics blocks of many instances of one guest. It is not safe for concurrent use.
type StatTable struct {
	stats []Stat
	width int // slots in a row, without the label
	rows  map[uint32]StatRow
}

// NewStatTable returns an empty table for the columns of a manifest.
func NewStatTable(stats []Stat) *StatTable {
	t := &StatTable{stats: stats, rows: make(map[uint32]StatRow)}
	for _, s := range stats {
		t.width += s.Slots()
	}
	return t
}

// RowBytes returns how many bytes a row takes in a block, its label included.
func (t *StatTable) RowBytes() int { return 8 * (1 + t.width) }

// Merge adds a block: whole rows, MaxStatRows at most. A block that is not well-formed changes nothing.
func (t *StatTable) Merge(block []byte) error {
	size := t.RowBytes()
	if len(block)%size != 0 || len(block)/size > MaxStatRows {
		return fmt.Errorf("statistics block of %d bytes is not up to %d rows of %d", len(block), MaxStatRows, size)
	}
	for at := 0; at < len(block); at += size {
		if err := checkLabel(binary.LittleEndian.Uint64(block[at:])); err != nil {
			return fmt.Errorf("statistics row %d: %w", at/size, err)
		}
	}
	for at := 0; at < len(block); at += size {
		label := uint32(binary.LittleEndian.Uint64(block[at:]))
		row := t.row(uint8(label>>LabelOp), uint16(label>>LabelNamespace))
		t.add(row.Slots, func(i int) uint64 { return binary.LittleEndian.Uint64(block[at+8+8*i:]) })
	}
	return nil
}

// MergeTable adds the rows of o, which has the same columns.
func (t *StatTable) MergeTable(o *StatTable) {
	for _, from := range o.rows {
		row := t.row(from.Op, from.Namespace)
		t.add(row.Slots, func(i int) uint64 { return from.Slots[i] })
	}
}

// Rows returns the rows, by namespace and then operation, behind a row of all operations in all namespaces. That one is
// made by adding up the others, those of all operations or all namespaces left out, unless a guest reported it. The
// slots are the table's own.
func (t *StatTable) Rows() []StatRow {
	rows := make([]StatRow, 1, len(t.rows)+1)
	rows[0] = StatRow{Namespace: NamespaceAll, Slots: t.empty()}
	given, ok := t.rows[label(0, NamespaceAll)]
	if ok {
		rows[0] = given
	}
	for _, row := range t.rows {
		if row.Op == 0 && row.Namespace == NamespaceAll {
			continue
		}
		rows = append(rows, row)
		if !ok && row.Op != 0 && row.Namespace != NamespaceAll {
			t.add(rows[0].Slots, func(i int) uint64 { return row.Slots[i] })
		}
	}
	slices.SortFunc(rows[1:], func(a, b StatRow) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Op, b.Op))
	})
	return rows
}

func label(op uint8, namespace uint16) uint32 {
	return uint32(op)<<LabelOp | uint32(namespace)<<LabelNamespace
}

func checkLabel(v uint64) error {
	if v>>24 != 0 || uint8(v) >= OpCount {
		return fmt.Errorf("label %#x is no operation and namespace", v)
	}
	return nil
}

func (t *StatTable) row(op uint8, namespace uint16) StatRow {
	key := label(op, namespace)
	row, ok := t.rows[key]
	if !ok {
		row = StatRow{Op: op, Namespace: namespace, Slots: t.empty()}
		t.rows[key] = row
	}
	return row
}

// empty returns the slots of a row that has counted nothing.
func (t *StatTable) empty() []uint64 {
	slots, at := make([]uint64, t.width), 0
	for _, s := range t.stats {
		if s.Kind == KindMin {
			slots[at] = math.MaxUint64
		}
		at += s.Slots()
	}
	return slots
}

// add merges the slots that from returns into slots, each by its column's kind.
func (t *StatTable) add(slots []uint64, from func(int) uint64) {
	i := 0
	for _, s := range t.stats {
		for range s.Slots() {
			switch s.Kind {
			case KindMax:
				slots[i] = max(slots[i], from(i))
			case KindMin:
				slots[i] = min(slots[i], from(i))
			default:
				slots[i] += from(i)
			}
			i++
		}
	}
}
