package httpcache

import (
	"context"
	"hash/maphash"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/edgecache/edgecache/frontends/httpcache/fasth1"
	"github.com/edgecache/edgecache/frontends/httpcache/internal/store"
	"github.com/edgecache/edgecache/httphook"
	"github.com/edgecache/edgecache/rfc9111"
)

// Fast returns a source of c's plain hits for a fasth1.Front before the server: fresh responses that are stored in one piece,
// come in one coding, and that no hook has a say in beyond a pure key. What it finds it answers and counts as the handler would,
// and it leaves all else to the handler.
func (c *Cache) Fast() fasth1.Source {
	f := &fast{c: c, wants: rfc9111.NoRequestDirectives(), seed: maphash.MakeSeed()}
	h := &c.hooks
	f.off = len(h.request)+len(h.lookup)+len(h.deliver) > 0 || c.options.ShowKey
	for _, k := range h.key {
		f.off = f.off || !k.Spec().PureKey
	}
	for i := range c.options.Routes {
		f.routed = f.routed || c.options.Routes[i].Bypass
	}
	return f
}

// fast is a Cache as a Source.
type fast struct {
	c      *Cache
	wants  rfc9111.RequestDirectives // those of a request without any
	off    bool                      // a hook has to see every request
	routed bool                      // some routes go by the cache
	seed   maphash.Seed
	calls  sync.Pool              // of *keyCall
	known  [1 << 14]atomic.Uint64 // of hashes of keys: each over its last byte, which counts
}

// Find implements fasth1.Source.
func (f *fast) Find(r *fasth1.Request, dst []byte) (head, body []byte, ok bool) {
	if f.off || f.routed && f.bypassed(r) || !f.key(r) {
		return dst, nil, false
	}
	hash := maphash.Bytes(f.seed, r.Scratch)
	if !f.worth(hash) {
		return dst, nil, false
	}
	key := unsafe.String(unsafe.SliceData(r.Scratch), len(r.Scratch))
	found, _ := f.c.store.Lookup(context.Background(), key, r)
	if found == nil {
		f.missed(hash)
		return dst, nil, false
	}
	now := r.Now
	fresh := found.Freshness()
	hard, soft := f.c.index.State(found.Marks())
	body = found.Inline()
	if hard || soft != 0 || body == nil || r.Unsure() || !plainStatus(found.Status()) || fresh.Reuse(now, &f.wants) != rfc9111.Fresh {
		return dst, nil, false
	}
	if f.c.coder.takes(&content{response: found, size: found.Size()}) {
		return dst, nil, false // its coding is the client's choice
	}
	f.c.counts.requests.Add(1)
	f.c.counts.hits.Add(1)
	f.record(now, found.Status(), key, fresh, body)
	return f.head(dst, found, fresh.Age(now), fresh.TTL(now)), body, true
}

// key makes the key of r in its Scratch, as exchange.makeKey and hookKey do.
func (f *fast) key(r *fasth1.Request) bool {
	scheme := "http"
	if r.Secure {
		scheme = "https"
	}
	r.Scratch = appendKey(r.Scratch[:0], scheme, r.Host, r.Target)
	if len(f.c.hooks.key) > 0 && !f.hookKey(r, scheme) {
		return false
	}
	return len(r.Scratch) <= maxKey
}

// keyCall is what a key's hooks are called with, reused.
type keyCall struct {
	view httphook.Request
	call httphook.KeyCall
}

// hookKey makes the key as pure hooks want it. Where they have a say in variants, or fail, the handler has to see the request.
func (f *fast) hookKey(r *fasth1.Request, scheme string) bool {
	k, _ := f.calls.Get().(*keyCall)
	if k == nil {
		k = new(keyCall)
	}
	defer f.calls.Put(k)
	k.view = httphook.Request{Method: http.MethodGet, Scheme: scheme, Host: strings.ToLower(r.Host), Target: r.Target, Header: r}
	k.call.Reset(&k.view)
	for _, h := range f.c.hooks.key {
		if err := h.Key(context.Background(), &k.call); err != nil {
			return false
		}
	}
	if len(k.call.Vary) > 0 {
		return false
	}
	r.Scratch = appendKey(r.Scratch[:0], scheme, r.Host, k.call.Target)
	if k.call.Extra != "" {
		r.Scratch = append(append(r.Scratch, separator), k.call.Extra...)
	}
	return true
}

// bypassed reports whether a route may have r go by the cache.
func (f *fast) bypassed(r *fasth1.Request) bool {
	path, _, _ := strings.Cut(r.Target, "?")
	if strings.IndexByte(path, '%') >= 0 {
		return true // routes are by unescaped paths
	}
	for i := range f.c.options.Routes {
		if t := &f.c.options.Routes[i]; t.fits(r.Host, path) {
			return t.Bypass
		}
	}
	return false
}

// patient is how many requests for a key go to the handler unseen after one that found nothing.
const patient = 32

// worth reports whether to look a key up: what is looked up here in vain is looked up again by the handler, and may cost a
// question to a remote tier. So a key has to have been asked for before, and not lately in vain. Keys that share a place make
// each other unknown, which costs no more than a detour.
func (f *fast) worth(hash uint64) bool {
	place := f.place(hash)
	switch v := place.Load(); {
	case v&^0xff != hash&^0xff:
		place.Store(hash &^ 0xff)
		return false
	case v&0xff > 0:
		place.Store(v - 1)
		return false
	}
	return true
}

// missed notes that nothing was found for a key.
func (f *fast) missed(hash uint64) { f.place(hash).Store(hash&^0xff | patient) }

func (f *fast) place(hash uint64) *atomic.Uint64 {
	return &f.known[hash>>8%uint64(len(f.known))]
}

// plainStatus reports whether responses with a status are delivered as they are stored.
func plainStatus(status int) bool {
	switch status {
	case http.StatusOK, http.StatusMovedPermanently, http.StatusFound, http.StatusTemporaryRedirect, http.StatusPermanentRedirect,
		http.StatusNotFound, http.StatusGone:
		return true
	}
	return false
}

// head appends the head of a hit to dst: what exchange.head has net/http write.
func (f *fast) head(dst []byte, found *store.Response, age, ttl time.Duration) []byte {
	dst = append(append(dst, found.Head()...), "Age: "...)
	dst = strconv.AppendInt(dst, int64(age/time.Second), 10)
	for _, before := range found.Values("Cache-Status") {
		dst = append(append(dst, "\r\nCache-Status: "...), before...)
	}
	dst = append(dst, "\r\nCache-Status: "...)
	status := rfc9111.CacheStatus{Cache: f.c.options.Name, Hit: true, HasTTL: true, TTL: int64(ttl.Round(time.Second) / time.Second)}
	n := len(dst)
	dst = dst[:n+len(status.Append(dst[n:n:cap(dst)]))]
	return append(dst, "\r\n\r\n"...)
}

// record tells the observers, as exchange.record does.
func (f *fast) record(now time.Time, status int, key string, fresh *rfc9111.Freshness, body []byte) {
	w := f.c.watchers
	if w == nil {
		return
	}
	w.events <- httphook.Event{
		Time: uint64(now.UnixNano()), Size: uint32(len(body)), Status: uint16(status), Method: httphook.MethodOf(http.MethodGet),
		Outcome: httphook.OutcomeHit, KeyHash: maphash.String(f.c.hooks.seed, key), Age: uint32(fresh.Age(now) / time.Second),
	}
}
