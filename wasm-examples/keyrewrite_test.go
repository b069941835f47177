package examples

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/hostabi"
	"github.com/edgecache/edgecache/plugins/native"
)

// rewriteNative returns what the plugin in Go makes of key: the key, or the reason for which it is refused.
func rewriteNative(k *native.KeyRewrite, key []byte) string {
	cmd := &core.Command{Op: core.OpGet, Key: string(key)}
	if err := k.Before(context.Background(), cmd, &core.Result{}); err != nil {
		return "denied: " + strings.TrimPrefix(err.Error(), core.ErrRejected.Error()+" by plugin keyrewrite: ")
	}
	return strings.Clone(cmd.Key)
}

// rewriteGuest returns what the guest makes of key, as rewriteNative.
func rewriteGuest(g *guest, key []byte) string {
	switch a, b := g.before(hostabi.OpSet, key); a.Code {
	case hostabi.ActionNone:
		return string(key)
	case hostabi.ActionKey:
		return string(b)
	case hostabi.ActionDeny:
		return "denied: " + string(b)
	default:
		g.tb.Fatalf("ec_before returned %v", a)
		return ""
	}
}

// configNative returns the plugin in Go, or the error's text as the guest has it.
func configNative(tb testing.TB, config []byte) (*native.KeyRewrite, string) {
	tb.Helper()
	k, err := native.NewKeyRewrite(config)
	if err == nil {
		return k, ""
	}
	if _, ok := errors.AsType[*native.ConfigError](err); !ok {
		tb.Fatalf("NewKeyRewrite(%q) = %v, want a *ConfigError", config, err)
	}
	return nil, strings.TrimPrefix(err.Error(), "keyrewrite: ")
}

// rewriters runs a test on the plugin in every language that it is written in.
func rewriters(t *testing.T, test func(*testing.T, *program)) {
	t.Run("c", func(t *testing.T) { test(t, compile(t, "keyrewrite")) })
	t.Run("rust", func(t *testing.T) {
		program, _ := compileRust(t, "keyrewrite")
		test(t, program)
	})
}

func TestKeyRewrite(t *testing.T) { rewriters(t, testKeyRewrite) }

