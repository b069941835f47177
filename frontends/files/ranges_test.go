package files

import (
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"strings"
	"testing"

	"github.com/edgecache/edgecache/rfc9110"
)

// TestRanges asks for parts of a body, by the sections of RFC 9110.
func TestRanges(t *testing.T) {
	const body = "0123456789"
	s := serve(t, Options{MaxFileBytes: 1000}, "a.txt", body, "empty.txt", "", "large.bin", strings.Repeat(body, 1000))
	whole := s.get("/a.txt")
	for asked, want := range map[string]string{ // what comes: the range and the bytes, or the status
		"bytes=0-0":                    "bytes 0-0/10 0",
		"bytes=2-4":                    "bytes 2-4/10 234",
		"bytes=2-":                     "bytes 2-9/10 23456789",
		"bytes=-3":                     "bytes 7-9/10 789",
		"bytes=-30":                    "bytes 0-9/10 0123456789", // 14.1.2: longer than the whole
		"bytes=5-99999999999999999999": "bytes 5-9/10 56789",
		"BYTES=1-1":                    "bytes 1-1/10 1", // 14.1: case does not matter
		"bytes= 1-1 ,":                 "bytes 1-1/10 1",
		"bytes=1-1, 20-30":             "bytes 1-1/10 1", // 15.3.7.2: one is left
		"bytes=10-":                    "416",            // 14.1.2: beyond the end
		"bytes=99999999999999999999-":  "416",
		"bytes=-0":                     "416",
		"bytes=10-12,11-":              "416",
		"bytes=4-2":                    "200", // 14.2: what is invalid is ignored
		"bytes=a-b":                    "200",
		"bytes=+1-2":                   "200",
		"bytes=1-2-3":                  "200",
		"bytes=":                       "200",
		"bytes=,":                      "200",
		"bytes":                        "200",
		"bytes=-":                      "200",
		"lines=1-2":                    "200",
		"bytes=1-1,x":                  "200",
		"bytes=0-,0-,0-":               "bytes 0-9/10 0123456789", // 15.3.7.2: what overlaps is one
		"bytes=0-3,6-7,2-6":            "bytes 0-7/10 01234567",
	} {
		t.Run(asked, func(t *testing.T) {
			r := s.get("/a.txt", "Range", asked)
			got := fmt.Sprint(r.StatusCode)
			if r.StatusCode == 206 {
				got = r.Header.Get("Content-Range") + " " + r.body
				for _, name := range []string{"Etag", "Last-Modified", "Content-Type"} { // 15.3.7
					if r.Header.Get(name) != whole.Header.Get(name) {
						t.Errorf("%s = %q, want as for the whole, %q", name, r.Header.Get(name), whole.Header.Get(name))
					}
				}
			}
			if got != want {
				t.Errorf("Range: %s: %q, want %q", asked, got, want)
			}
			if r.StatusCode == 416 && r.Header.Get("Content-Range") != "bytes */10" { // 15.5.17
				t.Errorf("Range: %s: Content-Range %q, want bytes */10", asked, r.Header.Get("Content-Range"))
			}
		})
	}
	t.Run("14.2 GET alone", func(t *testing.T) {
		r := s.ask("HEAD", "/a.txt", "Range", "bytes=2-4")
		if r.StatusCode != 200 || r.Header.Get("Content-Length") != "10" || r.Header.Get("Accept-Ranges") != "bytes" {
			t.Errorf("HEAD with Range: status %d, %v", r.StatusCode, r.Header)
		}
	})
	t.Run("14.2 nothing of nothing", func(t *testing.T) {
		for _, asked := range []string{"bytes=0-", "bytes=-1"} {
			if r := s.get("/empty.txt", "Range", asked); r.StatusCode != 200 || r.body != "" {
				t.Errorf("Range: %s of an empty file: status %d", asked, r.StatusCode)
			}
		}
	})
	t.Run("file", func(t *testing.T) {
		r := s.get("/large.bin", "Range", "bytes=9995-")
		if r.StatusCode != 206 || r.body != "56789" || r.Header.Get("Content-Range") != "bytes 9995-9999/10000" {
			t.Errorf("status %d, %q, %v", r.StatusCode, r.body, r.Header)
		}
	})
	t.Run("too many", func(t *testing.T) { // 17.15
		asked := "bytes=" + strings.Repeat("0-0,", rfc9110.MaxRanges) + "1-1"
		if r := s.get("/large.bin", "Range", asked); r.StatusCode != 200 {
			t.Errorf("%d ranges: status %d, want 200", rfc9110.MaxRanges+1, r.StatusCode)
		}
	})
}

// TestMultipart asks for several ranges (sections 14.6 and 15.3.7.2).
func TestMultipart(t *testing.T) {
	s := serve(t, Options{MaxFileBytes: 1000}, "a.txt", "0123456789", "large.txt", strings.Repeat("0123456789", 1000))
	for path, parts := range map[string][]string{
		"/a.txt":     {"bytes 1-2/10", "12", "bytes 8-9/10", "89", "bytes 4-4/10", "4"},
		"/large.txt": {"bytes 1-2/10000", "12", "bytes 9998-9999/10000", "89", "bytes 4-4/10000", "4"},
	} {
		r := s.get(path, "Range", "bytes=1-2,-2,4-4")
		kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
		if r.StatusCode != 206 || err != nil || kind != "multipart/byteranges" || r.Header.Get("Content-Range") != "" {
			t.Fatalf("%s: status %d, %v", path, r.StatusCode, r.Header)
		}
		if r.ContentLength != int64(len(r.body)) {
			t.Errorf("%s: Content-Length %d, %d bytes came", path, r.ContentLength, len(r.body))
		}
		reader := multipart.NewReader(strings.NewReader(r.body), params["boundary"])
		for i := 0; i < len(parts); i += 2 {
			part, err := reader.NextPart()
			must(t, err)
			data, err := io.ReadAll(part)
			must(t, err)
			if part.Header.Get("Content-Range") != parts[i] || string(data) != parts[i+1] {
				t.Errorf("%s: part %v %q, want %s %q", path, part.Header, data, parts[i], parts[i+1])
			}
			if got := part.Header.Get("Content-Type"); got != "text/plain; charset=utf-8" {
				t.Errorf("%s: part of type %q", path, got)
			}
		}
		if _, err := reader.NextPart(); err != io.EOF {
			t.Errorf("%s: after the last part: %v, want EOF", path, err)
		}
	}
}

// TestRangeOfVariant: ranges are of the bytes in their coding, which put together are the whole (section 14).
func TestRangeOfVariant(t *testing.T) {
	content := text(10_000)
	s := serve(t, Options{}, "a.css", content)
	whole := s.get("/a.css", "Accept-Encoding", "br")
	etag := whole.Header.Get("Etag")
	r := s.get("/a.css", "Accept-Encoding", "br", "Range", "bytes=10-", "If-Range", etag)
	if r.StatusCode != 206 || r.Header.Get("Content-Encoding") != "br" || r.Header.Get("Etag") != etag {
		t.Fatalf("status %d, %v", r.StatusCode, r.Header)
	}
	if got := decode(t, "br", whole.body[:10]+r.body); got != content {
		t.Error("a part and the rest are not the whole")
	}
	if r := s.get("/a.css", "Accept-Encoding", "gzip", "Range", "bytes=10-", "If-Range", etag); r.StatusCode != 200 {
		t.Errorf("the tag of another coding: status %d, want 200", r.StatusCode)
	}
}
