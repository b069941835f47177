package plugins

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/hostabi"
)

// use is one command's use of a plugin. It takes one instance for all keys, when the first of them needs it.
type use struct {
	plugin  *Plugin
	version *version  // nil if the plugin is closed
	in      *instance // held, or nil
	probe   bool      // the call under way probes whether the guest works again
	cmd     *core.Command
	res     *core.Result

	// What a command on many keys is asked for as a whole.
	going  int    // keys that go on
	moving int    // and how many of them to the namespace path
	path   string // where the first of those goes
	split  bool   // others go elsewhere
}

// beforeMany calls the guest for each key that is not settled. What a key's call brings is the key's alone, but for the
// namespace.
func (u *use) beforeMany(ctx context.Context) error {
	for i := range u.cmd.Keys {
		item := &u.res.Items[i]
		if item.Outcome != core.OutcomeNone {
			continue
		}
		err := u.before(ctx, i, item)
		switch {
		case err == nil && item.Outcome == core.OutcomeNone:
			u.going++
		case err == nil:
		case ctx.Err() != nil:
			u.release()
			return err
		case errors.Is(err, core.ErrRejected):
			*item = core.Item{Outcome: core.OutcomeDenied, Err: err}
		default:
			*item = core.Item{Outcome: core.OutcomeError, Err: err}
		}
	}
	u.release()
	return u.move()
}

// before calls the guest for the i-th key and does what it says. The error is the key's: a refusal, a failure under the
// policy closed, or ctx's.
func (u *use) before(ctx context.Context, i int, item *core.Item) error {
	key := *u.cmd.KeyAt(i)
	if v := u.version; v != nil && v.selective && (!v.filter.lets(key) || u.remembered(i, key)) {
		return nil
	}
	if in, err := u.enter(ctx); in == nil {
		return err
	}
	done, err := u.in.callBefore(u.cmd, i, key)
	switch {
	case err != nil:
		return u.failed(hostabi.ExportBefore, err)
	case done != 0:
		return u.acted(i, item, key, hostabi.DecodeAction(done))
	}
	u.in.scope.commitBefore(u.cmd, i)
	u.remember(key, nil)
	u.worked()
	return nil
}

// acted goes on where ec_before did something.
func (u *use) acted(i int, item *core.Item, key string, a hostabi.Action) error {
	data, err := u.verdict(i, a)
	if err != nil {
		return u.failed(hostabi.ExportBefore, err)
	}
	refusal, err := u.obey(i, item, a, data)
	if err != nil {
		return u.failed(hostabi.ExportBefore, err)
	}
	u.in.scope.commitBefore(u.cmd, i)
	if a.Code == hostabi.ActionKey && !a.Cookie {
		u.remember(key, data)
	}
	u.worked()
	return refusal
}

// verdict checks an action of ec_before, keeps its cookie and returns its bytes.
func (u *use) verdict(i int, a hostabi.Action) ([]byte, error) {
	if err := a.CheckBefore(); err != nil {
		return nil, protocolError{err}
	}
	if a.Cookie {
		u.cmd.Cookies[i], _ = u.in.memory.ReadUint64Le(u.in.bufAddr + hostabi.BufCookie)
	}
	return u.in.bytes(a)
}

// after calls the guest for the i-th key when it has come to its end.
func (u *use) after(ctx context.Context, i int, item *core.Item) error {
	if v := u.version; v != nil && v.selective && !v.filter.lets(*u.cmd.KeyAt(i)) {
		return nil
	}
	if in, err := u.enter(ctx); in == nil {
		return err
	}
	done, err := u.in.callAfter(u.cmd, u.res, i, item)
	if err == nil && done != 0 {
		err = u.actedAfter(item, hostabi.DecodeAction(done))
	}
	if err != nil {
		return u.failed(hostabi.ExportAfter, err)
	}
	u.in.scope.commitAfter(item)
	u.worked()
	return nil
}

