package trace

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// stream writes requests in frames of some.
func stream(tb testing.TB, requests, each int) (written []Request, b []byte) {
	tb.Helper()
	var buf bytes.Buffer
	w, err := NewOracleWriter(&buf)
	if err != nil {
		tb.Fatal(err)
	}
	for i := range requests {
		r := Request{Key: splitmix64(uint64(i % 100)), Time: uint32(1_700_000_000 + i/10), Size: uint32(i%100 + 1)}
		written = append(written, r)
		if err := w.Write([]Request{r}); err != nil {
			tb.Fatal(err)
		}
		if most := w.Most(); i%each == each-1 {
			if err := errors.Join(w.EndFrame(), w.EndFrame()); err != nil {
				tb.Fatal(err)
			}
			if w.Written() != int64(buf.Len()) || w.Written() > most {
				tb.Fatalf("%d bytes were written, want %d and at most %d", w.Written(), buf.Len(), most)
			}
		}
	}
	if err := w.EndFrame(); err != nil {
		tb.Fatal(err)
	}
	return written, buf.Bytes()
}

func readStream(b []byte) (all []Request, err error) {
	for r, err := range StreamOracle(bytes.NewReader(b)) {
		if err != nil {
			return all, err
		}
		all = append(all, r)
	}
	return all, nil
}

// TestStream writes a stream and reads it back, as such and as a trace.
func TestStream(t *testing.T) {
	written, b := stream(t, 5000, 999)
	got, err := readStream(b)
	if err != nil || !slices.Equal(got, written) {
		t.Errorf("%d requests, %v, want %d", len(got), err, len(written))
	}
	r, err := NewReader(bytes.NewReader(b), "c.zst", Options{})
	if err != nil {
		t.Fatal(err)
	}
	tr, err := readAll(t.Context(), r, "c.zst")
	if err != nil {
		t.Fatal(err)
	}
	if tr.Format != "oracleGeneral" || tr.Requests() != 5000 || tr.Objects != 100 || tr.Size(7) != 8 || tr.Time(4999) != 1_700_000_499 {
		t.Errorf("read as %s: %d requests for %d objects", tr.Format, tr.Requests(), tr.Objects)
	}
}

// TestCutStream cuts a stream everywhere around its frames: what was whole is read, and what is lacking is an error that can be
// passed over.
func TestCutStream(t *testing.T) {
	const each = 300
	_, one := stream(t, each, each)
	_, two := stream(t, 2*each, each)
	_, b := stream(t, 3*each, each)
	for cut := len(one); cut < len(b); cut += 31 {
		whole := each
		if cut >= len(two) {
			whole = 2 * each
		}
		got, err := readStream(b[:cut])
		if len(got) < whole || err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatalf("cut at %d: %d requests, %v, want %d", cut, len(got), err, whole)
		}
		for _, skip := range []int{0, 1} {
			r, err := NewReader(bytes.NewReader(b[:cut]), "c.zst", Options{SkipBad: skip})
			if err != nil {
				t.Fatal(err)
			}
			tr, err := readAll(t.Context(), r, "c.zst")
			if skip == 0 && err != nil {
				if !strings.Contains(err.Error(), "after decompression: expected more of the trace: unexpected EOF") {
					t.Fatalf("cut at %d: %v", cut, err)
				}
				continue
			}
			if err != nil || tr.Requests() < whole {
				t.Fatalf("cut at %d, %d bad ones passed over: %v", cut, skip, err)
			}
		}
	}
}

// TestBrokenStream ends between two frames, but not as a stream does that is whole.
func TestBrokenStream(t *testing.T) {
	_, b := stream(t, 100, 50)
	requests, failed := 0, error(nil)
	for _, err := range StreamOracle(io.MultiReader(bytes.NewReader(b), iotest.ErrReader(io.ErrUnexpectedEOF))) {
		if err != nil {
			failed = err
			break
		}
		requests++
	}
	if requests != 100 || !errors.Is(failed, io.ErrUnexpectedEOF) {
		t.Errorf("%d requests, then %v, want 100, and that it broke off", requests, failed)
	}
}

type fullWriter struct{}

func (fullWriter) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

func TestStreamThatCannotBeWritten(t *testing.T) {
	w, err := NewOracleWriter(fullWriter{})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Write(make([]Request, 10)), w.EndFrame()); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("EndFrame: %v", err)
	}
}

func FuzzStream(f *testing.F) {
	_, b := stream(f, 50, 20)
	f.Add(b)
	f.Add(b[:len(b)-3])
	f.Add([]byte("\x28\xb5\x2f\xfd"))
	f.Fuzz(func(_ *testing.T, b []byte) {
		const most = 1 << 16
		n := 0
		for _, err := range StreamOracle(bytes.NewReader(b)) {
			if n++; err != nil || n == most {
				break
			}
		}
	})
}
