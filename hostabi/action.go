package hostabi

import (
	"encoding/binary"
	"fmt"
	"iter"
)

// Action is what ec_before or ec_after returned, taken apart.
type Action struct {
	// Code is one of the Action constants.
	Code uint8
	// Cookie says that the guest wrote the header's cookie.
	Cookie bool
	// Offset is where the action's bytes begin, relative to the call buffer.
	Offset uint32
	// Length is how many bytes there are.
	Length uint32
}

// DecodeAction takes apart what a guest returned. Every number decodes; Check says whether it makes sense.
func DecodeAction(v uint64) Action {
	return Action{
		Code:   uint8(v >> ActionShift),
		Cookie: v&ActionCookie != 0,
		Offset: uint32(v >> OffsetShift & OffsetMask),
		Length: uint32(v & LengthMask),
	}
}

// Encode is the inverse of DecodeAction. Offset must fit into 23 bits.
func (a Action) Encode() uint64 {
	v := uint64(a.Code)<<ActionShift | uint64(a.Offset&OffsetMask)<<OffsetShift | uint64(a.Length)
	if a.Cookie {
		v |= ActionCookie
	}
	return v
}

var actionNames = [...]string{"none", "key", "respond", "deny", "miss", "ext"}

// String returns the action's name.
func (a Action) String() string {
	if int(a.Code) < len(actionNames) {
		return actionNames[a.Code]
	}
	return fmt.Sprintf("action %d", a.Code)
}

// CheckBefore reports an action that ec_before must not return.
func (a Action) CheckBefore() error {
	if a.Code > ActionExt {
		return fmt.Errorf("returned unknown %s", a)
	}
	return a.checkEmpty()
}

// CheckAfter reports an action that ec_after must not return.
func (a Action) CheckAfter() error {
	if a.Code != ActionNone && a.Code != ActionRespond {
		return fmt.Errorf("returned %s: only none and respond make sense there", a)
	}
	return a.checkEmpty()
}

func (a Action) checkEmpty() error {
	if (a.Code == ActionNone || a.Code == ActionMiss) && (a.Offset != 0 || a.Length != 0) {
		return fmt.Errorf("returned %s with an offset or a length", a)
	}
	return nil
}

// Patch is one change of ActionExt.
type Patch struct {
	// Field is one of the Field constants.
	Field uint8
	// Data is a view of the list's bytes.
	Data []byte
}

// Patches walks the list of patches in b. It ends after the first error.
func Patches(b []byte) iter.Seq2[Patch, error] {
	return func(yield func(Patch, error) bool) {
		for len(b) > 0 {
			if len(b) < PatchHeader {
				yield(Patch{}, fmt.Errorf("patch list ends within a header: %d bytes left of %d", len(b), PatchHeader))
				return
			}
			p, n := Patch{Field: b[0]}, binary.LittleEndian.Uint32(b[1:])
			b = b[PatchHeader:]
			if uint64(n) > uint64(len(b)) {
				yield(Patch{}, fmt.Errorf("patch of field %d says %d bytes, %d are left", p.Field, n, len(b)))
				return
			}
			p.Data, b = b[:n:n], b[n:]
			if err := p.check(); err != nil {
				yield(Patch{}, err)
				return
			}
			if !yield(p, nil) {
				return
			}
		}
	}
}

// AppendPatch appends a patch to a list.
func AppendPatch(b []byte, field uint8, data []byte) []byte {
	b = append(b, field)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(data)))
	return append(b, data...)
}

func (p Patch) check() error {
	switch p.Field {
	case FieldKey, FieldValue, FieldNamespace:
		return nil
	case FieldTTL:
		if len(p.Data) != 8 {
			return fmt.Errorf("patch of the ttl has %d bytes, not 8", len(p.Data))
		}
		if ms := p.TTL(); ms < TTLKeep {
			return fmt.Errorf("patch of the ttl is %d ms", ms)
		}
		return nil
	default:
		return fmt.Errorf("patch of unknown field %d", p.Field)
	}
}

// TTL returns the payload of a FieldTTL patch that Patches yielded: milliseconds or a TTL constant.
func (p Patch) TTL() int64 { return int64(binary.LittleEndian.Uint64(p.Data)) }
