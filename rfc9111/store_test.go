package rfc9111

import (
	"net/http"
	"net/url"
	"testing"
	"time"
)

// received is when the responses of these tests come. It is on a second, as Date is.
var received = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// dateOf writes the date that is so long after received.
func dateOf(after time.Duration) string { return received.Add(after).Format(http.TimeFormat) }

// exchange is a GET that was answered at once with 200 and the lines of a header.
func exchange(lines ...string) *Exchange {
	u, _ := url.Parse("http://example.com/a?b")
	return &Exchange{
		Method: http.MethodGet, URL: u, Request: http.Header{},
		Status: 200, Response: header(lines...), RequestTime: received, ResponseTime: received,
	}
}

func (x *Exchange) with(change func(x *Exchange)) *Exchange {
	change(x)
	return x
}

// asked gives x a request with the lines of a header.
func (x *Exchange) asked(lines ...string) *Exchange {
	x.Request = header(lines...)
	return x
}

func (x *Exchange) answered(status int) *Exchange {
	x.Status = status
	return x
}

func (x *Exchange) by(method string) *Exchange {
	x.Method = method
	return x
}

func TestStorable(t *testing.T) {
	const fresh = "Cache-Control: max-age=60"
	etag := `Etag: "a"`
	tests := []struct {
		name             string
		x                *Exchange
		rfc, safe, alone Reason // with RFC, Safe and a private cache
	}{
		{"3 explicit freshness", exchange(fresh), Storable, Storable, Storable},
		{"3 the method is not understood", exchange(fresh).by("FOO"), MethodNotCacheable, MethodNotCacheable, MethodNotCacheable},
		{"3 PUT", exchange(fresh).by("PUT"), MethodNotCacheable, MethodNotCacheable, MethodNotCacheable},
		{"3 HEAD", exchange(fresh).by("HEAD"), MethodNotCacheable, MethodNotCacheable, MethodNotCacheable},
		{"RFC 9110 9.3.3 POST", exchange(fresh).by("POST"), MethodNotCacheable, MethodNotCacheable, MethodNotCacheable},
		{"RFC 9110 9.3.3 POST with its own Content-Location", exchange(fresh, "Content-Location: /a?b").by("POST"), Storable, Storable, Storable},
		{"RFC 9110 9.3.3 POST with an absolute Content-Location", exchange(fresh, "Content-Location: http://EXAMPLE.com:80/a?b#c").by("POST"), Storable, Storable, Storable},
		{"RFC 9110 9.3.3 POST with an empty Content-Location", exchange(fresh, "Content-Location: ").by("POST"), Storable, Storable, Storable},
		{"RFC 9110 9.3.3 POST with another Content-Location", exchange(fresh, "Content-Location: /c").by("POST"), MethodNotCacheable, MethodNotCacheable, MethodNotCacheable},
		{"RFC 9110 9.3.3 POST without explicit freshness", exchange("Content-Location: /a?b", etag).by("POST"), MethodNotCacheable, MethodNotCacheable, MethodNotCacheable},
		{"RFC 9110 9.3.3 POST that failed", exchange(fresh, "Content-Location: /a?b").by("POST").answered(500), MethodNotCacheable, MethodNotCacheable, MethodNotCacheable},
		{"RFC 9110 9.3.3 POST of an unknown URI", exchange(fresh, "Content-Location: /a?b").by("POST").with(func(x *Exchange) { x.URL = nil }), MethodNotCacheable, MethodNotCacheable, MethodNotCacheable},
		{"3 an interim status", exchange(fresh).answered(103), StatusNotFinal, StatusNotFinal, StatusNotFinal},
		{"3 an unknown status", exchange(fresh).answered(599), Storable, Storable, Storable},
		{"3 a status of three other digits", exchange(fresh).answered(999), Storable, Storable, Storable},
		{"3 304", exchange(fresh).answered(304), StatusOfCondition, StatusOfCondition, StatusOfCondition},
		{"RFC 9110 13.1.1 412", exchange(fresh).answered(412), StatusOfCondition, StatusOfCondition, StatusOfCondition},
		{"RFC 9110 14.4 416", exchange(fresh).answered(416), StatusOfCondition, StatusOfCondition, StatusOfCondition},
		{"3.3 206", exchange(fresh, "Content-Range: bytes 0-4/10").answered(206).asked("Range: bytes=0-4"), Storable, Storable, Storable},
		{"3.3 206 without its range", exchange(fresh).answered(206).asked("Range: bytes=0-4"), BadContentRange, BadContentRange, BadContentRange},
		{"3.3 206 of another unit", exchange(fresh, "Content-Range: lines 0-4/10").answered(206).asked("Range: lines=0-4"), BadContentRange, BadContentRange, BadContentRange},
		{"3.3 206 that contradicts itself", exchange(fresh, "Content-Range: bytes 4-9/10", "Content-Length: 5").answered(206).asked("Range: bytes=-5"), BadContentRange, BadContentRange, BadContentRange},
		{"5.2.2.3 must-understand", exchange(fresh, "Cache-Control: no-store, must-understand"), Storable, Storable, Storable},
		{"5.2.2.3 must-understand with an unknown status", exchange(fresh, "Cache-Control: no-store, must-understand").answered(599), StatusNotUnderstood, StatusNotUnderstood, StatusNotUnderstood},
		{"5.2.2.3 must-understand with 418", exchange(fresh, "Cache-Control: must-understand").answered(418), StatusNotUnderstood, StatusNotUnderstood, StatusNotUnderstood},
		{"4.1 Vary: *", exchange(fresh, "Vary: Accept, *"), VaryStar, VaryStar, VaryStar},
		{"5.2.1.5 no-store of the request", exchange(fresh).asked("Cache-Control: no-store"), RequestNoStore, RequestNoStore, RequestNoStore},
		{"5.2.2.5 no-store", exchange(fresh, "Cache-Control: no-store"), NoStore, NoStore, NoStore},
		{"5.2.2.7 private", exchange(fresh, "Cache-Control: private"), PrivateResponse, PrivateResponse, Storable},
		{"5.2.2.7 qualified private", exchange(fresh, `Cache-Control: private="a"`), Storable, Storable, Storable},
		{"5.2.2.7 private and public", exchange(fresh, `Cache-Control: private, public`), PrivateResponse, PrivateResponse, Storable},
		{"3.5 Authorization", exchange(fresh).asked("Authorization: a"), Authorized, Authorized, Storable},
		{"3.5 Authorization and public", exchange(fresh, "Cache-Control: public").asked("Authorization: a"), Storable, Storable, Storable},
		{"3.5 Authorization and must-revalidate", exchange(fresh, "Cache-Control: must-revalidate").asked("Authorization: a"), Storable, Storable, Storable},
		{"3.5 Authorization and s-maxage", exchange("Cache-Control: s-maxage=60").asked("Authorization: a"), Storable, Storable, NoFreshness},
		{"3.5 Authorization and proxy-revalidate", exchange(fresh, "Cache-Control: proxy-revalidate").asked("Authorization: a"), Authorized, Authorized, Storable},
		{"7.3 Set-Cookie", exchange(fresh, "Set-Cookie: a=b"), Storable, SetsCookie, Storable},
		{"7.3 Set-Cookie and public", exchange(fresh, "Cache-Control: public", "Set-Cookie: a=b"), Storable, SetsCookie, Storable},
		{"a request with Cookie", exchange(fresh).asked("Cookie: a=b"), Storable, Storable, Storable},
		{"a request with Cookie, heuristics", exchange(etag).asked("Cookie: a=b"), Storable, HasCookie, Storable},
		{"a request with Cookie, heuristics and public", exchange(etag, "Cache-Control: public").asked("Cookie: a=b"), Storable, Storable, Storable},
		{"3 Expires", exchange("Expires: " + dateOf(time.Hour)).answered(302), Storable, Storable, Storable},
		{"3 s-maxage counts for shared caches alone", exchange("Cache-Control: s-maxage=60", etag).answered(302), Storable, Storable, NoFreshness},
		{"3 private counts for private caches alone", exchange("Cache-Control: private", etag).answered(302), PrivateResponse, PrivateResponse, Storable},
		{"3 public", exchange("Cache-Control: public", etag).answered(599), Storable, Storable, Storable},
		{"3 nothing makes it cacheable", exchange(etag).answered(302), NoFreshness, NoFreshness, NoFreshness},
		{"3 heuristically cacheable", exchange(etag).answered(404), Storable, Storable, Storable},
		{"3 neither fresh nor with a validator", exchange(), NoFreshness, NoFreshness, NoFreshness},
		{"3 broken validators are none", exchange("Etag: a", "Last-Modified: 0"), NoFreshness, NoFreshness, NoFreshness},
		{"3 old when it comes, without a validator", exchange(fresh, "Age: 60"), NoFreshness, NoFreshness, NoFreshness},
		{"3 old when it comes, with a validator", exchange(fresh, "Age: 60", etag), Storable, Storable, Storable},
		{"5.2.2.4 no-cache with a validator", exchange(fresh, "Cache-Control: no-cache", etag), Storable, Storable, Storable},
		{"5.2.2.4 no-cache without", exchange(fresh, "Cache-Control: no-cache"), NoFreshness, NoFreshness, NoFreshness},
		{"RFC 5861 3 zero and stale-while-revalidate", exchange("Cache-Control: max-age=0, stale-while-revalidate=5"), Storable, Storable, Storable},
		{"RFC 5861 4 zero and stale-if-error", exchange("Cache-Control: max-age=0, stale-if-error=5"), Storable, Storable, Storable},
		{"RFC 9213 2.2 no-store for us", exchange(fresh, "Cdn-Cache-Control: no-store"), NoStore, NoStore, Storable},
		{"RFC 9213 2.2 no-store for the others", exchange("Cache-Control: no-store", "Cdn-Cache-Control: max-age=60"), Storable, Storable, NoStore},
		{"RFC 9213 2.2 private for us", exchange(fresh, "Cdn-Cache-Control: private", "Expires: "+dateOf(time.Hour)), PrivateResponse, PrivateResponse, Storable},
		{"RFC 9213 2.2 Expires does not count", exchange("Cdn-Cache-Control: none", "Expires: "+dateOf(time.Hour)), NoFreshness, NoFreshness, Storable},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, p := range []struct {
				name    string
				profile Profile
				want    Reason
			}{{"rfc", RFC(), tt.rfc}, {"safe", Safe(), tt.safe}, {"private", Profile{Private: true}, tt.alone}} {
				if got := p.profile.Store(tt.x).Reason; got != p.want {
					t.Errorf("profile %s: %v, want %v", p.name, got, p.want)
				}
			}
		})
	}
}

