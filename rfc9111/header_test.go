package rfc9111

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestStoredHeader(t *testing.T) {
	date := "Date: " + dateOf(0)
	tests := []struct {
		name    string
		profile Profile
		got     []string
		want    []string
	}{
		{"3.1 unknown fields are kept", RFC(), []string{date, "Foo: 1", "Foo: 2"}, []string{date, "Foo: 1", "Foo: 2"}},
		{"3.1 Connection and what it lists", RFC(), []string{date, "Connection: a, B", "Connection: close", "A: 1", "B: 2", "C: 3"}, []string{date, "C: 3"}},
		{"3.1 a broken line of Connection", RFC(), []string{date, "Connection: a b", "Connection: c", "C: 3"}, []string{date}},
		{
			"3.1 the fields of one hop", RFC(),
			[]string{date, "Keep-Alive: a", "Proxy-Connection: a", "Te: a", "Transfer-Encoding: chunked", "Upgrade: a", "X: 1"},
			[]string{date, "X: 1"},
		},
		{
			"3.1 the client's proxy", RFC(),
			[]string{date, "Proxy-Authenticate: a", "Proxy-Authentication-Info: a", "Proxy-Authorization: a"},
			[]string{date},
		},
		{"4.2.3 Age is in the Freshness", RFC(), []string{date, "Age: 5"}, []string{date}},
		{"RFC 9110 6.6.1 Date is added", RFC(), []string{"X: 1"}, []string{date, "X: 1"}},
		{"5.2.2.4 fields of no-cache", RFC(), []string{date, `Cache-Control: no-cache="a, b"`, "A: 1", "B: 2", "C: 3"}, []string{date, `Cache-Control: no-cache="a, b"`, "C: 3"}},
		{"5.2.2.7 fields of private", RFC(), []string{date, `Cache-Control: private="a"`, "A: 1"}, []string{date, `Cache-Control: private="a"`}},
		{"5.2.2.7 private caches keep them", Profile{Private: true}, []string{date, `Cache-Control: private="a"`, "A: 1"}, []string{date, `Cache-Control: private="a"`, "A: 1"}},
		{"7.3 Set-Cookie", RFC(), []string{date, "Set-Cookie: a"}, []string{date, "Set-Cookie: a"}},
		{"7.3 Set-Cookie of the safe profile", Safe(), []string{date, "Set-Cookie: a"}, []string{date}},
		{"RFC 9213 2.2 targeted fields are kept for the next 304", RFC(), []string{date, "Edgecache-Cache-Control: a"}, []string{date, "Edgecache-Cache-Control: a"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			x := exchange(tt.got...)
			d := tt.profile.directives(x)
			got := tt.profile.StoredHeader(x, &d)
			if diff := cmp.Diff(header(tt.want...), got); diff != "" {
				t.Errorf("StoredHeader (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(header(tt.got...), x.Response); diff != "" {
				t.Errorf("the response was changed (-want +got):\n%s", diff)
			}
		})
	}
	p := RFC()
	if got := p.StoredHeader(&Exchange{ResponseTime: received}, &Directives{}); got.Get("Date") != dateOf(0) {
		t.Errorf("StoredHeader of no header is %v", got)
	}
}

func TestDeliveredHeader(t *testing.T) {
	h := header("Edgecache-Cache-Control: a", "Surrogate-Key: a", "Cache-Tag: a", "xkey: a", "Cdn-Cache-Control: a", "Cache-Groups: a", "X: 1")
	want := header("Cdn-Cache-Control: a", "Cache-Groups: a", "X: 1")
	if diff := cmp.Diff(want, DeliveredHeader(h)); diff != "" {
		t.Errorf("DeliveredHeader (-want +got):\n%s", diff)
	}
	if len(h) != 7 {
		t.Errorf("DeliveredHeader changed its argument to %v", h)
	}
	if n := testing.AllocsPerRun(10, func() { DeliveredHeader(want) }); n != 0 {
		t.Errorf("DeliveredHeader allocates %v times for a header with nothing to take out", n)
	}
}

func TestSetCondition(t *testing.T) {
	modified := "Last-Modified: " + dateOf(-time.Hour)
	since := "If-Modified-Since: " + dateOf(-time.Hour)
	client := []string{"If-None-Match: \"x\"", "If-Match: \"x\"", "If-Range: \"x\"", "If-Modified-Since: x", "If-Unmodified-Since: x", "Range: bytes=0-1", "A: b"}
	for _, tt := range []struct {
		name   string
		stored []string
		want   []string // nil: not changed
	}{
		{"4.3.1 both validators", []string{`Etag: "a"`, modified}, []string{`If-None-Match: "a"`, since, "A: b"}},
		{"4.3.1 a weak one", []string{`Etag: W/"a"`}, []string{`If-None-Match: W/"a"`, "A: b"}},
		{"4.3.1 Last-Modified alone", []string{modified}, []string{since, "A: b"}},
		{"4.3.1 none", nil, nil},
		{"4.3.1 no entity-tag", []string{"Etag: a"}, nil},
		{"4.3.1 no date", []string{`Etag: "a"`, "Last-Modified: x"}, []string{`If-None-Match: "a"`, "A: b"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			req := header(client...)
			ok := SetCondition(req, header(tt.stored...))
			want := header(tt.want...)
			if tt.want == nil {
				want = header(client...)
			}
			if diff := cmp.Diff(want, req); diff != "" || ok != (tt.want != nil) {
				t.Errorf("SetCondition = %v (-want +got):\n%s", ok, diff)
			}
		})
	}
}

func TestMatches304(t *testing.T) {
	lm, later := "Last-Modified: "+dateOf(-time.Hour), "Last-Modified: "+dateOf(0)
	tests := []struct {
		name        string
		stored, got []string
		sole        bool
		want        Match
	}{
		{"4.3.4 the same strong ETag", []string{`Etag: "a"`}, []string{`Etag: "a"`}, false, MatchStrong},
		{"4.3.4 the same strong ETag, another Last-Modified", []string{`Etag: "a"`, lm}, []string{`Etag: "a"`, later}, false, MatchStrong},
		{"4.3.4 another strong ETag", []string{`Etag: "a"`}, []string{`Etag: "b"`}, true, MatchNone},
		{"4.3.4 another strong ETag, the same Last-Modified", []string{`Etag: "a"`, lm}, []string{`Etag: "b"`, lm}, true, MatchNone},
		{"4.3.4 a strong ETag for a weak one", []string{`Etag: W/"a"`}, []string{`Etag: "a"`}, true, MatchNone},
		{"4.3.4 the same weak ETag", []string{`Etag: W/"a"`}, []string{`Etag: W/"a"`}, false, MatchWeak},
		{"4.3.4 a weak ETag for a strong one", []string{`Etag: "a"`}, []string{`Etag: W/"a"`}, false, MatchWeak},
		{"4.3.4 another weak ETag", []string{`Etag: W/"a"`}, []string{`Etag: W/"b"`}, true, MatchNone},
		{"4.3.4 the same Last-Modified", []string{lm}, []string{lm}, false, MatchWeak},
		{"4.3.4 the same time written otherwise", []string{"Last-Modified: Sunday, 06-Nov-94 08:49:37 GMT"}, []string{"Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT"}, false, MatchWeak},
		{"4.3.4 another Last-Modified", []string{lm}, []string{later}, true, MatchNone},
		{"4.3.4 Last-Modified of a stored ETag", []string{`Etag: "a"`, lm}, []string{lm}, false, MatchWeak},
		{"4.3.4 an ETag where none was stored", []string{"X: 1"}, []string{`Etag: "a"`}, true, MatchNone},
		{"4.3.4 an ETag where none was stored, the same Last-Modified", []string{lm}, []string{`Etag: "a"`, lm}, true, MatchWeak},
		{"4.3.4 no validator, one stored response", nil, nil, true, MatchWeak},
		{"4.3.4 no validator, several stored", nil, nil, false, MatchNone},
		{"RFC 9110 15.4.5 a forgotten ETag", []string{`Etag: "a"`}, nil, true, MatchWeak},
		{"RFC 9110 15.4.5 a forgotten ETag, several stored", []string{`Etag: "a"`}, nil, false, MatchNone},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Matches304(header(tt.stored...), header(tt.got...), tt.sole); got != tt.want {
				t.Errorf("Matches304(%v, %v, %v) = %v, want %v", tt.stored, tt.got, tt.sole, got, tt.want)
			}
		})
	}
}

