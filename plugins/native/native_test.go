package native_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/plugins/native"
)

func report(t *testing.T, r core.Reporter) string {
	t.Helper()
	rep, err := r.Report()
	if err != nil {
		t.Fatal(err)
	}
	return string(rep.JSON(func(id uint16) string { return fmt.Sprintf("%#x", id) }))
}

func TestHitRatio(t *testing.T) {
	h := native.NewHitRatio()
	if got, want := report(t, h), `{"total":0,"hits":0,"ratio":0,"rows":[]}`; got != want {
		t.Errorf("report of nothing = %s, want %s", got, want)
	}
	hit, miss := uint8(core.OutcomeHit)|1<<4, uint8(core.OutcomeMiss)
	h.Observe([]core.Event{
		{Op: uint8(core.OpGetMany), Result: hit, Namespace: 2},
		{Op: uint8(core.OpGetMany) | core.EventContinued, Result: miss, Namespace: 2},
		{Op: uint8(core.OpGet), Result: hit, Namespace: 2},
		{Op: uint8(core.OpSet), Result: hit},
		{Op: uint8(core.OpGet), Result: hit},
	})
	h.Observe([]core.Event{
		{Op: uint8(core.OpGet), Result: miss, Namespace: 1022},
		{Op: uint8(core.OpGet), Result: hit, Namespace: 1023},
		{Op: uint8(core.OpGet), Result: uint8(core.OutcomeDenied), Namespace: core.OtherNamespaces},
	})
	want := `{"total":7,"hits":4,"ratio":0.5714285714285714,"rows":[` +
		`{"op":"get","namespace":"0x0","total":1,"hits":1,"ratio":1},` +
		`{"op":"get","namespace":"0x2","total":1,"hits":1,"ratio":1},` +
		`{"op":"get_many","namespace":"0x2","total":2,"hits":1,"ratio":0.5},` +
		`{"op":"get","namespace":"0x3fe","total":1,"hits":0,"ratio":0},` +
		`{"op":"get","namespace":"0xfffe","total":2,"hits":1,"ratio":0.5}]}`
	if got := report(t, h); got != want {
		t.Errorf("report = %s, want %s", got, want)
	}
}

func TestTiming(t *testing.T) {
	tm := native.NewTiming()
	tm.Observe([]core.Event{
		{Op: uint8(core.OpGetMany), Elapsed: 4},
		{Op: uint8(core.OpGetMany) | core.EventContinued, Elapsed: 4},
		{Op: uint8(core.OpSet), Elapsed: 0},
		{Op: uint8(core.OpSet), Elapsed: 1<<32 - 1},
	})
	zeros := func(n int) string { return strings.Repeat(",0", n) }
	set := `"count":2,"total":4294967295,"min":0,"max":4294967295,"avg":2.1474836475e+09,"histogram":[1` +
		zeros(31) + ",1" + zeros(7) + "]"
	want := `{"count":3,"total":4294967299,"min":0,"max":4294967295,"avg":1.4316557663333333e+09,"histogram":[1,0,0,1` +
		zeros(28) + ",1" + zeros(7) + `],"rows":[` +
		`{"op":"get_many","namespace":"0xffff","count":1,"total":4,"min":4,"max":4,"avg":4,"histogram":[0,0,0,1` +
		zeros(36) + `]},{"op":"set","namespace":"0xffff",` + set + `}]}`
	if got := report(t, tm); got != want {
		t.Errorf("report = %s\nwant %s", got, want)
	}
}

func newKeyRewrite(tb testing.TB, config string) *native.KeyRewrite {
	tb.Helper()
	k, err := native.NewKeyRewrite([]byte(config))
	if err != nil {
		tb.Fatal(err)
	}
	return k
}

// TestKeyRewriteBatch looks at commands on many keys: those settled already stay, one refused does not harm the others.
func TestKeyRewriteBatch(t *testing.T) {
	k := newKeyRewrite(t, `{"rules":[{"lowercase":true}]}`)
	cmd := &core.Command{Op: core.OpGetMany, Keys: []string{"A", "B", strings.Repeat("C", 1<<16+1), "d"}}
	res := &core.Result{Items: make([]core.Item, 4)}
	res.Items[1].Outcome = core.OutcomeHit
	if err := k.Before(context.Background(), cmd, res); err != nil {
		t.Fatal(err)
	}
	if want := []string{"a", "B", strings.Repeat("C", 1<<16+1), "d"}; !reflect.DeepEqual(cmd.Keys, want) {
		t.Errorf("keys become %.40q, want %.40q", cmd.Keys, want)
	}
	for i, want := range []core.Outcome{core.OutcomeNone, core.OutcomeHit, core.OutcomeDenied, core.OutcomeNone} {
		if got := res.Items[i].Outcome; got != want {
			t.Errorf("item %d has the outcome %v, want %v", i, got, want)
		}
	}
	if !errors.Is(res.Items[2].Err, core.ErrRejected) {
		t.Errorf("error of the key that is too long: %v", res.Items[2].Err)
	}
}

func TestKeyRewriteSpec(t *testing.T) {
	spec := newKeyRewrite(t, `{}`).Spec()
	for op := core.OpGet; int(op) < core.OpCount; op++ {
		hasKey := op != core.OpClear && op != core.OpKeys && op != core.OpRaw
		if got := spec.Before.Has(op); got != hasKey {
			t.Errorf("Before has %v: %v, want %v", op, got, hasKey)
		}
	}
	if spec.After != 0 {
		t.Errorf("After is %b, want none", spec.After)
	}
}

// TestKeyRewriteConcurrent rewrites keys of different lengths on several goroutines.
func TestKeyRewriteConcurrent(t *testing.T) {
	k := newKeyRewrite(t, `{"rules":[{"lowercase":true},{"prefix":"v1:"},{"replace":{"pattern":"*x*","with":"$2/$1"}}]}`)
	var group sync.WaitGroup
	for n := range 8 {
		group.Go(func() {
			key, want := strings.Repeat("K", n)+"X"+strings.Repeat("L", 2*n), strings.Repeat("l", 2*n)+"/v1:"+strings.Repeat("k", n)
			cmd := &core.Command{Op: core.OpGet}
			for range 500 {
				cmd.Key = key
				if err := k.Before(context.Background(), cmd, &core.Result{}); err != nil || cmd.Key != want {
					t.Errorf("%q becomes %q (%v), want %q", key, cmd.Key, err, want)
					return
				}
			}
		})
	}
	group.Wait()
}

func TestConfigError(t *testing.T) {
	_, err := native.NewKeyRewrite([]byte(`{"rules":[{"prefx":"v1:"}]}`))
	var e *native.ConfigError
	if !errors.As(err, &e) || e.Plugin != "keyrewrite" || e.At != 11 {
		t.Fatalf("NewKeyRewrite returns %#v, want a *ConfigError about byte 11", err)
	}
	want := `keyrewrite: config byte 11: unknown field "prefx": want if_prefix, lowercase, prefix, strip_query, replace or hash_longer_than`
	if err.Error() != want {
		t.Errorf("error = %s, want %s", err, want)
	}
}

func ExampleNewKeyRewrite() {
	k, err := native.NewKeyRewrite([]byte(`{"rules":[
		{"lowercase": true},
		{"strip_query": ["utm_*", "fbclid"]},
		{"prefix": "v1:"}
	]}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	cmd := &core.Command{Op: core.OpGet, Key: "/Products/7?utm_source=mail&color=Red"}
	if err := k.Before(context.Background(), cmd, &core.Result{}); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(cmd.Key)
	// Output: v1:/products/7?color=red
}
