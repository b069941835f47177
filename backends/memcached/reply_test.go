package memcached

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
)

func TestReadReply(t *testing.T) {
	for _, c := range []struct {
		in   string
		want reply
	}{
		{"HD\r\n", reply{code: "HD", ttl: -1}},
		{"EN\r\n", reply{code: "EN", ttl: -1}},
		{"HD kfoo t0\r\n", reply{code: "HD", text: "kfoo t0", key: "foo"}},
		{"VA 3 kfoo f7 t60 c12 O9 W\r\na\r\n\r\n", reply{
			code: "VA", text: "3 kfoo f7 t60 c12 O9 W", key: "foo", flags: 7, ttl: 60, cas: 12, value: []byte("a\r\n"),
		}},
		{"VA 0\r\n\r\n", reply{code: "VA", text: "0", ttl: -1}},
		{"SERVER_ERROR out of memory\r\n", reply{code: "SERVER_ERROR", text: "out of memory", ttl: -1}},
		{"ERROR\r\n", reply{code: "ERROR", ttl: -1}},
	} {
		got, err := readReply(bufio.NewReader(strings.NewReader(c.in)), 10)
		if err != nil || fmt.Sprint(*got) != fmt.Sprint(c.want) {
			t.Errorf("readReply(%q) = %+v, %v; want %+v", c.in, got, err, c.want)
		}
	}
	for _, in := range []string{
		"\r\n", "\n", "WHAT\r\n", "VALUE a 0 1\r\nx\r\nEND\r\n", "VA\r\n", "VA -1\r\n", "VA 11\r\n", "VA 18446744073709551616\r\n",
		"VA 1 fx\r\na\r\n", "VA 1 f4294967296\r\na\r\n", "VA 1\r\nab\r\n", "HD tx\r\n", strings.Repeat("k", lineSize+1) + "\r\n",
	} {
		if r, err := readReply(bufio.NewReaderSize(strings.NewReader(in), lineSize), 10); !errors.Is(err, errProtocol) {
			t.Errorf("readReply(%.32q) = %+v, %v; want errProtocol", in, r, err)
		}
	}
	for _, in := range []string{"", "H", "HD", "VA 3\r\n", "VA 3\r\nabc"} {
		if r, err := readReply(bufio.NewReader(strings.NewReader(in)), 10); !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("readReply(%q) = %+v, %v; want an end of file", in, r, err)
		}
	}
}

// TestHostileLength announces values that never come.
func TestHostileLength(t *testing.T) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 10 {
		if _, err := readReply(bufio.NewReader(strings.NewReader("VA 2000000000\r\nabc")), 1<<31-1); err == nil {
			t.Error("a value that is cut short was taken")
		}
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 40*eager { // what the detector of races adds included
		t.Errorf("ten announcements of 2 GB allocated %d bytes", n)
	}
}

func TestLargeValue(t *testing.T) {
	want := bytes.Repeat([]byte("0123456789"), eager/2)
	in := fmt.Sprintf("VA %d\r\n%s\r\n", len(want), want)
	r, err := readReply(bufio.NewReader(strings.NewReader(in)), len(want))
	if err != nil || !bytes.Equal(r.value, want) {
		t.Errorf("a value of %d bytes did not come through: %v", len(want), err)
	}
}

func FuzzReadReply(f *testing.F) {
	for _, in := range []string{
		"HD\r\n", "VA 3 kfoo f7 t60 c12\r\nabc\r\n", "EN\r\nHD kx t-1\r\n", "SERVER_ERROR object too large for cache\r\n", "VA 9999999999\r\n",
		"ME foo exp=-1 la=1\r\n", "VA 1 t9223372036854775807\r\na\r\n", "key=a%20b exp=-1 la=1\n",
	} {
		f.Add([]byte(in))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		const maxValue = 1 << 10
		r := bufio.NewReaderSize(bytes.NewReader(in), lineSize)
		for {
			rep, err := readReply(r, maxValue)
			if err != nil {
				break
			}
			if len(rep.value) > maxValue {
				t.Fatalf("a value of %d bytes is beyond the limit", len(rep.value))
			}
			_, _ = rep.answers("foo")
			_ = rep.want("HD")
			_ = rep.lines()
		}
		if l, err := parseListed(in); err == nil && (l.stored == "" || len(l.stored) > maxStoredKey) {
			t.Fatalf("parseListed took the key %q", l.stored)
		}
	})
}

func FuzzEntry(f *testing.F) {
	f.Add("key", []byte("value"), uint32(1), int64(5), true)
	f.Add("key", []byte("\x03keyvalue"), uint32(0), int64(-1), true)
	f.Add("key", []byte("\xec\x01"), uint32(0), int64(-1), false)
	f.Add("key", []byte("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), uint32(0), int64(0), true)
	f.Fuzz(func(t *testing.T, key string, value []byte, flags uint32, ttl int64, hashed bool) {
		for _, values := range []Values{Enveloped, Raw} {
			b := &Backend{opts: Options{Values: values}}
			e, _, err := b.entry(key, hashed, &reply{value: value, flags: flags, ttl: ttl}, testTime)
			if err == nil && (e.Expires < 0 || len(e.Value) > len(value)) {
				t.Fatalf("entry(%q, %v) = %+v", value, hashed, e)
			}
		}
	})
}
