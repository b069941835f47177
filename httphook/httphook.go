// Package httphook is what an HTTP cache and the hooks inside it know of each other. Hooks are called at phases of an
// exchange: they look at the request, at a stored or a new response, and say what shall become of it. Hooks written in Go
// implement Hook themselves; package plugins/http makes them of WebAssembly guests.
//
// The cache owns the Call structs and uses them again for other exchanges: a hook keeps neither a Call nor a slice of it.
// Strings are immutable and may be kept, but for those of Request, which can be views of a buffer: a hook that keeps one
// clones it.
package httphook

import (
	"context"
	"net/netip"
	"strings"
	"time"
)

// Phases is a set of phases.
type Phases uint8

// The phases, in the order in which an exchange comes through them.
const (
	// OnRequest is ahead of everything: let pass, pass by the cache, deny, redirect, answer, and change the request's header.
	OnRequest Phases = 1 << iota
	// OnKey makes the key under which a response is kept.
	OnKey
	// OnLookup is where a stored response was found.
	OnLookup
	// OnResponse is where the origin's header has come: what is kept, and for how long.
	OnResponse
	// OnAdmit is where a response that may be kept is about to take room.
	OnAdmit
	// OnDeliver is ahead of the header that the client gets.
	OnDeliver
	// OnEvent is behind everything, in batches: see Observer.
	OnEvent

	// AllPhases is all of them.
	AllPhases = OnEvent<<1 - 1
)

// Has reports whether all phases of p are in s.
func (s Phases) Has(p Phases) bool { return s&p == p }

// String returns the phases' names, with "+" between them.
func (s Phases) String() string {
	var names []string
	for i, name := range [...]string{"request", "key", "lookup", "response", "admit", "deliver", "event"} {
		if s.Has(1 << i) {
			names = append(names, name)
		}
	}
	return strings.Join(names, "+")
}

// Spec says what a hook is and wants. It does not change while the hook is used.
type Spec struct {
	// Name names the hook in logs, figures and errors.
	Name string
	// Phases are where it is called: at no others.
	Phases Phases
	// RequestHeaders and ResponseHeaders are the fields that it reads, in canonical form (as of net/http). The cache may offer
	// no others, and counts those of the request as known to change responses.
	RequestHeaders, ResponseHeaders []string
	// PureKey promises that what Key does depends on scheme, host and target alone.
	PureKey bool
	// Lengthen says that the operator lets the hook have responses kept that no-store, private or Authorization forbid to
	// keep. Without it ResponseCall.Settle takes such verdicts back.
	Lengthen bool
	// FailClosed says that an exchange fails rather than goes on without the hook.
	FailClosed bool
}

// Hook is called inside of exchanges, at the phases of its Spec. Its methods must be safe for concurrent use. They read the
// first part of a call and write the second, which holds what the hooks ahead of them said.
//
// An error says that the hook failed and that the exchange must not go on as if it were not there: the cache answers 503 at
// request, key, lookup and deliver, and keeps nothing at response and admit. ctx's error is the exchange's end. A hook that
// fails open returns nil and leaves the call as it was.
type Hook interface {
	Spec() Spec
	Request(ctx context.Context, c *RequestCall) error
	Key(ctx context.Context, c *KeyCall) error
	Lookup(ctx context.Context, c *LookupCall) error
	Response(ctx context.Context, c *ResponseCall) error
	Admit(ctx context.Context, c *AdmitCall) error
	Deliver(ctx context.Context, c *DeliverCall) error
}

// Observer is a hook with OnEvent. Observe is told about exchanges that have ended, in batches, off their path. It must be
// safe for concurrent use and must not keep events.
type Observer interface{ Observe(events []Event) }

// Fields is a header. Names are canonical. What Values returns must not be changed. http.Header is one.
type Fields interface{ Values(name string) []string }

