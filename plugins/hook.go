package plugins

import (
	"context"

	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/hostabi"
)

// hook is a plugin as the cache calls it inside commands.
type hook struct {
	plugin *Plugin
	spec   core.HookSpec
}

var (
	_ core.Hook     = (*hook)(nil)
	_ core.Reporter = (*hook)(nil)
)

// Hook returns the plugin as a hook, or nil if it wants neither before nor after.
//
// The guest is called for each key of a command. Where it fails, that key goes on without it or fails, by the failure
// policy. The operations "*" of a manifest do not include clear, keys and raw, which have no key: a plugin that wants
// those names them.
func (p *Plugin) Hook() core.Hook {
	v := p.current.Load()
	if v == nil || v.hooks == nil || p.abi != hostabi.ABIHook {
		return nil
	}
	ops := opMask(v.manifest, core.AllOps&^core.Ops(core.OpClear, core.OpKeys, core.OpRaw))
	h := &hook{plugin: p, spec: core.HookSpec{Name: p.name}}
	if v.manifest.Wants(hostabi.HookBefore) {
		h.spec.Before = ops
	}
	if v.manifest.Wants(hostabi.HookAfter) {
		h.spec.After = ops
	}
	return h
}

// opMask returns the operations of a manifest, of which "*" means all.
func opMask(m *hostabi.Manifest, all core.OpMask) core.OpMask {
	if m.Ops[0] == hostabi.AnyOp {
		return all
	}
	var mask core.OpMask
	for _, name := range m.Ops {
		op, _ := core.ParseOp(name) // the manifest has been checked
		mask |= core.Ops(op)
	}
	return mask
}

func (h *hook) Spec() core.HookSpec { return h.spec }

func (h *hook) Report() (core.Report, error) { return h.plugin.Report() }

func (h *hook) Before(ctx context.Context, cmd *core.Command, res *core.Result) error {
	u := use{plugin: h.plugin, version: h.plugin.current.Load(), cmd: cmd, res: res}
	if cmd.Op.Many() {
		return u.beforeMany(ctx)
	}
	if res.Outcome != core.OutcomeNone {
		return nil
	}
	err := u.before(ctx, 0, &res.Item)
	u.release()
	return err
}

func (h *hook) After(ctx context.Context, cmd *core.Command, res *core.Result) error {
	u := use{plugin: h.plugin, version: h.plugin.current.Load(), cmd: cmd, res: res}
	defer u.release()
	for i := range cmd.Size() {
		item := &res.Item
		if cmd.Op.Many() && i < len(res.Items) {
			item = &res.Items[i]
		}
		err := u.after(ctx, i, item)
		switch {
		case err == nil:
		case !cmd.Op.Many() || ctx.Err() != nil:
			return err
		case item.Err == nil:
			*item = core.Item{Outcome: core.OutcomeError, Err: err}
		}
	}
	return nil
}
