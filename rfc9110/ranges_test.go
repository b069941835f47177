package rfc9110

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"slices"
	"strings"
	"testing"
)

// TestParseRange covers what overlaps; the other rules are in the tests of the frontends, too.
func TestParseRange(t *testing.T) {
	for header, want := range map[string][]Span{
		"bytes=2-4":                    {{2, 3}},
		"bytes=-30":                    {{0, 10}},
		"bytes=10-":                    nil,
		"bytes=0-1,8-9":                {{0, 2}, {8, 2}},
		"bytes=8-9,0-1":                {{8, 2}, {0, 2}}, // 14.2: as they were asked for
		"bytes=0-1,2-3":                {{0, 2}, {2, 2}}, // side by side is no overlap
		"bytes=0-,0-,0-":               {{0, 10}},
		"bytes=0-2,1-3":                {{0, 4}},
		"bytes=0-1,4-5,8-9,1-8":        {{0, 10}},
		"bytes=8-9,4-5,0-1,5-8":        {{4, 6}, {0, 2}},
		"bytes=4-5,0-1,8-9,1-4,20-":    {{0, 6}, {8, 2}},
		"bytes=5-99999999999999999999": {{5, 5}},
	} {
		if got, ok := ParseRange(header, 10); !ok || !slices.Equal(got, want) {
			t.Errorf("ParseRange(%q) = %v, %v, want %v", header, got, ok, want)
		}
	}
	for _, header := range []string{
		"", "bytes", "bytes=", "bytes=,", "lines=1-2", "bytes=4-2", "bytes=a-b", "bytes=-", "bytes=+1-2", "bytes=1-1,x",
		"bytes=" + strings.Repeat("0-0,", MaxRanges) + "1-1",
	} {
		if got, ok := ParseRange(header, 10); ok {
			t.Errorf("ParseRange(%q) = %v, want it ignored", header, got)
		}
	}
}

func TestRanges(t *testing.T) {
	v := validators()
	for name, c := range map[string]struct {
		method string
		size   int64
		h      []string
		want   bool
	}{
		"asked":                 {"GET", 10, []string{"Range", "bytes=0-1"}, true},
		"not asked":             {"GET", 10, nil, false},
		"14.2 GET alone":        {"HEAD", 10, []string{"Range", "bytes=0-1"}, false},
		"nothing":               {"GET", 0, []string{"Range", "bytes=0-1"}, false},
		"two lines":             {"GET", 10, []string{"Range", "bytes=0-1", "Range", "bytes=0-1"}, false},
		"13.1.5 If-Range holds": {"GET", 10, []string{"Range", "bytes=0-1", "If-Range", `"a"`}, true},
		"13.1.5 If-Range fails": {"GET", 10, []string{"Range", "bytes=0-1", "If-Range", `"b"`}, false},
	} {
		if _, ok := Ranges(c.method, header(c.h...), v, c.size); ok != c.want {
			t.Errorf("%s: Ranges = %v, want %v", name, ok, c.want)
		}
	}
	if s := (Span{2, 3}).ContentRange(10) + " " + (Span{0, 1}).ContentRange(-1) + " " + Unsatisfied(7); s != "bytes 2-4/10 bytes 0-0/* bytes */7" {
		t.Errorf("Content-Range: %s", s)
	}
}

// TestParts reads with the standard library what Parts has written (section 14.6).
func TestParts(t *testing.T) {
	const body = "0123456789"
	for _, contentType := range []string{"text/plain", ""} {
		spans := []Span{{1, 2}, {8, 2}}
		p := NewParts(spans, int64(len(body)), contentType)
		var b bytes.Buffer
		err := p.Write(&b, func(w io.Writer, s Span) error {
			_, err := io.WriteString(w, body[s.Start:s.Start+s.Length])
			return err
		})
		if err != nil || int64(b.Len()) != p.Length() {
			t.Fatalf("%v; %d bytes, want %d", err, b.Len(), p.Length())
		}
		kind, params, err := mime.ParseMediaType(p.ContentType())
		if err != nil || kind != "multipart/byteranges" {
			t.Fatalf("%q, %v", p.ContentType(), err)
		}
		r := multipart.NewReader(&b, params["boundary"])
		for _, s := range spans {
			part, err := r.NextRawPart()
			if err != nil {
				t.Fatal(err)
			}
			data, err := io.ReadAll(part)
			if err != nil || string(data) != body[s.Start:s.Start+s.Length] {
				t.Errorf("part %q, %v", data, err)
			}
			if part.Header.Get("Content-Range") != s.ContentRange(10) || part.Header.Get("Content-Type") != contentType {
				t.Errorf("part %v", part.Header)
			}
		}
		if _, err := r.NextRawPart(); err != io.EOF {
			t.Errorf("after the last part: %v", err)
		}
	}
	t.Run("the client goes", func(t *testing.T) {
		p := NewParts([]Span{{0, 1}, {2, 1}}, 10, "")
		calls := 0
		err := p.Write(io.Discard, func(io.Writer, Span) error { calls++; return io.ErrClosedPipe })
		if !errors.Is(err, io.ErrClosedPipe) || calls != 1 {
			t.Errorf("%v after %d parts, want the error of the first", err, calls)
		}
	})
}

func FuzzRange(f *testing.F) {
	for _, s := range []string{"bytes=0-1", "bytes=-5", "bytes=5-", "bytes=1-2,4-", "bytes=9223372036854775807-", "bytes=-9223372036854775808", "b=,"} {
		f.Add(s, int64(10))
	}
	f.Add("bytes=0-1,1-2,5-6,2-5", int64(10))
	f.Fuzz(func(t *testing.T, header string, size int64) {
		if size <= 0 {
			return
		}
		spans, ok := ParseRange(header, size)
		if !ok && spans != nil {
			t.Fatalf("ParseRange(%q, %d) = %v, false", header, size, spans)
		}
		var total int64
		for i, s := range spans {
			for _, o := range spans[:i] {
				if s.overlaps(o) {
					t.Fatalf("ParseRange(%q, %d) = %v: %v and %v overlap", header, size, spans, o, s)
				}
			}
			if s.Start < 0 || s.Length <= 0 || s.Start > size-s.Length {
				t.Fatalf("ParseRange(%q, %d) = %v: out of the body", header, size, spans)
			}
			total += s.Length
		}
		if total > size || total < 0 || len(spans) > MaxRanges {
			t.Fatalf("ParseRange(%q, %d) = %v: more than the whole", header, size, spans)
		}
	})
}
