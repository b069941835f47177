package httpguest

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/hostabi"
	"github.com/edgecache/edgecache/httphook"
	"github.com/edgecache/edgecache/plugins"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// actor does what requests ask for: see testdata/actor.c.
//
//go:embed testdata/actor.wasm
var actor []byte

//go:embed testdata/actor.json
var actorManifest string

// actorSource is the actor with its manifest changed by pairs of old and new text.
func actorSource(changes ...string) plugins.Source {
	return plugins.Source{Wasm: actor, Manifest: []byte(strings.NewReplacer(changes...).Replace(actorManifest))}
}

func pureSource() plugins.Source {
	return actorSource(`"failure"`, `"pure_key": true, "failure"`, `"request", "key", "lookup", "response", "admit", "deliver", "event"`, `"key"`)
}

func newHost(t testing.TB) *plugins.Host {
	t.Helper()
	h, err := plugins.NewHost(t.Context(), plugins.HostOptions{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(context.Background()); err != nil {
			t.Errorf("Host.Close: %v", err)
		}
	})
	return h
}

func load(t testing.TB, src plugins.Source) *Guest {
	t.Helper()
	g, err := Load(t.Context(), newHost(t), src)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// asking is a request to which the actor says what the fields hold.
func asking(fields ...byte) *httphook.Request {
	return &httphook.Request{
		Method: "GET", Scheme: "https", Host: "example.com", Target: "/a?b=1", Header: http.Header{"X-Verdict": {string(fields)}},
	}
}

// list puts fields behind each other.
func list(fields ...[]byte) (b []byte) {
	for _, f := range fields {
		b = append(b, f...)
	}
	return b
}

func one(field uint8, data string) []byte { return hostabi.AppendPatch(nil, field, []byte(data)) }

func edit(field uint8, name, value string) []byte {
	return hostabi.AppendHTTPEdit(nil, field, name, value)
}

func act(action uint8, status uint16) []byte { return hostabi.AppendHTTPAction(nil, action, status) }

func number(field uint8, ms int64) []byte {
	var b []byte
	for range 8 {
		b, ms = append(b, byte(ms)), ms>>8
	}
	return one(field, string(b))
}

func TestSpec(t *testing.T) {
	g := load(t, actorSource())
	want := httphook.Spec{
		Name: "actor", Phases: httphook.AllPhases, RequestHeaders: []string{"X-Verdict", "X-Do"},
		ResponseHeaders: []string{"Cache-Control", "Content-Type"}, FailClosed: true,
	}
	if got := g.Spec(); !reflect.DeepEqual(got, want) {
		t.Errorf("Spec = %+v, want %+v", got, want)
	}
	if g.Plugin().Hook() != nil || g.Plugin().Observer() != nil {
		t.Error("the plugin is a hook or an observer of commands, too")
	}
}

func TestRequest(t *testing.T) {
	g := load(t, actorSource())
	for _, test := range []struct {
		name    string
		verdict []byte
		want    httphook.RequestCall
	}{
		{"nothing", nil, httphook.RequestCall{}},
		{"pass", act(hostabi.HTTPActionPass, 0), httphook.RequestCall{}},
		{"bypass", act(hostabi.HTTPActionBypass, 0), httphook.RequestCall{Action: httphook.Bypass}},
		{
			"deny", list(act(hostabi.HTTPActionDeny, 403), one(hostabi.HTTPFieldBody, "no bots"), edit(hostabi.HTTPFieldSet, "x-why", "bot")),
			httphook.RequestCall{
				Action: httphook.Deny, Status: 403, Body: []byte("no bots"),
				Edits: httphook.Edits{{Op: httphook.Set, Name: "X-Why", Value: "bot"}},
			},
		},
		{
			"redirect", list(act(hostabi.HTTPActionRedirect, 301), one(hostabi.HTTPFieldLocation, "https://example.org/")),
			httphook.RequestCall{Action: httphook.Redirect, Status: 301, Location: "https://example.org/"},
		},
		{
			"synth", list(act(hostabi.HTTPActionSynth, 200), one(hostabi.HTTPFieldBody, "ok")),
			httphook.RequestCall{Action: httphook.Synth, Status: 200, Body: []byte("ok")},
		},
		{
			"edits", list(edit(hostabi.HTTPFieldSet, "x-a", " 1 "), edit(hostabi.HTTPFieldAdd, "X-B", "2"), edit(hostabi.HTTPFieldRemove, "cookie", "")),
			httphook.RequestCall{Edits: httphook.Edits{
				{Op: httphook.Set, Name: "X-A", Value: "1"}, {Op: httphook.Add, Name: "X-B", Value: "2"}, {Op: httphook.Remove, Name: "Cookie"},
			}},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			var c httphook.RequestCall
			r := asking(test.verdict...)
			c.Reset(r)
			if err := g.Request(t.Context(), &c); err != nil {
				t.Fatal(err)
			}
			test.want.Request = r
			if got, want := fmt.Sprintf("%+v", c), fmt.Sprintf("%+v", test.want); got != want {
				t.Errorf("the call is\n%s, want\n%s", got, want)
			}
		})
	}
}

