package hostabi

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
)

// wholeFrame has all there is.
func wholeFrame() *HTTPFrame {
	return &HTTPFrame{
		Phase: HTTPPhaseDeliver, MethodNumber: HTTPMethodGet, Scheme: 1, Flags: HTTPFlagBarred, Status: 200, Outcome: HTTPOutcomeHit,
		Family: 4, Method: "GET", Host: "example.com", Target: "/a?b", Client: [16]byte{192, 0, 2, 1}, Age: 1, TTL: -2, SWR: 3, SIE: 4,
		Body: -1, KeyHash: 5, Frequency: 6, Request: []HTTPLine{{0, "one"}, {0, ""}, {2, "three"}}, Response: []HTTPLine{{1, "two"}},
	}
}

func TestHTTPFrame(t *testing.T) {
	for _, want := range []*HTTPFrame{{}, wholeFrame()} {
		b := bytes.Repeat([]byte{0xff}, want.Size()) // what the call before left
		want.Put(b)
		got, err := DecodeHTTPFrame(b, 3, 2)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("DecodeHTTPFrame = %+v, %v, want %+v", got, err, want)
		}
	}
}

func TestHTTPFrameErrors(t *testing.T) {
	f := wholeFrame()
	for _, test := range []struct {
		text   string
		names  [2]int
		damage func(b []byte) []byte
	}{
		{"shorter", [2]int{3, 2}, func(b []byte) []byte { return b[:HTTPFrameStrings-1] }},
		{"shorter", [2]int{3, 2}, func(b []byte) []byte { return b[:len(b)-1] }},
		{"outside of the frame", [2]int{3, 2}, func(b []byte) []byte { b[HTTPFrameHost+7] = 0xff; return b }},
		{"outside of the frame", [2]int{3, 2}, func(b []byte) []byte { b[HTTPFrameRequestLines+5] = 1; return b }},
		{"outside of the frame", [2]int{3, 2}, func(b []byte) []byte { b[HTTPFrameStrings+HTTPLineOffset+3] = 1; return b }},
		{"of field 2", [2]int{2, 2}, func(b []byte) []byte { return b }},
	} {
		b := make([]byte, f.Size())
		f.Put(b)
		if _, err := DecodeHTTPFrame(test.damage(b), test.names[0], test.names[1]); err == nil || !strings.Contains(err.Error(), test.text) {
			t.Errorf("DecodeHTTPFrame = %v, want %q", err, test.text)
		}
	}
}

func TestHTTPVerdictIsUsedAgain(t *testing.T) {
	var v HTTPVerdict
	b := AppendHTTPAction(nil, HTTPActionDeny, 403)
	b = AppendHTTPEdit(b, HTTPFieldSet, "x-a", "1")
	if err := v.Decode(HTTPPhaseRequest, b); err != nil || v.Status != 403 || len(v.Edits) != 1 || string(v.Edits[0].Value) != "1" {
		t.Errorf("Decode = %v, %+v", err, v)
	}
	if err := v.Decode(HTTPPhaseKey, AppendPatch(nil, HTTPFieldExtra, []byte("x"))); err != nil || v.Status != 0 || len(v.Edits) != 0 || !v.HasExtra {
		t.Errorf("Decode = %v, %+v", err, v)
	}
}

func FuzzHTTPVerdict(f *testing.F) {
	f.Add(uint8(HTTPPhaseRequest), AppendHTTPEdit(AppendHTTPAction(nil, HTTPActionSynth, 200), HTTPFieldRemove, "x", ""))
	f.Add(uint8(HTTPPhaseKey), AppendHTTPEdit(AppendPatch(nil, HTTPFieldTarget, []byte("/")), HTTPFieldVary, "a", "b"))
	f.Add(uint8(HTTPPhaseLookup), AppendPatch(nil, HTTPFieldLookup, []byte{2}))
	f.Add(uint8(HTTPPhaseResponse), AppendPatch(AppendPatch(nil, HTTPFieldTTL, make([]byte, 8)), HTTPFieldTag, []byte("t")))
	f.Add(uint8(HTTPPhaseAdmit), AppendPatch(nil, HTTPFieldRefuse, nil))
	f.Add(uint8(0), []byte{HTTPFieldSet, 2, 0, 0, 0, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, phase uint8, b []byte) {
		var v HTTPVerdict
		if v.Decode(phase, b) != nil {
			return
		}
		if len(v.Edits) > MaxHTTPEdits || len(v.Vary) > MaxHTTPVary || len(v.Tags) > MaxHTTPTags || len(v.Body) > MaxHTTPBody ||
			v.TTL < 0 || v.SWR < 0 || v.SIE < 0 || v.Action >= HTTPActionCount || v.Lookup >= HTTPLookupCount {
			t.Errorf("a verdict is %+v", v)
		}
		if phase != HTTPPhaseRequest && (v.Action != 0 || v.Body != nil) || phase != HTTPPhaseKey && (v.HasTarget || v.Hide || v.HasExtra) ||
			phase != HTTPPhaseResponse && (v.HasStore || v.HasTTL || v.Tags != nil) || phase != HTTPPhaseAdmit && v.Refuse {
			t.Errorf("in phase %d a verdict is %+v", phase, v)
		}
	})
}

func FuzzHTTPFrame(f *testing.F) {
	b := make([]byte, wholeFrame().Size())
	wholeFrame().Put(b)
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		frame, err := DecodeHTTPFrame(b, 3, 2)
		if err != nil {
			return
		}
		again := make([]byte, frame.Size())
		frame.Put(again)
		if same, err := DecodeHTTPFrame(again, 3, 2); err != nil || !reflect.DeepEqual(same, frame) {
			t.Errorf("DecodeHTTPFrame = %+v, %v, want %+v", same, err, frame)
		}
	})
}

func TestHTTPManifests(t *testing.T) {
	const good = `{"name": "x", "version": "1", "abi": "http/1", "phases": ["request", "key", "event"], "headers": ["cookie"], ` +
		`"response_headers": ["age"], "pure_key": true, "lengthen": true, "needs": ["kv"]}`
	m, err := ParseManifest([]byte(good))
	if err != nil || !m.PureKey || !m.Lengthen || !m.WantsPhase("event") || m.Marker() != ExportHTTPMarker {
		t.Fatalf("ParseManifest = %+v, %v", m, err)
	}
	for _, test := range [][3]string{
		{`["request", "key", "event"]`, `[]`, "phases: none given"},
		{`["request", "key", "event"]`, `["key", "before"]`, `"before" is not known`},
		{`["request", "key", "event"]`, `["request"]`, "pure_key"},
		{`"pure_key"`, `"stateful": true, "pure_key"`, "pure_key"},
		{`"pure_key"`, `"hooks": ["before"], "pure_key"`, "hooks, ops, keys, pure"},
		{`"pure_key"`, `"ops": ["*"], "pure_key"`, "hooks, ops, keys, pure"},
		{`["cookie"]`, `["Cookie"]`, `"Cookie"`},
		{`["cookie"]`, `["cookie", "cookie"]`, "stands twice"},
		{`["age"]`, `["a:b"]`, `response_headers: name "a:b"`},
		{`["kv"]`, `["value"]`, `"value" is not known`},
		{`"http/1"`, `"hook/1"`, `they are for abi "http/1"`},
		{`"http/1"`, `"policy/1"`, "a policy"},
	} {
		if _, err := ParseManifest([]byte(strings.Replace(good, test[0], test[1], 1))); err == nil || !strings.Contains(err.Error(), test[2]) {
			t.Errorf("with %s: ParseManifest = %v, want %q", test[1], err, test[2])
		}
	}
}
