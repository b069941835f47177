package backendtest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"
	"unsafe"

	"github.com/edgecache/edgecache/core"
)

func testMiss(s *suite) {
	s.wantMiss("absent")
	if found, err := s.Delete(s.Context(), "absent"); found || err != nil {
		s.Errorf("Delete of an absent key = %v, %v", found, err)
	}
}

func testSetGetDelete(s *suite) {
	s.set("k", value("one"))
	s.wantValue("k", "one", false)
	s.set("k", value("two"))
	s.wantValue("k", "two", false)
	s.wantMiss("K")
	if found, err := s.Delete(s.Context(), "k"); !found || err != nil {
		s.Errorf("Delete = %v, %v; want true", found, err)
	}
	s.wantMiss("k")
	if found, err := s.Delete(s.Context(), "k"); found || err != nil {
		s.Errorf("second Delete = %v, %v; want false", found, err)
	}
}

// strangeKeys are keys that protocols and file systems are tempted to misread.
func (s *suite) strangeKeys() []string {
	keys := []string{
		"", " ", "  ", "\n", "\r\n", "\x00", "a b", "a\nb", "a\r\nb", "a\x00b", "a\tb", "\x7f", "\xff\xfe", "\u00e9", "日本語",
		".", "..", "../..", "/", "a/b", "a\\b", "%", "%20", "%00", "a%b", "*", "?", "[a]", "\\", "{a}b", "a:b", "0", "-1",
		"noreply", "END\r\n", "=", "a=", "YQ==", "b64:YQ", "\xec\x01", "ÿ",
	}
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
		keys = append(keys, string([]byte{byte(i)}), "x"+string([]byte{byte(i)})+"y")
	}
	keys = append(keys, string(all[:min(256, s.MaxKey)]))
	for _, n := range []int{100, 180, 200, 249, 250, 251, 255, 256, 257, 1000, s.MaxKey - 1, s.MaxKey} {
		if n <= s.MaxKey {
			keys = append(keys, strings.Repeat("k", n), strings.Repeat("k", n-1)+"\n", strings.Repeat("\xff", n))
		}
	}
	seen := make(map[string]bool)
	distinct := keys[:0]
	for _, k := range keys {
		if !seen[k] && len(k) <= s.MaxKey {
			seen[k] = true
			distinct = append(distinct, k)
		}
	}
	return distinct
}

func testKeys(s *suite) {
	keys := s.strangeKeys()
	for i, k := range keys {
		s.set(k, value(fmt.Sprintf("value of %d", i)))
	}
	for i, k := range keys {
		s.wantValue(k, fmt.Sprintf("value of %d", i), false)
	}
	for i, k := range keys {
		if found, err := s.Delete(s.Context(), k); !found || err != nil {
			s.Errorf("Delete(%.64q) = %v, %v; want true", k, found, err)
		}
		s.wantMiss(k)
		if i+1 < len(keys) {
			s.wantValue(keys[i+1], fmt.Sprintf("value of %d", i+1), false)
		}
	}
}

func testValues(s *suite) {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	values := []string{
		"", "\x00", "\r\n", "END\r\n", "$-1\r\n", "a b", "0", "42", "-7", "007", " 5", "9223372036854775808", string(all),
		"\xec", "\xec\x01", "\xec\x01" + string(all), strings.Repeat("\xec\x01\x00", 40),
	}
	for _, n := range []int{100, 4095, 4096, 4097, 65_536, 300_000, s.MaxValue} {
		if n <= s.MaxValue {
			values = append(values, strings.Repeat("v", n), strings.Repeat("\x00\xff\r\n", n/4))
		}
	}
	for i, v := range values {
		s.set("k", value(v))
		s.wantValue("k", v, false)
		s.set(fmt.Sprint("k", i), value(v))
	}
	for i, v := range values {
		s.wantValue(fmt.Sprint("k", i), v, false)
	}
}

func testMetadata(s *suite) {
	entries := map[string]*core.Entry{
		"plain":   {Value: []byte("v")},
		"flags":   {Value: []byte("v"), Flags: 0xfedcba98},
		"codec":   {Value: []byte("v"), Codec: 255},
		"version": {Value: []byte("v"), Version: 1<<64 - 1},
		"expires": {Value: []byte("v"), Expires: in(time.Hour)},
		"long":    {Value: []byte("v"), Expires: in(60 * 24 * time.Hour)},
		"empty":   {Flags: 1, Codec: 2, Version: 3},
		"number":  {Value: []byte("123"), Flags: 1, Codec: 2, Version: 3},
		"all":     {Value: []byte("v"), Expires: in(time.Hour), Flags: 1, Codec: 2, Version: 3},
	}
	for k, e := range entries {
		s.set(k, e)
	}
	for k, e := range entries {
		s.wantEntry(k, s.get(k), e)
	}
}

