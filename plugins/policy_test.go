package plugins

import (
	"context"
	_ "embed"
	"testing"

	"github.com/edgecache/edgecache/core/evict"
	"github.com/edgecache/edgecache/core/evict/policytest"
)

// policyLRU is LRU in both forms: see testdata/lru.c.
//
//go:embed testdata/policy/lru.wasm
var policyLRU []byte

// policyManifest is what policies of the tests have.
const policyManifest = `{"name": "tested", "version": "1", "abi": "policy/1", "needs": ["log"]}`

func loadPolicy(t testing.TB, wasm []byte) *PolicyModule {
	t.Helper()
	h, _ := newHost(t)
	m, err := h.LoadPolicy(t.Context(), Source{Wasm: wasm, Manifest: []byte(policyManifest)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(context.Background()); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return m
}

// conforms runs the conformance suite, and sees that the guest never failed.
func conforms(t *testing.T, m *PolicyModule, params map[string]string) {
	t.Helper()
	policytest.RunNew(t, func(s evict.Spec) (evict.Policy, error) {
		s.Params = params
		p, err := m.New(s)
		if err != nil {
			return nil, err
		}
		t.Cleanup(func() {
			if err := p.Err(); err != nil {
				t.Error(err)
			}
			p.Close()
		})
		return p, nil
	})
}

func TestGuestPolicyConforms(t *testing.T) {
	m := loadPolicy(t, policyLRU)
	for _, form := range []string{"batch", "event"} {
		t.Run(form, func(t *testing.T) { conforms(t, m, map[string]string{"form": form}) })
	}
}