// TestAnswersEdits sees that edits of hooks ahead, of the request, are none of the answer.
func TestAnswersEdits(t *testing.T) {
	g := load(t, actorSource())
	var c httphook.RequestCall
	c.Reset(asking(list(act(hostabi.HTTPActionDeny, 404), edit(hostabi.HTTPFieldSet, "x-a", "1"))...))
	c.Edits.Set("Authorization", "secret")
	if err := g.Request(t.Context(), &c); err != nil || len(c.Edits) != 1 || c.Edits[0].Name != "X-A" {
		t.Errorf("Request = %v, edits %v", err, c.Edits)
	}
}

func TestKey(t *testing.T) {
	g := load(t, actorSource())
	var c httphook.KeyCall
	r := asking(list(
		one(hostabi.HTTPFieldTarget, "/a"), one(hostabi.HTTPFieldExtra, "B"), edit(hostabi.HTTPFieldVary, "accept-language", "en"),
	)...)
	c.Reset(r)
	if err := g.Key(t.Context(), &c); err != nil {
		t.Fatal(err)
	}
	want := httphook.KeyCall{Request: r, Target: "/a", Forward: true, Extra: "B", Vary: []httphook.Field{{Name: "Accept-Language", Value: "en"}}}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("the call is %+v, want %+v", c, want)
	}
	r.Header = asking(list(one(hostabi.HTTPFieldHide, ""), one(hostabi.HTTPFieldExtra, "C"))...).Header
	if err := g.Key(t.Context(), &c); err != nil || c.Forward || c.Target != "/a" || c.Extra != "B\x001\x00C" {
		t.Errorf("Key = %v, the call is %+v", err, c)
	}
}

func TestPureKey(t *testing.T) {
	g := load(t, pureSource())
	var c httphook.KeyCall
	r := &httphook.Request{
		Method: "GET", Scheme: "https", Host: "example.com", Target: "/a", Client: netip.MustParseAddr("::1"),
		Header: http.Header{"X-Do": {"t"}},
	}
	for range 5 {
		c.Reset(r)
		if err := g.Key(t.Context(), &c); err != nil {
			t.Fatal(err)
		}
		if c.Target != "/a/key" || !c.Forward || c.Extra != "00" {
			t.Fatalf("the call is %+v", c)
		}
	}
	if n := calls(t, g); n != 2 {
		t.Errorf("the guest was called %d times, want 2: it is remembered what came twice", n)
	}
	for _, change := range []func(){
		func() { r.Host = "example.org" },
		func() { r.Scheme = "http" },
		func() { r.Target = "/b" },
	} {
		before := calls(t, g)
		change()
		c.Reset(r)
		if err := g.Key(t.Context(), &c); err != nil || c.Target != r.Target+"/key" || calls(t, g) != before+1 {
			t.Errorf("Key = %v, the call is %+v", err, c)
		}
	}
}

// TestPureKeySwap sees that what one version did is not taken for another's.
func TestPureKeySwap(t *testing.T) {
	g := load(t, pureSource())
	var c httphook.KeyCall
	key := func() {
		c.Reset(&httphook.Request{Scheme: "https", Host: "h", Target: "/a"})
		if err := g.Key(t.Context(), &c); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		key()
	}
	src := pureSource()
	src.Config = []byte(`{"other": true}`)
	if err := g.Plugin().Swap(t.Context(), src); err != nil {
		t.Fatal(err)
	}
	before := calls(t, g)
	if key(); calls(t, g) != before+1 {
		t.Error("the new version was not asked")
	}
	if err := g.Plugin().Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.Reset(&httphook.Request{Scheme: "https", Host: "h", Target: "/a"})
	if err := g.Key(t.Context(), &c); !errors.Is(err, core.ErrPlugin) {
		t.Errorf("Key after Close = %v", err)
	}
}