func TestCookiesPublic(t *testing.T) {
	p := Profile{SetCookie: CookiesPublic}
	if got := p.Store(exchange("Cache-Control: max-age=60", "Set-Cookie: a=b")).Reason; got != SetsCookie {
		t.Errorf("without public: %v, want %v", got, SetsCookie)
	}
	if got := p.Store(exchange("Cache-Control: max-age=60, public", "Set-Cookie: a=b")).Reason; got != Storable {
		t.Errorf("with public: %v, want %v", got, Storable)
	}
}

func TestHeuristicallyCacheable(t *testing.T) {
	want := map[int]bool{
		200: true, 203: true, 204: true, 206: true, 300: true, 301: true, 308: true, 404: true, 405: true, 410: true, 414: true, 501: true,
	}
	p := RFC()
	for status := 200; status < 600; status++ {
		x := exchange("Last-Modified: "+dateOf(-10*time.Hour), "Content-Range: bytes 0-1/2").answered(status)
		d := p.Store(x)
		if got := d.Reason == Storable; got != want[status] {
			t.Errorf("RFC 9110 15.1: %d without freshness is stored: %v, want %v", status, got, want[status])
		}
		if fresh := d.Freshness.Lifetime == time.Hour; fresh != want[status] {
			t.Errorf("RFC 9110 15.1: %d is fresh for %v", status, d.Freshness.Lifetime)
		}
	}
}

