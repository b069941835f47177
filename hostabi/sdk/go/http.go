package edgecache

import (
	"encoding/binary"
	"unsafe"
)

// Frame is what the host shows of an exchange in a phase. It, and the bytes that it returns, are valid until the function that
// got it returns. Times are in milliseconds.
type Frame struct{ b []byte }

// Phase returns one of the HTTPPhase constants.
func (f *Frame) Phase() int { return int(f.b[HTTPFramePhase]) }

// MethodNumber returns one of the HTTPMethod constants.
func (f *Frame) MethodNumber() int { return int(f.b[HTTPFrameMethodNumber]) }

// Method returns the request's method.
func (f *Frame) Method() []byte { return f.text(HTTPFrameMethod) }

// HTTPS reports whether the scheme is https.
func (f *Frame) HTTPS() bool { return f.b[HTTPFrameScheme] == 1 }

// Host returns the authority in lower case.
func (f *Frame) Host() []byte { return f.text(HTTPFrameHost) }

// Target returns path and query.
func (f *Frame) Target() []byte { return f.text(HTTPFrameTarget) }

// Client returns the client's address: 4 or 16 bytes, none if it is not known.
func (f *Frame) Client() []byte {
	n := 0
	switch f.b[HTTPFrameFamily] {
	case 4:
		n = 4
	case 6:
		n = 16
	}
	return f.b[HTTPFrameClient : HTTPFrameClient+n]
}

// Status returns that of the response.
func (f *Frame) Status() int { return int(binary.LittleEndian.Uint16(f.b[HTTPFrameStatus:])) }

// Outcome returns one of the HTTPOutcome constants, in deliver.
func (f *Frame) Outcome() int { return int(f.b[HTTPFrameOutcome]) }

// Barred reports whether no-store, private or Authorization forbid to keep the response, in response.
func (f *Frame) Barred() bool { return f.b[HTTPFrameFlags]&HTTPFlagBarred != 0 }

// Stored reports whether the response is kept, unless the verdict says otherwise, in response.
func (f *Frame) Stored() bool { return f.b[HTTPFrameFlags]&HTTPFlagStore != 0 }

// Age returns how old the stored response is.
func (f *Frame) Age() int64 { return f.number(HTTPFrameAge) }

// TTL returns how long the response is fresh from now on; a stored one that is stale, below 0.
func (f *Frame) TTL() int64 { return f.number(HTTPFrameTTL) }

// SWR returns how long behind that it may be used while it is validated.
func (f *Frame) SWR() int64 { return f.number(HTTPFrameSWR) }

// SIE returns how long behind that it may be used if the origin fails.
func (f *Frame) SIE() int64 { return f.number(HTTPFrameSIE) }

// BodyLen returns the length of the body, -1 if it is not known.
func (f *Frame) BodyLen() int64 { return f.number(HTTPFrameBody) }

// KeyHash returns a hash of the key, in admit.
func (f *Frame) KeyHash() uint64 { return uint64(f.number(HTTPFrameKeyHash)) }

// Frequency returns about how often the key was asked for lately, 0 if that is not known, in admit.
func (f *Frame) Frequency() uint32 { return f.word(HTTPFrameFrequency) }

// Header returns the first line of the request's field that is the name-th of the manifest's headers, from 0 on, and whether
// there is one.
func (f *Frame) Header(name int) ([]byte, bool) { return f.line(HTTPFrameRequestLines, name, 0) }

// HeaderLine returns the n-th line of that field.
func (f *Frame) HeaderLine(name, n int) ([]byte, bool) { return f.line(HTTPFrameRequestLines, name, n) }

// ResponseHeader returns the first line of the response's field that is the name-th of the manifest's response_headers.
func (f *Frame) ResponseHeader(name int) ([]byte, bool) {
	return f.line(HTTPFrameResponseLines, name, 0)
}

// ResponseHeaderLine returns the n-th line of that field.
func (f *Frame) ResponseHeaderLine(name, n int) ([]byte, bool) {
	return f.line(HTTPFrameResponseLines, name, n)
}

func (f *Frame) line(field, name, n int) ([]byte, bool) {
	at := f.word(field)
	for range f.word(field + 4) {
		line := Frame{f.b[at:]}
		if at += HTTPLineSize; int(binary.LittleEndian.Uint16(line.b[HTTPLineName:])) != name {
			continue
		}
		if n == 0 {
			from := line.word(HTTPLineOffset)
			return f.b[from : from+line.word(HTTPLineLength)], true
		}
		n--
	}
	return nil, false
}

func (f *Frame) word(at int) uint32 { return binary.LittleEndian.Uint32(f.b[at:]) }

func (f *Frame) number(at int) int64 { return int64(binary.LittleEndian.Uint64(f.b[at:])) }

func (f *Frame) text(field int) []byte {
	from := f.word(field)
	return f.b[from : from+f.word(field+4)]
}

// Verdict is what becomes of the exchange. What a phase has no use for fails the guest: docs/ABI.md says what belongs where.
type Verdict struct{ b []byte }

// Bypass goes to the origin by the cache, in request.
func (v *Verdict) Bypass() { v.act(HTTPActionBypass, 0) }