// calls returns how often the guest counted itself called.
func calls(t *testing.T, g *Guest) uint64 {
	t.Helper()
	return figures(t, g)[0]
}

func figures(t *testing.T, g *Guest) (all []uint64) {
	t.Helper()
	r, err := g.Report()
	if err != nil || len(r.Rows) == 0 {
		t.Fatalf("Report = %v, %v", r, err)
	}
	for _, f := range r.Rows[0].Figures {
		all = append(all, f.Count)
	}
	return all
}

func TestLookup(t *testing.T) {
	g := load(t, actorSource())
	var c httphook.LookupCall
	for verdict, want := range []httphook.Lookup{httphook.Use, httphook.Revalidate, httphook.Miss} {
		c.Reset(asking(one(hostabi.HTTPFieldLookup, string(byte(verdict)))...))
		c.Header = http.Header{"Content-Type": {"text/html"}}
		if err := g.Lookup(t.Context(), &c); err != nil || c.Verdict != want {
			t.Errorf("Lookup = %v, verdict %d, want %d", err, c.Verdict, want)
		}
	}
	c.Request = asking(one(hostabi.HTTPFieldLookup, "\x00")...)
	if err := g.Lookup(t.Context(), &c); err != nil || c.Verdict != httphook.Miss {
		t.Errorf("Lookup = %v, verdict %d: what a hook ahead said counts", err, c.Verdict)
	}
}

func TestResponse(t *testing.T) {
	more := list(
		one(hostabi.HTTPFieldStore, "\x01"), number(hostabi.HTTPFieldTTL, 60_000), number(hostabi.HTTPFieldSWR, 2000),
		number(hostabi.HTTPFieldSIE, 1<<62), one(hostabi.HTTPFieldTag, "a"), one(hostabi.HTTPFieldTag, "b"),
		edit(hostabi.HTTPFieldRemove, "server", ""),
	)
	less := list(one(hostabi.HTTPFieldStore, "\x00"), number(hostabi.HTTPFieldTTL, 0))
	long := httphook.Lifetime{Store: true, TTL: time.Minute, SWR: 2 * time.Second, SIE: 1 << 31 * time.Second}
	short := httphook.Lifetime{TTL: time.Second}
	for _, test := range []struct {
		name     string
		barred   bool
		lengthen bool
		verdict  []byte
		begin    httphook.Lifetime
		want     httphook.Lifetime
	}{
		{"longer", false, false, more, short, long},
		{"longer than barred", true, false, more, short, short},
		{"longer than barred, granted", true, true, more, short, long},
		{"shorter", true, false, less, long, httphook.Lifetime{SWR: long.SWR, SIE: long.SIE}},
		{"nothing", true, false, nil, long, long},
	} {
		t.Run(test.name, func(t *testing.T) {
			src := actorSource()
			if test.lengthen {
				src = actorSource(`"failure"`, `"lengthen": true, "failure"`)
				src.Grants.Needs = []string{"lengthen"}
			}
			g := load(t, src)
			var c httphook.ResponseCall
			c.Reset(asking(test.verdict...))
			c.Status, c.Header, c.Barred, c.Lifetime = 200, http.Header{}, test.barred, test.begin
			if err := g.Response(t.Context(), &c); err != nil || c.Lifetime != test.want {
				t.Errorf("Response = %v, %+v, want %+v", err, c.Lifetime, test.want)
			}
			if test.name == "longer" && (fmt.Sprint(c.Tags) != "[a b]" || len(c.Edits) != 1 || c.Edits[0].Name != "Server") {
				t.Errorf("tags %v, edits %v", c.Tags, c.Edits)
			}
		})
	}
}

func TestLengthenNeedsAGrant(t *testing.T) {
	_, err := Load(t.Context(), newHost(t), actorSource(`"failure"`, `"lengthen": true, "failure"`))
	if err == nil || !strings.Contains(err.Error(), "lengthen") {
		t.Errorf("Load = %v", err)
	}
}

