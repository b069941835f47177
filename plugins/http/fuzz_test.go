package httpguest

import (
	"strings"
	"testing"

	"github.com/edgecache/edgecache/hostabi"
	"github.com/edgecache/edgecache/httphook"
)

// FuzzVerdict sees that whatever a guest says, what comes of it can stand in a message, and that what is refused changes
// nothing.
func FuzzVerdict(f *testing.F) {
	f.Add(uint8(hostabi.HTTPPhaseRequest), list(act(hostabi.HTTPActionDeny, 403), one(hostabi.HTTPFieldBody, "x"), edit(hostabi.HTTPFieldSet, "a", "b")))
	f.Add(uint8(hostabi.HTTPPhaseRequest), list(act(hostabi.HTTPActionRedirect, 308), one(hostabi.HTTPFieldLocation, "/\r\n")))
	f.Add(uint8(hostabi.HTTPPhaseKey), list(one(hostabi.HTTPFieldTarget, "/a?b"), one(hostabi.HTTPFieldExtra, "\x00"), edit(hostabi.HTTPFieldVary, "a", "b")))
	f.Add(uint8(hostabi.HTTPPhaseResponse), list(number(hostabi.HTTPFieldTTL, 1<<62), one(hostabi.HTTPFieldTag, "t"), edit(hostabi.HTTPFieldAdd, "x:", "\n")))
	f.Add(uint8(hostabi.HTTPPhaseDeliver), edit(hostabi.HTTPFieldRemove, "te", ""))
	f.Add(uint8(hostabi.HTTPPhaseLookup), one(hostabi.HTTPFieldLookup, "\x02"))
	f.Add(uint8(hostabi.HTTPPhaseAdmit), one(hostabi.HTTPFieldRefuse, ""))
	f.Fuzz(func(t *testing.T, phase uint8, verdict []byte) {
		r := &httphook.Request{Scheme: "http", Host: "h", Target: "/"}
		c := &call{request: r, frame: hostabi.HTTPFrame{Phase: phase}}
		switch phase {
		case hostabi.HTTPPhaseRequest:
			fuzzRequest(t, c, verdict)
		case hostabi.HTTPPhaseKey:
			fuzzKey(t, c, verdict)
		case hostabi.HTTPPhaseResponse:
			fuzzResponse(t, c, verdict)
		case hostabi.HTTPPhaseDeliver:
			to := &httphook.DeliverCall{}
			c.to = to
			if err := c.Verdict(verdict); err != nil && len(to.Edits) > 0 {
				t.Errorf("%v, but the call is %+v", err, to)
			}
			checkEdits(t, to.Edits)
		case hostabi.HTTPPhaseLookup:
			to := &httphook.LookupCall{}
			c.to = to
			if err := c.Verdict(verdict); err != nil && to.Verdict != 0 || to.Verdict > httphook.Miss {
				t.Errorf("%v, the call is %+v", err, to)
			}
		case hostabi.HTTPPhaseAdmit:
			to := &httphook.AdmitCall{}
			c.to = to
			if err := c.Verdict(verdict); err != nil && to.Refuse {
				t.Errorf("%v, but the call is %+v", err, to)
			}
		default:
			c.to = &httphook.AdmitCall{}
			if err := c.Verdict(verdict); err == nil && len(verdict) > 0 {
				t.Errorf("a verdict of phase %d is taken", phase)
			}
		}
	})
}

func fuzzRequest(t *testing.T, c *call, verdict []byte) {
	to := &httphook.RequestCall{}
	c.to = to
	if err := c.Verdict(verdict); err != nil && (to.Action != 0 || to.Status != 0 || to.Location != "" || len(to.Body)+len(to.Edits) > 0) {
		t.Errorf("%v, but the call is %+v", err, to)
	}
	if to.Action.Ends() && (to.Status < 200 || to.Status > 599) || to.Action == httphook.Redirect && httphook.CheckLocation(to.Location) != nil {
		t.Errorf("the answer is %+v", to)
	}
	checkEdits(t, to.Edits)
}

func fuzzKey(t *testing.T, c *call, verdict []byte) {
	to := &httphook.KeyCall{Target: "/", Forward: true}
	c.to = to
	if err := c.Verdict(verdict); err != nil && (to.Target != "/" || !to.Forward || to.Extra != "" || len(to.Vary) > 0) {
		t.Errorf("%v, but the call is %+v", err, to)
	}
	if httphook.CheckTarget(to.Target) != nil || len(to.Extra) > hostabi.MaxHTTPExtra {
		t.Errorf("the key is %+v", to)
	}
	for _, f := range to.Vary {
		checkField(t, f.Name, f.Value)
	}
}

func fuzzResponse(t *testing.T, c *call, verdict []byte) {
	to := &httphook.ResponseCall{}
	c.to = to
	if err := c.Verdict(verdict); err != nil && (to.Lifetime != httphook.Lifetime{} || len(to.Tags)+len(to.Edits) > 0) {
		t.Errorf("%v, but the call is %+v", err, to)
	}
	if to.TTL < 0 || to.SWR < 0 || to.SIE < 0 {
		t.Errorf("times are %+v", to.Lifetime)
	}
	for _, tag := range to.Tags {
		if httphook.CheckTag(tag) != nil {
			t.Errorf("a tag is %q", tag)
		}
	}
	checkEdits(t, to.Edits)
}

func checkEdits(t *testing.T, edits httphook.Edits) {
	t.Helper()
	for _, e := range edits {
		if e.Op < httphook.Set || e.Op > httphook.Remove {
			t.Errorf("an edit is %+v", e)
		}
		checkField(t, e.Name, e.Value)
	}
}

func checkField(t *testing.T, name, value string) {
	t.Helper()
	if name == "" || strings.ContainsAny(name, ": \r\n\x00") || strings.ContainsAny(value, "\r\n\x00") || httphook.CheckField(name, value) != nil {
		t.Errorf("a field is %q: %q", name, value)
	}
}