func TestLifetime(t *testing.T) {
	modified := "Last-Modified: " + dateOf(-10*time.Hour)
	tests := []struct {
		name          string
		x             *Exchange
		shared, alone time.Duration
		heuristic     bool
	}{
		{"4.2.1 max-age", exchange("Cache-Control: max-age=60"), time.Minute, time.Minute, false},
		{"4.2.1 s-maxage before max-age", exchange("Cache-Control: max-age=60, s-maxage=5"), 5 * time.Second, time.Minute, false},
		{"4.2.1 max-age before Expires", exchange("Cache-Control: max-age=60", "Expires: "+dateOf(time.Hour)), time.Minute, time.Minute, false},
		{"4.2.1 max-age before a past Expires", exchange("Cache-Control: max-age=60", "Expires: "+dateOf(-time.Hour)), time.Minute, time.Minute, false},
		{"4.2.1 Expires without Date", exchange("Expires: " + dateOf(time.Hour)), time.Hour, time.Hour, false},
		{"4.2.1 Expires less Date", exchange("Expires: "+dateOf(time.Hour), "Date: "+dateOf(-time.Minute)), time.Hour + time.Minute, time.Hour + time.Minute, false},
		{"4.2.1 Expires before Date", exchange("Expires: "+dateOf(time.Hour), "Date: "+dateOf(2*time.Hour), modified), 0, 0, false},
		{"4.2.1 Expires with a broken Date", exchange("Expires: "+dateOf(time.Hour), "Date: x"), time.Hour, time.Hour, false},
		{"4.2.1 the first of two Expires", exchange("Expires: "+dateOf(time.Minute), "Expires: "+dateOf(time.Hour)), time.Minute, time.Minute, false},
		{"5.3 Expires: 0", exchange("Expires: 0", modified), 0, 0, false},
		{"5.3 Expires with one digit of an hour", exchange("Expires: Thu, 18 Aug 2050 2:01:18 GMT", modified), 0, 0, false},
		{"5.3 Expires that is far", exchange("Expires: Sun, 21 Nov 2286 04:46:39 GMT"), MaxDelta, MaxDelta, false},
		{"4.2.2 a tenth", exchange(modified), time.Hour, time.Hour, true},
		{"4.2.2 a tenth before Date", exchange(modified, "Date: "+dateOf(10*time.Hour)), 2 * time.Hour, 2 * time.Hour, true},
		{"4.2.2 not with explicit freshness", exchange(modified, "Cache-Control: max-age=0"), 0, 0, false},
		{"4.2.2 not with another status", exchange(modified).answered(201), 0, 0, true},
		{"4.2.2 with another status and public", exchange(modified, "Cache-Control: public").answered(201), time.Hour, time.Hour, true},
		{"4.2.2 not when it was modified later", exchange("Last-Modified: " + dateOf(time.Hour)), 0, 0, true},
		{"4.2.2 a broken date", exchange("Last-Modified: x"), 0, 0, true},
		{"4.2.2 a week at most", exchange("Last-Modified: Thu, 01 Jan 1970 00:00:00 GMT"), 7 * 24 * time.Hour, 7 * 24 * time.Hour, true},
		{"RFC 9213 2.2 before Cache-Control", exchange("Cdn-Cache-Control: max-age=5", "Cache-Control: max-age=60"), 5 * time.Second, time.Minute, false},
		{"RFC 9213 2.2 Expires is ignored", exchange("Cdn-Cache-Control: foo", "Expires: "+dateOf(time.Minute), modified), time.Hour, time.Minute, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			shared, alone := RFC(), Profile{Private: true}
			got := shared.Store(tt.x).Freshness
			if got.Lifetime != tt.shared || got.Flags&FlagHeuristic != 0 != tt.heuristic {
				t.Errorf("shared: %v, flags %b, want %v, heuristic %v", got.Lifetime, got.Flags, tt.shared, tt.heuristic)
			}
			if got := alone.Store(tt.x).Freshness.Lifetime; got != tt.alone {
				t.Errorf("private: %v, want %v", got, tt.alone)
			}
		})
	}
}