func TestAdmitAndDeliver(t *testing.T) {
	g := load(t, actorSource())
	var a httphook.AdmitCall
	a.Reset(asking(one(hostabi.HTTPFieldRefuse, "")...))
	if err := g.Admit(t.Context(), &a); err != nil || !a.Refuse {
		t.Errorf("Admit = %v, %+v", err, a)
	}
	var d httphook.DeliverCall
	d.Reset(asking(edit(hostabi.HTTPFieldAdd, "set-cookie", "ab=B")...))
	d.Outcome = httphook.OutcomeHit
	if err := g.Deliver(t.Context(), &d); err != nil || len(d.Edits) != 1 || d.Edits[0] != (httphook.Edit{Op: httphook.Add, Name: "Set-Cookie", Value: "ab=B"}) {
		t.Errorf("Deliver = %v, %+v", err, d)
	}
}

// TestLies sees that no verdict that is not right does anything, and that each costs the guest its instance.
func TestLies(t *testing.T) {
	set := func(name, value string) []byte { return edit(hostabi.HTTPFieldSet, name, value) }
	for _, test := range []struct {
		name, text string
		verdict    []byte
	}{
		{"head", "ends within a field's head", []byte{1, 0, 0}},
		{"long field", "says 4294967295 bytes", []byte{4, 0xff, 0xff, 0xff, 0xff}},
		{"unknown field", "field 18", one(18, "")},
		{"field of another phase", "field 13: it has no place in phase request", number(hostabi.HTTPFieldTTL, 1)},
		{"short action", "it has 3 bytes, not 4", one(hostabi.HTTPFieldAction, "\x00\x00\x00")},
		{"unknown action", "4 is the last number", act(5, 200)},
		{"status of pass", "with an answer", act(hostabi.HTTPActionPass, 200)},
		{"status of deny", "status 200", act(hostabi.HTTPActionDeny, 200)},
		{"status of redirect", "status 304", act(hostabi.HTTPActionRedirect, 304)},
		{"status of synth", "status 199", act(hostabi.HTTPActionSynth, 199)},
		{"body of 304", "no body", list(act(hostabi.HTTPActionSynth, 304), one(hostabi.HTTPFieldBody, "x"))},
		{"no location", "location is empty", act(hostabi.HTTPActionRedirect, 302)},
		{"location that ends its line", "byte 0x0d", list(act(hostabi.HTTPActionRedirect, 302), one(hostabi.HTTPFieldLocation, "/\r\nSet-Cookie: a=b"))},
		{"short edit", "begins with 2", one(hostabi.HTTPFieldSet, "x")},
		{"name longer than the edit", "its name is 65535 bytes of 1", one(hostabi.HTTPFieldSet, "\xff\xffx")},
		{"CR LF", "byte 0x0d", set("x-a", "1\r\nSet-Cookie: a=b")},
		{"LF", "byte 0x0a", set("x-a", "1\nSet-Cookie: a=b")},
		{"NUL", "byte 0x00", set("x-a", "1\x00")},
		{"CR LF in a name", "is no token", set("x-a: b\r\nx-c", "1")},
		{"no name", "is no token", set("", "1")},
		{"colon", "is no token", edit(hostabi.HTTPFieldRemove, "a:b", "")},
		{"framing", "belongs to the connection", set("Transfer-Encoding", "chunked")},
		{"length", "belongs to the connection", edit(hostabi.HTTPFieldRemove, "content-length", "")},
		{"host", "belongs to the connection", set("host", "other")},
		{"long value", "at most 8192", set("x-a", strings.Repeat("a", 8193))},
		{"edits", "64 edits", []byte(strings.Repeat(string(set("x-a", "1")), 65))},
		{"body", "65536 bytes", one(hostabi.HTTPFieldBody, strings.Repeat("a", 63<<10)+"")},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := load(t, actorSource())
			var c httphook.RequestCall
			r := asking(list(set("x-right", "1"), test.verdict)...)
			c.Reset(r)
			err := g.Request(t.Context(), &c)
			if test.name == "body" { // it fits, but belongs to no answer
				test.text = "lets the request go on with an answer"
			}
			guest, ok := errors.AsType[*plugins.GuestError](err)
			if !ok || guest.Kind != plugins.FailureProtocol || !strings.Contains(err.Error(), test.text) {
				t.Errorf("Request = %v, want a failure that says %q", err, test.text)
			}
			if c.Action != httphook.Pass || len(c.Edits) != 0 || len(c.Body) != 0 || c.Location != "" {
				t.Errorf("the call has become %+v", c)
			}
		})
	}
}

