package plugins

import (
	"encoding/binary"
	"fmt"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/tetratelabs/wazero/api"

	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/hostabi"
)

const (
	// maxFrame bounds a key and its namespace's path together: what a guest is asked to take, and may return as a key.
	maxFrame = 64 << 10
	// maxText bounds the reason of a refusal.
	maxText = 1024
	// timedCalls says how many calls go by for one that is timed.
	timedCalls = 128
	// idleCalls says how many calls go by until a guest gets time for itself.
	idleCalls = 1024
)

// instance is one memory of a guest. Who holds mu has it alone; it guards all that follows.
type instance struct {
	mu sync.Mutex

	version *version
	module  api.Module
	memory  api.Memory
	ctx     guestContext
	// dead says that the instance must not be called any more; final is then what it had counted.
	dead  bool
	final *hostabi.StatTable

	before, after, http, observe, stats, buf, idle api.Function
	stack                                          [5]uint64

	bufAddr, bufSize uint32         // the call buffer
	header           hostabi.Header // what it holds
	events           uint32         // the buffer of events

	tank   tank
	timer  *timer // nil where the host does not meter
	output output

	calls, nanos uint64 // calls made, and an estimate of their time
	rested       uint64 // calls made when the guest last had time for itself

	scope   *scope   // nil where no host function asks for the call under way
	kv      *kvStore // the plugin's; those of an instance in the shadow are its own
	metrics *metrics //

	_ [40]byte // whole cache lines: instances of different goroutines must not share one
}

// call enters the guest. It is the one place where that happens. The runtime turns panics, those of host functions included,
// into errors.
func (in *instance) call(kind callKind, f api.Function, stack []uint64) error {
	in.ready(kind)
	t := &in.tank
	if in.calls++; in.calls%timedCalls == 0 || t.may.ticks != 0 {
		return in.callSlowly(f, stack)
	}
	err := f.CallWithStack(&in.ctx, stack)
	if err == nil && t.budget != nil && int64(t.budget.Get()) == t.may.full && len(in.output.text) == 0 {
		return nil // as most: it has not used up the slice that it had, and said nothing
	}
	return in.called(err, false)
}

// called goes on after a call, which the watchdog may have stopped.
func (in *instance) called(err error, stopped bool) error {
	if err != nil {
		return in.failure(err, stopped)
	}
	in.tank.settle()
	if len(in.output.text) > 0 {
		in.output.flush()
	}
	return nil
}

// ready sees to fuel for a call of a kind.
func (in *instance) ready(kind callKind) {
	if in.tank.kind != kind {
		in.tank.ready(kind, in.version.allowances[kind])
	}
}

// callSlowly is call for one that is watched, or timed: that stands for all since the one before it.
func (in *instance) callSlowly(f api.Function, stack []uint64) error {
	watched, timed := in.tank.may.ticks != 0 && in.timer != nil, in.calls%timedCalls == 0
	var start int64
	if timed {
		start = core.Clock()
	}
	if watched {
		in.timer.start(in.tank.may.ticks)
	}
	err := f.CallWithStack(&in.ctx, stack)
	stopped := watched && in.timer.end()
	if timed {
		in.nanos += uint64(core.Clock()-start) * timedCalls
	}
	return in.called(err, stopped)
}

// failure says why a call failed.
func (in *instance) failure(err error, stopped bool) error {
	f := &failure{error: err, words: in.output.take(in.calls)}
	switch {
	case stopped:
		f.kind, f.reason = FailureTime, fmt.Errorf("it took longer than %v", time.Duration(in.tank.may.ticks)*tick)
	case in.tank.empty():
		f.kind, f.reason = FailureFuel, fmt.Errorf("it used up %d units", in.tank.held)
	}
	return f
}

// tired reports whether the guest should have time for itself.
func (in *instance) tired() bool { return in.idle != nil && in.calls-in.rested >= idleCalls }

// rest gives the guest time for itself.
func (in *instance) rest() error {
	if in.idle == nil {
		return nil
	}
	in.rested = in.calls
	return in.call(callAside, in.idle, nil)
}

// errRefused says that the guest has no room for a key, or makes one that is too long for others. That is no failure: clients
// choose keys, and could have a plugin left out.
var errRefused = protocolf("%s has no room for it", hostabi.ExportBuf)

// room sees to a call buffer of size bytes, which is more than it has, as part of a call of that kind.
func (in *instance) room(kind callKind, size int) error {
	in.stack[0] = uint64(size)
	if err := in.call(kind, in.buf, in.stack[:1]); err != nil {
		return err
	}
	addr := uint32(in.stack[0])
	if addr == 0 {
		return errRefused
	}
	if _, ok := in.memory.Read(addr, uint32(size)); !ok {
		return protocolf("%s returned %d: %d bytes there are outside the memory of %d",
			hostabi.ExportBuf, addr, size, in.memory.Size())
	}
	in.bufAddr, in.bufSize, in.header = addr, uint32(size), hostabi.Header{}
	return nil
}

