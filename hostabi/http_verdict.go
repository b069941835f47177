package hostabi

import (
	"encoding/binary"
	"fmt"
)

// HTTPVerdict is what a guest says of a phase. Its bytes are views of those that were decoded.
type HTTPVerdict struct {
	Action         uint8 // an HTTPAction
	Status         uint16
	Location, Body []byte

	// Edits are in the order in which they stand.
	Edits []HTTPEdit

	Target, Extra       []byte
	HasTarget, HasExtra bool
	Hide                bool
	Vary                []HTTPEdit

	Lookup uint8 // an HTTPLookup

	Store, HasStore        bool
	TTL, SWR, SIE          int64 // milliseconds
	HasTTL, HasSWR, HasSIE bool
	Tags                   [][]byte

	Refuse bool
}

// HTTPEdit is a change of a header: Field is HTTPFieldSet, HTTPFieldAdd, HTTPFieldRemove or HTTPFieldVary.
type HTTPEdit struct {
	Field       uint8
	Name, Value []byte
}

// httpFields says by field in which phases it may stand, a bit for each, and how long it is: -1 is any length.
var httpFields = [HTTPFieldCount]struct {
	phases uint8
	size   int
}{
	HTTPFieldAction:   {1 << HTTPPhaseRequest, 4},
	HTTPFieldLocation: {1 << HTTPPhaseRequest, -1},
	HTTPFieldBody:     {1 << HTTPPhaseRequest, -1},
	HTTPFieldSet:      {httpEdited, -1},
	HTTPFieldAdd:      {httpEdited, -1},
	HTTPFieldRemove:   {httpEdited, -1},
	HTTPFieldTarget:   {1 << HTTPPhaseKey, -1},
	HTTPFieldHide:     {1 << HTTPPhaseKey, 0},
	HTTPFieldExtra:    {1 << HTTPPhaseKey, -1},
	HTTPFieldVary:     {1 << HTTPPhaseKey, -1},
	HTTPFieldLookup:   {1 << HTTPPhaseLookup, 1},
	HTTPFieldStore:    {1 << HTTPPhaseResponse, 1},
	HTTPFieldTTL:      {1 << HTTPPhaseResponse, 8},
	HTTPFieldSWR:      {1 << HTTPPhaseResponse, 8},
	HTTPFieldSIE:      {1 << HTTPPhaseResponse, 8},
	HTTPFieldTag:      {1 << HTTPPhaseResponse, -1},
	HTTPFieldRefuse:   {1 << HTTPPhaseAdmit, 0},
}

// httpEdited are the phases in which headers are edited.
const httpEdited = 1<<HTTPPhaseRequest | 1<<HTTPPhaseResponse | 1<<HTTPPhaseDeliver

// reset makes v the verdict of who says nothing. What it held is used again.
func (v *HTTPVerdict) reset() {
	*v = HTTPVerdict{Edits: v.Edits[:0], Vary: v.Vary[:0], Tags: v.Tags[:0]}
}

// Decode makes v what b says in a phase. It looks at lengths, numbers and the phase; whether names, values and targets can
// stand in a message is for the caller to see. With an error v holds no verdict.
func (v *HTTPVerdict) Decode(phase uint8, b []byte) error {
	v.reset()
	if len(b) > MaxHTTPVerdict {
		return fmt.Errorf("verdict of %d bytes: at most %d are allowed", len(b), MaxHTTPVerdict)
	}
	for len(b) > 0 {
		if len(b) < PatchHeader {
			return fmt.Errorf("verdict ends within a field's head: %d bytes left of %d", len(b), PatchHeader)
		}
		field, n := b[0], binary.LittleEndian.Uint32(b[1:])
		b = b[PatchHeader:]
		if uint64(n) > uint64(len(b)) {
			return fmt.Errorf("verdict's field %d says %d bytes, %d are left", field, n, len(b))
		}
		if err := v.field(phase, field, b[:n:n]); err != nil {
			return fmt.Errorf("verdict's field %d: %w", field, err)
		}
		b = b[n:]
	}
	return v.check(phase)
}