// actedAfter goes on where ec_after did something.
func (u *use) actedAfter(item *core.Item, a hostabi.Action) error {
	if err := a.CheckAfter(); err != nil {
		return protocolError{err}
	}
	data, err := u.in.bytes(a)
	if err != nil || a.Code == hostabi.ActionNone {
		return err
	}
	u.in.scope.drop()
	return replaceValue(item, data)
}

// remember keeps what became of a key, for remembered.
func (u *use) remember(key string, to []byte) {
	if u.version.memo != nil {
		u.version.memo.put(u.cmd.Namespace, key, to)
	}
}

// remembered does without the guest what it did with the key before, if it is pure and that is known.
func (u *use) remembered(i int, key string) bool {
	if u.version.memo == nil {
		return false
	}
	to, ok := u.version.memo.get(u.cmd.Namespace, key)
	if to != nil {
		u.cmd.SetKey(i, to)
	}
	return ok
}

// enter sees to an instance, the same for all keys while it works. It returns nil where the guest is not to be called,
// with the key's error.
func (u *use) enter(ctx context.Context) (*instance, error) {
	for {
		v := u.version
		if v == nil {
			return nil, u.without(&u.plugin.skipped, errClosed)
		}
		if u.probe = false; !v.breaker.closed() {
			if u.probe = v.breaker.probe(core.Clock()); !u.probe {
				return nil, u.without(&u.plugin.skipped, errOpen)
			}
		}
		if u.in != nil {
			return u.in, nil
		}
		in, err := v.hooks.acquire(ctx)
		switch {
		case err == nil:
			u.in = in
			return in, nil
		case errors.Is(err, errRetired):
			u.version = u.plugin.current.Load()
		case ctx.Err() != nil:
			return nil, err
		default:
			return nil, u.failed("instance", err)
		}
	}
}

// release gives the instance back.
func (u *use) release() {
	in := u.in
	if in == nil {
		return
	}
	if in.tired() {
		if err := in.rest(); err != nil {
			_ = u.failed(hostabi.ExportIdle, err) // of no key
			return
		}
	}
	u.in = nil
	in.version.hooks.release(in)
}

// worked ends a call that did what it should.
func (u *use) worked() {
	if u.probe {
		u.version.breaker.succeeded()
	}
}

// failed ends a call that did not. It returns the key's error.
func (u *use) failed(call string, err error) error {
	if errors.Is(err, errRefused) {
		return u.without(&u.plugin.refused, errTooLong)
	}
	e := guestError(u.plugin.name, call, err)
	if u.in != nil {
		u.version.hooks.discard(u.in)
		u.in = nil
	}
	u.plugin.failed(u.version, e, u.probe)
	if u.plugin.failClosed.Load() {
		return e
	}
	return nil
}

var (
	errOpen    = fmt.Errorf("%w: it fails too often and is left out for a while", core.ErrPlugin)
	errTooLong = fmt.Errorf("%w: it is too long for the plugin", core.ErrBadKey)
)

// without counts a key for which the guest was not called, and returns why if that is an error by the failure policy.
func (u *use) without(count *atomic.Uint64, why error) error {
	count.Add(1)
	if u.plugin.failClosed.Load() {
		return u.plugin.wrap(why)
	}
	return nil
}

// obey does what ec_before said about the i-th key. Where err is not nil it has done nothing.
func (u *use) obey(i int, item *core.Item, a hostabi.Action, data []byte) (refusal, err error) {
	switch a.Code {
	case hostabi.ActionKey:
		if len(data) > maxFrame {
			return nil, errRefused
		}
		u.cmd.SetKey(i, data)
	case hostabi.ActionRespond:
		if u.cmd.Op != core.OpGet && u.cmd.Op != core.OpGetMany {
			return nil, protocolf("returned respond to %s: only get and get_many can be answered", u.cmd.Op)
		}
		*item = core.Item{Outcome: core.OutcomeHit, Entry: &core.Entry{Value: clone(data)}}
	case hostabi.ActionDeny:
		reason, err := text(data)
		if err != nil {
			return nil, err
		}
		return u.refusal(reason), nil
	case hostabi.ActionMiss:
		item.Outcome = core.OutcomeBypass
	case hostabi.ActionExt:
		return nil, u.patch(i, data)
	}
	return nil, nil
}

