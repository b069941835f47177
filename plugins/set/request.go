package set

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"reflect"
	"unsafe"

	"github.com/edgecache/edgecache/plugins"
)

// Request is what a plugin shall be made from. Its slices must not be changed.
type Request struct {
	// Source is the plugin; its Grants are not looked at.
	Source plugins.Source
	// Grants are what the plugin gets. nil leaves what it has, and what the set's Options say to a new one.
	Grants *plugins.Grants
	// Origin is where the source is from.
	Origin Origin
}

// Origin says where a plugin is from.
type Origin struct {
	Kind Kind
	// Module and Config name the module and its configuration, if it has one: paths, or what the sender calls them.
	Module, Config string
	// Read returns the source as it is now. nil says that it can't be had again.
	Read func() (plugins.Source, error)
}

// Kind is how a plugin came into the process.
type Kind string

// The kinds of origins.
const (
	File    Kind = "file"     // a file of this machine
	BuiltIn Kind = "built-in" // part of the program
	Sent    Kind = "sent"     // by somebody, while the cache served
)

// source returns the source with what the request grants.
func (r *Request) source() plugins.Source {
	src := r.Source
	src.Grants = plugins.Grants{}
	if r.Grants != nil {
		src.Grants = *r.Grants
	}
	return src
}

// identical reports whether two sources are the same slices.
func identical(a, b plugins.Source) bool {
	same := func(a, b []byte) bool { return len(a) == len(b) && unsafe.SliceData(a) == unsafe.SliceData(b) }
	return same(a.Wasm, b.Wasm) && same(a.Manifest, b.Manifest) && same(a.Config, b.Config) && reflect.DeepEqual(a.Grants, b.Grants)
}

// same reports whether two requests make the same plugin. White space in JSON makes no difference.
func (r *Request) same(o *Request) bool { return r.sum() == o.sum() }

func (r *Request) sum() [sha256.Size]byte {
	src := r.source()
	grants, _ := json.Marshal(src.Grants) // plain fields always marshal
	h := sha256.New()
	for _, part := range [][]byte{[]byte(src.Name), src.Wasm, compact(src.Manifest), compact(src.Config), grants} {
		sum := sha256.Sum256(part)
		h.Write(sum[:])
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// compact returns JSON without white space, and what is no JSON as it is.
func compact(text []byte) []byte {
	var b bytes.Buffer
	if json.Compact(&b, text) != nil {
		return text
	}
	return b.Bytes()
}