// frame writes the i-th key of a command to the call buffer, which it returns. The header, which few commands change, is
// only written where it differs from the one before.
func (in *instance) frame(cmd *core.Command, i int, key string) ([]byte, error) {
	path := cmd.Namespace.Path()
	size := len(key) + len(path)
	if size > maxFrame {
		return nil, errRefused
	}
	if size += hostabi.BufKey; size > int(in.bufSize) {
		if err := in.room(callHook, size); err != nil {
			return nil, err
		}
	}
	b, ok := in.memory.Read(in.bufAddr, uint32(size))
	if !ok {
		return nil, protocolf("the call buffer is outside the memory")
	}
	if size > longKey {
		in.ready(callHook)
		in.tank.credit(int64(size) * unitsPerByte)
	}
	copy(b[hostabi.BufKey:], key)
	if path != "" {
		copy(b[hostabi.BufKey+len(key):], path)
	}
	h := hostabi.Header{
		NamespaceLen: uint32(len(path)), NamespaceID: uint32(cmd.Namespace.ID()),
		BatchIndex: uint32(i), BatchLen: uint32(cmd.Size()),
	}
	if h != in.header {
		h.Put(b)
		in.header = h
	}
	return b, nil
}

// callBefore calls ec_before for the i-th key and returns what that did, 0 for nothing.
func (in *instance) callBefore(cmd *core.Command, i int, key string) (uint64, error) {
	if _, err := in.frame(cmd, i, key); err != nil {
		return 0, err
	}
	var size, flags uint64
	if v := cmd.ValueAt(i); v != nil {
		size = uint64(uint32(len(*v)))
	}
	if cmd.Op.Many() {
		flags = hostabi.CallBatch
	}
	if in.calls%timedCalls == 0 {
		in.version.plugin.samples.add(cmd.Op, cmd.Namespace, key)
	}
	s := &in.stack // written word by word: an array literal is made elsewhere and copied, which stalls
	s[0], s[1], s[2], s[3], s[4] = uint64(cmd.Op), uint64(len(key)), size, uint64(ttlMillis(cmd.TTL)), flags
	in.scope.before(cmd, i)
	err := in.call(callHook, in.before, s[:])
	in.scope.end()
	return s[0], err
}

// callAfter calls ec_after for the i-th key and returns what that did, 0 for nothing.
func (in *instance) callAfter(cmd *core.Command, res *core.Result, i int, item *core.Item) (uint64, error) {
	key := *cmd.KeyAt(i)
	b, err := in.frame(cmd, i, key)
	if err != nil {
		return 0, err
	}
	binary.LittleEndian.PutUint64(b[hostabi.BufCookie:], cmd.Cookies[i])
	var size, elapsed uint64
	if item.Entry != nil {
		size = uint64(uint32(len(item.Entry.Value)))
	}
	if cmd.Start != 0 && res.End > cmd.Start {
		elapsed = uint64(res.End - cmd.Start)
	}
	result := uint64(item.Outcome) | uint64(item.Tier)<<hostabi.TierShift
	s := &in.stack
	s[0], s[1], s[2], s[3], s[4] = uint64(cmd.Op), uint64(len(key)), result, elapsed, size
	in.scope.after(cmd, item)
	err = in.call(callHook, in.after, s[:])
	in.scope.end()
	return s[0], err
}

// bytes returns a view of an action's bytes, which the next call invalidates.
func (in *instance) bytes(a hostabi.Action) ([]byte, error) {
	addr := uint64(in.bufAddr) + uint64(a.Offset)
	if b, ok := in.memory.Read(uint32(addr), a.Length); ok && addr>>32 == 0 {
		return b, nil
	}
	return nil, protocolf("returned %s of %d bytes at %d, outside its memory of %d", a, a.Length, addr, in.memory.Size())
}

// readStats adds what the guest has counted to t.
func (in *instance) readStats(t *hostabi.StatTable) error {
	if in.stats == nil {
		return nil
	}
	if err := in.call(callAside, in.stats, in.stack[:1]); err != nil {
		return err
	}
	addr, rows := hostabi.SplitStats(in.stack[0])
	if rows == 0 {
		return nil
	}
	if rows > hostabi.MaxStatRows {
		return protocolf("reports %d rows: at most %d are allowed", rows, hostabi.MaxStatRows)
	}
	block, ok := in.memory.Read(addr, rows*uint32(t.RowBytes()))
	if !ok {
		return protocolf("reports %d rows at %d, outside its memory of %d", rows, addr, in.memory.Size())
	}
	if err := t.Merge(block); err != nil {
		return protocolError{err}
	}
	return nil
}

// text returns a guest's words as one line.
func text(b []byte) (string, error) {
	switch {
	case len(b) > maxText:
		return "", protocolf("returned a text of %d bytes: at most %d are allowed", len(b), maxText)
	case !utf8.Valid(b):
		return "", protocolf("returned a text that is not UTF-8")
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, string(b)), nil
}

// ttlMillis is a time to live as guests have it, rounded up.
func ttlMillis(ttl time.Duration) int64 {
	if ttl <= 0 {
		return int64(ttl) // the constants are the same
	}
	ms := int64(ttl / time.Millisecond)
	if ttl%time.Millisecond != 0 {
		ms++
	}
	return ms
}

// ttlOf is the inverse of ttlMillis. What a Duration can't hold does not expire.
func ttlOf(ms int64) time.Duration {
	switch {
	case ms <= 0:
		return time.Duration(ms)
	case ms > int64(1<<63-1)/int64(time.Millisecond):
		return core.NoExpiry
	default:
		return time.Duration(ms) * time.Millisecond
	}
}