func (u *use) refusal(reason string) error {
	if reason == "" {
		return fmt.Errorf("%w by plugin %s", core.ErrRejected, u.plugin.name)
	}
	return fmt.Errorf("%w by plugin %s: %s", core.ErrRejected, u.plugin.name, reason)
}

// clone returns a copy that is not nil.
func clone(b []byte) []byte { return append([]byte{}, b...) }

// replaceValue puts a copy of data in the place of the value that was read.
func replaceValue(item *core.Item, data []byte) error {
	e := item.Entry
	if e == nil {
		return protocolf("returned respond where nothing was read")
	}
	item.Entry = withValue(e, clone(data))
	return nil
}

// withValue returns an entry like e that holds value, which it keeps.
func withValue(e *core.Entry, value []byte) *core.Entry {
	return &core.Entry{Value: value, Expires: e.Expires, Version: e.Version, Flags: e.Flags, Codec: e.Codec}
}

// patches is a list of patches taken together. The bytes are views.
type patches struct {
	key, value, path          []byte
	hasKey, hasValue, hasPath bool
	ttl                       time.Duration
	hasTTL                    bool
}

func readPatches(b []byte) (p patches, err error) {
	for patch, err := range hostabi.Patches(b) {
		if err != nil {
			return p, protocolError{err}
		}
		switch patch.Field {
		case hostabi.FieldKey:
			p.key, p.hasKey = patch.Data, true
		case hostabi.FieldValue:
			p.value, p.hasValue = patch.Data, true
		case hostabi.FieldNamespace:
			p.path, p.hasPath = patch.Data, true
		case hostabi.FieldTTL:
			p.ttl, p.hasTTL = ttlOf(patch.TTL()), true
		}
	}
	switch {
	case len(p.path) > maxText:
		return p, protocolf("returned a namespace of %d bytes: at most %d are allowed", len(p.path), maxText)
	case len(p.key) > maxFrame:
		return p, errRefused
	}
	return p, nil
}

// patch changes the command as a list of patches says. Where the error is not nil it has changed nothing.
func (u *use) patch(i int, data []byte) error {
	p, err := readPatches(data)
	if err != nil {
		return err
	}
	value := u.cmd.ValueAt(i)
	if p.hasValue && value == nil {
		return protocolf("returned a value for %s, which writes none", u.cmd.Op)
	}
	if p.hasPath {
		if err := u.patchNamespace(string(p.path)); err != nil {
			return err
		}
	}
	if p.hasKey {
		u.cmd.SetKey(i, p.key)
	}
	if p.hasValue {
		u.in.scope.drop()
		*value, u.cmd.Decoded = bytes.Clone(p.value), nil
	}
	if p.hasTTL {
		u.patchTTL(i, p.ttl)
	}
	return nil
}

// patchNamespace moves a command on one key at once; one on many keys is moved when all keys have been asked.
func (u *use) patchNamespace(path string) error {
	if !u.cmd.Op.Many() {
		if err := u.cmd.SetNamespace(path); err != nil {
			return protocolError{err}
		}
		return nil
	}
	if u.moving == 0 {
		u.path = path
	}
	u.moving++
	u.split = u.split || path != u.path
	return nil
}

// patchTTL sets the time to live. A command on many keys has one for all: the shortest.
func (u *use) patchTTL(i int, ttl time.Duration) {
	if i > 0 && u.cmd.TTL > 0 && (ttl <= 0 || ttl > u.cmd.TTL) {
		return
	}
	u.cmd.TTL = ttl
}

// move takes a command on many keys to the namespace that its keys want to go to. Keys of which only some want to, or to
// different ones, can't stay one command.
func (u *use) move() error {
	switch {
	case u.moving == 0:
		return nil
	case u.split || u.moving != u.going:
		return u.refusal("its keys belong to different namespaces: send one command for each")
	}
	if err := u.cmd.SetNamespace(u.path); err != nil {
		return u.failed(hostabi.ExportBefore, protocolError{err})
	}
	return nil
}