// TestLiesOfOtherPhases has the checks that only other phases have.
func TestLiesOfOtherPhases(t *testing.T) {
	key := func(g *Guest, r *httphook.Request) error {
		var c httphook.KeyCall
		c.Reset(r)
		err := g.Key(context.Background(), &c)
		if c.Target != r.Target || !c.Forward || c.Extra != "" || len(c.Vary) != 0 {
			return fmt.Errorf("the call has become %+v: %w", c, err)
		}
		return err
	}
	response := func(g *Guest, r *httphook.Request) error {
		var c httphook.ResponseCall
		c.Reset(r)
		err := g.Response(context.Background(), &c)
		if c.Lifetime != (httphook.Lifetime{}) || len(c.Tags) != 0 || len(c.Edits) != 0 {
			return fmt.Errorf("the call has become %+v: %w", c, err)
		}
		return err
	}
	lookup := func(g *Guest, r *httphook.Request) error {
		var c httphook.LookupCall
		c.Reset(r)
		return g.Lookup(context.Background(), &c)
	}
	extra := one(hostabi.HTTPFieldExtra, "x")
	for _, test := range []struct {
		name, text string
		call       func(*Guest, *httphook.Request) error
		verdict    []byte
	}{
		{"target without a slash", "slash", key, list(extra, one(hostabi.HTTPFieldTarget, "http://other/"))},
		{"target with a space", "byte 0x20", key, list(extra, one(hostabi.HTTPFieldTarget, "/a HTTP/1.1"))},
		{"target with CR LF", "byte 0x0d", key, list(extra, one(hostabi.HTTPFieldTarget, "/\r\nHost: x"))},
		{"vary with CR LF", "byte 0x0a", key, list(extra, edit(hostabi.HTTPFieldVary, "a", "1"), edit(hostabi.HTTPFieldVary, "a", "\n"))},
		{"long extra", "1024 bytes", key, one(hostabi.HTTPFieldExtra, strings.Repeat("x", 1025))},
		{"hide with bytes", "1 bytes, not 0", key, one(hostabi.HTTPFieldHide, "x")},
		{"unknown lookup", "2 is the last", lookup, one(hostabi.HTTPFieldLookup, "\x03")},
		{"store", "1 is the last", response, one(hostabi.HTTPFieldStore, "\x02")},
		{"time below 0", "-1 ms", response, list(number(hostabi.HTTPFieldTTL, 5), number(hostabi.HTTPFieldSIE, -1))},
		{"tag with a comma", "byte 0x2c", response, list(number(hostabi.HTTPFieldTTL, 5), one(hostabi.HTTPFieldTag, "a,b"))},
		{"empty tag", "a tag is empty", response, one(hostabi.HTTPFieldTag, "")},
		{"long tag", "256 bytes", response, one(hostabi.HTTPFieldTag, strings.Repeat("a", 257))},
		{"tags", "64 tags", response, []byte(strings.Repeat(string(one(hostabi.HTTPFieldTag, "a")), 65))},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := test.call(load(t, actorSource()), asking(test.verdict...))
			guest, ok := errors.AsType[*plugins.GuestError](err)
			if !ok || guest.Kind != plugins.FailureProtocol || !strings.Contains(err.Error(), test.text) {
				t.Errorf("the error is %v, want a failure that says %q", err, test.text)
			}
		})
	}
}