func TestHeuristicSettings(t *testing.T) {
	x := exchange("Last-Modified: " + dateOf(-100*time.Hour))
	for _, tt := range []struct {
		percent int
		most    time.Duration
		want    time.Duration
	}{{0, 0, 10 * time.Hour}, {20, 0, 20 * time.Hour}, {20, time.Hour, time.Hour}, {-1, 0, 0}} {
		p := Profile{HeuristicPercent: tt.percent, MaxHeuristic: tt.most}
		if got := p.Store(x).Freshness.Lifetime; got != tt.want {
			t.Errorf("4.2.2 with %d %% and at most %v: %v, want %v", tt.percent, tt.most, got, tt.want)
		}
	}
}

func TestInitialAge(t *testing.T) {
	slow := func(x *Exchange) *Exchange {
		return x.with(func(x *Exchange) { x.RequestTime = received.Add(-3 * time.Second) })
	}
	tests := []struct {
		name string
		x    *Exchange
		want time.Duration
	}{
		{"4.2.3 nothing", exchange(), 0},
		{"4.2.3 age_value", exchange("Age: 30"), 30 * time.Second},
		{"4.2.3 response_delay", slow(exchange()), 3 * time.Second},
		{"4.2.3 corrected_age_value", slow(exchange("Age: 30")), 33 * time.Second},
		{"4.2.3 apparent_age", exchange("Date: " + dateOf(-time.Minute)), time.Minute},
		{"4.2.3 the greater one, apparent", slow(exchange("Date: "+dateOf(-time.Minute), "Age: 30")), time.Minute},
		{"4.2.3 the greater one, corrected", slow(exchange("Date: "+dateOf(-time.Second), "Age: 30")), 33 * time.Second},
		{"4.2.3 Date in the future", exchange("Date: " + dateOf(time.Hour)), 0},
		{"4.2.3 clocks that go back", exchange().with(func(x *Exchange) { x.RequestTime = received.Add(time.Hour) }), 0},
		{"4.2.3 Date has no parts of a second", exchange("Date: " + dateOf(0)).with(func(x *Exchange) {
			x.ResponseTime, x.RequestTime = received.Add(900*time.Millisecond), received.Add(900*time.Millisecond)
		}), 0},
		{"5.1 no number is ignored", exchange("Age: abc"), 0},
		{"5.1 a negative one is ignored", exchange("Age: -7200"), 0},
		{"5.1 a fraction is ignored", exchange("Age: 7200.0"), 0},
		{"5.1 parameters alone are ignored", exchange("Age: 7200;foo=bar"), 2 * time.Hour},
		{"5.1 the first line of two", exchange("Age: 7200", "Age: 0"), 2 * time.Hour},
		{"5.1 the first of a list", exchange("Age: 0, 7200"), 0},
		{"1.2.2 the greatest", exchange("Age: 2147483649"), MaxDelta},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := RFC()
			if got := p.Store(tt.x).Freshness.InitialAge; got != tt.want {
				t.Errorf("corrected_initial_age is %v, want %v", got, tt.want)
			}
		})
	}
}