func TestFreshen(t *testing.T) {
	stored := header(
		"Date: "+dateOf(-time.Hour), "Age: 5", "Cache-Control: max-age=1", "Content-Length: 36", "Content-Encoding: gzip",
		"Content-Range: bytes 0-1/2", "Content-Type: text/plain", "A: 1", "A: 2", "B: 1",
	)
	got := header(
		"Cache-Control: max-age=9", "Content-Length: 10", "Content-Encoding: br", "Content-Range: bytes 1-1/2",
		"Content-Type: text/html", "A: 3", "Connection: c", "C: 1", "New: 1",
	)
	want := header(
		"Cache-Control: max-age=9", "Content-Length: 36", "Content-Encoding: gzip", "Content-Range: bytes 0-1/2",
		"Content-Type: text/html", "A: 3", "B: 1", "New: 1",
	)
	if diff := cmp.Diff(want, Freshen(stored, got)); diff != "" {
		t.Errorf("3.2 (-want +got):\n%s", diff)
	}
	got.Set("Date", dateOf(0))
	got.Set("Age", "7")
	fresh := Freshen(stored, got)
	if fresh.Get("Date") != dateOf(0) || fresh.Get("Age") != "7" {
		t.Errorf("3.2: Date and Age are %q and %q", fresh.Get("Date"), fresh.Get("Age"))
	}
	if stored.Get("B") != "1" || stored.Get("Age") != "5" || len(got) != 11 {
		t.Errorf("Freshen changed its arguments to %v, %v", stored, got)
	}
	if fresh := Freshen(nil, nil); fresh == nil {
		t.Error("Freshen(nil, nil) is nil")
	}
}