// TestMisbehaving has guests that trap, loop and point outside of their memory.
func TestMisbehaving(t *testing.T) {
	for how, kind := range map[string]plugins.FailureKind{
		"t": plugins.FailureTrap, "l": plugins.FailureFuel, "w": plugins.FailureProtocol, "z": plugins.FailureProtocol,
		"h": plugins.FailureProtocol, "f": plugins.FailureProtocol,
	} {
		for _, failure := range []string{"closed", "open"} {
			t.Run(how+" "+failure, func(t *testing.T) {
				g := load(t, actorSource(`"closed"`, `"`+failure+`"`))
				var c httphook.RequestCall
				c.Reset(&httphook.Request{Target: "/", Header: http.Header{"X-Do": {how}}})
				err := g.Request(t.Context(), &c)
				guest, ok := errors.AsType[*plugins.GuestError](err)
				if failure == "closed" && (!ok || guest.Kind != kind) || failure == "open" && err != nil {
					t.Errorf("Request = %v, want %v", err, kind)
				}
				if n := g.Plugin().Stats().Failures[kind.String()]; n != 1 {
					t.Errorf("%d failures were counted", n)
				}
				c.Reset(asking(act(hostabi.HTTPActionBypass, 0)...))
				if err := g.Request(t.Context(), &c); err != nil || c.Action != httphook.Bypass {
					t.Errorf("then: Request = %v, %+v", err, c)
				}
			})
		}
	}
}

// TestBreaker sees that a guest that fails again and again is left out.
func TestBreaker(t *testing.T) {
	g := load(t, actorSource(`"closed"`, `"open"`))
	var c httphook.RequestCall
	for range 10 {
		c.Reset(&httphook.Request{Target: "/", Header: http.Header{"X-Do": {"t"}}})
		if err := g.Request(t.Context(), &c); err != nil {
			t.Fatal(err)
		}
	}
	if s := g.Plugin().Stats(); s.Failures["trap"] != 5 || s.Skipped != 5 || s.Breaker != "open" {
		t.Errorf("the figures are %+v", s)
	}
}

// TestFailuresAreNotRemembered sees that a pure key is not taken for unchanged because the guest failed.
func TestFailuresAreNotRemembered(t *testing.T) {
	src := pureSource()
	src.Config, src.Grants.Failure = []byte(`{"trap": true}`), "open"
	g := load(t, src)
	var c httphook.KeyCall
	for range 3 {
		c.Reset(&httphook.Request{Scheme: "http", Host: "h", Target: "/a"})
		if err := g.Key(t.Context(), &c); err != nil || c.Target != "/a" {
			t.Fatalf("Key = %v, the call is %+v", err, c)
		}
	}
	if n, failed := g.memo.count(), g.Plugin().Stats().Failures["trap"]; n != 0 || failed != 3 {
		t.Errorf("%d keys are remembered, %d calls failed", n, failed)
	}
}

// count returns how many keys are remembered.
func (m *memo) count() (n int) {
	for i := range m.slots {
		if m.slots[i].entry.Load() != nil {
			n++
		}
	}
	return n
}

func TestTooLong(t *testing.T) {
	for _, failure := range []string{"closed", "open"} {
		g := load(t, actorSource(`"closed"`, `"`+failure+`"`))
		var c httphook.RequestCall
		c.Reset(&httphook.Request{Target: "/" + strings.Repeat("a", hostabi.MaxHTTPFrame)})
		err := g.Request(t.Context(), &c)
		if closed := failure == "closed"; closed != errors.Is(err, core.ErrBadKey) {
			t.Errorf("%s: Request = %v", failure, err)
		}
		if s := g.Plugin().Stats(); s.Refused != 1 || len(s.Failures) != 0 {
			t.Errorf("%s: the figures are %+v", failure, s)
		}
	}
}

func TestSwapKeepsWhatTheCacheWasTold(t *testing.T) {
	g := load(t, actorSource())
	for _, change := range [][2]string{
		{`"key", `, ``},
		{`"x-verdict", "x-do"`, `"x-do", "x-verdict"`},
		{`, "content-type"`, ``},
		{`"failure"`, `"pure_key": true, "failure"`},
	} {
		if err := g.Plugin().Swap(t.Context(), actorSource(change[0], change[1])); !errors.Is(err, plugins.ErrOtherWants) {
			t.Errorf("Swap with %s = %v", change[1], err)
		}
	}
	if err := g.Plugin().Swap(t.Context(), actorSource(`"closed"`, `"open"`)); err != nil {
		t.Error(err)
	}
}

