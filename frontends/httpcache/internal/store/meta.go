package store

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/edgecache/edgecache/frontends/httpcache/internal/invalid"
	"github.com/edgecache/edgecache/rfc9111"
)

// Meta is what is stored of a response beside its body. The store copies what it keeps.
type Meta struct {
	Status int
	// Header is the one of a whole representation, though the answer may be a part: without Content-Range. Names are
	// canonical. Content-Length is not looked at, it is made; Age is left out, and Cache-Status kept apart.
	Header    http.Header
	Freshness rfc9111.Freshness
	Tags      []string
	// Stamp was taken before the origin was asked.
	Stamp invalid.Stamp
	// Keep is how long the response is kept, fresh or not. 0 is until it is evicted.
	Keep time.Duration
}

// describe sets what m says of a record whose size is known.
func (m *Meta) describe(r *record) {
	m.begin(r)
	r.sized()
}

// begin sets what m says of a record whose size may not be known yet; sized must follow.
func (m *Meta) begin(r *record) {
	r.status, r.freshness, r.keep, r.position = m.Status, m.Freshness, m.Keep, m.Stamp.Position
	r.tags = m.Tags
	shown := rfc9111.DeliveredHeader(m.Header)
	r.head = view(appendLines(appendStatus(make([]byte, 0, usualHead), m.Status), shown))
	r.hidden = string(appendHidden(nil, m.Header, shown))
	r.date = m.Freshness.Received
	if date, ok := rfc9111.ParseDate(m.Header.Get("Date")); ok {
		r.date = date.UnixNano()
	}
}

// sized adds to the head how long the representation is.
func (r *record) sized() {
	if hasLength(r.status) {
		b := append(make([]byte, 0, len(r.head)+len("Content-Length: \r\n")+20), r.head...)
		b = strconv.AppendInt(append(b, "Content-Length: "...), r.size, 10)
		r.head = view(append(b, "\r\n"...))
	}
}

// usualHead is what most heads fit into.
const usualHead = 512

// etag returns the entity tag, or "".
func (r *record) etag() string {
	_, after, ok := strings.Cut(r.head, "\r\nEtag: ")
	if !ok {
		return ""
	}
	tag, _, _ := strings.Cut(after, "\r\n")
	return tag
}
