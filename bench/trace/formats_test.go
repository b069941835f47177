package trace_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/edgecache/edgecache/bench/trace"
)

// rows are what a stream hands out, in one piece.
type rows struct {
	IDs, Sizes []uint32
	Times      []int64
	Costs      []float32
	Ops        []trace.Op
	TTLs       []uint32
}

// read reads a trace to its end.
func read(source, name string, o trace.Options) (got rows, r *trace.Reader, err error) {
	r, err = trace.NewReader(strings.NewReader(source), name, o)
	if err != nil {
		return rows{}, nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	var b trace.Batch
	for {
		err := r.Next(&b)
		if errors.Is(err, io.EOF) {
			return got, r, nil
		}
		if err != nil {
			return got, r, err
		}
		got.IDs = append(got.IDs, b.IDs...)
		got.Sizes = append(got.Sizes, b.Sizes...)
		got.Times = append(got.Times, b.Times...)
		got.Costs = append(got.Costs, b.Costs...)
		got.Ops = append(got.Ops, b.Ops...)
		got.TTLs = append(got.TTLs, b.TTLs...)
	}
}

// le packs numbers as little-endian: bytes, 16, 32 and 64 bits by their types.
func le(values ...any) string { return pack(binary.LittleEndian, values) }

func pack(order binary.ByteOrder, values []any) string {
	var b bytes.Buffer
	for _, v := range values {
		_ = binary.Write(&b, order, v) // a buffer takes everything
	}
	return b.String()
}

func be(values ...any) string { return pack(binary.BigEndian, values) }

const get, set, del, other = trace.OpGet, trace.OpSet, trace.OpDelete, trace.OpOther

func formatCases() []formatCase {
	const none = int64(-1)
	return []formatCase{
		{
			name: "t.bin", format: "oracleGeneral",
			source: le(uint32(7), uint64(9), uint32(100), int64(2), uint32(8), uint64(9), uint32(50), none, uint32(8), uint64(3), uint32(5), none),
			want:   rows{IDs: []uint32{0, 0, 1}, Sizes: []uint32{100, 100, 5}, Times: []int64{7, 8, 8}},
		},
		{
			name: "t.bin", format: "oracleGeneralOpNS",
			source: le(uint32(7), uint64(9), uint32(100), uint8(1), uint16(4), int64(2), uint32(8), uint64(9), uint32(50), uint8(3), uint16(4), none),
			want:   rows{IDs: []uint32{0, 0}, Sizes: []uint32{100, 100}, Times: []int64{7, 8}, Ops: []trace.Op{get, set}},
		},
		{
			name: "t.vscsi", format: "vscsi1",
			source: le(uint32(1), uint32(512), uint32(1), uint16(0x2a), uint16(0x100), uint64(77), uint64(1000)) +
				le(uint32(2), uint32(1024), uint32(1), uint16(0x28), uint16(0x100), uint64(77), uint64(1001)),
			want: rows{IDs: []uint32{0, 0}, Sizes: []uint32{512, 512}, Times: []int64{1000, 1001}, Ops: []trace.Op{set, get}},
		},
		{
			name: "t.vscsi", format: "vscsi2",
			source: le(uint16(0x28), uint16(0x200), uint32(1), uint32(512), uint32(1), uint64(77), uint64(1000), uint64(3)) +
				le(uint16(0x12), uint16(0x200), uint32(2), uint32(0), uint32(1), uint64(78), uint64(1001), uint64(3)),
			want: rows{IDs: []uint32{0, 1}, Sizes: []uint32{512, 0}, Times: []int64{1000, 1001}, Ops: []trace.Op{get, other}},
		},
		{
			name: "t.twr", format: "twr",
			source: le(uint32(5), uint64(1), uint32(10<<22|300), uint32(1<<24|60)),
			want:   rows{IDs: []uint32{0}, Sizes: []uint32{310}, Times: []int64{5}, Ops: []trace.Op{get}, TTLs: []uint32{60}},
		},
		{
			name: "t", format: "twr", source: strings.Repeat(le(uint32(1584), uint64(1), uint32(300), uint32(3<<24|60)), 16),
			want: rows{
				IDs: make([]uint32, 16), Sizes: slices.Repeat([]uint32{300}, 16), Times: slices.Repeat([]int64{1584}, 16),
				Ops: slices.Repeat([]trace.Op{set}, 16), TTLs: slices.Repeat([]uint32{60}, 16),
			},
		},
		{
			name: "t.lcs", format: "lcs",
			source: lcsHeader(1024, uint64(1)) + le(uint32(7), uint64(9), uint32(100), int64(2), uint32(8), uint64(9), uint32(50), none),
			want:   rows{IDs: []uint32{0, 0}, Sizes: []uint32{100, 100}, Times: []int64{7, 8}},
		},
		{
			name: "t", format: "lcs",
			source: lcsHeader(8192, uint64(2)) + le(uint32(7), uint64(9), uint32(100), uint32(5<<8|3), none),
			want:   rows{IDs: []uint32{0}, Sizes: []uint32{100}, Times: []int64{7}, Ops: []trace.Op{set}},
		},
		{
			name: "t", format: "lcs",
			source: lcsHeader(8192, uint64(3)) + le(uint32(7), uint64(9), uint64(100), uint32(1), int32(60), none),
			want:   rows{IDs: []uint32{0}, Sizes: []uint32{100}, Times: []int64{7}, Ops: []trace.Op{get}, TTLs: []uint32{60}},
		},
		{
			name: "t", format: "lcs",
			source: lcsHeader(8192, uint64(5)) + strings.Repeat(le(uint32(7), uint64(9), uint64(100), uint32(1), int32(60), none, uint32(1), uint32(2)), 2),
			want: rows{
				IDs: []uint32{0, 0}, Sizes: []uint32{100, 100}, Times: []int64{7, 7}, Ops: []trace.Op{get, get}, TTLs: []uint32{60, 60},
			},
		},
		{
			name: "t", format: "lcs", source: lcsHeader(1024, [16]byte{'<', 'I', 'Q', 'I', 'B', 'H', 'q'}) +
				le(uint32(7), uint64(9), uint32(100), uint8(9), uint16(4), int64(2), uint32(8), uint64(9), uint32(50), uint8(1), uint16(4), none),
			want: rows{IDs: []uint32{0, 0}, Sizes: []uint32{100, 100}, Times: []int64{7, 8}, Ops: []trace.Op{del, get}},
		},
		{
			name: "access.log", format: "squid",
			source: `1066036250.603    310 192.168.0.1 TCP_MISS/200 1234 GET http://a/b - DIRECT/1.2.3.4 text/html
1066036251.000      0 192.168.0.1 TCP_MEM_HIT/200 1234 GET http://a/b bob NONE/- text/html
1066036251.100      0 192.168.0.1 TCP_DENIED/403 100 GET http://a/c - NONE/- text/html
1066036251.100      9 192.168.0.1 TCP_MISS/200 100 POST http://a/b - DIRECT/1.2.3.4 text/html
`,
			want: rows{IDs: []uint32{0, 0}, Sizes: []uint32{1234, 1234}, Times: []int64{1066036250, 1066036251}, Ops: []trace.Op{get, get}},
		},
		{
			name: "t", format: "monitor",
			source: `+OK
+1795283371.717969 [0 127.0.0.1:51898] "GET" "a"
+1795283371.748180 [0 127.0.0.1:51898] "SET" "a" "hel\x00o" "EX" "60"
+1795283371.778384 [0 127.0.0.1:51898] "MGET" "a" "b"
+1795283371.808577 [3 127.0.0.1:51898] "SELECT" "3"
+1795283371.838818 [3 unix:/tmp/s] "PSETEX" "a" "1500" "v"
+1795283371.869015 [3 127.0.0.1:51898] "PING"
1795283372.929560 [0 lua] "unlink" "k \"x" "a"
1795283372.929560 [0 lua] "mset" "k \"x" "123" "a" "1"
1795283372.929560 [0 lua] "expire" "a" "5"
`,
			want: rows{
				IDs: []uint32{0, 0, 0, 1, 2, 3, 0, 3, 0, 0}, Sizes: []uint32{0, 6, 6, 0, 2, 0, 6, 7, 6, 6},
				Times: []int64{1795283371, 1795283371, 1795283371, 1795283371, 1795283371, 1795283372, 1795283372, 1795283372, 1795283372, 1795283372},
				Ops:   []trace.Op{get, set, get, get, set, del, del, set, set, other}, TTLs: []uint32{0, 60, 0, 0, 2, 0, 0, 0, 0, 5},
			},
		},
		{
			name: "t", format: "memcached",
			source: `OK
ts=1795283382.664158 gid=2 type=item_get key=foo status=not_found clsid=0 cfd=25 size=0
ts=1795283382.695094 gid=3 type=item_get key=foo status=not_found clsid=0 cfd=25 size=0
ts=1795283382.695101 gid=4 type=item_store key=foo status=stored cmd=set ttl=60 clsid=1 cfd=25 size=5
ts=1795283383.28151 gid=5 type=item_get key=foo status=found clsid=1 cfd=25 size=5
ts=1795283383.28160 gid=6 type=item_get key=bar status=not_found clsid=0 cfd=25 size=0
ts=1795283383.28161 gid=7 type=eviction key=foo fetch=yes ttl=-1 la=3 clsid=1 size=9
ts=1795283383.28162 gid=8 type=deleted key=foo cmd=delete clsid=1 size=5
`,
			want: rows{
				IDs: []uint32{0, 0, 0, 1, 0}, Sizes: []uint32{0, 8, 8, 0, 8},
				Times: []int64{1795283382, 1795283382, 1795283383, 1795283383, 1795283383},
				Ops:   []trace.Op{get, set, get, get, del}, TTLs: []uint32{0, 60, 0, 0, 0},
			},
		},
		{name: "cache2k.t", format: "be32", source: be(uint32(5), uint32(6), uint32(5)), want: rows{IDs: []uint32{0, 1, 0}}},
		{name: "corda.t", format: "be64", source: be(uint64(5), uint64(6), uint64(5)), want: rows{IDs: []uint32{0, 1, 0}}},
		{
			name: "t", format: "be32", want: rows{IDs: []uint32{0, 1, 0, 0, 2, 1}},
			source: be(uint32(1), uint32(2), uint32(1), uint32(1), uint32(4), uint32(2)),
		},
		{
			name: "t", format: "be64", want: rows{IDs: []uint32{0, 1, 0, 0, 1}},
			source: be(uint64(1<<40+1), uint64(2<<40+2), uint64(1<<40+1), uint64(1<<40+1), uint64(2<<40+2)),
		},
		{
			name: "t", format: "be64", want: rows{IDs: slices.Repeat([]uint32{0, 1, 2, 1, 3, 0}, 20)},
			source: strings.Repeat(be(uint64(1), uint64(2), uint64(3), uint64(2), uint64(4), uint64(1)), 20),
		},
		{
			name: "access.log", format: "accesslog",
			source: `1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 203 "http://x/" "agent"
1.2.3.4 - bob [17/May/2015:10:05:04 +0000] "GET /b?q=\"x HTTP/1.1" 200 7
1.2.3.4 - - [17/May/2015:10:05:04 +0000] "GET /b HTTP/1.1" 304 - "-" "agent"
1.2.3.4 - - [17/May/2015:10:05:05 +0000] "POST /a HTTP/1.1" 200 9 "-" "agent"
1.2.3.4 - - [17/May/2015:12:05:06 +0200] "GET /a HTTP/1.1" 200 999 "-" "agent"
`,
			want: rows{
				IDs: []uint32{0, 1, 0}, Sizes: []uint32{203, 7, 203}, Times: []int64{1431857103, 1431857104, 1431857106},
				Ops: []trace.Op{get, get, get},
			},
		},
		{
			name: "varnish", format: "accesslog",
			source: `1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET http://h/a HTTP/1.1" 200 203 "-" "agent x" hit
1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET http://h/b HTTP/1.1" 200 9 "-" "hit" miss
`,
			want: rows{IDs: []uint32{0, 1}, Sizes: []uint32{203, 9}, Times: []int64{1431857103, 1431857103}, Ops: []trace.Op{get, get}},
		},
		{
			name: "t.jsonl", format: "jsonl", source: `{"id":"a","ttl":60,"cost":1.5,"op":"SET"}` + "\n" + `{"id":"a","ttl":"","cost":2,"op":"get"}`,
			want: rows{IDs: []uint32{0, 0}, Costs: []float32{1.5, 2}, Ops: []trace.Op{set, get}, TTLs: []uint32{60, 0}},
		},
		{
			name: "t.jsonl", format: "jsonl", opts: trace.Options{Columns: "key=.request.url,time=at"},
			source: `{"request":{"url":"/a"},"size":5,"at":1.5}` + "\n\n" + `{"request":{"url":"/b"},"size":"6","at":2}`,
			want:   rows{IDs: []uint32{0, 1}, Sizes: []uint32{5, 6}, Times: []int64{1, 2}},
		},
		{
			name: "t", format: "address", source: "l 0xff 1\ns 0x1f 2\nl 0xff 3\n",
			want: rows{IDs: []uint32{0, 1, 0}, Ops: []trace.Op{get, set, get}},
		},
		{
			name: "address.t", format: "address", source: "l 0xff 1 1 100\ns 0x1f 2 1 10\n",
			want: rows{IDs: []uint32{0, 1}, Costs: []float32{100, 10}, Ops: []trace.Op{get, set}},
		},
		{
			name: "t.csv", format: "csv", source: "\ufeffversion,time,op,size,lbn\n1,5,2a,512,10\n1,6,28,512,11\n",
			want: rows{IDs: []uint32{0, 1}, Sizes: []uint32{512, 512}, Times: []int64{5, 6}, Ops: []trace.Op{set, get}},
		},
		{
			name: "t.tsv", format: "csv", source: "id\tbytes\r\n\"a\t\"\"b\"\t3\r\nx\t4\r\n",
			want: rows{IDs: []uint32{0, 1}, Sizes: []uint32{3, 4}},
		},
		{
			name: "t.csv", format: "csv", opts: trace.Options{Columns: "key=1"}, source: "a;7\nb;8\na;9\n",
			want: rows{IDs: []uint32{0, 1, 0}},
		},
		{
			name: "t.csv", format: "csv", opts: trace.Options{Columns: "key=file,cost=2"}, source: "file|ms\na|7.5\nb|8\n",
			want: rows{IDs: []uint32{0, 1}, Costs: []float32{7.5, 8}},
		},
		{
			name: "twitter", format: "csv", source: "0,nz:u:e,30,100,9,get,0\n1,nz:u:f,30,0,9,set,60\n",
			want: rows{IDs: []uint32{0, 1}, Sizes: []uint32{130, 30}, Times: []int64{0, 1}, Ops: []trace.Op{get, set}, TTLs: []uint32{0, 60}},
		},
		{
			name: "kv.csv", format: "csv",
			source: "op_time,key,key_size,op,op_count,size,cache_hits,ttl,usecase,sub_usecase\n6,k,4,GET,3,10,1,0,3,3\n7,j,4,SET,1,20,0,9,3,3\n",
			want: rows{
				IDs: []uint32{0, 0, 0, 1}, Sizes: []uint32{14, 14, 14, 24}, Times: []int64{6, 6, 6, 7}, Ops: []trace.Op{get, get, get, set},
				TTLs: []uint32{0, 0, 0, 9},
			},
		},
		{
			name: "kv2.csv", format: "csv",
			source: "op_time,key,key_size,op,op_count,size,cache_hits,usecase,sub_usecase,ttl\n6,k,4,GET_LEASE,1,10,1,3,3,0\n",
			want:   rows{IDs: []uint32{0}, Sizes: []uint32{14}, Times: []int64{6}, Ops: []trace.Op{get}, TTLs: []uint32{0}},
		},
		{name: "t.lis", format: "arc", source: "10 3 0 0\n11 2 0 1\n", want: rows{IDs: []uint32{0, 1, 2, 1, 2}}},
		{name: "t", format: "arc", source: "10 1 0 0\n11 0 0 1\n10 1 0 2\n", want: rows{IDs: []uint32{0, 0}}},
		{
			name: "t", format: "sized", source: "1 5 68\n2 5 70\n3 5 68\n",
			want: rows{IDs: []uint32{0, 1, 0}, Sizes: []uint32{68, 70, 68}, Times: []int64{1, 2, 3}},
		},
		{name: "lirs.t", format: "lirs", source: "1\r\n*\r\n2\r\n1\r\n", want: rows{IDs: []uint32{0, 1, 0}}},
		{name: "t.txt", format: "keys", source: "1\n2\n1\n", want: rows{IDs: []uint32{0, 1, 0}}},
		{name: "t.txt", format: "keys", source: "1\n01\nabc\n18446744073709551616\n1", want: rows{IDs: []uint32{0, 1, 2, 3, 0}}},
	}
}

// lcsHeader returns a header of an lcs file with something behind its magic number.
func lcsHeader(length int, behind any) string {
	const magic = uint64(0x123456789abcdef0)
	head := le(magic, behind)
	return head + strings.Repeat("\x00", length-8-len(head)) + le(magic)
}

type formatCase struct {
	name, format, source string
	opts                 trace.Options
	want                 rows
}

func TestFormatsAreFoundOutAndRead(t *testing.T) {
	for _, c := range formatCases() {
		t.Run(c.format+"/"+c.name, func(t *testing.T) {
			got, r, err := read(c.source, c.name, c.opts)
			if err != nil {
				t.Fatal(err)
			}
			if r.Format() != c.format {
				t.Errorf("format is %s, want %s", r.Format(), c.format)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("rows differ (-want +got):\n%s", diff)
			}
		})
	}
}

func TestEveryFormatHasACase(t *testing.T) {
	for _, name := range trace.Formats() {
		if name != "ect" && !slices.ContainsFunc(formatCases(), func(c formatCase) bool { return c.format == name }) {
			t.Errorf("no case for %s", name)
		}
	}
}

func TestFilters(t *testing.T) {
	const source = "time,key,size,op\n10,a,1,get\n20,b,2,set\n30,a,3,get\n40,c,4,delete\n"
	for _, c := range []struct {
		name string
		opts trace.Options
		want []uint32 // times
	}{
		{"all", trace.Options{}, []uint32{10, 20, 30, 40}},
		{"ops", trace.Options{Ops: "set, DELETE"}, []uint32{20, 40}},
		{"from", trace.Options{From: 20}, []uint32{20, 30, 40}},
		{"to", trace.Options{To: 20}, []uint32{10}},
		{"between", trace.Options{From: 20, To: 40}, []uint32{20, 30}},
		{"all of a sample", trace.Options{Sample: 1}, []uint32{10, 20, 30, 40}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, _, err := read(source, "t.csv", c.opts)
			if err != nil {
				t.Fatal(err)
			}
			var times []uint32
			for _, at := range got.Times {
				times = append(times, uint32(at))
			}
			if !slices.Equal(times, c.want) {
				t.Errorf("times are %v, want %v", times, c.want)
			}
		})
	}
}

