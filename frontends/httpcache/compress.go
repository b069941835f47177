package httpcache

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"
	"unsafe"

	"github.com/edgecache/edgecache/frontends/httpcache/internal/store"
	"github.com/edgecache/edgecache/frontends/internal/encode"
	"github.com/edgecache/edgecache/rfc9110"
	"github.com/edgecache/edgecache/rfc9111"
)

// CompressOptions says which stored responses are compressed for clients that accept it. The first client gets the response
// as the origin sent it; a compressed body is made in the background when the first client asks that likes one, and kept
// beside the response for as long as that has the same body.
type CompressOptions struct {
	// Codings are those that are made: br, zstd and gzip. None switches compression off.
	Codings []string
	// MinBytes is the smallest body that is compressed. 0 means 1 KiB.
	MinBytes int64
	// MaxBytes is the largest body that is compressed: it is in memory as a whole meanwhile. 0 means 8 MiB.
	MaxBytes int64
}

// validate sets defaults and returns which codings are made.
func (o *CompressOptions) validate() (made [rfc9110.Codings]bool, err error) {
	if o.MinBytes == 0 {
		o.MinBytes = 1 << 10
	}
	if o.MaxBytes == 0 {
		o.MaxBytes = 8 << 20
	}
	if o.MinBytes < 0 || o.MaxBytes < o.MinBytes {
		return made, errors.New("httpcache: Compress: MinBytes must not be negative, nor larger than MaxBytes")
	}
	for _, name := range o.Codings {
		c, ok := rfc9110.ParseCoding(name)
		if !ok || c == rfc9110.Identity || c == rfc9110.Deflate {
			return made, fmt.Errorf("httpcache: Compress: coding %q is not made: br, zstd or gzip is wanted", name)
		}
		made[c] = true
	}
	return made, nil
}

// coder makes and finds coded bodies of stored responses. They are stored at keys of their own, behind those of the responses,
// and name the body that they are made of; status, freshness, purges and all fields that do not depend on the coding are the
// responses'. A nil coder is one that is switched off.
type coder struct {
	options CompressOptions
	made    [rfc9110.Codings]bool
	encoder *encode.Encoder
	cache   *Cache
	futile  *memory // bodies that did not get smaller

	vary []string // the header where the origin sends none

	places chan struct{} // one for each body that is being made
	mu     sync.Mutex
	making map[string]bool // their keys
}

const (
	// codedSeparator stands between a primary key and the name of a coding. No URL has it.
	codedSeparator = 0x1e
	// codedOf is the field of a coded body that names what it is made of. It is not delivered.
	codedOf = "Edgecache-Coded-Of"
	// futileFor is how long it is remembered that a body does not get smaller.
	futileFor = time.Hour
)

// newCoder returns the coder that the options ask for, nil for none.
func newCoder(c *Cache) (*coder, error) {
	d := &coder{options: c.options.Compress, cache: c, vary: []string{"Accept-Encoding"}}
	var err error
	if d.made, err = d.options.validate(); err != nil || len(d.options.Codings) == 0 {
		return nil, err
	}
	if d.encoder, err = encode.New(); err != nil {
		return nil, fmt.Errorf("httpcache: %w", err)
	}
	d.places = make(chan struct{}, max(runtime.GOMAXPROCS(0)/2, 1))
	d.making, d.futile = make(map[string]bool), newMemory(futileFor)
	return d, nil
}

// takes reports whether clients may get ct in a coding: a complete answer 200 that the origin has left uncoded, of a type and
// size that make it worth it, and that nobody forbids to transform (RFC 9110, section 7.7).
func (d *coder) takes(ct *content) bool {
	if d == nil || ct.code() != http.StatusOK || ct.size >= 0 && (ct.size < d.options.MinBytes || ct.size > d.options.MaxBytes) {
		return false
	}
	for _, name := range [...]string{"Content-Encoding", "Content-Digest", "Repr-Digest", "Digest", "Content-Md5"} {
		if len(ct.Values(name)) > 0 {
			return false // it is coded, or the fields are about just these bytes
		}
	}
	return encode.Compressible(ct.value("Content-Type")) && !forbidsTransform(ct.Values("Cache-Control"))
}

// forbidsTransform reports whether lines of Cache-Control have no-transform.
func forbidsTransform(lines []string) bool {
	for _, line := range lines {
		for directive := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.Trim(directive, " \t"), "no-transform") {
				return true
			}
		}
	}
	return false
}

// chooseCoding gives ct a coded body, if the client likes one better and there is one. If there is none, it is made for those to come.
func (x *exchange) chooseCoding(ct *content) {
	d := x.c.coder
	if x.varies = d.takes(ct); !x.varies {
		return
	}
	h := x.r.Header
	if ct.fill != nil || !ct.response.Complete() || x.wants.NoTransform || len(h["Accept-Encoding"]) == 0 {
		return
	}
	if none := h["If-None-Match"]; len(none) > 0 && rfc9110.Unmodified(http.Header{"If-None-Match": none}, &rfc9110.Validators{ETag: ct.response.ETag()}) {
		return // it has the body as it is
	}
	wanted := rfc9110.Accept(h["Accept-Encoding"])
	asked := false
	for _, c := range wanted.List() {
		if c == rfc9110.Identity {
			return
		}
		if !d.made[c] {
			continue
		}
		if r := d.find(x, ct.response, c); r != nil {
			x.setCoded(ct, r)
			return
		}
		if !asked {
			asked = true
			d.start(x, ct.response, c)
		}
	}
}

