package torture

import (
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"sync/atomic"
)

// kind is how an object may be cached.
type kind uint8

const (
	plain   kind = iota // fresh for a second, then validated
	swr                 // stale for a while beside a refresh
	sie                 // stale for a while if the origin fails
	vary                // in three flavours
	private             // made for one user, who is known by a cookie
	secret              // asked for with Authorization, and not marked as public
	noStore             // never kept
	lasting             // fresh for long: only a purge or an unsafe request makes it new
	kinds               // how many there are
)

var kindNames = [kinds]string{"plain", "swr", "sie", "vary", "private", "secret", "no-store", "lasting"}

func (k kind) String() string { return kindNames[k] }

// cacheControl is what answers say.
func (k kind) cacheControl() string {
	switch k {
	case swr:
		return "max-age=1, stale-while-revalidate=5"
	case sie:
		return "max-age=1, stale-if-error=10"
	case private:
		return "private, max-age=60"
	case noStore:
		return "no-store"
	case secret, lasting:
		return "max-age=600"
	default:
		return "max-age=1"
	}
}

// field is a field of requests that says whom an answer is for, after a prefix.
type field struct{ name, prefix string }

// reader is the field that the kind's answers depend on, or one without a name.
func (k kind) reader() field {
	switch k {
	case vary:
		return field{"X-Flavour", ""}
	case private:
		return field{"Cookie", "user="}
	case secret:
		return field{"Authorization", "Bearer "}
	default:
		return field{}
	}
}

// object is a resource of the origin, which changes with every version. Its body follows from its number, the version
// and the reader, so that every byte of an answer can be checked.
type object struct {
	number  int
	kind    kind
	size    int64
	chunked bool // the origin does not tell the size
	version atomic.Int64

	// hard and soft are the oldest versions that may be answered to a request that begins now: those that the origin had when
	// a purge began that has returned.
	hard, soft atomic.Int64
}

// sizes are those of bodies: inline, a few segments, many.
var sizes = [...]int64{0, 17, 1 << 10, 40_000, 65_536, 65_537, 300_000, 1 << 20, 3<<20 + 11}

// objects returns n of them: every kind with every size.
func objects(n int) []*object {
	all := make([]*object, n)
	for i := range all {
		all[i] = &object{number: i, kind: kind(i % int(kinds)), size: sizes[i/int(kinds)%len(sizes)], chunked: i%3 == 0}
		all[i].version.Store(1)
	}
	return all
}

// path is below a folder of the object's own, which purges by prefix are for.
func (o *object) path() string { return fmt.Sprintf("/%s/%d/object", o.kind, o.number) }

func (o *object) folder() string { return fmt.Sprintf("/%s/%d/", o.kind, o.number) }

// tag is shared by the objects of a decade.
func (o *object) tag() string { return fmt.Sprintf("decade-%d", o.number/10) }

func (o *object) etag(version int64, reader string) string {
	return fmt.Sprintf(`"%d-%d-%s"`, o.number, version, reader)
}

// raise sets a floor to version unless it is higher already.
func raise(floor *atomic.Int64, version int64) {
	for {
		now := floor.Load()
		if now >= version || floor.CompareAndSwap(now, version) {
			return
		}
	}
}

// block is how many bytes of a body are made at a time.
const block = 4096

// body is a version of an object for a reader, as a stream of bytes.
type body struct {
	number  int
	version int64
	reader  string
	size    int64
	at      int64

	have int64 // the number of the block in buf, plus one
	buf  [block]byte
}

func (o *object) body(version int64, reader string) *body {
	return &body{number: o.number, version: version, reader: reader, size: o.size}
}

// Read makes the next bytes. Each block has a seed of its own, so that a stream can begin anywhere.
func (b *body) Read(p []byte) (int, error) {
	if b.at >= b.size {
		return 0, io.EOF
	}
	if n := b.at/block + 1; b.have != n {
		b.have = n
		b.fill(n)
	}
	n := copy(p, b.buf[b.at%block:min(block, b.at%block+b.size-b.at)])
	b.at += int64(n)
	return n, nil
}

func (b *body) fill(n int64) {
	var seed [32]byte
	binary.LittleEndian.PutUint64(seed[:], uint64(b.number))
	binary.LittleEndian.PutUint64(seed[8:], uint64(b.version))
	binary.LittleEndian.PutUint64(seed[16:], uint64(n))
	copy(seed[24:], b.reader)
	_, _ = rand.NewChaCha8(seed).Read(b.buf[:]) // never fails
}

// Seek serves http.ServeContent.
func (b *body) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += b.at
	case io.SeekEnd:
		offset += b.size
	}
	if offset < 0 {
		return 0, fmt.Errorf("seek to %d", offset)
	}
	b.at = offset
	return offset, nil
}
