package httpguest

import (
	"fmt"
	"net/textproto"
	"strings"
	"time"

	"github.com/edgecache/edgecache/hostabi"
	"github.com/edgecache/edgecache/httphook"
)

// call is one call of a guest: the frame that it gets, and the call of the hook that its verdict is for.
type call struct {
	spec    *httphook.Spec
	request *httphook.Request
	frame   hostabi.HTTPFrame
	to      any // *httphook.RequestCall and so on
}

// forget lets go of the exchange.
func (c *call) forget() {
	clear(c.frame.Request)
	clear(c.frame.Response)
	*c = call{frame: hostabi.HTTPFrame{Request: c.frame.Request[:0], Response: c.frame.Response[:0]}}
}

// aboutRequest adds what the guest sees of the request beside its line.
func (c *call) aboutRequest() {
	if addr := c.request.Client.Unmap(); addr.Is4() {
		four := addr.As4()
		c.frame.Family = 4
		copy(c.frame.Client[:], four[:])
	} else if addr.Is6() {
		c.frame.Family, c.frame.Client = 6, addr.As16()
	}
	c.frame.Request = appendLines(c.frame.Request, c.spec.RequestHeaders, c.request.Header)
}

// aboutResponse adds a response's status and header.
func (c *call) aboutResponse(status int, header httphook.Fields) {
	c.frame.Status = uint16(status)
	c.frame.Response = appendLines(c.frame.Response, c.spec.ResponseHeaders, header)
}

func appendLines(lines []hostabi.HTTPLine, names []string, header httphook.Fields) []hostabi.HTTPLine {
	if header == nil {
		return lines
	}
	for i, name := range names {
		for _, value := range header.Values(name) {
			lines = append(lines, hostabi.HTTPLine{Name: uint16(i), Value: value})
		}
	}
	return lines
}

// Size is how long the frame is.
func (c *call) Size() int { return c.frame.Size() }

// Put writes the frame.
func (c *call) Put(b []byte) { c.frame.Put(b) }

// Verdict takes what the guest says over into the call of the hook, if all of it is right.
func (c *call) Verdict(b []byte) error {
	var v hostabi.HTTPVerdict
	if err := v.Decode(c.frame.Phase, b); err != nil {
		return err
	}
	switch to := c.to.(type) {
	case *httphook.RequestCall:
		return takeRequest(to, &v)
	case *httphook.KeyCall:
		return takeKey(to, &v)
	case *httphook.LookupCall:
		to.Verdict = max(to.Verdict, httphook.Lookup(v.Lookup))
	case *httphook.ResponseCall:
		return takeResponse(to, &v)
	case *httphook.AdmitCall:
		to.Refuse = to.Refuse || v.Refuse
	case *httphook.DeliverCall:
		return takeEdits(&to.Edits, v.Edits)
	}
	return nil
}

// takeRequest decides about a request.
func takeRequest(to *httphook.RequestCall, v *hostabi.HTTPVerdict) error {
	location := string(v.Location)
	if v.Action == hostabi.HTTPActionRedirect {
		if err := httphook.CheckLocation(location); err != nil {
			return err
		}
	}
	ahead := len(to.Edits)
	if err := takeEdits(&to.Edits, v.Edits); err != nil {
		return err
	}
	action := httphook.Action(v.Action)
	if action.Ends() { // edits are the answer's: those of hooks ahead were the request's
		to.Edits = to.Edits[:copy(to.Edits, to.Edits[ahead:])]
	}
	if action > to.Action {
		to.Action, to.Status, to.Location, to.Body = action, int(v.Status), location, append(to.Body[:0], v.Body...)
	}
	return nil
}

// takeKey changes the key.
func takeKey(to *httphook.KeyCall, v *hostabi.HTTPVerdict) error {
	target := to.Target
	if v.HasTarget {
		target = string(v.Target)
		if err := httphook.CheckTarget(target); err != nil {
			return err
		}
	}
	n := len(to.Vary)
	for _, e := range v.Vary {
		f, err := field(e)
		if err != nil {
			to.Vary = to.Vary[:n]
			return err
		}
		to.Vary = append(to.Vary, f)
	}
	to.Target, to.Forward = target, to.Forward && !v.Hide
	if v.HasExtra {
		to.Extra = joined(to.Extra, v.Extra)
	}
	return nil
}

// joined adds what a hook adds to the key to what hooks ahead did. A length stands between: no two lists look alike.
func joined(extra string, more []byte) string {
	if extra == "" {
		return string(more)
	}
	return fmt.Sprintf("%s\x00%d\x00%s", extra, len(more), more)
}

// takeResponse decides about keeping a response.
func takeResponse(to *httphook.ResponseCall, v *hostabi.HTTPVerdict) error {
	for _, tag := range v.Tags {
		if err := httphook.CheckTag(tag); err != nil {
			return err
		}
	}
	if err := takeEdits(&to.Edits, v.Edits); err != nil {
		return err
	}
	for _, tag := range v.Tags {
		to.Tags = append(to.Tags, string(tag))
	}
	if v.HasStore {
		to.Store = v.Store
	}
	for _, d := range []struct {
		has bool
		ms  int64
		to  *time.Duration
	}{{v.HasTTL, v.TTL, &to.TTL}, {v.HasSWR, v.SWR, &to.SWR}, {v.HasSIE, v.SIE, &to.SIE}} {
		if d.has {
			*d.to = time.Duration(min(d.ms, mostMillis)) * time.Millisecond
		}
	}
	return nil
}

// mostMillis is how long a time may be, 2^31 seconds: HTTP has no use for more (RFC 9111 1.2.2).
const mostMillis = 1 << 31 * 1000

// takeEdits adds edits, all or none.
func takeEdits(to *httphook.Edits, edits []hostabi.HTTPEdit) error {
	n := len(*to)
	for _, e := range edits {
		f, err := field(e)
		if err != nil {
			*to = (*to)[:n]
			return err
		}
		*to = append(*to, httphook.Edit{Op: httphook.Set + httphook.EditOp(e.Field-hostabi.HTTPFieldSet), Name: f.Name, Value: f.Value})
	}
	return nil
}

// The operations of edits follow each other as the ABI's do: this does not compile otherwise.
var (
	_ = [1]struct{}{}[httphook.Add-httphook.Set-(hostabi.HTTPFieldAdd-hostabi.HTTPFieldSet)]
	_ = [1]struct{}{}[httphook.Remove-httphook.Set-(hostabi.HTTPFieldRemove-hostabi.HTTPFieldSet)]
)

// field returns copies of an edit's name, in canonical form, and value, if a hook may set them.
func field(e hostabi.HTTPEdit) (f httphook.Field, err error) {
	f.Value = strings.Trim(string(e.Value), " \t")
	f.Name = string(e.Name)
	if err = httphook.CheckField(f.Name, f.Value); err == nil {
		f.Name = textproto.CanonicalMIMEHeaderKey(f.Name)
	}
	return f, err
}