// Deny answers the request with a status from 400 to 599, in request.
func (v *Verdict) Deny(status int, body string) {
	v.act(HTTPActionDeny, status)
	v.text(HTTPFieldBody, body)
}

// Redirect answers the request with a status 301, 302, 303, 307 or 308, in request.
func (v *Verdict) Redirect(status int, location string) {
	v.act(HTTPActionRedirect, status)
	v.text(HTTPFieldLocation, location)
}

// Answer answers the request with a status from 200 to 599, in request. Set gives that answer its header.
func (v *Verdict) Answer(status int, body string) {
	v.act(HTTPActionSynth, status)
	v.text(HTTPFieldBody, body)
}

func (v *Verdict) act(action uint8, status int) {
	v.head(HTTPFieldAction, 4)
	v.b = append(v.b, action, 0, byte(status), byte(status>>8))
}

// Set puts one line in the place of all of that name, in request, response and deliver.
func (v *Verdict) Set(name, value string) { v.edit(HTTPFieldSet, name, value) }

// Add adds one more line, in request, response and deliver.
func (v *Verdict) Add(name, value string) { v.edit(HTTPFieldAdd, name, value) }

// Remove takes all lines of that name away, in request, response and deliver.
func (v *Verdict) Remove(name string) { v.text(HTTPFieldRemove, name) }

// Target stands for the request's path and query, for the origin, too, unless Hide is called, in key.
func (v *Verdict) Target(target string) { v.text(HTTPFieldTarget, target) }

// Hide gives the origin the request's own target, in key.
func (v *Verdict) Hide() { v.head(HTTPFieldHide, 0) }

// Extra adds bytes to the key, in key.
func (v *Verdict) Extra(bytes string) { v.text(HTTPFieldExtra, bytes) }

// Vary puts a value in the place of the request's where a response's Vary names the field, in key.
func (v *Verdict) Vary(name, value string) { v.edit(HTTPFieldVary, name, value) }

// Revalidate has the stored response validated, even if it is fresh, in lookup.
func (v *Verdict) Revalidate() { v.byte(HTTPFieldLookup, HTTPLookupRevalidate) }

// Miss has another response fetched, in lookup.
func (v *Verdict) Miss() { v.byte(HTTPFieldLookup, HTTPLookupMiss) }

// Store says whether the response is kept, in response.
func (v *Verdict) Store(store bool) {
	var b byte
	if store {
		b = 1
	}
	v.byte(HTTPFieldStore, b)
}

// TTL says how many milliseconds the response is fresh, in response.
func (v *Verdict) TTL(ms int64) { v.number(HTTPFieldTTL, ms) }

// SWR says how many milliseconds behind that it may be used while it is validated, in response.
func (v *Verdict) SWR(ms int64) { v.number(HTTPFieldSWR, ms) }

// SIE says how many milliseconds behind that it may be used if the origin fails, in response.
func (v *Verdict) SIE(ms int64) { v.number(HTTPFieldSIE, ms) }

// Tag adds a tag, for purging, in response.
func (v *Verdict) Tag(tag string) { v.text(HTTPFieldTag, tag) }

// Refuse keeps the response out, in admit.
func (v *Verdict) Refuse() { v.head(HTTPFieldRefuse, 0) }

func (v *Verdict) head(field uint8, n int) {
	v.b = binary.LittleEndian.AppendUint32(append(v.b, field), uint32(n))
}

func (v *Verdict) text(field uint8, text string) {
	v.head(field, len(text))
	v.b = append(v.b, text...)
}

func (v *Verdict) byte(field, b uint8) {
	v.head(field, 1)
	v.b = append(v.b, b)
}

func (v *Verdict) number(field uint8, n int64) {
	v.head(field, 8)
	v.b = binary.LittleEndian.AppendUint64(v.b, uint64(n))
}

func (v *Verdict) edit(field uint8, name, value string) {
	v.head(field, 2+len(name)+len(value))
	v.b = binary.LittleEndian.AppendUint16(v.b, uint16(len(name)))
	v.b = append(append(v.b, name...), value...)
}

// HTTPEvent is an exchange that has ended. Its layout is the ABI's.
type HTTPEvent struct {
	// KeyHash tells keys apart while the host's process lives.
	KeyHash uint64
	// Time is the exchange's end in unix nanoseconds.
	Time int64
	// Elapsed is what it took in microseconds.
	Elapsed uint32
	// Size is how many bytes of body the client got.
	Size uint32
	// Age is how many seconds old the stored response was.
	Age    uint32
	Status uint16
	// Method is one of the HTTPMethod constants, Outcome one of the HTTPOutcome constants.
	Method, Outcome uint8
}

// httpEvents are events as those of HTTP, which are as long.
func httpEvents(events []Event) []HTTPEvent {
	return unsafe.Slice((*HTTPEvent)(unsafe.Pointer(unsafe.SliceData(events))), len(events))
}

// http shows the frame in the call buffer to the plugin and returns the verdict.
func (g *guest) http(frameLen int32) []byte {
	g.verdict.b = g.verdict.b[:0]
	g.plugin.HTTP(&Frame{g.call.buf[:frameLen:frameLen]}, &g.verdict)
	return g.verdict.b
}
