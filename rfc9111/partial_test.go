package rfc9111

import "testing"

func TestParseContentRange(t *testing.T) {
	for _, tt := range []struct {
		name, in string
		want     ContentRange
		ok       bool
	}{
		{"RFC 9110 14.4 a range", "bytes 42-1233/1234", ContentRange{42, 1233, 1234}, true},
		{"RFC 9110 14.4 the size is not known", "bytes 42-1233/*", ContentRange{42, 1233, -1}, true},
		{"RFC 9110 14.1 units in any case", "Bytes 0-0/1", ContentRange{0, 0, 1}, true},
		{"RFC 9110 14.4 unsatisfied", "bytes */1234", ContentRange{}, false},
		{"RFC 9110 14.4 last before first", "bytes 5-4/10", ContentRange{}, false},
		{"RFC 9110 14.4 last beyond the size", "bytes 5-10/10", ContentRange{}, false},
		{"another unit", "lines 0-1/2", ContentRange{}, false},
		{"no unit", "0-1/2", ContentRange{}, false},
		{"no size", "bytes 0-1", ContentRange{}, false},
		{"no last", "bytes 0-/2", ContentRange{}, false},
		{"a sign", "bytes +0-1/2", ContentRange{}, false},
		{"a negative one", "bytes -1-1/2", ContentRange{}, false},
		{"space", "bytes 0-1/2 ", ContentRange{}, false},
		{"too great", "bytes 0-9223372036854775807/*", ContentRange{}, false},
		{"nothing", "", ContentRange{}, false},
	} {
		if got, ok := ParseContentRange(tt.in); got != tt.want || ok != tt.ok {
			t.Errorf("%s: ParseContentRange(%q) = %v, %v, want %v, %v", tt.name, tt.in, got, ok, tt.want, tt.ok)
		}
	}
	if c := (ContentRange{0, 9, 10}); c.Length() != 10 || !c.Complete() {
		t.Errorf("%+v: length %d, complete %v", c, c.Length(), c.Complete())
	}
	if c := (ContentRange{0, 9, -1}); c.Complete() {
		t.Errorf("%+v is complete", c)
	}
}

func TestPartRange(t *testing.T) {
	for _, tt := range []struct {
		name  string
		lines []string
		ok    bool
	}{
		{"3.3 a range", []string{"Content-Range: bytes 0-4/10"}, true},
		{"3.3 the length agrees", []string{"Content-Range: bytes 0-4/10", "Content-Length: 5"}, true},
		{"3.3 the length disagrees", []string{"Content-Range: bytes 4-9/10", "Content-Length: 5"}, false},
		{"3.3 the length is none", []string{"Content-Range: bytes 0-4/10", "Content-Length: x"}, false},
		{"RFC 9110 15.3.7.2 several parts", []string{"Content-Type: multipart/byteranges; boundary=a"}, false},
		{"RFC 9110 5.3 two lines", []string{"Content-Range: bytes 0-4/10", "Content-Range: bytes 0-4/10"}, false},
	} {
		if _, ok := PartRange(header(tt.lines...)); ok != tt.ok {
			t.Errorf("%s: PartRange(%v) is %v, want %v", tt.name, tt.lines, ok, tt.ok)
		}
	}
}

func TestCombines(t *testing.T) {
	part := "Content-Range: bytes 0-4/10"
	for _, tt := range []struct {
		name        string
		stored, got []string
		want        bool
	}{
		{"3.4 the same strong validator", []string{`Etag: "a"`, part}, []string{`Etag: "a"`, "Content-Range: bytes 5-9/10"}, true},
		{"3.4 another one", []string{`Etag: "a"`, part}, []string{`Etag: "b"`, part}, false},
		{"3.4 weak ones", []string{`Etag: W/"a"`, part}, []string{`Etag: W/"a"`, part}, false},
		{"3.4 none", []string{part}, []string{part}, false},
		{"3.4 another size", []string{`Etag: "a"`, part}, []string{`Etag: "a"`, "Content-Range: bytes 5-9/11"}, false},
		{"3.4 an unknown size", []string{`Etag: "a"`, part}, []string{`Etag: "a"`, "Content-Range: bytes 5-9/*"}, true},
		{"3.4 a whole that was cut short", []string{`Etag: "a"`, "Content-Length: 10"}, []string{`Etag: "a"`, "Content-Range: bytes 5-9/10"}, true},
		{"3.4 a whole of another size", []string{`Etag: "a"`, "Content-Length: 11"}, []string{`Etag: "a"`, "Content-Range: bytes 5-9/10"}, false},
		{"3.4 another coding", []string{`Etag: "a"`, part, "Content-Encoding: gzip"}, []string{`Etag: "a"`, part}, false},
		{"3.4 a range that is none", []string{`Etag: "a"`, part}, []string{`Etag: "a"`, "Content-Range: x", "Content-Length: 3"}, true},
	} {
		if got := Combines(header(tt.stored...), header(tt.got...)); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

func FuzzParseContentRange(f *testing.F) {
	f.Add("bytes 0-4/10")
	f.Add("bytes 0-4/*")
	f.Add("bytes */10")
	f.Fuzz(func(t *testing.T, s string) {
		c, ok := ParseContentRange(s)
		if ok && (c.First < 0 || c.Length() < 1 || c.Size >= 0 && c.Last >= c.Size) {
			t.Errorf("ParseContentRange(%q) = %+v", s, c)
		}
	})
}
