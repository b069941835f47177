package trace_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/edgecache/edgecache/bench/trace"
)

func gzipped(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = io.WriteString(w, text) // a buffer takes everything
	_ = w.Close()
	return b.String()
}

func oracleRecords(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(le(uint32(i), uint64(i%7), uint32(10), int64(-1)))
	}
	return b.String()
}

func TestBadInputIsAnErrorThatSaysWhereAndWhatWasExpected(t *testing.T) {
	csvLines := "time,key,size\n" + strings.Repeat("1,a,5\n", 10)
	for _, c := range []struct {
		what, name, source string
		opts               trace.Options
		want               string // what the error begins with, or has where it begins with *
	}{
		{"empty", "t.csv", "", trace.Options{}, "t.csv: byte 0: expected requests, found an empty file"},
		{"truncated binary", "t.bin", oracleRecords(3) + "1234567", trace.Options{}, "t.bin: byte 72: expected a record of 24 bytes, found the end of the file after 7"},
		{"truncated vscsi", "t.vscsi", oracleRecords(3), trace.Options{Format: "vscsi1"}, "t.vscsi: byte 0: expected a vSCSI record of version 1 (32 bytes), as in --format vscsi1, found "},
		{"truncated gzip", "t.csv.gz", gzipped(csvLines)[:40], trace.Options{}, "*expected more of the trace: unexpected EOF"},
		{"no gzip", "t.csv.gz", csvLines, trace.Options{}, "t.csv.gz: byte 0: expected what the name promises: a compressed file, found \"time,key\""},
		{"binary called csv", "t.csv", oracleRecords(3), trace.Options{}, "t.csv: byte 0: expected columns between"},
		{"text called lis", "t.lis", csvLines, trace.Options{}, `t.lis:1: expected "start count ignored number" on each line, as in a file of that name, found "time,key,size"`},
		{"text called binary", "cache2k.x", csvLines, trace.Options{}, "cache2k.x:1: expected a big-endian number of 4 bytes"},
		{"noise", "t", "\x00\x01\x02\x03noise", trace.Options{}, "t: byte 0: expected one of the formats ect, "},
		{"csv, then binary", "t.csv", csvLines + oracleRecords(2), trace.Options{}, "t.csv:12: expected "},
		{"csv, then text", "t.csv", csvLines + "hello\n", trace.Options{}, `t.csv:12: expected 3 columns at least, found "hello"`},
		{"csv, then another csv", "t.csv", csvLines + csvLines, trace.Options{}, `t.csv:12: expected a number for the time, found "time"`},
		{"numbers, then text", "t", strings.Repeat("17\n", 10) + "x\n", trace.Options{}, `t:11: expected a number, or *, on each line, found "x"`},
		{"keys, then sentences", "t", strings.Repeat("k\n", 10) + "x y\n", trace.Options{}, `t:11: expected a key without blanks`},
		{"keys, then binary", "t", strings.Repeat("k\n", 99) + "\x00\n", trace.Options{}, `t:`},
		{"oracleGeneral, then text", "t.bin", oracleRecords(4000) + strings.Repeat("hello world.", 20), trace.Options{}, "t.bin: byte 96000: expected the number of the next request or -1"},
		{"too large a size", "t.csv", "key,size\na,1\nb,2\nc,4294967296\n", trace.Options{}, `t.csv:4: expected a size in bytes below 4 GiB, found "4294967296"`},
		{"negative size", "t.csv", "key,size\na,-1\n", trace.Options{}, `t.csv:2: expected a size`},
		{"endless run", "t.lis", "1 2 0 0\n1 2 0 0\n1 2 0 0\n1 999999999 0 3\n", trace.Options{}, `t.lis:4: expected a count of at most 1048576`},
		{"no key", "t.csv", "time,what\n1,a\n", trace.Options{}, "t.csv:1: expected columns"},
		{"no such column", "t.csv", csvLines, trace.Options{Columns: "key=url"}, `t.csv:1: expected columns`},
		{"open quote", "t.csv", "time,key\n1,a\n2,\"b\n", trace.Options{}, "t.csv:3: expected a quote at the end"},
		{"access log", "t", strings.Repeat(`h - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 203`+"\n", 9) + "oops\n", trace.Options{}, "t:10: expected a line of an access log"},
		{"json", "t.jsonl", `{"key":1}` + "\n{\n", trace.Options{}, `t.jsonl:2: expected a JSON object on each line, found "{"`},
		{"json without key", "t.jsonl", `{"key":1}` + "\n{}\n", trace.Options{}, `t.jsonl:2: expected a string or number at "key", found nothing`},
		{"json key", "t.jsonl", `{"x":1}`, trace.Options{}, `t.jsonl:1: expected a key (--key request.url says where)`},
		{"truncated lcs", "t.lcs", lcsHeader(1024, uint64(1))[:1000], trace.Options{}, "t.lcs: byte 0: expected a header of 1024 or 8192 bytes with the magic number at its end, found a file of which the first 1000 bytes have none"},
		{"truncated record of lcs", "t.lcs", lcsHeader(1024, uint64(1)) + "1234", trace.Options{}, "t.lcs: byte 1024: expected a record of 24 bytes, found the end of the file after 4"},
		{"unknown lcs", "t.lcs", lcsHeader(8192, uint64(9)), trace.Options{}, "t.lcs: byte 0: expected a version of lcs from 1 to 8"},
		{"lcs in another order", "t.lcs", lcsHeader(8192, uint64(2)) + le(uint32(7), uint64(9), uint32(100), int64(-1), uint32(3)), trace.Options{}, "t.lcs: byte 8192: expected the number of the next request or -1, found "},
		{"lcs of huge objects", "t.lcs", lcsHeader(8192, uint64(3)) + le(uint32(7), uint64(9), uint64(1<<40), uint32(3), uint32(3), int64(-1)), trace.Options{}, "t.lcs: byte 8192: expected a size in bytes below 4 GiB, found 1099511627776"},
		{"csv called lcs", "t.lcs", csvLines, trace.Options{}, `t.lcs:1: expected an lcs file: the magic number 0x123456789abcdef0 and a header, as in a file of that name, found "time,key,size"`},
		{"squid, then nginx", "t", strings.Repeat("1066036250.603 310 c TCP_MISS/200 12 GET http://a - DIRECT/h text/html\n", 9) + logLine(""), trace.Options{}, "t:10: expected a line of squid's access.log"},
		{"squid without a status", "t", strings.Repeat("1066036250.603 310 c TCP_MISS/200 12 GET http://a - DIRECT/h text/html\n", 9) + "1066036250.603 310 c TCP_MISS/x 12 GET http://a - DIRECT/h text/html\n", trace.Options{}, "t:10: expected a status and a size behind the request"},
		{"monitor, then text", "t", strings.Repeat(`1.1 [0 1.2.3.4:5] "get" "a"`+"\n", 9) + "hello\n", trace.Options{}, "t:10: expected a line of Redis's MONITOR"},
		{"monitor cut off", "t", strings.Repeat(`1.1 [0 1.2.3.4:5] "get" "a"`+"\n", 9) + `1.1 [0 1.2.3.4:5] "get" "a`, trace.Options{}, "t:10: expected a quote at the end of an argument"},
		{"monitor with a lifetime that is none", "t", strings.Repeat(`1.1 [0 1.2.3.4:5] "get" "a"`+"\n", 9) + `1.1 [0 1.2.3.4:5] "setex" "a" "soon" "v"`, trace.Options{}, `t:10: expected a number for the lifetime, found "soon"`},
		{"memcached, then text", "t", strings.Repeat("ts=1.2 gid=2 type=item_get key=foo status=found clsid=0 cfd=25 size=0\n", 9) + "END\n", trace.Options{}, `t:10: expected a line of memcached's "watch fetchers mutations"`},
		{"memcached without a key", "t", strings.Repeat("ts=1.2 gid=2 type=item_get key=foo status=found clsid=0 cfd=25 size=0\n", 9) + "ts=1.2 gid=2 type=item_get\n", trace.Options{}, `t:10: expected a key (key=...)`},
		{"lifetime that is none", "t.csv", "key,ttl\na,1\nb,x\n", trace.Options{}, `t.csv:3: expected a number for the lifetime, found "x"`},
		{"text called lz4", "t.lz4", csvLines, trace.Options{}, "t.lz4: byte 0: expected what the name promises: a compressed file"},
		{"long line", "t", strings.Repeat("x", 300<<10), trace.Options{}, "t:1: expected lines of at most 262144 bytes"},
	} {
		t.Run(c.what, func(t *testing.T) {
			_, _, err := read(c.source, c.name, c.opts)
			if err == nil {
				t.Fatal("no error")
			}
			part, inside := strings.CutPrefix(c.want, "*")
			if !inside && !strings.HasPrefix(err.Error(), c.want) || !strings.Contains(err.Error(), part) {
				t.Errorf("the error is\n%v, want\n%s", err, c.want)
			}
		})
	}
}

