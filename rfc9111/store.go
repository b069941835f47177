package rfc9111

import (
	"net/http"
	"net/url"
	"time"
)

// Exchange is a request and the response that an origin gave to it, as a cache sees them.
type Exchange struct {
	Method string
	// URL is the target URI; it is needed for a POST only (RFC 9110, 9.3.3) and may be nil otherwise.
	URL     *url.URL
	Request http.Header
	// Status and Response are those of the final response.
	Status   int
	Response http.Header
	// RequestTime is when the request was sent, ResponseTime when the header of the response had come.
	RequestTime, ResponseTime time.Time
}

// Decision says whether a response may be stored.
type Decision struct {
	// Reason is Storable, or why not.
	Reason Reason
	// Directives are those that were judged by.
	Directives Directives
	// Freshness is to be kept with the response. It is right also when the response is not storable, for a hook that is
	// allowed to store it all the same.
	Freshness Freshness
}

// Store says whether x may be stored (3), and for how long it is fresh (4.2).
//
// It does not see the body: that a 200 was complete (3.3) and that a 206 had as many bytes as its Content-Range says is the
// caller's to check before it commits. A stored POST answers later requests for GET and HEAD of the same URI; it invalidates
// what was stored first. A HEAD is not stored; see HeadAgrees.
func (p *Profile) Store(x *Exchange) Decision { return Decision{} }

// Reason is why a response is not stored.
type Reason uint8

// The reasons, in the order in which they are looked for.
const (
	Storable Reason = iota
	// MethodNotCacheable is for any but GET, and POST with explicit freshness and its own URI as Content-Location.
	MethodNotCacheable
	// StatusNotFinal is for 1xx; 304 has it as well, as it has no representation of its own.
	StatusNotFinal
	// StatusNotUnderstood is for must-understand with a status that is unknown here (5.2.2.3).
	StatusNotUnderstood
	// BadContentRange is for a 206 without a single byte range that its Content-Length agrees with.
	BadContentRange
	// VaryStar is for Vary: *, which no request matches (4.1).
	VaryStar
	// RequestNoStore is for no-store of the request (5.2.1.5).
	RequestNoStore
	// NoStore is for no-store of the response (5.2.2.5).
	NoStore
	// PrivateResponse is for private in a shared cache (5.2.2.7).
	PrivateResponse
	// Authorized is for a request with Authorization in a shared cache, when the response does not allow it (3.5).
	Authorized
	// SetsCookie is for Set-Cookie when the profile does not store it.
	SetsCookie
	// HasCookie is for a request with Cookie and no explicit freshness, when the profile does not store it.
	HasCookie
	// NoFreshness is for a response that nothing makes cacheable (3), or that has neither freshness nor a validator.
	NoFreshness
)

// String returns the reason as a token for Cache-Status's detail, such as "no-store".
func (r Reason) String() string { return "" }

// Override says what it takes to store a response all the same.
type Override uint8

const (
	// OverrideNever is for what no cache can store and use rightly.
	OverrideNever Override = iota
	// OverrideGranted is for what the origin forbade or what may be private: a hook needs a grant of the configuration.
	OverrideGranted
	// OverrideFreely is for what lacks freshness only.
	OverrideFreely
)

// Override says what it takes to store a response that was refused for r.
func (r Reason) Override() Override { return OverrideNever }