// Request is the request as hooks see it: the client's, with the edits of hooks ahead.
type Request struct {
	Method string
	// Scheme is http or https, Host the authority in lower case as it goes into keys.
	Scheme, Host string
	// Target is path and query as they came.
	Target string
	// Client is who asks, or the zero address if that is not known.
	Client netip.Addr
	Header Fields
}

// RequestCall is the phase OnRequest.
type RequestCall struct {
	Request *Request

	// Action is what shall become of the request. Of several hooks the first that does not say Pass or Bypass has the last word.
	Action Action
	// Status is that of Deny, Redirect and Synth, 200 to 599.
	Status int
	// Location is where Redirect goes.
	Location string
	// Body is that of Deny and Synth. The call owns it.
	Body []byte
	// Edits are of the request's header where it goes on, else of the answer's.
	Edits Edits
}

// Action is what a hook says of a request.
type Action uint8

// The actions.
const (
	Pass     Action = iota // goes on
	Bypass                 // goes on to the origin, and the cache is neither asked nor changed
	Deny                   // is answered with Status and Body, not by the origin
	Redirect               // is answered with Status and Location
	Synth                  // is answered with Status, Edits and Body
)

// Ends reports whether the action answers the request.
func (a Action) Ends() bool { return a >= Deny }

// Reset makes the call one for r, without a verdict.
func (c *RequestCall) Reset(r *Request) {
	clear(c.Edits)
	*c = RequestCall{Request: r, Body: c.Body[:0], Edits: c.Edits[:0]}
}

// KeyCall is the phase OnKey.
type KeyCall struct {
	Request *Request

	// Target stands for Request.Target in the key. It begins as that, and is what a hook goes by: hooks ahead may have changed it.
	Target string
	// Forward says that the origin is asked for Target, too. Where it is false and Target is another than the request's, the
	// origin sees what the key does not, and must answer the same whatever that is.
	Forward bool
	// Extra is added to the key: responses of different Extra are kept apart.
	Extra string
	// Vary are values that stand for the request's own where a response's Vary names the field.
	Vary []Field
}

// Reset makes the call one for r, without a verdict. It begins with Forward: what hooks do not say is not hidden from the key.
func (c *KeyCall) Reset(r *Request) {
	clear(c.Vary)
	*c = KeyCall{Request: r, Target: r.Target, Forward: true, Vary: c.Vary[:0]}
}

// Field is a line of a header.
type Field struct{ Name, Value string }

// LookupCall is the phase OnLookup.
type LookupCall struct {
	Request *Request
	// Status and Header are the stored response's.
	Status int
	Header Fields
	// Age is how old it is, TTL how long it is fresh from now on: below 0 it is stale, for so long.
	Age, TTL time.Duration
	// Size is the length of its body.
	Size int64

	// Verdict is what to do with it.
	Verdict Lookup
}

// Lookup is what a hook says of a stored response.
type Lookup uint8

// The verdicts, from what costs least. Of several hooks the one that costs most counts.
const (
	Use        Lookup = iota // as HTTP has it: a stale one is validated
	Revalidate               // validate it, even if it is fresh
	Miss                     // fetch another one
)

// Reset makes the call one for r. The caller sets what it knows of the response.
func (c *LookupCall) Reset(r *Request) { *c = LookupCall{Request: r} }

// Lifetime says whether and for how long a response is kept.
type Lifetime struct {
	// Store says whether it is kept.
	Store bool
	// TTL is how long it is fresh from now on. SWR and SIE are for how long after that it may be used while it is validated,
	// and where the origin fails.
	TTL, SWR, SIE time.Duration
}

// ResponseCall is the phase OnResponse.
type ResponseCall struct {
	Request *Request
	// Status and Header are the origin's. Size is the length of the body, -1 if it is not known.
	Status int
	Header Fields
	Size   int64
	// Barred says that no-store, private or the request's Authorization forbid to keep the response.
	Barred bool

	// Lifetime begins as what HTTP says. A hook that sets Store gives a TTL, too.
	Lifetime
	// Tags are added to those of the response, for purging.
	Tags []string
	// Edits are of the header, kept and delivered. The cache has read the header before: what it does with the response is for
	// the fields above to say.
	Edits Edits
}

