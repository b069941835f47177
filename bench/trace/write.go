package trace

import (
	"bufio"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// writers are the formats that Write knows.
var writers = [...]struct {
	name  string
	named func(name string) bool
	write func(w *bufio.Writer, t *Trace) error
}{
	{"ect", suffix(".ect"), func(w *bufio.Writer, t *Trace) error { return WriteECT(w, t) }},
	{"csv", suffix(".csv"), writeCSV},
	{"keys", suffix(".txt", ".keys"), writeKeys},
	{"oracleGeneral", func(string) bool { return true }, writeOracleGeneral},
}

// WriteFormats returns the names of all formats that are written.
func WriteFormats() []string {
	names := make([]string, len(writers))
	for i := range writers {
		names[i] = writers[i].name
	}
	return names
}

// Write writes a trace to w as the format that it is given, or else as the one that the file's name has: ".ect", ".csv", and
// ".txt" for keys alone; others are oracleGeneral. A name that ends in ".zst" or ".gz" has it compressed. Keys are the ids,
// counted from 1.
func Write(w io.Writer, name, format string, t *Trace) error {
	base, _ := uncompressedName(name)
	i := slices.Index(WriteFormats(), format)
	if format == "" {
		for i = 0; !writers[i].named(strings.ToLower(base)); {
			i++ // the last takes every name
		}
	}
	if i < 0 {
		return fmt.Errorf("trace: no format %q is written: there are %s", format, strings.Join(WriteFormats(), ", "))
	}
	compressed, err := compress(w, name)
	if err != nil {
		return err
	}
	buffered := bufio.NewWriterSize(compressed, longestLine)
	return errors.Join(writers[i].write(buffered, t), buffered.Flush(), compressed.Close())
}

// compress returns a writer that compresses as the name says. Closing it does not close w.
func compress(w io.Writer, name string) (io.WriteCloser, error) {
	switch {
	case strings.HasSuffix(name, ".zst"):
		return zstd.NewWriter(w)
	case strings.HasSuffix(name, ".gz"):
		return gzip.NewWriter(w), nil
	case strings.HasSuffix(name, ".xz"), strings.HasSuffix(name, ".bz2"), strings.HasSuffix(name, ".lz4"):
		return nil, fmt.Errorf("%s: only .zst and .gz are written", name)
	default:
		return uncompressed{w}, nil
	}
}

type uncompressed struct{ io.Writer }

func (uncompressed) Close() error { return nil }

// writeOracleGeneral writes libCacheSim's own format.
func writeOracleGeneral(w *bufio.Writer, t *Trace) error {
	next, times := nextUses(t), seconds(t)
	var b [24]byte
	for i, id := range t.IDs {
		binary.LittleEndian.PutUint32(b[0:], times(i))
		binary.LittleEndian.PutUint64(b[4:], uint64(id)+1)
		binary.LittleEndian.PutUint32(b[12:], t.Size(i))
		binary.LittleEndian.PutUint64(b[16:], uint64(next[i]))
		if _, err := w.Write(b[:]); err != nil {
			return err
		}
	}
	return nil
}

// nextUses returns for each request which one asks for the same object next, counted from 1, or -1.
func nextUses(t *Trace) []int64 {
	at := make([]int64, t.Objects)
	for id := range at {
		at[id] = -1
	}
	next := make([]int64, len(t.IDs))
	for i := len(t.IDs) - 1; i >= 0; i-- {
		next[i] = at[t.IDs[i]]
		at[t.IDs[i]] = int64(i) + 1
	}
	return next
}

// seconds returns times as 32 bits: they count from the first where one is negative, and are divided by 1000 until they fit,
// as microseconds do when they become seconds.
func seconds(t *Trace) func(i int) uint32 {
	if t.Times == nil {
		return func(i int) uint32 { return uint32(i) }
	}
	from, unit := min(0, slices.Min(t.Times)), uint64(1)
	for span := uint64(slices.Max(t.Times)) - uint64(from); span/unit > math.MaxUint32; {
		unit *= 1000
	}
	return func(i int) uint32 { return uint32((uint64(t.Times[i]) - uint64(from)) / unit) }
}

// writeCSV writes columns with a header.
func writeCSV(w *bufio.Writer, t *Trace) error {
	header := []byte("time,key,size")
	for _, c := range []struct {
		there bool
		name  string
	}{{t.Costs != nil, ",cost"}, {t.Ops != nil, ",op"}, {t.TTLs != nil, ",ttl"}} {
		if c.there {
			header = append(header, c.name...)
		}
	}
	if _, err := w.Write(append(header, '\n')); err != nil {
		return err
	}
	var b []byte
	for i, id := range t.IDs {
		b = strconv.AppendInt(b[:0], t.Time(i), 10)
		b = strconv.AppendUint(append(b, ','), uint64(id)+1, 10)
		b = strconv.AppendUint(append(b, ','), uint64(t.Size(i)), 10)
		if t.Costs != nil {
			b = strconv.AppendFloat(append(b, ','), float64(t.Costs[i]), 'g', -1, 32)
		}
		if t.Ops != nil {
			b = append(append(b, ','), t.Ops[i].String()...)
		}
		if t.TTLs != nil {
			b = strconv.AppendUint(append(b, ','), uint64(t.TTLs[i]), 10)
		}
		if _, err := w.Write(append(b, '\n')); err != nil {
			return err
		}
	}
	return nil
}

// writeKeys writes a key on each line.
func writeKeys(w *bufio.Writer, t *Trace) error {
	var b []byte
	for _, id := range t.IDs {
		b = strconv.AppendUint(b[:0], uint64(id)+1, 10)
		if _, err := w.Write(append(b, '\n')); err != nil {
			return err
		}
	}
	return nil
}
