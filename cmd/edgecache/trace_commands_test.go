package main

import (
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/cespare/xxhash/v2"
)

func TestTraceCommands(t *testing.T) {
	dir := folder(t, map[string]string{
		"t.csv": "time,key,size\n10,a,5\n11,b,7\n12,a,5\n13,c,1\n", "bad.csv": "time,key,size\n10,a,5\n11,b\n12,a,5\n13,c,1\n",
		"t.jsonl": `{"at":1,"request":{"url":"/a"}}` + "\n" + `{"at":2,"request":{"url":"/b"}}` + "\n", "empty": "",
		"same": "word\n" + strconv.FormatUint(xxhash.Sum64String("word"), 10) + "\n",
		"nginx.log": `1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 203 "-" "agent" HIT` + "\n" +
			`1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 203 "-" "agent" MISS` + "\n",
	})
	for _, tt := range []struct {
		args string
		want result // out and errOut are looked for
	}{
		{"trace", result{0, "Look at traces", ""}},
		{"trace frob", result{2, "", `unknown command "frob" for "edgecache trace"`}},
		{"trace info", result{2, "", "FILE is missing"}},
		{"trace info absent", result{1, "", "open absent: no such file"}},
		{"trace info empty", result{1, "", "empty: byte 0: expected requests, found an empty file"}},
		{"trace info t.csv", result{0, "requests      4\nobjects       3, 66.7 % of them asked for once\nfootprint     13 bytes\nrequested     18 bytes\ntimes         10 to 13\n", ""}},
		{"trace info t.csv --format vscsi1", result{1, "", "t.csv:1: expected a vSCSI record of version 1 (32 bytes), as in --format vscsi1"}},
		{"trace info t.csv --format fly", result{1, "", `no format is called "fly": there are ect, lcs, twr`}},
		{"trace info bad.csv", result{1, "", `bad.csv:3: expected 3 columns at least, found "11,b"`}},
		{"trace info bad.csv --skip-bad 1", result{0, "bad records   1, passed over", ""}},
		{"trace head t.csv -n 2", result{0, "TIME  ID  SIZE  OP  TTL  COST\n10    1   5              \n11    2   7              \n", ""}},
		{"trace head t.jsonl --key .request.url --cols time=at -o json", result{0, `{"time":2,"id":2,"size":1}`, ""}},
		{"trace head t.jsonl", result{1, "", "expected a key (--key request.url says where)"}},
		{"trace head t.csv -o xml", result{2, "", "table or json"}},
		{"trace convert t.csv", result{2, "", "OUT is missing"}},
		{"trace convert t.csv - --as keys", result{0, "1\n2\n1\n3\n", ""}},
		{"trace convert t.csv - --as csv --from 11 --to 13", result{0, "time,key,size\n11,1,7\n12,2,5\n", ""}},
		{"trace convert t.csv t.xz", result{1, "", "only .zst and .gz are written"}},
		{"trace convert t.csv t.oracleGeneral.zst", result{0, "", "t.oracleGeneral.zst: 4 requests for 3 objects"}},
		{"trace convert t.csv t.ect", result{0, "", "t.ect: 4 requests for 3 objects"}},
		{"trace sample t.csv - --as keys --rate 1", result{0, "1\n2\n1\n3\n", ""}},
		{"trace sample t.csv - --sample .5", result{2, "", "unknown flag: --sample"}},
		{"trace info same", result{0, "objects       1,", ""}},
		{"trace info same --verify-keys", result{0, "collisions    1 objects have the hash of another, and were told apart", ""}},
		{"trace info nginx.log", result{0, "besides        operations\nsource's hits  1 of 2, 50.0 %", ""}},
		{"trace gen loop:2,5 - --as keys", result{0, "1\n2\n1\n2\n1\n", ""}},
		{"trace gen loop:2,3 - --as csv --heavy-tail", result{0, "time,key,size\n0,1,", ""}},
		{"trace gen fly:2 -", result{2, "", `"fly:2" is not one of`}},
	} {
		got := edgecacheIn(t, dir, strings.Fields(tt.args)...)
		if got.code != tt.want.code || !strings.Contains(got.out, tt.want.out) || !strings.Contains(got.errOut, tt.want.errOut) {
			t.Errorf("edgecache %s = %+v, want %+v", tt.args, got, tt.want)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "t.xz")); err == nil {
		t.Error("a file that could not be written is there")
	}
}

// TestOneTraceHasOneDigest converts a trace to everything and asks for its digests.
func TestOneTraceHasOneDigest(t *testing.T) {
	dir := folder(t, nil)
	if got := edgecacheIn(t, dir, "trace", "gen", "zipf:0.9,500,3000 + scan:200", "t.csv", "--seed", "5", "--heavy-tail"); got.code != 0 {
		t.Fatal(got)
	}
	want := digests(t, dir, "t.csv")
	for _, name := range []string{"t.oracleGeneral", "t.oracleGeneral.zst", "t.csv.gz", "t.ect"} {
		if got := edgecacheIn(t, dir, "trace", "convert", "t.csv", name); got.code != 0 {
			t.Fatal(got)
		}
		for range 2 { // from the file, and from what was kept of it
			if got := digests(t, dir, name); got != want {
				t.Errorf("%s has %v, want %v", name, got, want)
			}
		}
	}
}

// digests returns what "trace info" says that is the same in every format.
func digests(t *testing.T, dir, name string) [2]string {
	t.Helper()
	got := edgecacheIn(t, dir, "trace", "info", name, "-o", "json")
	var info traceInfo
	if err := json.Unmarshal([]byte(got.out), &info); err != nil || got.code != 0 {
		t.Fatalf("trace info %s = %+v: %v", name, got, err)
	}
	if info.Requests != 3200 || info.Objects < 400 {
		t.Errorf("%s: %+v", name, info)
	}
	return [2]string{info.IDsSHA256, info.SizesSHA256}
}

// TestStandardInput reads traces from a pipe, packed or not.
func TestStandardInput(t *testing.T) {
	packed := through(t, func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) }, "1\n2\n1\n")
	for _, tt := range []struct{ args, stdin, want string }{
		{"trace info -", "1\n2\n1\n", "name          standard input\nformat        keys\nrequests      3\nobjects       2,"},
		{"trace info -", packed, "requests      3\n"},
		{"trace head - -n 1", packed, "0     1   1  "},
		{"trace convert - - --as csv", "1\n2\n1\n", "time,key,size\n0,1,1\n1,2,1\n2,1,1\n"},
		{"sim - -p lru -s 1 --csv", "1\n1\n2\n", "standard input,obj,1,lru,3,2,"},
	} {
		got := edgecache(t, nil, tt.stdin, strings.Fields(tt.args)...)
		if got.code != 0 || !strings.Contains(got.out, tt.want) {
			t.Errorf("edgecache %s = %+v, want %q", tt.args, got, tt.want)
		}
	}
	got := edgecache(t, nil, "a b\x00", "trace", "info", "-")
	if got.code != 1 || !strings.Contains(got.errOut, "standard input: byte 0: expected one of the formats") {
		t.Errorf("a pipe of noise = %+v", got)
	}
}
