package trace_test

import (
	"slices"
	"strconv"
	"testing"

	"github.com/cespare/xxhash/v2"

	"github.com/edgecache/edgecache/bench/trace"
)

// TestKeysWithTheSameHashAreToldApart has a number that is the hash of a word.
func TestKeysWithTheSameHashAreToldApart(t *testing.T) {
	number := strconv.FormatUint(xxhash.Sum64String("word"), 10)
	source := []byte("word\n" + number + "\nword\n" + number + "\nx\n")
	mistaken, err := load(t, "t", source, trace.Options{})
	if err != nil || !slices.Equal(mistaken.IDs, []uint32{0, 0, 0, 0, 1}) {
		t.Fatalf("Load = %+v, %v: this is no collision", mistaken, err)
	}
	exact, err := load(t, "t", source, trace.Options{VerifyKeys: true})
	if err != nil || !slices.Equal(exact.IDs, []uint32{0, 1, 0, 1, 2}) || exact.Collisions != 1 || exact.Objects != 3 {
		t.Errorf("Load = %+v, %v, want three objects, one with the hash of another", exact, err)
	}
}

// TestVerifiedKeysAreTheSameObjects reads every format with and without.
func TestVerifiedKeysAreTheSameObjects(t *testing.T) {
	for _, c := range formatCases() {
		c.opts.VerifyKeys = true
		got, _, err := read(c.source, c.name, c.opts)
		if err != nil || !slices.Equal(got.IDs, c.want.IDs) || !slices.Equal(got.Sizes, c.want.Sizes) {
			t.Errorf("%s: %v, %v, want %v", c.format, got.IDs, err, c.want.IDs)
		}
	}
	const blocks = "op_time,block_id,block_id_size,io_size,io_offset,user_name,user_namespace,op_name,op_count\n" +
		"1,x,40,5000,0,1,1,getChunkData.NotInitialized,1\n1,y,40,10,0,1,1,putChunk.NotInitialized,1\n1,x,40,10,4096,1,1,getChunkData.NotInitialized,2\n"
	got, r, err := read(blocks, "block.csv", trace.Options{Split: 4096, VerifyKeys: true})
	if err != nil || !slices.Equal(got.IDs, []uint32{0, 1, 2, 1, 1}) || r.Objects() != 3 {
		t.Errorf("read = %+v, %v", got, err)
	}
}
