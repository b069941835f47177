package hostabi

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// Names that a plugin of HTTP exports, beside ExportMemory, ExportInitialize, ExportBuf, ExportInit, ExportEvents,
// ExportObserve, ExportStats and ExportIdle.
const (
	ExportHTTPMarker = "edgecache_abi_http_1" // () -> (): never called; says which ABI the guest was built for
	ExportHTTP       = "ec_http"              // (phase i32, frame_len i32) -> i64: a frame is in the call buffer; 0, or address<<32 | length of the verdict
)

// The phases of an exchange, of ec_http.
const (
	HTTPPhaseRequest  = 1 // ahead of everything
	HTTPPhaseKey      = 2 // makes the key
	HTTPPhaseLookup   = 3 // a stored response was found
	HTTPPhaseResponse = 4 // the origin's header has come
	HTTPPhaseAdmit    = 5 // a response is about to take room
	HTTPPhaseDeliver  = 6 // ahead of the header that the client gets
	HTTPPhaseCount    = 7
)

// The frame that ec_http finds at the beginning of the call buffer. A string is a u32 offset from the beginning of the frame
// and, 4 bytes on, a u32 length. What a phase has no part in is 0.
const (
	HTTPFrameLength        = 0   // u32: of the whole frame
	HTTPFramePhase         = 4   // u8: as the parameter
	HTTPFrameMethodNumber  = 5   // u8: an HTTPMethod
	HTTPFrameScheme        = 6   // u8: 0 http, 1 https
	HTTPFrameFlags         = 7   // u8: sum of HTTPFlag
	HTTPFrameStatus        = 8   // u16: of the response
	HTTPFrameOutcome       = 10  // u8: in deliver an HTTPOutcome
	HTTPFrameFamily        = 11  // u8: 4 or 6, of the client's address; 0 if that is not known
	HTTPFrameReserved      = 12  // u32
	HTTPFrameMethod        = 16  // string
	HTTPFrameHost          = 24  // string: in lower case, as it goes into keys
	HTTPFrameTarget        = 32  // string: path and query; in key as the plugins ahead left it
	HTTPFrameRequestLines  = 40  // u32 offset of the request's lines, and their number in a u32
	HTTPFrameResponseLines = 48  // u32 offset of the response's lines, and their number in a u32
	HTTPFrameClient        = 56  // 16 bytes: the client's address, of IPv4 the first 4
	HTTPFrameAge           = 72  // i64: milliseconds that the stored response is old
	HTTPFrameTTL           = 80  // i64: milliseconds that the response is fresh from now on; a stored one that is stale, below 0
	HTTPFrameSWR           = 88  // i64: milliseconds behind that in which it may be used while it is validated
	HTTPFrameSIE           = 96  // i64: milliseconds behind that in which it may be used if the origin fails
	HTTPFrameBody          = 104 // i64: length of the body, -1 if it is not known
	HTTPFrameKeyHash       = 112 // u64: in admit
	HTTPFrameFrequency     = 120 // u32: in admit about how often the key was asked for lately, 0 if that is not known
	HTTPFrameStrings       = 128 // lines, then strings
)

// A line of a header, 12 bytes: those of the fields that the manifest names, in its order, each as often as it is there.
const (
	HTTPLineName   = 0 // u16: index in the manifest's "headers" or "response_headers"
	HTTPLineOffset = 4 // u32: where the value is, from the beginning of the frame
	HTTPLineLength = 8 // u32
	HTTPLineSize   = 12
)

// Bits of HTTPFrameFlags.
const (
	HTTPFlagBarred = 1 << 0 // in response: no-store, private or Authorization forbid to keep it
	HTTPFlagStore  = 1 << 1 // in response: it is kept, unless a verdict says otherwise
)

// Methods.
const (
	HTTPMethodOther   = 0
	HTTPMethodGet     = 1
	HTTPMethodHead    = 2
	HTTPMethodPost    = 3
	HTTPMethodPut     = 4
	HTTPMethodDelete  = 5
	HTTPMethodPatch   = 6
	HTTPMethodOptions = 7
	HTTPMethodCount   = 8
)

