package httpwasm

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// The kinds of fields; the first two are those of bodies, too.
const (
	kindRequest uint32 = iota
	kindResponse
	kindRequestTrailers
	kindResponseTrailers
)

// fields are the header or trailer fields of one of the messages.
type fields struct {
	header http.Header
	prefix string    // of names in header: response trailers stand among the fields
	host   *exchange // whose request's Host is one of them, or nil
}

// fields returns those of a kind, to be read unless the exchange owns them.
func (x *exchange) fields(kind uint32) fields {
	switch kind {
	case kindRequest:
		return fields{header: x.r.Header, host: x}
	case kindResponse:
		return fields{header: x.w.Header()}
	case kindRequestTrailers:
		if x.r.Trailer == nil && x.owned {
			x.r.Trailer = http.Header{}
		}
		return fields{header: x.r.Trailer}
	case kindResponseTrailers:
		return fields{header: x.w.Header(), prefix: http.TrailerPrefix}
	default:
		panic(fmt.Errorf("named fields of kind %d", kind))
	}
}

// names returns the names in lower case, sorted.
func (f fields) names() []string {
	names := make([]string, 0, len(f.header)+1)
	if f.host != nil && f.host.r.Host != "" {
		names = append(names, "host")
	}
	for name := range f.header {
		trailer, isTrailer := strings.CutPrefix(name, http.TrailerPrefix)
		if isTrailer == (f.prefix != "") {
			names = append(names, strings.ToLower(trailer))
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func (f fields) isHost(name string) bool { return f.host != nil && strings.EqualFold(name, "Host") }

func (f fields) values(name string) []string {
	if f.isHost(name) {
		return []string{f.host.r.Host}
	}
	return f.header[f.key(name)]
}

// key is the field's name in header.
func (f fields) key(name string) string {
	if !httpguts.ValidHeaderFieldName(name) {
		panic(fmt.Errorf("named a field %q", name))
	}
	return f.prefix + http.CanonicalHeaderKey(name)
}

func (f fields) set(name, value string) {
	key := f.key(name)
	check(name, value)
	if f.isHost(name) {
		f.host.r.Host = value
		return
	}
	f.header[key] = []string{value}
}

func (f fields) add(name, value string) {
	key := f.key(name)
	check(name, value)
	if f.isHost(name) {
		panic(fmt.Errorf("added a second Host"))
	}
	f.header[key] = append(slices.Clip(f.header[key]), value) // others may have the slice
}

func (f fields) remove(name string) {
	if f.isHost(name) {
		panic(fmt.Errorf("removed Host, which every request has"))
	}
	delete(f.header, f.key(name))
}

// check fails a guest that would break the message apart.
func check(name, value string) {
	if !httpguts.ValidHeaderFieldValue(value) {
		panic(fmt.Errorf("gave field %s a value that no field may have", name))
	}
}