func TestReasons(t *testing.T) {
	seen := map[string]bool{}
	for r := Storable; r <= NoFreshness; r++ {
		s := r.String()
		if seen[s] || !isToken(s) || s == "unknown" {
			t.Errorf("Reason %d is %q: no token of its own", r, s)
		}
		seen[s] = true
	}
	if got := (NoFreshness + 1).String(); got != "unknown" {
		t.Errorf("a Reason that is none is %q", got)
	}
	for r := Storable; r <= NoFreshness; r++ {
		want := r == NoStore || r == PrivateResponse || r == VaryStar || r == StatusNotUnderstood
		if got := r.Revokes(); got != want {
			t.Errorf("%v.Revokes() = %v", r, got)
		}
	}
	for r, want := range map[Reason]Override{
		Storable: OverrideFreely, NoFreshness: OverrideFreely, NoStore: OverrideGranted, PrivateResponse: OverrideGranted,
		Authorized: OverrideGranted, SetsCookie: OverrideGranted, HasCookie: OverrideGranted, RequestNoStore: OverrideGranted,
		MethodNotCacheable: OverrideNever, VaryStar: OverrideNever, StatusOfCondition: OverrideNever,
	} {
		if got := r.Override(); got != want {
			t.Errorf("%v.Override() = %v, want %v", r, got, want)
		}
	}
}

func TestUnderstood(t *testing.T) {
	for status, want := range map[int]bool{200: true, 206: true, 207: false, 306: false, 308: true, 417: true, 418: false, 421: true, 422: true, 423: false, 426: true, 429: false, 505: true, 599: false} {
		if got := understood(status); got != want {
			t.Errorf("5.2.2.3: understood(%d) = %v", status, got)
		}
	}
}