// Where an answer comes from.
const (
	HTTPOutcomeNone        = 0
	HTTPOutcomeHit         = 1 // stored and fresh
	HTTPOutcomeStale       = 2 // stored and stale
	HTTPOutcomeRevalidated = 3 // stored, and validated for this request
	HTTPOutcomeMiss        = 4 // the origin's
	HTTPOutcomeCollapsed   = 5 // the origin's, fetched for another request
	HTTPOutcomeBypass      = 6 // the origin's, by the cache
	HTTPOutcomeHook        = 7 // a plugin's
	HTTPOutcomeError       = 8 // the cache's own
	HTTPOutcomeCount       = 9
)

// A verdict is a list of patches: a u8 field, a u32 length and that many bytes, without gaps. An edit's bytes are a u16 length
// of the name, the name and the value.
const (
	HTTPFieldAction   = 1  // request: u8 HTTPAction, u8 0, u16 status
	HTTPFieldLocation = 2  // request: where redirect goes
	HTTPFieldBody     = 3  // request: of deny and synth
	HTTPFieldSet      = 4  // request, response, deliver: edit, one line in the place of all of that name
	HTTPFieldAdd      = 5  // request, response, deliver: edit, one more line
	HTTPFieldRemove   = 6  // request, response, deliver: the name of a field that goes
	HTTPFieldTarget   = 7  // key: path and query in the place of the request's
	HTTPFieldHide     = 8  // key: no bytes: the origin gets the request's own target
	HTTPFieldExtra    = 9  // key: bytes that are added to the key
	HTTPFieldVary     = 10 // key: edit, a value in the place of the request's where Vary names the field
	HTTPFieldLookup   = 11 // lookup: u8 HTTPLookup
	HTTPFieldStore    = 12 // response: u8, 1 keeps it and 0 does not
	HTTPFieldTTL      = 13 // response: i64 milliseconds
	HTTPFieldSWR      = 14 // response: i64 milliseconds
	HTTPFieldSIE      = 15 // response: i64 milliseconds
	HTTPFieldTag      = 16 // response: a tag, for purging
	HTTPFieldRefuse   = 17 // admit: no bytes: it is not kept
	HTTPFieldCount    = 18
)

// What a request comes to.
const (
	HTTPActionPass     = 0
	HTTPActionBypass   = 1 // goes on to the origin by the cache
	HTTPActionDeny     = 2 // is answered with a status from 400 to 599 and a body
	HTTPActionRedirect = 3 // is answered with a status 301, 302, 303, 307 or 308 and a location
	HTTPActionSynth    = 4 // is answered with a status from 200 to 599, a header and a body
	HTTPActionCount    = 5
)

// What a stored response is used for.
const (
	HTTPLookupUse        = 0 // as HTTP has it
	HTTPLookupRevalidate = 1 // it is validated, even if it is fresh
	HTTPLookupMiss       = 2 // another one is fetched
	HTTPLookupCount      = 3
)

// An event of HTTP, 32 bytes, of ec_observe.
const (
	HTTPEventKeyHash = 0  // u64: tells keys apart while the process lives
	HTTPEventTime    = 8  // u64: unix nanoseconds at the end of the exchange
	HTTPEventElapsed = 16 // u32: microseconds that it took
	HTTPEventSize    = 20 // u32: bytes of body that the client got
	HTTPEventAge     = 24 // u32: seconds that the stored response was old
	HTTPEventStatus  = 28 // u16
	HTTPEventMethod  = 30 // u8: an HTTPMethod
	HTTPEventOutcome = 31 // u8: an HTTPOutcome
)

// Limits of frames and verdicts, in bytes, or how many.
const (
	MaxHTTPFrame   = 64 << 10  // a longer one is not shown to the guest
	MaxHTTPVerdict = 128 << 10 // as a whole
	MaxHTTPBody    = 64 << 10
	MaxHTTPTarget  = 32 << 10
	MaxHTTPExtra   = 1024
	MaxHTTPEdits   = 64
	MaxHTTPVary    = 16
	MaxHTTPTags    = 64
	MaxHTTPTag     = 256
)