func TestBadRecordErrorSaysWhere(t *testing.T) {
	_, _, err := read("key,size\na,1\nb,x\n", "t.csv", trace.Options{})
	bad, ok := errors.AsType[*trace.BadRecordError](err)
	if !ok || bad.File != "t.csv" || bad.Line != 3 || bad.Offset != 13 {
		t.Errorf("the error is %#v", err)
	}
}

func TestSkipBadToleratesAndCounts(t *testing.T) {
	f := func(name, source string, tolerated, requests, skipped int) {
		t.Helper()
		got, r, err := read(source, name, trace.Options{SkipBad: tolerated})
		if err != nil || len(got.IDs) != requests || r.Skipped() != skipped {
			t.Errorf("%s: %d requests, %v, want %d and %d skipped", name, len(got.IDs), err, requests, skipped)
		}
	}
	lines := "key,size\na,1\nb,x\nc,3\nd\ne,5\n"
	f("t.csv", lines, 2, 3, 2)
	f("t.csv", lines, 9, 3, 2)
	f("t.bin", oracleRecords(3)+"123", 1, 3, 1)
	cut := gzipped(strings.Repeat("17\n", 10))
	f("t.gz", cut[:len(cut)-5], 1, 10, 1)
	f("t", strings.Repeat("17\n", 10)+strings.Repeat("x", 300<<10)+"\n18\n", 1, 11, 1)

	if _, _, err := read(lines, "t.csv", trace.Options{SkipBad: 1}); err == nil {
		t.Error("two bad lines were skipped, want one at most")
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for _, o := range []trace.Options{
		{Format: "csvv"},
		{Ops: "get,fly"},
		{Sample: 2},
		{Sample: -1},
		{From: 5, To: 5},
		{SkipBad: -1},
		{Columns: "kee=1"},
		{Columns: "key"},
		{Columns: "key=9"},
	} {
		if _, _, err := read("key,size\na,1\n", "t.csv", o); err == nil {
			t.Errorf("%+v was taken", o)
		}
	}
}