// TestShadow sees that a new version is tried out on frames of late, and refused if it fails.
func TestShadow(t *testing.T) {
	g := load(t, actorSource(`"closed"`, `"open"`))
	var c httphook.RequestCall
	for range 300 {
		c.Reset(asking(act(hostabi.HTTPActionBypass, 0)...))
		if err := g.Request(t.Context(), &c); err != nil {
			t.Fatal(err)
		}
	}
	src := actorSource()
	src.Config = []byte(`{"trap": true}`)
	if err := g.Plugin().Swap(t.Context(), src); err == nil || !strings.Contains(err.Error(), "in the shadow") {
		t.Errorf("Swap = %v", err)
	}
	c.Reset(asking(act(hostabi.HTTPActionBypass, 0)...))
	if err := g.Request(t.Context(), &c); err != nil || c.Action != httphook.Bypass {
		t.Errorf("then: Request = %v, %+v", err, c)
	}
}

func TestObserve(t *testing.T) {
	g := load(t, actorSource())
	events := make([]httphook.Event, 600)
	for i := range events {
		events[i].Size = uint32(i)
	}
	g.Observe(events)
	if f := figures(t, g); f[1] != 600 || f[2] != 600*599/2 {
		t.Errorf("the guest saw %d events of %d bytes", f[1], f[2])
	}
	e := httphook.Event{
		KeyHash: 1, Time: 2, Elapsed: 3, Size: 4, Age: 5, Status: 404, Method: httphook.MethodGet, Outcome: httphook.OutcomeHit,
	}
	if b := appendEvent(nil, &e); string(b) != string(eventBytes([]httphook.Event{e})) {
		t.Errorf("an event is %x", b)
	}
}

func TestWrongKindOfModule(t *testing.T) {
	h := newHost(t)
	if _, err := h.Load(t.Context(), actorSource()); err == nil || !strings.Contains(err.Error(), "HTTP cache") {
		t.Errorf("Host.Load = %v", err)
	}
	hook := actorSource(`"http/1"`, `"hook/1"`, `"phases"`, `"hooks"`, `"request", "key", "lookup", "response", "admit", "deliver", "event"`, `"before"], "ops": ["*"`,
		`"response_headers": ["cache-control", "content-type"],`, ``)
	if _, err := Load(t.Context(), h, hook); err == nil || !strings.Contains(err.Error(), `"http/1"`) {
		t.Errorf("Load = %v", err)
	}
}

func TestAllocations(t *testing.T) {
	g, pure := load(t, actorSource()), load(t, pureSource())
	r := &httphook.Request{Method: "GET", Scheme: "https", Host: "example.com", Target: "/a?b=1", Header: http.Header{}}
	var request httphook.RequestCall
	var key httphook.KeyCall
	ctx := context.Background()
	if n := testing.AllocsPerRun(1000, func() { request.Reset(r); _ = g.Request(ctx, &request) }); n != 0 {
		t.Errorf("a request that passes: %v allocations", n)
	}
	if n := testing.AllocsPerRun(1000, func() { key.Reset(r); _ = pure.Key(ctx, &key) }); n != 0 {
		t.Errorf("a key that is remembered: %v allocations", n)
	}
	events := make([]httphook.Event, 256)
	if n := testing.AllocsPerRun(1000, func() { g.Observe(events) }); n != 0 {
		t.Errorf("events: %v allocations", n)
	}
}

func BenchmarkRequest(b *testing.B) {
	g := load(b, actorSource())
	r := &httphook.Request{
		Method: "GET", Scheme: "https", Host: "www.example.com", Target: "/products/17?a=1&b=2", Client: netip.MustParseAddr("192.0.2.7"),
		Header: http.Header{"User-Agent": {"Mozilla/5.0"}, "Accept": {"*/*"}},
	}
	var c httphook.RequestCall
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		c.Reset(r)
		if err := g.Request(ctx, &c); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkKey(b *testing.B) {
	r := &httphook.Request{Method: "GET", Scheme: "https", Host: "www.example.com", Target: "/products/17?a=1&b=2"}
	for name, src := range map[string]plugins.Source{"called": actorSource(), "remembered": pureSource()} {
		b.Run(name, func(b *testing.B) {
			g := load(b, src)
			var c httphook.KeyCall
			ctx := context.Background()
			b.ReportAllocs()
			for b.Loop() {
				c.Reset(r)
				if err := g.Key(ctx, &c); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
