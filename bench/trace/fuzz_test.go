package trace_test

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/edgecache/edgecache/bench/trace"
)

// checkStream reads what may be anything and checks what a stream promises.
func checkStream(t *testing.T, source []byte, name string, o trace.Options) {
	const enough = 1 << 16 // requests
	r, err := trace.NewReader(bytes.NewReader(source), name, o)
	if err != nil {
		return
	}
	defer func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}()
	var b trace.Batch
	var sizes []uint32
	for n := 0; n < enough; n += len(b.IDs) {
		if err := r.Next(&b); err != nil {
			if errors.Is(err, io.EOF) && len(b.IDs) != 0 {
				t.Error("there are requests behind the end")
			}
			return
		}
		for i, id := range b.IDs {
			switch size := sizeIn(&b, i); {
			case int(id) > len(sizes):
				t.Fatalf("id %d comes after %d objects", id, len(sizes))
			case int(id) == len(sizes):
				sizes = append(sizes, size)
			case sizes[id] == 0: // it was not known
				sizes[id] = size
			case sizes[id] != size:
				t.Fatalf("the size of %d changes from %d to %d", id, sizes[id], size)
			}
		}
		if b.Times != nil && len(b.Times) != len(b.IDs) || b.Ops != nil && len(b.Ops) != len(b.IDs) || b.Costs != nil && len(b.Costs) != len(b.IDs) ||
			b.TTLs != nil && len(b.TTLs) != len(b.IDs) {
			t.Fatal("columns differ in length")
		}
		if len(sizes) != r.Objects() {
			t.Fatalf("%d objects, want %d", r.Objects(), len(sizes))
		}
	}
}

func sizeIn(b *trace.Batch, i int) uint32 {
	if b.Sizes == nil {
		return 1
	}
	return b.Sizes[i]
}

// fuzz feeds the decoder of one format, with the cases of that format to begin with.
func fuzz(f *testing.F, format string) {
	for _, c := range formatCases() {
		if c.format == format {
			f.Add([]byte(c.source), c.opts.Columns, uint32(0))
			f.Add([]byte(c.source+"\n"+c.source), c.opts.Columns, uint32(4096))
		}
	}
	f.Fuzz(func(t *testing.T, source []byte, columns string, split uint32) {
		checkStream(t, source, "t", trace.Options{Format: format, Columns: columns, Split: split, SkipBad: 3, VerifyKeys: split%2 == 1})
	})
}

func FuzzOracleGeneral(f *testing.F)     { fuzz(f, "oracleGeneral") }
func FuzzOracleGeneralOpNS(f *testing.F) { fuzz(f, "oracleGeneralOpNS") }
func FuzzVSCSI1(f *testing.F)            { fuzz(f, "vscsi1") }
func FuzzVSCSI2(f *testing.F)            { fuzz(f, "vscsi2") }
func FuzzTWR(f *testing.F)               { fuzz(f, "twr") }
func FuzzBE32(f *testing.F)              { fuzz(f, "be32") }
func FuzzBE64(f *testing.F)              { fuzz(f, "be64") }
func FuzzLCS(f *testing.F)               { fuzz(f, "lcs") }
func FuzzSquid(f *testing.F)             { fuzz(f, "squid") }
func FuzzMonitor(f *testing.F)           { fuzz(f, "monitor") }
func FuzzMemcached(f *testing.F)         { fuzz(f, "memcached") }
func FuzzAccessLog(f *testing.F)         { fuzz(f, "accesslog") }
func FuzzJSONLines(f *testing.F)         { fuzz(f, "jsonl") }
func FuzzAddress(f *testing.F)           { fuzz(f, "address") }
func FuzzCSV(f *testing.F)               { fuzz(f, "csv") }
func FuzzARC(f *testing.F)               { fuzz(f, "arc") }
func FuzzSized(f *testing.F)             { fuzz(f, "sized") }
func FuzzLIRS(f *testing.F)              { fuzz(f, "lirs") }
func FuzzKeys(f *testing.F)              { fuzz(f, "keys") }

// FuzzGuess has the format guessed by a name and the first bytes.
func FuzzGuess(f *testing.F) {
	for _, c := range formatCases() {
		f.Add(c.name, []byte(c.source))
	}
	f.Fuzz(func(t *testing.T, name string, source []byte) { checkStream(t, source, name, trace.Options{}) })
}

// FuzzECT damages files.
func FuzzECT(f *testing.F) {
	var b bytes.Buffer
	if err := trace.WriteECT(&b, sample()); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Fuzz(func(t *testing.T, source []byte) { checkStream(t, source, "t", trace.Options{Format: "ect"}) })
}

// FuzzCompressed damages compressed traces.
func FuzzCompressed(f *testing.F) {
	for _, source := range compressed(f) {
		f.Add([]byte(source))
	}
	f.Fuzz(func(t *testing.T, source []byte) { checkStream(t, source, "t", trace.Options{Format: "keys"}) })
}

// FuzzGenerate makes small traces of any description.
func FuzzGenerate(f *testing.F) {
	for line := range strings.Lines(trace.Generators) {
		f.Add(strings.Fields(line)[0])
	}
	f.Add("zipf:1.0,100,50 + scan:20")
	f.Add("hotspot:.1,.9,10,10+loop:3,9+uniform:4,4")
	f.Fuzz(func(t *testing.T, spec string) {
		if strings.ContainsAny(spec, "eExXpP_") || slices.ContainsFunc(strings.FieldsFunc(spec, notDigit), tooLong) {
			return // many requests
		}
		tr, err := trace.Generate(spec, 1)
		if err == nil && (tr.Objects < 1 || tr.Objects > tr.Requests()) {
			t.Errorf("%q made %d requests for %d objects", spec, tr.Requests(), tr.Objects)
		}
	})
}

func notDigit(r rune) bool { return r < '0' || r > '9' }

func tooLong(number string) bool { return len(number) > 4 }
