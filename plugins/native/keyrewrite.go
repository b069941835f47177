package native

import (
	"context"
	"fmt"
	"sync"

	"github.com/edgecache/edgecache/core"
)

const keyRewriteName = "keyrewrite"

// KeyRewrite changes keys by a list of rules before the tiers see them: the same for all operations, since a key that is
// written under one name and read under another is lost. It is safe for concurrent use.
type KeyRewrite struct {
	rules []rule
	pool  sync.Pool // of *draft
}

var _ core.Hook = (*KeyRewrite)(nil)

// NewKeyRewrite returns a KeyRewrite with the rules of a JSON configuration, which wasm-examples/keyrewrite/README.md
// describes. No bytes at all are a configuration without rules. The error is a *ConfigError.
func NewKeyRewrite(config []byte) (*KeyRewrite, error) {
	rules, err := parseRules(config)
	if err != nil {
		return nil, err
	}
	return &KeyRewrite{rules: rules, pool: sync.Pool{New: func() any { return new(draft) }}}, nil
}

// Spec implements core.Hook: every operation that names keys.
func (k *KeyRewrite) Spec() core.HookSpec {
	return core.HookSpec{
		Name:   keyRewriteName,
		Before: core.AllOps &^ core.Ops(core.OpClear, core.OpKeys, core.OpRaw),
	}
}

// Before implements core.Hook. A key that is too long, or made so by a rule, is refused.
func (k *KeyRewrite) Before(_ context.Context, cmd *core.Command, res *core.Result) error {
	if len(k.rules) == 0 {
		return nil
	}
	d := k.pool.Get().(*draft)
	defer k.pool.Put(d)
	for i := range cmd.Size() {
		item := res.At(cmd, i)
		if item.Outcome != core.OutcomeNone {
			continue
		}
		switch err := k.rewrite(d, *cmd.KeyAt(i)); {
		case err != nil && !cmd.Op.Many():
			return err
		case err != nil:
			*item = core.Item{Outcome: core.OutcomeDenied, Err: err}
		case d.changed:
			cmd.SetKey(i, d.key)
		}
	}
	return nil
}

// After implements core.Hook. It is never called.
func (k *KeyRewrite) After(context.Context, *core.Command, *core.Result) error { return nil }

// rewrite puts into d what the rules make of key.
func (k *KeyRewrite) rewrite(d *draft, key string) error {
	if len(key) > maxKey {
		return refusal("the key is longer than %d bytes", maxKey)
	}
	d.key, d.changed = append(d.key[:0], key...), false
	for i := range k.rules {
		r := &k.rules[i]
		if !r.applies(d.key) {
			continue
		}
		if r.action(d); len(d.key) > maxKey {
			return refusal("rule %d makes the key longer than %d bytes", i+1, maxKey)
		}
	}
	return nil
}

func refusal(format string, args ...any) error {
	return fmt.Errorf("%w by plugin %s: %s", core.ErrRejected, keyRewriteName, fmt.Sprintf(format, args...))
}

// draft is a key being rewritten.
type draft struct {
	key     []byte
	changed bool
	spare   []byte // memory for the next form of key
}

// replace makes next, which was built in spare's memory, the key.
func (d *draft) replace(next []byte) {
	d.key, d.spare, d.changed = next, d.key, true
}