func testKeyRewrite(t *testing.T, program *program) {
	long := strings.Repeat("0123456789", 30)
	for _, test := range []struct {
		name, rules string
		keys        [][2]string // before and after
	}{
		{"no rules", ``, [][2]string{{"", ""}, {"Key", "Key"}, {"\x00\xff", "\x00\xff"}}},
		{"lower-case", `{"lowercase":true}`, [][2]string{
			{"", ""},
			{"A", "a"},
			{"@AZ[`az{", "@az[`az{"},
			{"ABCDEFG", "abcdefg"},
			{"ABCDEFGH", "abcdefgh"},
			{"ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz"},
			{"already low", "already low"},
			{"\x00ÀÉ\xc1\xdaX\xff", "\x00ÀÉ\xc1\xdax\xff"},
		}},
		{"prefix", `{"prefix":"v1:"}`, [][2]string{{"", "v1:"}, {"k", "v1:k"}, {"v1:k", "v1:v1:k"}}},
		{"prefix with escapes", `{"prefix":"\u00e9\ud83d\ude00\u0000\n\/"}`, [][2]string{{"k", "é😀\x00\n/k"}}},
		{"empty prefix", `{"prefix":""}`, [][2]string{{"k", "k"}, {"", ""}}},
		{"order", `{"prefix":"A:"},{"lowercase":true},{"prefix":"B:"}`, [][2]string{{"K", "B:a:k"}}},
		{"if_prefix", `{"if_prefix":"/api/","prefix":"v2:"},{"lowercase":true,"if_prefix":"v2:"}`, [][2]string{
			{"/api/X", "v2:/api/x"}, {"/API/X", "/API/X"}, {"/api", "/api"}, {"", ""},
		}},
		{"strip_query", `{"strip_query":["utm_*","fbclid"]}`, [][2]string{
			{"/a", "/a"},
			{"/a?x=1", "/a?x=1"},
			{"/a?fbclid=1", "/a"},
			{"/a?utm_source=x&b=2&fbclid&c", "/a?b=2&c"},
			{"/a?b=2&utm_=&c=3", "/a?b=2&c=3"},
			{"/a?", "/a"},
			{"/a?&&", "/a"},
			{"/a?&b&", "/a?b"},
			{"?", ""},
			{"/a?fbclid=1#top", "/a#top"},
			{"/a?b=1&fbclid#utm_x?y=1", "/a?b=1#utm_x?y=1"},
			{"/a#x?fbclid", "/a#x"},
			{"/a?fbclid2=1&xutm_a", "/a?fbclid2=1&xutm_a"},
			{"/a?b=?&fbclid=?", "/a?b=?"},
			{"/a?=1", "/a?=1"},
			{"/a?b\x00=\xff&fbclid=\x00", "/a?b\x00=\xff"},
		}},
		{"strip all of the query", `{"strip_query":["*"]}`, [][2]string{{"/a?b=1&c=2&=3", "/a"}, {"/a?b#c", "/a#c"}}},
		{"strip nothing", `{"strip_query":[]}`, [][2]string{{"/a?b&&c", "/a?b&c"}}},
		{"replace", `{"replace":{"pattern":"/img/*/thumb","with":"/img/$1"}}`, [][2]string{
			{"/img/7/thumb", "/img/7"},
			{"/img//thumb", "/img/"},
			{"/img/thumb", "/img/thumb"},
			{"/img/a/thumb/b/thumb", "/img/a/thumb/b"},
			{"x/img/7/thumb", "x/img/7/thumb"},
			{"/img/7/thumb2", "/img/7/thumb2"},
		}},
		{"replace in the middle", `{"replace":{"with":"$1cat$2","pattern":"*dog*"}}`, [][2]string{
			{"dog", "cat"}, {"a dog, a dog", "a cat, a dog"}, {"do", "do"},
		}},
		{"replace with many stars", `{"replace":{"pattern":"*/*/**.*","with":"$5:$4|$3|$2|$1|$$"}}`, [][2]string{
			{"a/b/c.d.e", "d.e:c||b|a|$"}, {"//.", ":||||$"}, {"/.", "/."},
		}},
		{"replace what overlaps", `{"replace":{"pattern":"aba*aba","with":"[$1]"}}`, [][2]string{
			{"ababa", "ababa"}, {"abaaba", "[]"}, {"abababa", "[b]"},
		}},
		{"replace all of it", `{"replace":{"pattern":"*","with":"one"}}`, [][2]string{{"", "one"}, {"x", "one"}}},
		{"replace by nothing", `{"replace":{"pattern":"tmp*","with":""}}`, [][2]string{{"tmpx", ""}, {"x", "x"}}},
		{"pattern with escapes", `{"replace":{"pattern":"\\*\\\\*","with":"$1"}}`, [][2]string{{`*\x`, "x"}, {`a\x`, `a\x`}}},
		{"exact", `{"replace":{"pattern":"/","with":"/index.html"}}`, [][2]string{{"/", "/index.html"}, {"//", "//"}}},
		{"hash", `{"hash_longer_than":20}`, [][2]string{
			{long[:20], long[:20]}, {long[:21], "012#7fddb1563cf9bead"}, {long[:33], "012#14c504c80731f0bd"},
		}},
		{"hash all", `{"hash_longer_than":17}`, [][2]string{{long, "#49396d401dd597e4"}}},
		{"white space", " { \"lowercase\" :\ttrue\r\n} ", [][2]string{{"K", "k"}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			config := []byte(`{"rules":[` + test.rules + `]}`)
			k, problem := configNative(t, config)
			if problem != "" {
				t.Fatal(problem)
			}
			g := program.start(t)
			if text := g.init(config); text != "" {
				t.Fatalf("ec_init: %s", text)
			}
			for _, key := range test.keys {
				if got := rewriteNative(k, []byte(key[0])); got != key[1] {
					t.Errorf("in Go: %q becomes %q, want %q", key[0], got, key[1])
				}
				if got := rewriteGuest(g, []byte(key[0])); got != key[1] {
					t.Errorf("the guest: %q becomes %q, want %q", key[0], got, key[1])
				}
			}
		})
	}
}

func TestKeyRewriteConfigErrors(t *testing.T) { rewriters(t, testKeyRewriteConfigErrors) }

