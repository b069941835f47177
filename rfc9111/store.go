package rfc9111

import (
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Exchange is a request and the response that an origin gave to it, as a cache sees them.
type Exchange struct {
	Method string
	// URL is the target URI, absolute; it is needed for a POST only (RFC 9110, 9.3.3) and may be nil otherwise.
	URL *url.URL
	// Request is the client's header. Conditions and ranges in it do not matter.
	Request http.Header
	// Status and Response are those of the final response; of a stored response that was validated, its own status and what
	// Freshen made of its header.
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
func (p *Profile) Store(x *Exchange) Decision {
	d := Decision{Directives: p.directives(x)}
	j := judge{p: p, x: x, d: &d.Directives}
	d.Freshness = j.freshness()
	d.Reason = j.reason(&d.Freshness)
	return d
}

// judge looks at one exchange.
type judge struct {
	p *Profile
	x *Exchange
	d *Directives
}

// reason goes through the conditions of 3, and those that a cache with more than one user should add.
func (j *judge) reason(f *Freshness) Reason {
	r := j.method()
	if r == Storable {
		r = j.status()
	}
	if r == Storable {
		r = j.forbidden()
	}
	if r == Storable {
		r = j.personal()
	}
	if r == Storable {
		r = j.cacheable(f)
	}
	return r
}

// method accepts GET, and POST as RFC 9110 (9.3.3) has it.
func (j *judge) method() Reason {
	switch {
	case j.x.Method == http.MethodGet:
		return Storable
	case j.x.Method == http.MethodPost && j.x.Status/100 == 2 && j.explicit() && j.isOwnContent():
		return Storable
	}
	return MethodNotCacheable
}

// isOwnContent reports whether Content-Location says that the response is the representation of its own target.
func (j *judge) isOwnContent() bool {
	if j.x.URL == nil {
		return false
	}
	location, ok := sameOrigin(j.x.URL, j.x.Response["Content-Location"])
	return ok && location == uri(j.x.URL, j.x.URL)
}

func (j *judge) status() Reason {
	switch status := j.x.Status; {
	case status < 200:
		return StatusNotFinal
	case status == http.StatusNotModified, status == http.StatusPreconditionFailed,
		status == http.StatusRequestedRangeNotSatisfiable:
		return StatusOfCondition
	case status == http.StatusPartialContent && !isPart(j.x.Response):
		return BadContentRange
	case j.d.MustUnderstand && !understood(status):
		return StatusNotUnderstood
	}
	return Storable
}

// isPart reports whether a 206 says what it has (3.3).
func isPart(h http.Header) bool {
	_, ok := PartRange(h)
	return ok
}

// forbidden finds what the origin or the client forbids for everybody.
func (j *judge) forbidden() Reason {
	if _, star := VaryFields(j.x.Response); star {
		return VaryStar
	}
	if ParseRequest(j.x.Request).NoStore {
		return RequestNoStore
	}
	if j.d.NoStore && !j.d.MustUnderstand { // its status is understood, or it would not be here (5.2.2.3)
		return NoStore
	}
	return Storable
}

// personal finds what a shared cache must not or should not store.
func (j *judge) personal() Reason {
	if j.p.Private {
		return Storable
	}
	d := j.d
	switch {
	case d.Private:
		return PrivateResponse
	case len(j.x.Request["Authorization"]) > 0 && !d.Public && !d.MustRevalidate && d.SMaxAge == Absent:
		return Authorized
	case len(j.x.Response["Set-Cookie"]) > 0 && !j.p.stores(d):
		return SetsCookie
	case len(j.x.Request["Cookie"]) > 0 && !j.p.CookieHeuristics && !d.Public && !j.explicit():
		return HasCookie
	}
	return Storable
}

// stores reports whether Set-Cookie is no reason not to store a response with directives d.
func (p *Profile) stores(d *Directives) bool {
	return p.Private || p.SetCookie == CookiesAlways || p.SetCookie == CookiesPublic && d.Public
}

// cacheable finds out whether something makes the response cacheable, and whether it is of use later on.
func (j *judge) cacheable(f *Freshness) Reason {
	allowed := j.explicit() || j.d.Public || j.p.Private && j.d.Private || heuristicallyCacheable(j.x.Status)
	fresh := f.Lifetime > f.InitialAge && f.Flags&FlagNoCache == 0
	if !allowed || !fresh && f.StaleWhileRevalidate == 0 && f.StaleIfError <= 0 && !hasValidator(j.x.Response) {
		return NoFreshness
	}
	return Storable
}

// explicit reports whether the response says itself how long it is fresh (4.2.1).
func (j *judge) explicit() bool {
	return j.d.MaxAge != Absent || !j.p.Private && j.d.SMaxAge != Absent || j.d.Source == "" && len(j.x.Response["Expires"]) > 0
}

// freshness works out what is kept of the response.
func (j *judge) freshness() Freshness {
	received := j.x.ResponseTime
	date, ok := ParseDate(firstLine(j.x.Response["Date"]))
	if !ok {
		date = received
	}
	f := Freshness{
		Received:     received.UnixNano(),
		InitialAge:   j.initialAge(date),
		StaleIfError: Absent,
	}
	f.Lifetime, ok = j.lifetime(date)
	if !ok {
		f.Flags |= FlagHeuristic
	}
	j.restrict(&f)
	return f
}

// initialAge is the corrected_initial_age of 4.2.3, the careful one. Of several ages the first counts; one that is no number
// is ignored (5.1), but parameters after a number alone are: as a structured field Age is an Item, which may have them, and
// too old is the safe mistake.
func (j *judge) initialAge(date time.Time) time.Duration {
	apparent := j.x.ResponseTime.Truncate(time.Second).Sub(date)
	delay := max(0, j.x.ResponseTime.Sub(j.x.RequestTime))
	number, _, _ := strings.Cut(firstMember(j.x.Response["Age"]), ";")
	age, _ := ParseDelta(trim(number))
	return min(max(apparent, age+delay, 0), MaxDelta)
}

// lifetime is the freshness_lifetime of 4.2.1; explicit is false when it is a guess (4.2.2).
func (j *judge) lifetime(date time.Time) (lifetime time.Duration, explicit bool) {
	d := j.d
	switch {
	case !j.p.Private && d.SMaxAge != Absent:
		return d.SMaxAge, true
	case d.MaxAge != Absent:
		return d.MaxAge, true
	case j.explicit():
		expires, ok := ParseDate(firstLine(j.x.Response["Expires"]))
		if !ok {
			return 0, true // 5.3: already expired
		}
		return min(max(0, expires.Sub(date)), MaxDelta), true
	}
	modified, ok := ParseDate(firstLine(j.x.Response["Last-Modified"]))
	if !ok || !d.Public && !heuristicallyCacheable(j.x.Status) {
		return 0, false
	}
	return j.p.heuristic(date.Sub(modified)), false
}

// restrict writes down what directives beside the lifetime say about reuse.
func (j *judge) restrict(f *Freshness) {
	d := j.d
	shared := !j.p.Private
	if d.NoCache {
		f.Flags |= FlagNoCache
	}
	if d.Immutable {
		f.Flags |= FlagImmutable
	}
	switch {
	case d.MustRevalidate || shared && d.ProxyRevalidate:
		f.Flags |= FlagNoStale
	case !shared || d.SMaxAge == Absent:
	case j.p.NamedStaleness && (d.StaleWhileRevalidate != Absent || d.StaleIfError != Absent):
		f.Flags |= FlagNamedStale
	default:
		f.Flags |= FlagNoStale
	}
	f.StaleWhileRevalidate, f.StaleIfError = j.staleness(f.Flags)
}

// staleness returns the windows of RFC 5861.
func (j *judge) staleness(flags Flags) (whileRevalidate, ifError time.Duration) {
	d := j.d
	switch {
	case flags&(FlagNoCache|FlagNoStale) != 0:
		return 0, 0
	case flags&FlagNamedStale != 0:
		return max(0, d.StaleWhileRevalidate), max(0, d.StaleIfError)
	}
	whileRevalidate, ifError = j.p.StaleWhileRevalidate, Absent
	if d.StaleWhileRevalidate != Absent {
		whileRevalidate = d.StaleWhileRevalidate
	}
	switch {
	case d.StaleIfError != Absent:
		ifError = d.StaleIfError
	case j.p.StaleIfError > 0:
		ifError = j.p.StaleIfError
	}
	return whileRevalidate, ifError
}

// firstLine returns the value of a field that should have one line.
func firstLine(lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	return lines[0]
}

// firstMember returns the first member of the first line of a field.
func firstMember(lines []string) string {
	line := firstLine(lines)
	for i := range len(line) {
		if line[i] == ',' {
			return line[:i]
		}
	}
	return line
}

// heuristicallyCacheable lists what RFC 9110 (15.1) does.
func heuristicallyCacheable(status int) bool {
	switch status {
	case 200, 203, 204, 206, 300, 301, 308, 404, 405, 410, 414, 501:
		return true
	}
	return false
}

// understood reports whether all that caches have to know of a status is known here: those of RFC 9110 (15) that are final.
func understood(status int) bool {
	switch status {
	case 418:
		return false
	case 421, 422, 426:
		return true
	}
	return 200 <= status && status <= 206 || 300 <= status && status <= 308 && status != 306 ||
		400 <= status && status <= 417 || 500 <= status && status <= 505
}