func TestPositionsStandForTimes(t *testing.T) {
	got, _, err := read("10 3 0 0\n20 3 0 1\n", "t.lis", trace.Options{From: 2, To: 4})
	if err != nil || !slices.Equal(got.IDs, []uint32{0, 1}) {
		t.Errorf("read = %v, %v, want two requests", got.IDs, err)
	}
}

func TestSplit(t *testing.T) {
	vscsi := func(block uint64, length uint32) string {
		return le(uint32(1), length, uint32(1), uint16(0x28), uint16(0x100), block, uint64(1))
	}
	got, _, err := read(vscsi(7, 1024)+vscsi(8, 4096)+vscsi(0, 0)+vscsi(16, 512), "t.vscsi", trace.Options{Split: 4096})
	want := rows{IDs: []uint32{0, 1, 1, 2}, Sizes: []uint32{4096, 4096, 4096, 4096}, Times: []int64{1, 1, 1, 1}, Ops: make([]trace.Op, 4)}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}

	const blocks = "op_time,block_id,block_id_size,io_size,io_offset,user_name,user_namespace,op_name,op_count\n" +
		"1,x,40,5000,0,1,1,getChunkData.NotInitialized,1\n1,y,40,10,0,1,1,putChunk.NotInitialized,1\n1,x,40,10,4096,1,1,getChunkData.NotInitialized,2\n"
	got, _, err = read(blocks, "block.csv", trace.Options{Split: 4096})
	if err != nil || !slices.Equal(got.IDs, []uint32{0, 1, 2, 1, 1}) || got.Ops[2] != set {
		t.Errorf("read = %+v, %v", got, err)
	}
	if _, _, err := read("1\n2\n", "t.txt", trace.Options{Split: 4096}); err == nil {
		t.Error("keys were split")
	}
}

func TestSampleTakesAllOfAPartOfTheObjects(t *testing.T) {
	var keys strings.Builder
	for range 3 {
		for key := range 10_000 {
			keys.WriteString(strings.Repeat("x", key%3))
			keys.WriteString(string(rune('a'+key%26)) + le(uint8('0'+key/1000), uint8('0'+key/100%10), uint8('0'+key/10%10), uint8('0'+key%10)) + "\n")
		}
	}
	got, r, err := read(keys.String(), "t", trace.Options{Sample: 0.1})
	if err != nil {
		t.Fatal(err)
	}
	if r.Objects() < 900 || r.Objects() > 1100 || len(got.IDs) != 3*r.Objects() {
		t.Errorf("%d requests for %d objects, want a tenth of 10000, 3 for each", len(got.IDs), r.Objects())
	}
	again, _, _ := read(keys.String(), "t", trace.Options{Sample: 0.1, Seed: 1})
	if len(again.IDs) == len(got.IDs) {
		t.Error("the seed chooses nothing")
	}
}