func TestFreshenedIsJudgedAnew(t *testing.T) {
	p := RFC()
	x := exchange("Cache-Control: max-age=60", `Etag: "a"`, "Date: "+dateOf(-time.Hour), "Age: 3600")
	old := p.Store(x)
	h := p.StoredHeader(x, &old.Directives)
	again := exchange().with(func(x *Exchange) { x.Response = Freshen(h, header(`Etag: "a"`)) })
	none := NoRequestDirectives()
	if f := p.Store(again).Freshness; f.Reuse(received, &none) != Fresh {
		t.Errorf("4.3.4: after a 304 without Date and Age it is %+v, want fresh", f)
	}
}

func TestHeadAgrees(t *testing.T) {
	lm := "Last-Modified: " + dateOf(0)
	stored := header("Content-Length: 10", `Etag: "a"`, lm)
	for _, tt := range []struct {
		name string
		got  http.Header
		want bool
	}{
		{"4.3.5 all the same", stored, true},
		{"4.3.5 nothing said", header(), true},
		{"4.3.5 another length", header("Content-Length: 11", `Etag: "a"`), false},
		{"4.3.5 another ETag", header("Content-Length: 10", `Etag: "b"`), false},
		{"4.3.5 another Last-Modified", header("Content-Length: 10", "Last-Modified: "+dateOf(time.Hour)), false},
		{"4.3.5 the same ETag alone", header(`Etag: "a"`), true},
	} {
		if got := HeadAgrees(stored, tt.got); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
	if HeadAgrees(header(), header(`Etag: "a"`)) {
		t.Error("4.3.5: a received validator that is not stored agrees")
	}
}