// Reset makes the call one for r. The caller sets what it knows of the response.
func (c *ResponseCall) Reset(r *Request) {
	clear(c.Tags)
	clear(c.Edits)
	*c = ResponseCall{Request: r, Tags: c.Tags[:0], Edits: c.Edits[:0]}
}

// Settle ends a hook's part in the call: where the response is Barred and the hook may not lengthen, it is kept no longer than
// before, and not at all if it was not. The cache calls it after each hook, with the Lifetime ahead of that.
func (c *ResponseCall) Settle(before Lifetime, lengthen bool) {
	if !c.Barred || lengthen {
		return
	}
	c.Store = c.Store && before.Store
	c.TTL, c.SWR, c.SIE = min(c.TTL, before.TTL), min(c.SWR, before.SWR), min(c.SIE, before.SIE)
}

// AdmitCall is the phase OnAdmit.
type AdmitCall struct {
	Request *Request
	// KeyHash is a hash of the key, its meaning the process's own.
	KeyHash uint64
	Status  int
	// Size is the length of the body, -1 if it is not known yet.
	Size int64
	TTL  time.Duration
	// Frequency is about how often the key was asked for lately, 0 if that is not known.
	Frequency uint32

	// Refuse keeps the response out. It is delivered all the same.
	Refuse bool
}

// Reset makes the call one for r. The caller sets what it knows of the response.
func (c *AdmitCall) Reset(r *Request) { *c = AdmitCall{Request: r} }

// DeliverCall is the phase OnDeliver. Age, TTL and Size are as in LookupCall, where Outcome is about a stored response, else 0.
type DeliverCall struct {
	Request *Request
	Status  int
	Header  Fields
	Outcome Outcome
	Age     time.Duration
	TTL     time.Duration
	Size    int64

	// Edits are of the header that this client gets.
	Edits Edits
}

// Reset makes the call one for r. The caller sets what it knows of the response.
func (c *DeliverCall) Reset(r *Request) {
	clear(c.Edits)
	*c = DeliverCall{Request: r, Edits: c.Edits[:0]}
}

// Outcome says where an answer comes from.
type Outcome uint8

// The outcomes.
const (
	OutcomeNone        Outcome = iota
	OutcomeHit                 // stored and fresh
	OutcomeStale               // stored and stale
	OutcomeRevalidated         // stored, and validated for this request
	OutcomeMiss                // the origin's
	OutcomeCollapsed           // the origin's, fetched for another request
	OutcomeBypass              // the origin's, by the cache
	OutcomeHook                // a hook's: denied, redirected or made
	OutcomeError               // the cache's own: the origin did not answer
)

// Event is what an Observer is told about an exchange. Its 32 bytes are laid out as guests have them.
type Event struct {
	// KeyHash is a hash of the key, its meaning the process's own.
	KeyHash uint64
	// Time is when the exchange ended, in unix nanoseconds.
	Time uint64
	// Elapsed is how long it took in microseconds.
	Elapsed uint32
	// Size is how many bytes of body the client got, math.MaxUint32 for that or more.
	Size uint32
	// Age is how many seconds old the stored response was.
	Age    uint32
	Status uint16
	Method Method
	// Outcome says where the answer came from.
	Outcome Outcome
}

// Method is a request's method in events.
type Method uint8

// The methods.
const (
	MethodOther Method = iota
	MethodGet
	MethodHead
	MethodPost
	MethodPut
	MethodDelete
	MethodPatch
	MethodOptions
)

// MethodOf returns the number of a method.
func MethodOf(name string) Method {
	switch name {
	case "GET":
		return MethodGet
	case "HEAD":
		return MethodHead
	case "POST":
		return MethodPost
	case "PUT":
		return MethodPut
	case "DELETE":
		return MethodDelete
	case "PATCH":
		return MethodPatch
	case "OPTIONS":
		return MethodOptions
	default:
		return MethodOther
	}
}
