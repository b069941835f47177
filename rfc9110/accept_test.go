package rfc9110

import (
	"slices"
	"strings"
	"testing"
)

// TestAccept reads Accept-Encoding by the sections of RFC 9110. Codings that are liked alike come in the server's order.
func TestAccept(t *testing.T) {
	for header, want := range map[string]string{
		"(none)":                             "identity", // 12.5.3: anything goes: the one that everybody understands
		"":                                   "identity", // 12.5.3: an empty one: no coding
		"gzip":                               "gzip identity",
		"GZip":                               "gzip identity", // 8.4.1: case does not matter
		"x-gzip":                             "gzip identity", // 8.4.1.3
		"gzip, deflate, br, zstd":            "br zstd gzip deflate identity",
		"gzip;q=1.0, identity; q=0.5, *;q=0": "gzip identity", // the RFC's own example
		"compress, gzip":                     "gzip identity",
		"*":                                  "br zstd gzip deflate identity",
		"*;q=0":                              "",
		"*;q=0, identity":                    "identity",
		"identity;q=0":                       "",
		"identity;q=0, *":                    "br zstd gzip deflate",
		"gzip, identity;q=0":                 "gzip",
		"gzip;q=0, *":                        "br zstd deflate identity",
		"br;q=0.1, gzip;q=0.9":               "gzip br identity",
		"gzip;q=0.5, identity":               "identity gzip",
		"gzip;q=0.001":                       "gzip identity",
		"gzip;q=0, br;q=0.000":               "identity",
		"br ; q=0.5 , gzip\t;\tq=0.6":        "gzip br identity",
		"br;Q=0.5, gzip;q=0.6":               "gzip br identity",
		"br;q=1.1, gzip":                     "gzip identity", // 12.4.2: not a weight
		"br;q=0.1234, gzip":                  "gzip identity",
		"br;q=-1, gzip":                      "gzip identity",
		"br;q=, gzip":                        "gzip identity",
		"br;q=.5, gzip":                      "gzip identity",
		"br;level=5, gzip":                   "gzip identity",
		",, gzip,":                           "gzip identity", // 5.6.1.2: empty elements
		"br|gzip":                            "br gzip identity",
	} {
		var lines []string
		if header != "(none)" {
			lines = strings.Split(header, "|")
		}
		a := Accept(lines)
		var got []string
		for _, c := range a.List() {
			got = append(got, c.String())
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("Accept-Encoding: %s: %q, want %q", header, s, want)
		}
	}
}

func TestAcceptDoesNotAllocate(t *testing.T) {
	lines := []string{"gzip, deflate, br;q=0.9, zstd"}
	if n := testing.AllocsPerRun(100, func() { Accept(lines) }); n != 0 {
		t.Errorf("Accept allocates %v times, want 0", n)
	}
}

func FuzzAccept(f *testing.F) {
	for _, s := range []string{"", "gzip", "gzip;q=0.5, br, *;q=0", "identity;q=0", ";;,,q=", "br;q=0.999,br;q=0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		a := Accept([]string{line})
		order := a.List()
		for i, c := range order {
			if c >= Codings || slices.Contains(order[:i], c) {
				t.Fatalf("Accept(%q) = %v", line, order)
			}
		}
		if b := Accept(strings.Split(line, ",")); !slices.Equal(b.List(), order) {
			t.Fatalf("Accept(%q) = %v, but %v where elements have lines of their own (RFC 9110, section 5.3)", line, order, b.List())
		}
		if !slices.Contains(order, Identity) && !strings.Contains(line, "*") && !strings.Contains(strings.ToLower(line), "identity") {
			t.Fatalf("Accept(%q) = %v: identity was not refused", line, order)
		}
	})
}
