package main

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	enc "encoding/binary"
	"io"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/ulikunitz/xz"
)

// packed has numbers behind each other, little-endian by their types.
func packed(values ...any) string { return packedAs(enc.LittleEndian, values) }

func packedAs(order enc.ByteOrder, values []any) string {
	var b bytes.Buffer
	for _, v := range values {
		_ = enc.Write(&b, order, v) // a buffer takes everything
	}
	return b.String()
}

// lcsFile has that behind the magic number of its header, and records.
func lcsFile(length int, behind any, records string) string {
	const magic = uint64(0x123456789abcdef0)
	head := packed(magic, behind)
	return head + strings.Repeat("\x00", length-8-len(head)) + packed(magic) + records
}

// traceFixtures are files of every form that there is, each with four requests for three objects: the second comes twice.
func traceFixtures(t *testing.T) map[string][2]string {
	t.Helper()
	const (
		keys = "11\n22\n22\n33\n"
		none = int64(-1)
		log  = `1.2.3.4 - - [17/May/2015:10:05:03 +0000] "GET /KEY HTTP/1.1" 200 203`
	)
	oracle := func(key uint64) string { return packed(uint32(7), key, uint32(10), none) }
	v2 := func(key uint64) string { return packed(uint32(7), key, uint32(10), uint32(1), none) }
	v3 := func(key uint64) string { return packed(uint32(7), key, uint64(10), uint32(1), uint32(60), none) }
	opNS := func(key uint64) string { return packed(uint32(7), key, uint32(10), uint8(1), uint16(3), none) }
	vscsi1 := func(key uint64) string {
		return packed(uint32(1), uint32(512), uint32(1), uint16(0x28), uint16(0x100), key, uint64(1000))
	}
	vscsi2 := func(key uint64) string {
		return packed(uint16(0x28), uint16(0x200), uint32(1), uint32(512), uint32(1), key, uint64(1000), uint64(3))
	}
	twr := func(key uint64) string { return packed(uint32(5), key, uint32(10<<22|300), uint32(1<<24|60)) }
	records := func(record func(uint64) string) string { return record(11) + record(22) + record(22) + record(33) }
	lines := func(line string) string {
		var b strings.Builder
		for _, key := range []string{"11", "22", "22", "33"} {
			b.WriteString(strings.ReplaceAll(line, "KEY", key) + "\n")
		}
		return b.String()
	}
	bz2, err := base64.StdEncoding.DecodeString(bzippedKeys)
	if err != nil {
		t.Fatal(err)
	}
	return map[string][2]string{ // by name: content and format
		"oracle.bin":            {records(oracle), "oracleGeneral"},
		"opns.bin":              {records(opNS), "oracleGeneralOpNS"},
		"v1.lcs":                {lcsFile(1024, uint64(1), records(oracle)), "lcs"},
		"v2":                    {lcsFile(8192, uint64(2), records(v2)), "lcs"},
		"v3":                    {lcsFile(8192, uint64(3), records(v3)), "lcs"},
		"format.lcs":            {lcsFile(1024, [8]byte{'<', 'I', 'Q', 'I', 'B', 'H', 'q'}, records(opNS)), "lcs"},
		"one.vscsi":             {records(vscsi1), "vscsi1"},
		"two.vscsi":             {records(vscsi2), "vscsi2"},
		"t.twr":                 {records(twr), "twr"},
		"cache2k.t":             {packedAs(enc.BigEndian, []any{uint32(11), uint32(22), uint32(22), uint32(33)}), "be32"},
		"corda.t":               {packedAs(enc.BigEndian, []any{uint64(11), uint64(22), uint64(22), uint64(33)}), "be64"},
		"common.log":            {lines(log), "accesslog"},
		"combined.log":          {lines(log + ` "-" "agent"`), "accesslog"},
		"nginx.log":             {lines(log + ` "-" "agent" HIT`), "accesslog"},
		"varnishncsa.log":       {lines(strings.ReplaceAll(log, "/KEY", "http://h/KEY") + ` "-" "agent" miss`), "accesslog"},
		"squid.log":             {lines("1066036250.603    310 1.2.3.4 TCP_MISS/200 1234 GET http://a/KEY - DIRECT/1.2.3.4 text/html"), "squid"},
		"monitor":               {"OK\n" + lines(`1795283371.717969 [0 127.0.0.1:51898] "GET" "KEY"`), "monitor"},
		"watch":                 {"OK\n" + lines("ts=1.2 gid=2 type=item_get key=KEY status=found clsid=0 cfd=25 size=3"), "memcached"},
		"t.jsonl":               {lines(`{"key":"KEY","size":5,"ttl":60}`), "jsonl"},
		"address.t":             {lines("l 0xKEY 1"), "address"},
		"penalties":             {lines("l 0xKEY 1 1 100"), "address"},
		"header.csv":            {"time,key,size,cost\n" + lines("1,KEY,5,2.5"), "csv"},
		"twitter.csv":           {lines("1,nz:u:KEY,30,100,9,get,0"), "csv"},
		"cachelib_1.csv":        {"op_time,key,key_size,op,op_count,size,cache_hits,ttl,usecase,sub_usecase\n" + lines("6,KEY,4,GET,1,10,1,60,3,3"), "csv"},
		"cachelib_2.csv":        {"op_time,key,key_size,op,op_count,size,cache_hits,usecase,sub_usecase,ttl\n" + lines("6,KEY,4,GET,1,10,1,3,3,60"), "csv"},
		"meta_block.csv":        {"op_time,block_id,block_id_size,io_size,io_offset,op_name,op_count\n" + lines("1,KEY,40,50,0,getChunkData.NotInitialized,1"), "csv"},
		"cloudphysics.csv":      {"version,time,op,size,lbn\n" + lines("1,5,28,512,KEY"), "csv"},
		"t.tsv":                 {"id\tbytes\n" + lines("KEY\t5"), "csv"},
		"t.lis":                 {lines("KEY 1 0 0"), "arc"},
		"sized":                 {lines("1 KEY 68"), "sized"},
		"lirs.t":                {keys, "lirs"},
		"keys.txt":              {keys, "keys"},
		"words":                 {lines("/a/KEY"), "keys"},
		"keys.txt.gz":           {through(t, func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) }, keys), "keys"},
		"keys.txt.zst":          {through(t, func(w io.Writer) io.WriteCloser { return must(zstd.NewWriter(w)) }, keys), "keys"},
		"keys.txt.xz":           {through(t, func(w io.Writer) io.WriteCloser { return must(xz.NewWriter(w)) }, keys), "keys"},
		"keys.txt.lz4":          {through(t, func(w io.Writer) io.WriteCloser { return lz4.NewWriter(w) }, keys), "keys"},
		"keys.txt.bz2":          {string(bz2), "keys"},
		"oracle called nothing": {through(t, func(w io.Writer) io.WriteCloser { return lz4.NewWriter(w) }, records(oracle)), "oracleGeneral"},
	}
}

