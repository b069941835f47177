package torture

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// origin serves objects, badly unless it is calm: it stalls, fails, hangs up before the header and in the middle of bodies.
type origin struct {
	objects map[string]*object // by path
	calm    bool

	fetches, notModified, stalls, failures, resets atomic.Int64
}

func newOrigin(all []*object, calm bool) *origin {
	o := &origin{objects: map[string]*object{}, calm: calm}
	for _, object := range all {
		o.objects[object.path()] = object
	}
	return o
}

// ServeHTTP answers with a version that is the object's when the request comes in; a stall makes it an old one.
func (o *origin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	object := o.objects[r.URL.Path]
	if object == nil {
		http.NotFound(w, r)
		return
	}
	if r.Method == http.MethodPost {
		w.Header().Set("X-Version", strconv.FormatInt(o.next(object), 10))
		return
	}
	o.fetches.Add(1)
	version := object.version.Load()
	switch o.fate(60) {
	case 0:
		o.resets.Add(1)
		panic(http.ErrAbortHandler)
	case 1:
		o.failures.Add(1)
		http.Error(w, "not now", http.StatusServiceUnavailable)
		return
	case 2, 3:
		o.stall(r)
	}
	o.answer(w, r, object, version)
}

// answer sends the version, or 304 to one who has it.
func (o *origin) answer(w http.ResponseWriter, r *http.Request, object *object, version int64) {
	reader := object.reader(r.Header)
	h := w.Header()
	etag := object.etag(version, reader)
	h.Set("Cache-Control", object.kind.cacheControl())
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Surrogate-Key", object.tag())
	h.Set("ETag", etag)
	h.Set("X-Version", strconv.FormatInt(version, 10))
	h.Set("X-Reader", reader)
	if object.kind == vary {
		h.Set("Vary", "X-Flavour")
	}
	content := object.body(version, reader)
	if !object.chunked {
		o.whole(w, r, content)
		return
	}
	if strings.Contains(r.Header.Get("If-None-Match"), etag) {
		o.notModified.Add(1)
		w.WriteHeader(http.StatusNotModified)
		return
	}
	if r.Method != http.MethodHead {
		o.copy(w, r, content)
	}
}

// whole lets the standard library answer ranges and conditions, and breaks off some of its answers.
func (o *origin) whole(w http.ResponseWriter, r *http.Request, content *body) {
	if o.fate(60) == 0 && r.Method == http.MethodGet && r.Header.Get("If-None-Match") == "" && r.Header.Get("Range") == "" {
		w.Header().Set("Content-Length", fmt.Sprint(content.size))
		o.breakOff(w, content)
	}
	http.ServeContent(&counted{w, o}, r, "", time.Time{}, content)
}

// copy sends a body in pieces of random sizes, without its length, with stalls, and some not to the end.
func (o *origin) copy(w http.ResponseWriter, r *http.Request, content *body) {
	if o.fate(60) == 0 {
		o.breakOff(w, content)
	}
	for {
		_, err := io.CopyN(w, content, 1+rand.Int64N(200_000))
		if err != nil || content.at == content.size {
			return
		}
		if o.fate(20) == 0 {
			_ = http.NewResponseController(w).Flush() // nobody there is no matter
			o.stall(r)
		}
	}
}

// next makes a new version of an object and returns it. A calm origin keeps the one that there is.
func (o *origin) next(object *object) int64 {
	if o.calm {
		return object.version.Load()
	}
	return object.version.Add(1)
}

// fate is a number below n that decides what goes wrong. Of a calm origin it is -1: nothing does.
func (o *origin) fate(n int) int {
	if o.calm {
		return -1
	}
	return rand.IntN(n)
}

// breakOff sends a part of a body and hangs up.
func (o *origin) breakOff(w http.ResponseWriter, content *body) {
	o.resets.Add(1)
	_, _ = io.CopyN(w, content, rand.Int64N(content.size+1)) // as much as goes
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

// stall waits for up to 300 ms.
func (o *origin) stall(r *http.Request) {
	o.stalls.Add(1)
	select {
	case <-time.After(time.Duration(rand.Int64N(int64(300 * time.Millisecond)))):
	case <-r.Context().Done():
	}
}

// counted counts the 304s that pass through it.
type counted struct {
	http.ResponseWriter
	o *origin
}

func (c *counted) WriteHeader(status int) {
	if status == http.StatusNotModified {
		c.o.notModified.Add(1)
	}
	c.ResponseWriter.WriteHeader(status)
}

// everybody is the reader of an answer that does not depend on who asks.
const everybody = "all"

// reader is whom an answer is made for: a flavour, a user, or everybody.
func (o *object) reader(request http.Header) string {
	field := o.kind.reader()
	if field.name == "" {
		return everybody
	}
	return strings.TrimPrefix(request.Get(field.name), field.prefix)
}