// field takes one field.
func (v *HTTPVerdict) field(phase, field uint8, b []byte) error {
	if field >= HTTPFieldCount || phase >= HTTPPhaseCount || httpFields[field].phases&(1<<phase) == 0 {
		return fmt.Errorf("it has no place in phase %s", HTTPPhaseName(phase))
	}
	if size := httpFields[field].size; size >= 0 && len(b) != size {
		return fmt.Errorf("it has %d bytes, not %d", len(b), size)
	}
	switch field {
	case HTTPFieldAction:
		return v.action(b)
	case HTTPFieldLocation:
		v.Location = b
		return atMost(len(b), MaxHTTPTarget, "bytes")
	case HTTPFieldBody:
		v.Body = b
		return atMost(len(b), MaxHTTPBody, "bytes")
	case HTTPFieldSet, HTTPFieldAdd, HTTPFieldRemove:
		return edit(&v.Edits, field, b, MaxHTTPEdits)
	case HTTPFieldVary:
		return edit(&v.Vary, field, b, MaxHTTPVary)
	case HTTPFieldTarget:
		v.Target, v.HasTarget = b, true
		return atMost(len(b), MaxHTTPTarget, "bytes")
	case HTTPFieldHide:
		v.Hide = true
	case HTTPFieldExtra:
		v.Extra, v.HasExtra = b, true
		return atMost(len(b), MaxHTTPExtra, "bytes")
	case HTTPFieldLookup:
		v.Lookup = b[0]
		return atMost(int(b[0]), HTTPLookupCount-1, "is the last number")
	case HTTPFieldStore:
		v.Store, v.HasStore = b[0] == 1, true
		return atMost(int(b[0]), 1, "is the last number")
	case HTTPFieldTTL:
		v.HasTTL = true
		return milliseconds(&v.TTL, b)
	case HTTPFieldSWR:
		v.HasSWR = true
		return milliseconds(&v.SWR, b)
	case HTTPFieldSIE:
		v.HasSIE = true
		return milliseconds(&v.SIE, b)
	case HTTPFieldTag:
		v.Tags = append(v.Tags, b)
		if err := atMost(len(b), MaxHTTPTag, "bytes"); err != nil {
			return err
		}
		return atMost(len(v.Tags), MaxHTTPTags, "tags")
	case HTTPFieldRefuse:
		v.Refuse = true
	}
	return nil
}

func atMost(n, most int, what string) error {
	if n > most {
		return fmt.Errorf("it has or is %d: %d %s at most", n, most, what)
	}
	return nil
}

func milliseconds(to *int64, b []byte) error {
	if *to = int64(binary.LittleEndian.Uint64(b)); *to < 0 {
		return fmt.Errorf("it is %d ms: a time is 0 or more", *to)
	}
	return nil
}

func (v *HTTPVerdict) action(b []byte) error {
	v.Action, v.Status = b[0], binary.LittleEndian.Uint16(b[2:])
	if b[1] != 0 {
		return fmt.Errorf("its second byte is %d: it is reserved, and must be 0", b[1])
	}
	return atMost(int(v.Action), HTTPActionCount-1, "is the last number")
}

// edit adds a change of a header.
func edit(to *[]HTTPEdit, field uint8, b []byte, most int) error {
	e := HTTPEdit{Field: field, Name: b}
	if field != HTTPFieldRemove {
		if len(b) < 2 {
			return fmt.Errorf("it has %d bytes: an edit begins with 2 that say how long the name is", len(b))
		}
		n := int(binary.LittleEndian.Uint16(b))
		if n > len(b)-2 {
			return fmt.Errorf("its name is %d bytes of %d", n, len(b)-2)
		}
		e.Name, e.Value = b[2:2+n], b[2+n:]
	}
	*to = append(*to, e)
	return atMost(len(*to), most, "edits")
}

// check reports fields that do not go together.
func (v *HTTPVerdict) check(phase uint8) error {
	if phase != HTTPPhaseRequest {
		return nil
	}
	s := v.Status
	switch v.Action {
	case HTTPActionPass, HTTPActionBypass:
		if s != 0 || v.Location != nil || v.Body != nil {
			return fmt.Errorf("verdict lets the request go on with an answer: status %d, %d bytes of body", s, len(v.Body))
		}
	case HTTPActionDeny:
		if s < 400 || s > 599 || v.Location != nil {
			return fmt.Errorf("verdict denies with status %d: 400 to 599 is possible, and no location", s)
		}
	case HTTPActionRedirect:
		if s < 301 || s > 308 || s > 303 && s < 307 || v.Body != nil {
			return fmt.Errorf("verdict redirects with status %d: 301, 302, 303, 307 and 308 are possible, and no body", s)
		}
	case HTTPActionSynth:
		if s < 200 || s > 599 || v.Location != nil || (s == 204 || s == 304) && len(v.Body) > 0 {
			return fmt.Errorf("verdict answers with status %d: 200 to 599 is possible, no location, and no body with 204 and 304", s)
		}
	}
	return nil
}

// AppendHTTPEdit appends an edit's field to a verdict.
func AppendHTTPEdit(b []byte, field uint8, name, value string) []byte {
	if field == HTTPFieldRemove {
		return AppendPatch(b, field, []byte(name))
	}
	b = append(b, field)
	b = binary.LittleEndian.AppendUint32(b, uint32(2+len(name)+len(value)))
	b = binary.LittleEndian.AppendUint16(b, uint16(len(name)))
	return append(append(b, name...), value...)
}

// AppendHTTPAction appends a request's action to a verdict.
func AppendHTTPAction(b []byte, action uint8, status uint16) []byte {
	return AppendPatch(b, HTTPFieldAction, []byte{action, 0, byte(status), byte(status >> 8)})
}
