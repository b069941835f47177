package edgecache

import (
	"fmt"
	"reflect"
	"testing"

	"github.com/edgecache/edgecache/hostabi"
)

// shown returns a guest in whose call buffer a frame stands, as the host writes it, and the frame's length.
func shown(t *testing.T, f *hostabi.HTTPFrame, call func(*Frame, *Verdict)) (*guest, int32) {
	t.Helper()
	g := &guest{call: Call{buf: make([]byte, 4096)}}
	g.register(Plugin{HTTP: call})
	f.Put(g.call.buf[:f.Size()])
	return g, int32(f.Size())
}

func TestFrame(t *testing.T) {
	want := hostabi.HTTPFrame{
		Phase: HTTPPhaseDeliver, MethodNumber: HTTPMethodHead, Scheme: 1, Flags: HTTPFlagBarred | HTTPFlagStore, Status: 404,
		Outcome: HTTPOutcomeStale, Family: 4, Method: "HEAD", Host: "h", Target: "/t", Client: [16]byte{1, 2, 3, 4}, Age: 1, TTL: -2,
		SWR: 3, SIE: 4, Body: -1, KeyHash: 5, Frequency: 6,
		Request: []hostabi.HTTPLine{{Name: 1, Value: "a"}, {Name: 1, Value: "b"}}, Response: []hostabi.HTTPLine{{Name: 0, Value: "c"}},
	}
	g, n := shown(t, &want, func(f *Frame, _ *Verdict) {
		a, _ := f.Header(1)
		b, _ := f.HeaderLine(1, 1)
		c, _ := f.ResponseHeader(0)
		_, none := f.Header(0)
		_, third := f.HeaderLine(1, 2)
		_, second := f.ResponseHeaderLine(0, 1)
		client := []int{int(f.Client()[0]), len(f.Client())}
		got := fmt.Sprint(f.Phase(), f.MethodNumber(), f.HTTPS(), f.Barred(), f.Stored(), f.Status(), f.Outcome(), client,
			f.Age(), f.TTL(), f.SWR(), f.SIE(), f.BodyLen(), f.KeyHash(), f.Frequency(), none, third, second)
		if want := "6 2 true true true 404 2 [1 4] 1 -2 3 4 -1 5 6 false false false"; got != want {
			t.Errorf("the frame is %s, want %s", got, want)
		}
		got = fmt.Sprintf("%s %s %s %s %s %s", f.Method(), f.Host(), f.Target(), a, b, c)
		if want := "HEAD h /t a b c"; got != want {
			t.Errorf("the strings are %s, want %s", got, want)
		}
	})
	if b := g.http(n); len(b) != 0 {
		t.Errorf("who says nothing has said %x", b)
	}
}

func TestVerdict(t *testing.T) {
	set := []hostabi.HTTPEdit{
		{Field: HTTPFieldSet, Name: []byte("a"), Value: []byte("1")},
		{Field: HTTPFieldAdd, Name: []byte("b"), Value: []byte{}},
		{Field: HTTPFieldRemove, Name: []byte("c")},
	}
	for _, test := range []struct {
		phase uint8
		call  func(v *Verdict)
		want  hostabi.HTTPVerdict
	}{
		{HTTPPhaseRequest, func(v *Verdict) { v.Bypass() }, hostabi.HTTPVerdict{Action: HTTPActionBypass}},
		{HTTPPhaseRequest, func(v *Verdict) { v.Deny(403, "no") }, hostabi.HTTPVerdict{Action: HTTPActionDeny, Status: 403, Body: []byte("no")}},
		{HTTPPhaseRequest, func(v *Verdict) { v.Redirect(308, "/") }, hostabi.HTTPVerdict{Action: HTTPActionRedirect, Status: 308, Location: []byte("/")}},
		{HTTPPhaseRequest, func(v *Verdict) { v.Answer(200, "ok") }, hostabi.HTTPVerdict{Action: HTTPActionSynth, Status: 200, Body: []byte("ok")}},
		{HTTPPhaseDeliver, func(v *Verdict) { v.Set("a", "1"); v.Add("b", ""); v.Remove("c") }, hostabi.HTTPVerdict{Edits: set}},
		{HTTPPhaseKey, func(v *Verdict) { v.Target("/"); v.Hide(); v.Extra("x"); v.Vary("a", "1") }, hostabi.HTTPVerdict{
			Target: []byte("/"), HasTarget: true, Hide: true, Extra: []byte("x"), HasExtra: true,
			Vary: []hostabi.HTTPEdit{{Field: HTTPFieldVary, Name: []byte("a"), Value: []byte("1")}},
		}},
		{HTTPPhaseLookup, func(v *Verdict) { v.Miss(); v.Revalidate() }, hostabi.HTTPVerdict{Lookup: HTTPLookupRevalidate}},
		{HTTPPhaseResponse, func(v *Verdict) { v.Store(true); v.TTL(1); v.SWR(2); v.SIE(3); v.Tag("t") }, hostabi.HTTPVerdict{
			Store: true, HasStore: true, TTL: 1, SWR: 2, SIE: 3, HasTTL: true, HasSWR: true, HasSIE: true, Tags: [][]byte{[]byte("t")},
		}},
		{HTTPPhaseResponse, func(v *Verdict) { v.Store(false) }, hostabi.HTTPVerdict{HasStore: true}},
		{HTTPPhaseAdmit, func(v *Verdict) { v.Refuse() }, hostabi.HTTPVerdict{Refuse: true}},
	} {
		g, n := shown(t, &hostabi.HTTPFrame{}, func(_ *Frame, v *Verdict) { test.call(v) })
		var got hostabi.HTTPVerdict
		if err := got.Decode(test.phase, g.http(n)); err != nil || !reflect.DeepEqual(got, test.want) {
			t.Errorf("in phase %d: %+v, %v, want %+v", test.phase, got, err, test.want)
		}
	}
}

func TestWatch(t *testing.T) {
	var seen []HTTPEvent
	g := &guest{}
	g.register(Plugin{Watch: func(events []HTTPEvent) { seen = append(seen, events...) }})
	want := HTTPEvent{KeyHash: 1, Time: 2, Elapsed: 3, Size: 4, Age: 5, Status: 200, Method: HTTPMethodGet, Outcome: HTTPOutcomeHit}
	httpEvents(g.events[:])[1] = want
	if g.observe(2); len(seen) != 2 || seen[1] != want {
		t.Errorf("the events are %+v", seen)
	}
}