func testKeyRewriteConfigErrors(t *testing.T, program *program) {
	rules := func(rule string) string { return `{"rules":[` + rule + `]}` }
	for _, test := range []struct{ config, want string }{
		{` `, `1: want an object, found the end`},
		{`[]`, `0: want an object, found "["`},
		{`{}x`, `2: want nothing more, found "x"`},
		{"{}\x00", `2: want nothing more, found "?"`},
		{`{"rules":{}}`, `9: want an array, found "{"`},
		{`{"rules"`, `8: want a colon, found the end`},
		{`{"rules":[]`, `11: want a comma or the end of the object, found the end`},
		{`{"rules":[] "rules":[]}`, `12: want a comma or the end of the object, found "?"`},
		{`{"rules":[],"rules":[]}`, `12: field "rules" appears twice`},
		{`{"ruels":[]}`, `1: unknown field "ruels": want rules`},
		{`{"` + strings.Repeat("é\n", 3) + `":[]}`, `4: control character in a string`},
		{`{"é\n` + strings.Repeat("x", 50) + `":[]}`, `1: unknown field "???` + strings.Repeat("x", 37) + `": want rules`},
		{`{"rules":[],}`, `12: want a string, found "}"`},
		{rules(`1`), `10: want an object, found "1"`},
		{rules(`{}`), `10: rule without an action`},
		{rules(`{"if_prefix":"x"}`), `10: rule without an action`},
		{rules(`{"if_prefix":1}`), `23: want a string, found "1"`},
		{
			rules(`{"upper":true}`),
			`11: unknown field "upper": want if_prefix, lowercase, prefix, strip_query, replace or hash_longer_than`,
		},
		{rules(`{"lowercase":true,"prefix":"x"}`), `28: a second action in a rule: make it a rule of its own`},
		{rules(`{"lowercase":true,"lowercase":true}`), `28: field "lowercase" appears twice`},
		{rules(`{"lowercase":false}`), `23: want true, found "f"`},
		{rules(`{"lowercase":truer}`), `27: want a comma or the end of the object, found "r"`},
		{rules(`{"prefix":null}`), `20: want a string, found "n"`},
		{rules(`{"prefix":"x}`), `20: string without an end`},
		{rules(`{"prefix":"\x41"}`), `21: bad escape in a string`},
		{rules(`{"prefix":"\u12g4"}`), `21: bad escape in a string`},
		{rules(`{"prefix":"\ud800x"}`), `21: bad escape in a string`},
		{rules(`{"prefix":"\ud800\u0041"}`), `21: bad escape in a string`},
		{rules(`{"prefix":"\udc00"}`), `21: bad escape in a string`},
		{`{"rules":[{"prefix":"\`, `21: bad escape in a string`},
		{`{"rules":[{"prefix":"\u12`, `21: bad escape in a string`},
		{rules(`{"strip_query":"utm"}`), `25: want an array, found "?"`},
		{rules(`{"strip_query":["a" "b"]}`), `30: want a comma or the end of the array, found "?"`},
		{rules(`{"strip_query":["a",1]}`), `30: want a string, found "1"`},
		{rules(`{"strip_query":["*1*2*3*4*5*6*7*8*9*"]}`), `26: more than 9 stars in a pattern`},
		{rules(`{"strip_query":["a\\b"]}`), `26: backslash before neither * nor \ in a pattern`},
		{rules(`{"replace":{"pattern":"a\\","with":""}}`), `32: backslash before neither * nor \ in a pattern`},
		{rules(`{"replace":{"pattern":"a"}}`), `21: replace needs pattern and with`},
		{rules(`{"replace":{"pattern":"a","to":"b"}}`), `36: unknown field "to": want pattern and with`},
		{rules(`{"replace":{"pattern":"*","with":"$2"}}`), `43: no star in the pattern for "$2"`},
		{rules(`{"replace":{"with":"x$y","pattern":"*"}}`), `29: $ before neither 1 to 9 nor $ in a replacement`},
		{rules(`{"replace":{"with":"x$","pattern":"*"}}`), `29: $ before neither 1 to 9 nor $ in a replacement`},
		{rules(`{"replace":{"with":"$0","pattern":"*"}}`), `29: $ before neither 1 to 9 nor $ in a replacement`},
		{rules(`{"hash_longer_than":16}`), `30: want a number from 17 to 65536, found "1"`},
		{rules(`{"hash_longer_than":65537}`), `30: want a number from 17 to 65536, found "6"`},
		{rules(`{"hash_longer_than":99999999999999999999}`), `30: want a number from 17 to 65536, found "9"`},
		{rules(`{"hash_longer_than":-20}`), `30: want a number from 17 to 65536, found "-"`},
		{rules(`{"hash_longer_than":020}`), `30: want a number from 17 to 65536, found "0"`},
		{rules(`{"hash_longer_than":20.5}`), `32: want a comma or the end of the object, found "."`},
		{rules(strings.Repeat(`{"lowercase":true},`, 64) + `{}`), `1226: more than 64 rules`},
		{rules(`{"prefix":"` + strings.Repeat("x", 8192) + `"}`), `8192: configuration of more than 8192 bytes`},
		{strings.Repeat(`[`, 8192), `0: want an object, found "["`},
		{rules(strings.Repeat(`[`, 8000)), `10: want an object, found "["`},
	} {
		t.Run(fmt.Sprintf("%.40s", test.config), func(t *testing.T) {
			want := "config byte " + test.want
			if _, got := configNative(t, []byte(test.config)); got != want {
				t.Errorf("NewKeyRewrite(%.80q):\n  %s, want\n  %s", test.config, got, want)
			}
			if got := program.start(t).init([]byte(test.config)); got != want {
				t.Errorf("ec_init(%.80q):\n  %s, want\n  %s", test.config, got, want)
			}
		})
	}
}

// TestKeyRewriteFullConfig fills the memory that a guest has for its rules as far as the longest configuration can.
func TestKeyRewriteFullConfig(t *testing.T) { rewriters(t, testKeyRewriteFullConfig) }

func testKeyRewriteFullConfig(t *testing.T, program *program) {
	for _, unit := range []string{`"*********",`, `"",`, `"*",`, `"\u0041",`, `"*****",`} {
		config := `{"rules":[{"strip_query":[`
		config += strings.Repeat(unit, (8100-len(config))/len(unit)) + `"last"]},{"prefix":"p:"}]}`
		compare(t, program, []byte(config), []byte("/a?last=1&b=2"))
	}
	for _, with := range []string{"a$9", "$1", "$$"} {
		with = strings.Repeat(with, 8000/len(with))
		config := `{"rules":[{"replace":{"pattern":"*********","with":"` + with + `"}},{"prefix":"p:"}]}`
		compare(t, program, []byte(config), []byte("key"))
	}
	compare(t, program, bytes.Repeat([]byte("["), 8193))
}

func TestKeyRewriteLongKeys(t *testing.T) { rewriters(t, testKeyRewriteLongKeys) }

func testKeyRewriteLongKeys(t *testing.T, program *program) {
	const surely = 1<<16 - 10 // some guests take no more, with a namespace's path of 10 bytes
	sizes := []int{1000, 4022, 4023, 4095, 4096, 4097, 1 << 14, 1<<15 - 1, 1 << 15, 1<<16 - 100, surely}
	if program.start(t).reserve(hostabi.BufKey + 1<<17) {
		sizes = append(sizes, 1<<16-3, 1<<16-2, 1<<16, 1<<16+1)
	}
	key := func(n int) []byte { return []byte(strings.Repeat("/Path?a=1&b=2&", n/14+1)[:n]) }
	for _, rules := range []string{
		``, `{"lowercase":true}`, `{"prefix":"v1:"}`, `{"strip_query":["a"]}`, `{"hash_longer_than":200}`,
		`{"replace":{"pattern":"*","with":"$1$1"}}`, `{"replace":{"pattern":"*","with":"$1$1"}},{"hash_longer_than":250}`,
		`{"lowercase":true},{"prefix":"x"},{"replace":{"pattern":"*","with":"$1,$1,$1"}},{"strip_query":["b"]},{"prefix":"y"}`,
		`{"replace":{"pattern":"*","with":"` + strings.Repeat("$1", 3000) + `"}},{"prefix":"z"}`,
		strings.Repeat(`{"prefix":"a"},`, 63) + `{"prefix":"b"}`,
	} {
		config := []byte(`{"rules":[` + rules + `]}`)
		for _, n := range sizes {
			compare(t, program, config, key(n), key(10), key(n))
		}
	}
}

func TestKeyRewriteBuffer(t *testing.T) {
	program := compile(t, "keyrewrite")
	g := program.start(t)
	if !g.reserve(hostabi.BufKey + 1<<17) {
		t.Error("no buffer for a key and a path of 64 KiB each")
	}
	if g.reserve(hostabi.BufKey + 1<<17 + 1) {
		t.Error("a buffer beyond the limit is promised")
	}
	if text := g.init([]byte(`{"rules":[{"prefix":"p:"}]}`)); text != "" {
		t.Errorf("after a refused buffer: ec_init: %s", text)
	}
}

// compare configures both plugins and has them rewrite keys, one after another.
func compare(tb testing.TB, program *program, config []byte, keys ...[]byte) {
	tb.Helper()
	g := program.start(tb)
	defer g.mod.Close(context.Background())
	k, want := configNative(tb, config)
	if got := g.init(config); got != want {
		tb.Fatalf("config %q: the guest says %q, in Go it is %q", config, got, want)
	}
	if k == nil {
		return
	}
	for _, key := range keys {
		if got, want := rewriteGuest(g, key), rewriteNative(k, key); got != want {
			tb.Fatalf("config %.200q: key %.100q (%d bytes): the guest makes %.100q (%d), in Go it is %.100q (%d)",
				config, key, len(key), got, len(got), want, len(want))
		}
	}
}

// TestKeyRewriteRandom compares both plugins on random rules and keys.
func TestKeyRewriteRandom(t *testing.T) { rewriters(t, testKeyRewriteRandom) }

func testKeyRewriteRandom(t *testing.T, program *program) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		config := []byte(`{"rules":[` + randomRules(r) + `]}`)
		keys := make([][]byte, 50)
		for i := range keys {
			keys[i] = randomKey(r)
		}
		if _, problem := configNative(t, config); problem != "" {
			t.Fatalf("%s: %s", config, problem)
		}
		compare(t, program, config, keys...)
	}
}

// TestKeyRewriteSpoiled compares what both plugins say about configurations that are almost in order.
func TestKeyRewriteSpoiled(t *testing.T) { rewriters(t, testKeyRewriteSpoiled) }

func testKeyRewriteSpoiled(t *testing.T, program *program) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 2000 {
		compare(t, program, spoil(r, rewriteRules), []byte("/Path?a=1"))
	}
}

// spoil returns a configuration with some bytes left out, changed or put in.
func spoil(r *rand.Rand, config string) []byte {
	b := []byte(config)
	for range 1 + r.IntN(3) {
		switch i := r.IntN(len(b)); r.IntN(4) {
		case 0:
			b = b[:i+1]
		case 1:
			b = slices.Delete(b, i, i+1)
		case 2:
			b[i] = byte(r.Uint32())
		default:
			b = slices.Insert(b, i, "\",:{}[]*\\$u0d 9\x00"[r.IntN(16)])
		}
		if len(b) == 0 {
			break
		}
	}
	return b
}

func randomRules(r *rand.Rand) string {
	rules := make([]string, r.IntN(5))
	for i := range rules {
		rules[i] = [...]string{
			`{"lowercase":true}`,
			`{"prefix":"V` + randomText(r, "aB/:", 4) + `"}`,
			`{"strip_query":["` + randomText(r, "ab*", 3) + `","` + randomText(r, "ab*", 5) + `"]}`,
			`{"replace":{"pattern":"` + randomText(r, "aB/?", 2) + "*" + randomText(r, "*aB/?", 4) + `",` +
				`"with":"` + randomText(r, "x/", 3) + `$1$$"}}`,
			fmt.Sprintf(`{"hash_longer_than":%d}`, 17+r.IntN(40)),
			`{"if_prefix":"` + randomText(r, "aB/", 2) + `","prefix":"` + randomText(r, "aB/", 4) + `"}`,
		}[r.IntN(6)]
	}
	return strings.Join(rules, ",")
}

func randomText(r *rand.Rand, alphabet string, most int) string {
	b := make([]byte, r.IntN(most+1))
	for i := range b {
		b[i] = alphabet[r.IntN(len(alphabet))]
	}
	return string(b)
}

func randomKey(r *rand.Rand) []byte {
	if r.IntN(8) == 0 {
		b := make([]byte, r.IntN(300))
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		return b
	}
	return []byte(randomText(r, "aAbB/?&=#*", 80))
}

// FuzzKeyRewrite feeds both plugins foreign configurations and keys: no trap, the same errors, the same keys.
func FuzzKeyRewrite(f *testing.F) {
	f.Add(``, "Key")
	f.Add(`{"rules":[{"lowercase":true},{"prefix":"v1:\u00e9\ud83d\ude00"}]}`, "KEY-of-some-length")
	f.Add(`{"rules":[{"strip_query":["utm_*","fb"],"if_prefix":"/"}]}`, "/a?utm_x=1&b=2&fb#c")
	f.Add(`{"rules":[{"replace":{"pattern":"/img/*/\\**","with":"$1$$$2"}},{"hash_longer_than":17}]}`, "/img/7/*x")
	f.Add(`{"rules":[{"replace":{"pattern":"*","with":"$1"}}],"rules":[]}`, "x")
	f.Add(`{"rules":[{"replace":{"pattern":"*********`, "")
	f.Add("{\"rules\":\t[{\"prefix\":\"\x00\"}]}", "\xff\x00")
	program := compile(f, "keyrewrite")
	f.Fuzz(func(t *testing.T, config, key string) {
		if len(config) > 1<<14 || len(key) > 1<<14 {
			t.Skip("longer than what the tests of lengths cover")
		}
		compare(t, program, []byte(config), []byte(key), []byte(key))
	})
}
