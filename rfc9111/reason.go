package rfc9111

// Reason is why a response is not stored.
type Reason uint8

// The reasons, in the order in which they are looked for.
const (
	Storable Reason = iota
	// MethodNotCacheable is for any but GET, and POST with explicit freshness and its own URI as Content-Location.
	MethodNotCacheable
	// StatusNotFinal is for 1xx.
	StatusNotFinal
	// StatusOfCondition is for 304, 412 and 416: they answer the condition or range of one request and are nothing to others.
	StatusOfCondition
	// BadContentRange is for a 206 without a single byte range that its Content-Length agrees with.
	BadContentRange
	// StatusNotUnderstood is for must-understand with a status that is unknown here (5.2.2.3).
	StatusNotUnderstood
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
	// NoFreshness is for a response that nothing makes cacheable, or that is never fresh and has no validator (3).
	NoFreshness
)

// String returns the reason as a token for Cache-Status's detail, such as "no-store".
func (r Reason) String() string {
	switch r {
	case Storable:
		return "storable"
	case MethodNotCacheable:
		return "method"
	case StatusNotFinal:
		return "status-not-final"
	case StatusOfCondition:
		return "status-of-condition"
	case BadContentRange:
		return "content-range"
	case StatusNotUnderstood:
		return "must-understand"
	case VaryStar:
		return "vary-star"
	case RequestNoStore:
		return "request-no-store"
	case NoStore:
		return "no-store"
	case PrivateResponse:
		return "private"
	case Authorized:
		return "authorization"
	case SetsCookie:
		return "set-cookie"
	case HasCookie:
		return "cookie"
	case NoFreshness:
		return "no-freshness"
	}
	return "unknown"
}

// Override says what it takes to store a response all the same.
type Override uint8

const (
	// OverrideNever is for what no cache can store and use rightly.
	OverrideNever Override = iota
	// OverrideGranted is for what was forbidden or may be private: a hook needs a grant of the configuration.
	OverrideGranted
	// OverrideFreely is for what lacks freshness only, and for what may be stored.
	OverrideFreely
)

// Override says what it takes to store a response that was refused for r.
func (r Reason) Override() Override {
	switch r {
	case RequestNoStore, NoStore, PrivateResponse, Authorized, SetsCookie, HasCookie:
		return OverrideGranted
	case Storable, NoFreshness:
		return OverrideFreely
	default:
		return OverrideNever
	}
}

// Revokes reports whether a stored response must be forgotten when its header, as Freshen made it of a 304 or of a HEAD that
// agrees, is refused for r: nobody may be served from it any more. For another reason but Storable and NoFreshness it is left as
// it was before, since what came is for one client alone.
func (r Reason) Revokes() bool {
	return r == NoStore || r == PrivateResponse || r == VaryStar || r == StatusNotUnderstood
}
