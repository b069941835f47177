package files

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/rfc9110"
)

// body is a cached representation. One without data says that this coding is not worth it.
type body struct {
	representation
	origin origin
}

// origin is what a body was made of: a file, and the precompressed one that it was read from, if any.
type origin struct {
	File    stamp `json:"file"`
	Sidecar stamp `json:"sidecar,omitzero"`
}

// trailer is what the cache has behind the bytes of a body.
type trailer struct {
	Origin origin    `json:"origin"`
	Type   string    `json:"type"`
	Coding string    `json:"coding"`
	Tag    string    `json:"tag"`
	Time   time.Time `json:"time"`           // when it was made
	None   bool      `json:"none,omitempty"` // the coding is not worth it
}

var (
	errChanged = errors.New("the file changes while it is read")
	errBody    = errors.New("no body of a file")
)

// tag returns the strong entity tag of bytes: a hash of them.
func tag(data []byte) string {
	sum := sha256.Sum256(data)
	return `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`
}

// body returns the body of a file in a coding, from the cache or else made by the first of those who ask for it. The others
// wait, and so does one whose client has gone: what is made is of use to the next.
func (h *Handler) body(ctx context.Context, s *state, c rfc9110.Coding) (*body, error) {
	if b := h.cached(ctx, s, c); b != nil {
		h.stats.hits.Add(1)
		return b, nil
	}
	h.stats.misses.Add(1)
	made, err, _ := h.flights.Do(s.keys[c], func() (any, error) { return h.produce(context.WithoutCancel(ctx), s, c) })
	if err != nil {
		return nil, err
	}
	b := made.(*body)
	if b.origin != s.origin(c) {
		return nil, errChanged // this one was made for someone who saw another state
	}
	return b, nil
}

// cached returns the body that the cache has of just this state, or nil.
func (h *Handler) cached(ctx context.Context, s *state, c rfc9110.Coding) *body {
	e, err := h.cache.GetEntry(ctx, s.keys[c])
	if err != nil {
		return nil
	}
	b, ok := e.Decoded().(*body)
	if !ok {
		if b, err = decodeBody(e.Value); err != nil {
			return nil
		}
		e.SetDecoded(b)
	}
	if b.origin != s.origin(c) {
		return nil
	}
	return b
}

// produce makes the body and keeps it.
func (h *Handler) produce(ctx context.Context, s *state, c rfc9110.Coding) (*body, error) {
	if b := h.cached(ctx, s, c); b != nil {
		return b, nil // made between the caller's look and the flight's begin
	}
	mark := h.marks.of(s.name)
	t := trailer{Origin: s.origin(c), Type: s.contentType, Coding: c.String(), Time: time.Now()}
	data, err := h.bytes(s, c)
	if err != nil {
		return nil, err
	}
	if t.None = data == nil; !t.None {
		t.Tag = tag(data)
	}
	value, b, err := assemble(data, &t)
	if err != nil {
		return nil, err
	}
	h.keep(ctx, s.name, mark, s.keys[c], value, b)
	return b, nil
}

// bytes returns what the body has, nil where the coding is not worth it.
func (h *Handler) bytes(s *state, c rfc9110.Coding) ([]byte, error) {
	if s.sidecars[c] != (stamp{}) {
		return h.read(s.name+suffixes[c], s.sidecars[c])
	}
	plain, err := h.read(s.name, s.info)
	if err != nil || c == rfc9110.Identity {
		return plain, err
	}
	return h.compress(c, plain)
}

// compress returns plain in a coding, or nil if that is no smaller.
func (h *Handler) compress(c rfc9110.Coding, plain []byte) ([]byte, error) {
	coded, err := h.encoder.Encode(c, plain)
	if err != nil {
		return nil, err
	}
	h.stats.compressed(len(plain), len(coded))
	if len(coded) >= len(plain) {
		return nil, nil
	}
	return append(make([]byte, 0, len(coded)+trailerRoom), coded...), nil
}