// HTTPSignatures returns the types that the exports of a plugin of HTTP must have.
func HTTPSignatures() map[string]Signature {
	return map[string]Signature{
		ExportHTTPMarker: {},
		ExportInitialize: {},
		ExportBuf:        {Params: I32, Results: I32},
		ExportInit:       {Params: I32 + I64, Results: I32},
		ExportHTTP:       {Params: I32 + I32, Results: I64},
		ExportEvents:     {Params: I32, Results: I32},
		ExportObserve:    {Params: I32},
		ExportStats:      {Results: I64},
		ExportIdle:       {},
	}
}

// httpPhases are the phases by number as they stand in manifests.
var httpPhases = [...]string{"", "request", "key", "lookup", "response", "admit", "deliver"}

// HTTPPhaseEvent is the phase in manifests that has events instead of calls.
const HTTPPhaseEvent = "event"

// HTTPPhaseName returns a phase's name.
func HTTPPhaseName(phase uint8) string {
	if int(phase) < len(httpPhases) {
		return httpPhases[phase]
	}
	return "unknown"
}

// HTTPPhases returns the names of all phases, that of events last.
func HTTPPhases() []string { return append(slices.Clone(httpPhases[1:]), HTTPPhaseEvent) }

// HTTPLine is a line of a header in a frame.
type HTTPLine struct {
	Name  uint16 // index in the manifest
	Value string
}

// HTTPFrame is what ec_http finds in the call buffer.
type HTTPFrame struct {
	Phase, MethodNumber, Scheme, Flags uint8
	Status                             uint16
	Outcome, Family                    uint8
	Method, Host, Target               string
	Client                             [16]byte
	Age, TTL, SWR, SIE, Body           int64 // milliseconds, and of Body bytes
	KeyHash                            uint64
	Frequency                          uint32
	Request, Response                  []HTTPLine
}

// Size is how long the frame is in bytes.
func (f *HTTPFrame) Size() int {
	n := HTTPFrameStrings + HTTPLineSize*(len(f.Request)+len(f.Response)) + len(f.Method) + len(f.Host) + len(f.Target)
	for i := range f.Request {
		n += len(f.Request[i].Value)
	}
	for i := range f.Response {
		n += len(f.Response[i].Value)
	}
	return n
}

// Put writes the frame to b, which is Size long.
func (f *HTTPFrame) Put(b []byte) {
	le := binary.LittleEndian
	_ = b[HTTPFrameStrings-1]
	le.PutUint32(b[HTTPFrameLength:], uint32(len(b)))
	b[HTTPFramePhase], b[HTTPFrameMethodNumber], b[HTTPFrameScheme], b[HTTPFrameFlags] = f.Phase, f.MethodNumber, f.Scheme, f.Flags
	le.PutUint16(b[HTTPFrameStatus:], f.Status)
	b[HTTPFrameOutcome], b[HTTPFrameFamily] = f.Outcome, f.Family
	le.PutUint32(b[HTTPFrameReserved:], 0)
	copy(b[HTTPFrameClient:], f.Client[:])
	le.PutUint64(b[HTTPFrameAge:], uint64(f.Age))
	le.PutUint64(b[HTTPFrameTTL:], uint64(f.TTL))
	le.PutUint64(b[HTTPFrameSWR:], uint64(f.SWR))
	le.PutUint64(b[HTTPFrameSIE:], uint64(f.SIE))
	le.PutUint64(b[HTTPFrameBody:], uint64(f.Body))
	le.PutUint64(b[HTTPFrameKeyHash:], f.KeyHash)
	le.PutUint64(b[HTTPFrameFrequency:], uint64(f.Frequency))
	lines := HTTPFrameStrings
	at := lines + HTTPLineSize*(len(f.Request)+len(f.Response))
	at = putHTTPString(b, HTTPFrameMethod, at, f.Method)
	at = putHTTPString(b, HTTPFrameHost, at, f.Host)
	at = putHTTPString(b, HTTPFrameTarget, at, f.Target)
	lines, at = putHTTPLines(b, HTTPFrameRequestLines, lines, at, f.Request)
	putHTTPLines(b, HTTPFrameResponseLines, lines, at, f.Response)
}

