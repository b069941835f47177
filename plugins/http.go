package plugins

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/hostabi"
)

// LoadHTTP is Load for a plugin with hooks of HTTP, whose manifest's abi is hostabi.ABIHTTP. Package plugins/http makes hooks
// of it; Plugin.Hook and Plugin.Observer return nil.
func (h *Host) LoadHTTP(ctx context.Context, src Source) (*Plugin, error) {
	return h.loadAs(ctx, hostabi.ABIHTTP, src)
}

// HTTPCall is one call of ec_http, for CallHTTP.
type HTTPCall interface {
	// Size is how long the frame is in bytes.
	Size() int
	// Put writes the frame to b, which is so long and belongs to the guest.
	Put(b []byte)
	// Verdict reads what the guest says, which is valid during the call and not empty. It changes nothing where it returns an
	// error, which says what is wrong with it: the guest has then failed.
	Verdict(b []byte) error
}

// CallHTTP calls the guest in a phase and reports whether that worked. Where the plugin fails the error is nil by the failure
// policy "open", and by "closed" what went wrong; it is ctx's where no instance became free in time. It allocates nothing.
func (p *Plugin) CallHTTP(ctx context.Context, phase uint8, c HTTPCall) (worked bool, err error) {
	u := use{plugin: p, version: p.current.Load()}
	if in, err := u.enter(ctx); in == nil {
		return false, err
	}
	if err := u.in.callHTTP(phase, c); err != nil {
		err = u.failed(hostabi.ExportHTTP, err)
		u.release()
		return false, err
	}
	u.worked()
	u.release()
	return true, nil
}

// TellHTTP hands events to the guest's ec_observe, laid out as guests have them. They can be used again when it returns.
func (p *Plugin) TellHTTP(events []byte) { p.tell(events) }

// Generation tells the version in place from the plugin's others: what was found out of one is not so of another. It is 0
// after Close.
func (p *Plugin) Generation() uint64 {
	if v := p.current.Load(); v != nil {
		return v.number
	}
	return 0
}

// FailsClosed reports whether exchanges fail where the plugin does.
func (p *Plugin) FailsClosed() bool { return p.failClosed.Load() }

// callHTTP makes one call of ec_http and has its verdict read.
func (in *instance) callHTTP(phase uint8, c HTTPCall) error {
	b, err := in.httpFrame(c.Size())
	if err != nil {
		return err
	}
	c.Put(b)
	if in.calls%timedCalls == 0 {
		in.version.plugin.samples.addFrame(phase, b)
	}
	b, err = in.httpVerdict(phase, len(b))
	if err == nil && b != nil {
		if err = c.Verdict(b); err != nil {
			return protocolError{err}
		}
	}
	return err
}

// httpFrame returns the call buffer with room for a frame of so many bytes.
func (in *instance) httpFrame(size int) ([]byte, error) {
	if size > hostabi.MaxHTTPFrame {
		return nil, errRefused
	}
	if size > int(in.bufSize) {
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
	return b, nil
}

// httpVerdict calls ec_http, for which a frame is in the call buffer. It returns a view of the verdict, nil if there is none.
func (in *instance) httpVerdict(phase uint8, frame int) ([]byte, error) {
	in.stack[0], in.stack[1] = uint64(phase), uint64(frame)
	if err := in.call(callHook, in.http, in.stack[:2]); err != nil || in.stack[0] == 0 {
		return nil, err
	}
	addr, n := uint32(in.stack[0]>>32), uint32(in.stack[0])
	if n == 0 || n > hostabi.MaxHTTPVerdict {
		return nil, protocolf("returned a verdict of %d bytes: 1 to %d are possible", n, hostabi.MaxHTTPVerdict)
	}
	b, ok := in.memory.Read(addr, n)
	if !ok {
		return nil, protocolf("returned a verdict of %d bytes at %d, outside its memory of %d", n, addr, in.memory.Size())
	}
	return b, nil
}

// addFrame keeps a copy of a frame.
func (s *samples) addFrame(phase uint8, frame []byte) {
	if len(frame) > sampleKey || !s.mu.TryLock() {
		return
	}
	defer s.mu.Unlock()
	to := &s.all[s.next%sampleCount]
	to.op, to.namespace, to.size = core.Op(phase), nil, copy(to.key[:], frame)
	s.next++
}

// rehearseHTTP makes the call of a frame that was sampled, and looks at its verdict as far as that is possible without an
// exchange.
func (in *instance) rehearseHTTP(phase uint8, frame string) error {
	b, err := in.httpFrame(len(frame))
	if errors.Is(err, errRefused) {
		return nil
	}
	if err != nil {
		return err
	}
	copy(b, frame)
	if b, err = in.httpVerdict(phase, len(frame)); err != nil || b == nil {
		return err
	}
	if err := new(hostabi.HTTPVerdict).Decode(phase, b); err != nil {
		return protocolError{err}
	}
	return nil
}

// sameHTTP reports what a new version of hooks of HTTP wants otherwise than the old one. The cache has asked for it once.
func sameHTTP(old, v *hostabi.Manifest) error {
	switch {
	case !slices.Equal(old.Headers, v.Headers) || !slices.Equal(old.ResponseHeaders, v.ResponseHeaders):
		return fmt.Errorf("manifest: headers %q and response_headers %q, and %q and %q before: %w",
			v.Headers, v.ResponseHeaders, old.Headers, old.ResponseHeaders, ErrOtherWants)
	case old.PureKey != v.PureKey || old.Lengthen != v.Lengthen:
		return fmt.Errorf("manifest: pure_key is %v and lengthen %v, and %v and %v before: %w",
			v.PureKey, v.Lengthen, old.PureKey, old.Lengthen, ErrOtherWants)
	}
	return nil
}