// testKeyNotRetained passes keys whose bytes change after the call, as frontends do.
func testKeyNotRetained(s *suite) {
	ctx := s.Context()
	buf := []byte("0000")
	borrowed := func(key string) string {
		copy(buf, key)
		return unsafe.String(&buf[0], len(buf))
	}
	for _, k := range []string{"aaaa", "bbbb", "cccc", "dddd"} {
		s.set(k, value(k))
	}
	if e, err := s.Get(ctx, borrowed("aaaa")); err != nil || string(e.Value) != "aaaa" {
		s.Errorf("Get = %v, %v", e, err)
	}
	if e, err := s.Get(ctx, borrowed("eeee")); err != core.ErrNotFound { //nolint:errorlint // the contract
		s.Errorf("Get of an absent key = %v, %v", e, err)
	}
	if g, ok := s.Backend.(core.BatchGetter); ok {
		out := make([]*core.Entry, 2)
		if err := g.GetMany(ctx, []string{borrowed("bbbb"), "aaaa"}, out); err != nil || out[0] == nil {
			s.Errorf("GetMany = %v, %v", out, err)
		}
	}
	if found, err := s.Delete(ctx, borrowed("cccc")); !found || err != nil {
		s.Errorf("Delete = %v, %v", found, err)
	}
	if d, ok := s.Backend.(core.BatchDeleter); ok {
		found := make([]bool, 1)
		if err := d.DeleteMany(ctx, []string{borrowed("dddd")}, found); err != nil || !found[0] {
			s.Errorf("DeleteMany = %v, %v", found, err)
		}
		s.wantMiss("dddd")
	}
	borrowed("zzzz")
	s.wantValue("aaaa", "aaaa", false)
	s.wantValue("bbbb", "bbbb", false)
	for _, k := range []string{"cccc", "eeee", "zzzz"} {
		s.wantMiss(k)
	}
}

func testExpiry(s *suite) {
	d := s.short()
	expires := in(d)
	s.set("k", &core.Entry{Value: []byte("v"), Expires: expires})
	if e, err := s.Get(s.Context(), "k"); err != nil && time.Now().UnixNano() < expires-int64(s.Resolution) {
		s.Errorf("Get within the time to live = %v", err)
	} else if err == nil {
		s.wantExpires("k", e, expires)
	}
	s.set("keeps", &core.Entry{Value: []byte("v"), Expires: in(time.Hour)})
	s.wantGone("k", d)
	if time.Now().UnixNano() < expires-int64(s.Resolution) {
		s.Errorf("the key is gone %v early", time.Duration(expires-time.Now().UnixNano()))
	}
	if found, err := s.Delete(s.Context(), "k"); found || err != nil {
		s.Errorf("Delete of an expired key = %v, %v; want false", found, err)
	}
	s.wantValue("keeps", "v", true)

	s.set("cleared", &core.Entry{Value: []byte("v"), Expires: in(d)})
	s.set("cleared", value("w"))
	s.set("probe", &core.Entry{Value: []byte("v"), Expires: in(d)})
	s.wantGone("probe", d)
	s.wantValue("cleared", "w", false)
}

func testSetExpired(s *suite) {
	s.set("k", value("v"))
	s.set("k", &core.Entry{Value: []byte("w"), Expires: time.Now().Add(-time.Hour).UnixNano()})
	s.wantMiss("k")
	s.set("l", &core.Entry{Value: []byte("w"), Expires: 1})
	s.wantMiss("l")
}

func testPing(s *suite) {
	if err := ability[core.Pinger](s).Ping(s.Context()); err != nil {
		s.Errorf("Ping = %v", err)
	}
}

// testContext demands that calls under a context that has ended return, and with the context's error if they fail.
func testContext(s *suite) {
	s.set("k", value("v"))
	cancelled, cancel := context.WithCancel(s.Context())
	cancel()
	late, cancel := context.WithDeadline(s.Context(), time.Now().Add(-time.Second))
	defer cancel()
	for ctx, want := range map[context.Context]error{cancelled: context.Canceled, late: context.DeadlineExceeded} {
		for name, err := range s.callAll(ctx) {
			if err != nil && err != core.ErrNotFound && !errors.Is(err, want) { //nolint:errorlint // the contract
				s.Errorf("%s under a context that has ended = %v, want nil or %v", name, err, want)
			}
		}
	}
}