// putHTTPString writes s to b at an offset and where it is to field, and returns where it ends.
func putHTTPString(b []byte, field, at int, s string) int {
	binary.LittleEndian.PutUint64(b[field:], uint64(at)|uint64(len(s))<<32)
	return at + copy(b[at:], s)
}

// putHTTPLines writes lines, their values and where they are, and returns where lines and values end.
func putHTTPLines(b []byte, field, lines, at int, all []HTTPLine) (int, int) {
	binary.LittleEndian.PutUint64(b[field:], uint64(lines)|uint64(len(all))<<32)
	for i := range all {
		binary.LittleEndian.PutUint32(b[lines+HTTPLineName:], uint32(all[i].Name))
		at = putHTTPString(b, lines+HTTPLineOffset, at, all[i].Value)
		lines += HTTPLineSize
	}
	return lines, at
}

// DecodeHTTPFrame reads a frame. Lines whose name is not below names are errors.
func DecodeHTTPFrame(b []byte, requestNames, responseNames int) (*HTTPFrame, error) {
	le := binary.LittleEndian
	if len(b) < HTTPFrameStrings || uint64(le.Uint32(b)) != uint64(len(b)) {
		return nil, fmt.Errorf("frame of %d bytes is shorter than %d, or than it says", len(b), HTTPFrameStrings)
	}
	r := httpReader{b: b}
	f := &HTTPFrame{
		Phase: b[HTTPFramePhase], MethodNumber: b[HTTPFrameMethodNumber], Scheme: b[HTTPFrameScheme], Flags: b[HTTPFrameFlags],
		Status: le.Uint16(b[HTTPFrameStatus:]), Outcome: b[HTTPFrameOutcome], Family: b[HTTPFrameFamily],
		Method: r.text(HTTPFrameMethod), Host: r.text(HTTPFrameHost), Target: r.text(HTTPFrameTarget),
		Client: [16]byte(b[HTTPFrameClient:]),
		Age:    int64(le.Uint64(b[HTTPFrameAge:])), TTL: int64(le.Uint64(b[HTTPFrameTTL:])),
		SWR: int64(le.Uint64(b[HTTPFrameSWR:])), SIE: int64(le.Uint64(b[HTTPFrameSIE:])),
		Body: int64(le.Uint64(b[HTTPFrameBody:])), KeyHash: le.Uint64(b[HTTPFrameKeyHash:]),
		Frequency: le.Uint32(b[HTTPFrameFrequency:]),
		Request:   r.lines(HTTPFrameRequestLines, requestNames), Response: r.lines(HTTPFrameResponseLines, responseNames),
	}
	return f, r.err
}

// httpReader reads a frame. After the first error it returns zero values.
type httpReader struct {
	b   []byte
	err error
}

func (r *httpReader) word(at int) uint64 { return uint64(binary.LittleEndian.Uint32(r.b[at:])) }

func (r *httpReader) text(field int) string {
	at, n := r.word(field), r.word(field+4)
	if r.err != nil || at+n > uint64(len(r.b)) {
		r.fail("string at %d is %d bytes from %d on, outside of the frame", field, n, at)
		return ""
	}
	return string(r.b[at : at+n])
}

func (r *httpReader) lines(field, names int) (all []HTTPLine) {
	at, n := r.word(field), r.word(field+4)
	if r.err != nil || at+n*HTTPLineSize > uint64(len(r.b)) {
		r.fail("%d lines from %d on are outside of the frame", n, at)
		return nil
	}
	for line := int(at); n > 0 && r.err == nil; n-- {
		name := binary.LittleEndian.Uint16(r.b[line+HTTPLineName:])
		if int(name) >= names {
			r.fail("line at %d is of field %d, there are %d", line, name, names)
		}
		all = append(all, HTTPLine{name, r.text(line + HTTPLineOffset)})
		line += HTTPLineSize
	}
	return all
}

func (r *httpReader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf(format, args...)
	}
}