// bzippedKeys is "11\n22\n22\n33\n" as bzip2 compresses it, in base 64.
const bzippedKeys = "QlpoOTFBWSZTWe67zaAAAALIAAAQOAAgACEp6agzTS0NhJ8XckU4UJDuu82g"

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// through compresses a text.
func through(t *testing.T, compressor func(io.Writer) io.WriteCloser, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := compressor(&b)
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestTraceInfoKnowsEveryForm has it say of each what it is, and the same digest of all.
func TestTraceInfoKnowsEveryForm(t *testing.T) {
	files := make(map[string]string)
	fixtures := traceFixtures(t)
	for name, fixture := range fixtures {
		files[name] = fixture[0]
	}
	dir := folder(t, files)
	want := "" // of the ids
	for name, fixture := range fixtures {
		got := edgecacheIn(t, dir, "trace", "info", name, "-o", "json")
		if got.code != 0 {
			t.Errorf("%s: %+v", name, got)
			continue
		}
		info := decode[traceInfo](t, got)
		if want == "" {
			want = info.IDsSHA256
		}
		if info.Format != fixture[1] || info.Requests != 4 || info.Objects != 3 || info.IDsSHA256 != want {
			t.Errorf("%s: %+v, want %s with 4 requests for 3 objects and digest %s", name, info, fixture[1], want)
		}
	}
}