// read returns the bytes of a file, which must be in the state s from begin to end. They are not nil.
func (h *Handler) read(name string, s stamp) ([]byte, error) {
	f, err := h.openFile(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	if err := unchanged(f, s); err != nil {
		return nil, err
	}
	data := make([]byte, s.Size, s.Size+trailerRoom)
	if _, err = io.ReadFull(f, data); errors.Is(err, io.EOF) && s.Size == 0 {
		err = nil
	}
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return nil, errChanged
	case err != nil:
		return nil, err
	}
	return data, unchanged(f, s)
}

// unchanged returns errChanged unless the open file is in the state s.
func unchanged(f *os.File, s stamp) error {
	info, err := f.Stat()
	if err == nil && stampOf(info) != s {
		err = errChanged
	}
	return err
}

// openFile opens a file for reading. It does not wait for the other end of what turns out to be a pipe.
func (h *Handler) openFile(name string) (*os.File, error) {
	return h.root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
}

// trailerRoom is more than a trailer needs.
const trailerRoom = 320

// assemble returns the value that the cache keeps of data, to which it appends, and the body that is a view of it.
func assemble(data []byte, t *trailer) ([]byte, *body, error) {
	text, err := json.Marshal(t)
	if err != nil {
		return nil, nil, err
	}
	size := len(data)
	data = append(data, text...)
	data = binary.BigEndian.AppendUint32(data, uint32(len(text)))
	return data, newBody(data[:size:size], t), nil
}

func newBody(data []byte, t *trailer) *body {
	b := &body{origin: t.Origin}
	if t.None {
		return b
	}
	c, _ := rfc9110.ParseCoding(t.Coding) // looked at before
	b.data, b.size = data, int64(len(data))
	b.describe(t.Type, c, t.Tag, time.Unix(0, t.Origin.File.MTime), t.Time)
	return b
}

// decodeBody reads what assemble has made, in this process or another. What is damaged is errBody.
func decodeBody(value []byte) (*body, error) {
	end := len(value) - 4
	if end < 0 {
		return nil, fmt.Errorf("%w: %d bytes", errBody, len(value))
	}
	size := end - int(binary.BigEndian.Uint32(value[end:]))
	if size < 0 {
		return nil, fmt.Errorf("%w: the trailer is longer than the value", errBody)
	}
	var t trailer
	if err := json.Unmarshal(value[size:end], &t); err != nil {
		return nil, fmt.Errorf("%w: %w", errBody, err)
	}
	data := value[:size:size]
	if _, ok := rfc9110.ParseCoding(t.Coding); !ok || !t.None && t.Tag != tag(data) || !printable(t.Type) {
		return nil, fmt.Errorf("%w: the bytes are not those that the trailer is about", errBody)
	}
	return newBody(data, &t), nil
}

// printable reports whether s can be sent in a header.
func printable(s string) bool {
	for _, c := range []byte(s) {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return s != ""
}

// snapshot answers with what a file that keeps changing has now, which is not kept. What the entity tag says is true of
// the bytes that are sent.
func (h *Handler) snapshot(w http.ResponseWriter, q *http.Request, name string, wanted *rfc9110.Acceptable) error {
	if !slices.Contains(wanted.List(), rfc9110.Identity) {
		return errNotAcceptable
	}
	f, err := h.openFile(name)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	switch {
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return fs.ErrNotExist
	}
	data, err := io.ReadAll(io.LimitReader(f, h.options.MaxFileBytes+1))
	switch {
	case err != nil:
		return err
	case int64(len(data)) > h.options.MaxFileBytes:
		return h.stream(w, q, &state{name: name, contentType: h.typeOf(name, data)}, wanted)
	}
	p := representation{data: data, size: int64(len(data))}
	p.describe(h.typeOf(name, data), rfc9110.Identity, tag(data), info.ModTime(), time.Now())
	p.StrongDate = false
	h.respond(w, q, &p, true)
	return nil
}

// typeOf returns the media type of a file that begins with data.
func (h *Handler) typeOf(name string, data []byte) string {
	if t := h.typeByName(name); t != "" {
		return t
	}
	return http.DetectContentType(data)
}

// note counts an error of the cache.
func (h *Handler) note(err error) {
	if err != nil && !errors.Is(err, core.ErrNotFound) {
		h.stats.unkept.Add(1)
	}
}