// setCoded gives ct the body of r, unless the client wants a range that it does not know to be of that body.
func (x *exchange) setCoded(ct *content, r *store.Response) {
	h := x.r.Header
	if len(h["Range"]) > 0 && (len(h["If-Range"]) != 1 || !rfc9110.StrongMatch(h["If-Range"][0], r.ETag())) {
		return
	}
	ct.coded, ct.size = r, r.Size()
}

// key returns x.primary with the name of a coding behind it: a view of x.key's memory, until that changes.
func (d *coder) key(x *exchange, c rfc9110.Coding) string {
	n := len(x.key)
	b := append(append(x.key, codedSeparator), c.String()...)
	x.key = b[:n]
	return unsafe.String(unsafe.SliceData(b), len(b))
}

// find returns the coded body of r, if there is one.
func (d *coder) find(x *exchange, r *store.Response, c rfc9110.Coding) *store.Response {
	coded, _ := d.cache.store.Lookup(x.r.Context(), d.key(x, c), x.fields)
	if coded == nil || !coded.Complete() || !names(coded.Get(codedOf), r.ID()) {
		return nil
	}
	return coded
}

// names reports whether text is the name of the body id.
func names(text string, id [16]byte) bool {
	var b [2 * len(id)]byte
	hex.Encode(b[:], id[:])
	return text == string(b[:])
}

// start begins to make the coded body of r in the background, unless as many are being made as may be.
func (d *coder) start(x *exchange, r *store.Response, c rfc9110.Coding) {
	key := d.key(x, c)
	if d.futile.has(key, x.now.UnixNano()) {
		return
	}
	select {
	case d.places <- struct{}{}:
	default:
		return
	}
	key = strings.Clone(key)
	d.mu.Lock()
	twice := d.making[key]
	d.making[key] = true
	d.mu.Unlock()
	if twice || !d.cache.beginWork() {
		if !twice {
			d.end(key)
		}
		<-d.places
		return
	}
	fields := selectingFields(x.fields, r)
	go func() {
		defer d.cache.work.Done()
		defer func() { <-d.places }()
		defer d.end(key)
		if err := d.make(key, fields, r, c); err != nil {
			d.cache.options.Logger.LogAttrs(d.cache.closing, slog.LevelWarn, "response not compressed", slog.Any("error", err))
		}
	}()
}

func (d *coder) end(key string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.making, key)
}

// selectingFields returns what r was selected by, of fields that do not outlive the request.
func selectingFields(fields store.Fields, r *store.Response) http.Header {
	h := make(http.Header)
	vary, _ := rfc9111.VaryFields(r.Header())
	for _, name := range vary {
		if v := fields.Values(name); len(v) > 0 {
			h[http.CanonicalHeaderKey(name)] = append([]string(nil), v...)
		}
	}
	return h
}

// make makes the coded body of r and stores it.
func (d *coder) make(key string, fields http.Header, r *store.Response, c rfc9110.Coding) error {
	stamp := d.cache.index.Stamp()
	plain := bytes.NewBuffer(make([]byte, 0, r.Size()))
	if _, err := r.WriteRange(d.cache.closing, plain, 0, r.Size()); err != nil {
		return d.unlessOver(err)
	}
	coded, err := d.encoder.Encode(c, plain.Bytes())
	if err != nil {
		return err
	}
	n := &d.cache.counts
	n.compressions.Add(1)
	n.compressedFrom.Add(int64(plain.Len()))
	n.compressedTo.Add(int64(len(coded)))
	if len(coded) >= plain.Len()-plain.Len()/16 {
		d.futile.add(key, time.Now().UnixNano())
		return nil
	}
	f := d.cache.store.Begin(d.cache.closing, key, fields, &store.Meta{
		Status: http.StatusOK, Header: codedHeader(r, c), Freshness: *r.Freshness(), Stamp: stamp, Keep: d.cache.keep(r.Freshness()),
	}, int64(len(coded)))
	if _, err := f.Write(coded); err != nil {
		f.Abort(err)
		return err
	}
	if _, err := f.Commit(); !errors.Is(err, store.ErrNotStored) {
		return err
	}
	return nil
}

// unlessOver returns err, but for what says that there is nothing to compress any more, or nobody to do it for.
func (d *coder) unlessOver(err error) error {
	if errors.Is(err, store.ErrGone) || d.cache.closing.Err() != nil {
		err = nil
	}
	return err
}

// codedHeader is what is stored with the coded body of r.
func codedHeader(r *store.Response, c rfc9110.Coding) http.Header {
	id := r.ID()
	h := http.Header{"Content-Encoding": {c.String()}, codedOf: {hex.EncodeToString(id[:])}}
	if tag := r.ETag(); rfc9110.ValidTag(tag) {
		h["Etag"] = []string{tag[:len(tag)-1] + "-" + c.String() + `"`} // another one for other bytes (RFC 9110, section 8.8.3.3)
	}
	if vary := r.Values("Vary"); len(vary) > 0 {
		h["Vary"] = vary
	}
	return h
}

// remove removes the coded bodies of a primary key.
func (d *coder) remove(ctx context.Context, key string) (err error) {
	if d == nil {
		return nil
	}
	for c, made := range d.made {
		if made {
			_, e := d.cache.store.Delete(ctx, key+string(rune(codedSeparator))+rfc9110.Coding(c).String())
			err = errors.Join(err, e)
		}
	}
	return err
}

// varyOf returns Vary of what depends on Accept-Encoding, too.
func (d *coder) varyOf(before []string) []string {
	if len(before) == 0 {
		return d.vary
	}
	for _, line := range before {
		for name := range strings.SplitSeq(line, ",") {
			if name = strings.Trim(name, " \t"); name == "*" || strings.EqualFold(name, "Accept-Encoding") {
				return before
			}
		}
	}
	return append(slices.Clip(before), "Accept-Encoding")
}