func testClose(s *suite) {
	s.set("k", value("v"))
	for range 2 {
		if err := s.Close(); err != nil {
			s.Errorf("Close = %v", err)
		}
	}
	for name, err := range s.callAll(s.Context()) {
		s.wantError(err, core.ErrClosed, "%s after Close", name)
	}
}

// callAll calls every method that takes a context and returns their errors.
func (s *suite) callAll(ctx context.Context) map[string]error {
	errs := make(map[string]error)
	b := s.Backend
	_, errs["Get"] = b.Get(ctx, "k")
	errs["Set"] = b.Set(ctx, "k", value("v"))
	_, errs["Delete"] = b.Delete(ctx, "k")
	if u, ok := b.(core.Updater); ok {
		_, errs["Update"] = u.Update(ctx, "k", func(*core.Entry) (*core.Entry, error) { return value("1"), nil })
	}
	if c, ok := b.(core.Counter); ok {
		_, errs["Increment"] = c.Increment(ctx, "n", 1, 0)
	}
	if c, ok := b.(core.ConditionalSetter); ok {
		errs["SetIf"] = c.SetIf(ctx, fmt.Sprint("if", rand.Uint64()), value("v"), core.IfAbsent)
	}
	if e, ok := b.(core.Expirer); ok {
		_, errs["Expire"] = e.Expire(ctx, "k", 0)
	}
	if g, ok := b.(core.BatchGetter); ok {
		errs["GetMany"] = g.GetMany(ctx, []string{"k"}, make([]*core.Entry, 1))
	}
	if m, ok := b.(core.BatchSetter); ok {
		one := make([]error, 1)
		errs["SetMany"] = errors.Join(m.SetMany(ctx, []string{"k"}, []*core.Entry{value("v")}, one), one[0])
	}
	if d, ok := b.(core.BatchDeleter); ok {
		errs["DeleteMany"] = d.DeleteMany(ctx, []string{"k"}, make([]bool, 1))
	}
	if c, ok := b.(core.Scanner); ok {
		_, _, errs["Scan"] = c.Scan(ctx, 0, "", "", 10)
		_, _, errs["Scan of all"] = c.Scan(ctx, 0, "", "", 0)
	}
	if c, ok := b.(core.Clearer); ok {
		errs["Clear"] = c.Clear(ctx, "k")
	}
	if p, ok := b.(core.Pinger); ok {
		errs["Ping"] = p.Ping(ctx)
	}
	s.sweepAll(ctx, errs)
	return errs
}

// testHammer lets goroutines get in each other's way. Every value names its key, so that a mixed-up reply shows.
func testHammer(s *suite) {
	const goroutines, rounds, keys = 16, 150, 8
	ctx := s.Context()
	check := func(key string, e *core.Entry) {
		if e != nil && !strings.HasPrefix(string(e.Value), key+"=") {
			s.Errorf("Get(%q) = %.64q, the value of another key", key, e.Value)
		}
	}
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(g), 1))
			for range rounds {
				k := fmt.Sprint("key", r.IntN(keys))
				switch r.IntN(8) {
				case 0, 1:
					v := k + "=" + strings.Repeat("x", r.IntN(3000))
					s.report(s.Set(ctx, k, &core.Entry{Value: []byte(v), Expires: in(time.Duration(1+r.IntN(50)) * time.Second)}))
				case 2:
					_, err := s.Delete(ctx, k)
					s.report(err)
				case 3:
					s.hammerUpdate(ctx, k)
				case 4:
					s.hammerMany(ctx, k, check)
				default:
					e, err := s.Get(ctx, k)
					s.report(err)
					check(k, e)
				}
			}
		})
	}
	wg.Wait()
}

// report fails the test on an error that a working store under contention does not return.
func (s *suite) report(err error) {
	s.Helper()
	if err != nil && !errors.Is(err, core.ErrNotFound) && !errors.Is(err, core.ErrConflict) {
		s.Error(err)
	}
}

func (s *suite) hammerUpdate(ctx context.Context, key string) {
	u, ok := s.Backend.(core.Updater)
	if !ok {
		return
	}
	_, err := u.Update(ctx, key, func(old *core.Entry) (*core.Entry, error) {
		if old == nil {
			return value(key + "=updated"), nil
		}
		return value(string(old.Value[:len(key)+1]) + "again"), nil
	})
	s.report(err)
}

func (s *suite) hammerMany(ctx context.Context, key string, check func(string, *core.Entry)) {
	g, ok := s.Backend.(core.BatchGetter)
	if !ok {
		return
	}
	keys := []string{key, "absent", "key0", key}
	out := make([]*core.Entry, len(keys))
	s.report(g.GetMany(ctx, keys, out))
	for i, e := range out {
		check(keys[i], e)
	}
}
