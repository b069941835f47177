package plugins

import (
	"strings"
	"unicode/utf8"

	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/hostabi"
)

// scope is the call under way, ec_before or ec_after for one key, as host functions see it. Its instance's user has it
// alone. Where no capability asks for it, it is nil, and its methods do nothing.
type scope struct {
	cmd     *core.Command // nil outside of the calls
	value   []byte        // what can be read: the command's, the entry's, or written
	open    bool          // there is a value, which can be replaced
	attrs   int           // span attributes set, or dropped
	written []byte        // the guest's value; kept beyond the call, for who commits it
	wrote   bool          // there is one
}

func newScope(m *hostabi.Manifest) *scope {
	if m.NeedsCapability("value") || m.NeedsCapability("trace") {
		return new(scope)
	}
	return nil
}

// before begins a call of ec_before for the i-th key.
func (s *scope) before(cmd *core.Command, i int) {
	if s != nil {
		s.begin(cmd, cmd.ValueAt(i))
	}
}

// after begins a call of ec_after for a key that ended as item.
func (s *scope) after(cmd *core.Command, item *core.Item) {
	switch {
	case s == nil:
	case item.Entry == nil:
		s.begin(cmd, nil)
	default:
		s.begin(cmd, &item.Entry.Value)
	}
}

func (s *scope) begin(cmd *core.Command, value *[]byte) {
	*s = scope{cmd: cmd}
	if value != nil {
		s.value, s.open = *value, true
	}
}

// end ends the call. What the guest wrote waits for being committed or dropped.
func (s *scope) end() {
	if s != nil {
		s.cmd, s.value, s.open = nil, nil, false
	}
}

// read copies from the value, from offset on, and returns how many bytes.
func (s *scope) read(offset uint32, to []byte) int {
	if s == nil || uint64(offset) >= uint64(len(s.value)) {
		return 0
	}
	return copy(to, s.value[offset:])
}

// write makes a copy of value the call's, if that has one.
func (s *scope) write(value []byte) bool {
	if s == nil || !s.open {
		return false
	}
	s.written, s.wrote = append(s.written[:0], value...), true
	s.value = s.written
	return true
}

// drop forgets what the guest wrote.
func (s *scope) drop() {
	if s != nil {
		s.written, s.wrote = nil, false
	}
}

// take returns what the guest wrote, never nil, and forgets it.
func (s *scope) take() []byte {
	value := s.written
	s.drop()
	if value == nil {
		value = []byte{}
	}
	return value
}

// commitBefore makes what the guest wrote the value of the i-th key.
func (s *scope) commitBefore(cmd *core.Command, i int) {
	if s != nil && s.wrote {
		*cmd.ValueAt(i), cmd.Decoded = s.take(), nil
	}
}

// commitAfter makes what the guest wrote the value that was read.
func (s *scope) commitAfter(item *core.Item) {
	if s != nil && s.wrote {
		item.Entry = withValue(item.Entry, s.take())
	}
}

// attribute sets an attribute of the command's span, if that is traced.
func (s *scope) attribute(plugin string, key, value []byte) {
	if s == nil || s.cmd == nil || !s.cmd.Traced() {
		return
	}
	if s.attrs++; s.attrs <= hostabi.MaxSpanAttrs {
		s.cmd.SetSpanAttribute("edgecache.plugin."+plugin+"."+string(key), spanValue(value))
	}
}

// spanValue returns the first hostabi.MaxSpanValue bytes of a text, or some less where that would cut a character.
func spanValue(b []byte) string {
	text := strings.ToValidUTF8(string(b[:min(len(b), hostabi.MaxSpanValue+utf8.UTFMax-1)]), "\uFFFD")
	if len(text) <= hostabi.MaxSpanValue {
		return text
	}
	n := hostabi.MaxSpanValue
	for !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n]
}
