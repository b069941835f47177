// Package backendtest is the conformance suite of core.Backend and its optional abilities. A new backend is done when it
// passes.
package backendtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/edgecache/edgecache/core"
)

// Limits says what a store can't represent. The zero value demands everything.
type Limits struct {
	// MaxKey is the length of the longest keys tried, in bytes. 0 means 64 KiB.
	MaxKey int
	// MaxValue is the length of the longest values tried, in bytes. 0 means 1 MB.
	MaxValue int
	// Resolution is the unit of the store's expiry: times to live are rounded up to it. 0 means a millisecond.
	Resolution time.Duration
	// NumberResolution is the unit where the value is a number that Increment made. 0 means Resolution.
	NumberResolution time.Duration
	// NoVersion, NoFlags and NoCodec say that these fields of an entry read as 0.
	NoVersion, NoFlags, NoCodec bool
	// LooseNumbers says that Increment also takes for a number what only the store does: spaces around it, or digits
	// beyond int64.
	LooseNumbers bool
	// Forgets says that the store keeps nothing: every read misses. Only what then still holds is tested.
	Forgets bool
}

// Run tests the backends that open returns. Each call of open is for one subtest: the backend's store must be empty
// and nobody else's. The suite closes the backend; open registers what else there is to clean up.
func Run(t *testing.T, open func(t *testing.T) core.Backend) {
	t.Helper()
	Limits{}.Run(t, open)
}

// Run is the package's Run for a store with limits.
func (l Limits) Run(t *testing.T, open func(t *testing.T) core.Backend) {
	t.Helper()
	if l.MaxKey == 0 {
		l.MaxKey = 64 << 10
	}
	if l.MaxValue == 0 {
		l.MaxValue = 1_000_000
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if l.Forgets && !c.forgets {
				t.Skip("the store keeps nothing")
			}
			b := open(t)
			t.Cleanup(func() { _ = b.Close() })
			c.run(&suite{T: t, Limits: l, Backend: b})
		})
	}
}

// suite is one subtest.
type suite struct {
	*testing.T
	Limits
	core.Backend
}

// cases are the subtests. Those with forgets also hold for a store that keeps nothing.
var cases = []struct {
	name    string
	forgets bool
	run     func(s *suite)
}{
	{"Miss", true, testMiss},
	{"SetGetDelete", false, testSetGetDelete},
	{"Keys", false, testKeys},
	{"Values", false, testValues},
	{"Metadata", false, testMetadata},
	{"KeyNotRetained", false, testKeyNotRetained},
	{"Expiry", false, testExpiry},
	{"SetExpired", false, testSetExpired},
	{"Update", false, testUpdate},
	{"UpdateExpiry", false, testUpdateExpiry},
	{"UpdateAtomic", false, testUpdateAtomic},
	{"Increment", false, testIncrement},
	{"IncrementErrors", false, testIncrementErrors},
	{"IncrementExpiry", false, testIncrementExpiry},
	{"IncrementAtomic", false, testIncrementAtomic},
	{"SetIf", false, testSetIf},
	{"SetIfRace", false, testSetIfRace},
	{"Expire", false, testExpire},
	{"GetMany", false, testGetMany},
	{"SetMany", false, testSetMany},
	{"DeleteMany", false, testDeleteMany},
	{"EmptyBatches", true, testEmptyBatches},
	{"ScanPages", false, testScanPages},
	{"ScanSelects", false, testScanSelects},
	{"ScanWhileWriting", false, testScanWhileWriting},
	{"Clear", false, testClear},
	{"ClearAll", false, testClearAll},
	{"DeleteRange", false, testDeleteRange},
	{"DeleteExpired", false, testDeleteExpired},
	{"Victim", false, testVictim},
	{"Peek", false, testPeek},
	{"OpenValue", false, testOpenValue},
	{"Swap", false, testSwap},
	{"Inspect", false, testInspect},
	{"Persist", false, testPersist},
	{"Flush", false, testFlush},
	{"Notify", false, testNotify},
	{"Ping", true, testPing},
	{"Context", true, testContext},
	{"Close", true, testClose},
	{"Hammer", true, testHammer},
}

// ability returns the backend as an A, or skips the subtest.
func ability[A any](s *suite) A {
	s.Helper()
	a, ok := s.Backend.(A)
	if !ok {
		s.Skipf("%T has no such ability", s.Backend)
	}
	return a
}

// value returns an entry that never expires.
func value(v string) *core.Entry { return &core.Entry{Value: []byte(v)} }

// in returns the expiry of an entry that lives for d.
func in(d time.Duration) int64 { return core.Deadline(time.Now(), d) }

func (s *suite) set(key string, e *core.Entry) {
	s.Helper()
	if err := s.Set(s.Context(), key, e); err != nil {
		s.Fatalf("Set(%.64q) = %v", key, err)
	}
}

func (s *suite) get(key string) *core.Entry {
	s.Helper()
	e, err := s.Get(s.Context(), key)
	if err != nil {
		s.Fatalf("Get(%.64q) = %v", key, err)
	}
	return e
}

// wantValue demands a hit with the value, with or without an expiry.
func (s *suite) wantValue(key, want string, expires bool) {
	s.Helper()
	e := s.get(key)
	if string(e.Value) != want {
		s.Errorf("Get(%.64q) has value %.64q, want %.64q", key, e.Value, want)
	}
	if (e.Expires != 0) != expires {
		s.Errorf("Get(%.64q) expires at %d, want an expiry: %v", key, e.Expires, expires)
	}
}

func (s *suite) wantMiss(key string) {
	s.Helper()
	if e, err := s.Get(s.Context(), key); err != core.ErrNotFound || e != nil { //nolint:errorlint // the contract
		s.Errorf("Get(%.64q) = %v, %v; want nil and ErrNotFound itself", key, e, err)
	}
}

func (s *suite) wantError(got, want error, format string, args ...any) {
	s.Helper()
	if !errors.Is(got, want) {
		s.Errorf("%s = %v, want %v", fmt.Sprintf(format, args...), got, want)
	}
}

// wantEntry compares all that the store keeps.
func (s *suite) wantEntry(key string, got, want *core.Entry) {
	s.Helper()
	if got == nil {
		s.Errorf("%.64q is not there", key)
		return
	}
	if !bytes.Equal(got.Value, want.Value) {
		s.Errorf("%.64q has the value %.64q of %d bytes, want %.64q of %d", key, got.Value, len(got.Value), want.Value, len(want.Value))
	}
	if got.Flags != want.Flags && (!s.NoFlags || got.Flags != 0) {
		s.Errorf("%.64q has flags %#x, want %#x", key, got.Flags, want.Flags)
	}
	if got.Codec != want.Codec && (!s.NoCodec || got.Codec != 0) {
		s.Errorf("%.64q has codec %d, want %d", key, got.Codec, want.Codec)
	}
	if got.Version != want.Version && (!s.NoVersion || got.Version != 0) {
		s.Errorf("%.64q has version %d, want %d", key, got.Version, want.Version)
	}
	s.wantExpires(key, got, want.Expires)
}

// tolerance is how far an expiry that was read may be from the one that was set: stores that keep times to live give
// them back as old as the reply is.
const tolerance = 500 * time.Millisecond

func (s *suite) wantExpires(key string, got *core.Entry, want int64) {
	s.Helper()
	late := time.Duration(got.Expires - want)
	if (got.Expires == 0) != (want == 0) || late < -tolerance-s.Resolution || late > tolerance+2*s.Resolution {
		s.Errorf("%.64q expires at %d, want %d", key, got.Expires, want)
	}
}

// numbers is the suite with the limits of numbers.
func (s *suite) numbers() *suite {
	n := *s
	n.Resolution = max(s.Resolution, s.NumberResolution)
	return &n
}

// short is a time to live to wait for. A clock of the store that ticks once a unit must not end it at once.
func (s *suite) short() time.Duration { return max(60*time.Millisecond, 2*s.Resolution) }

// wantGone waits for the key to expire, which it must do after d, or at most a unit and a bit later.
func (s *suite) wantGone(key string, d time.Duration) {
	s.Helper()
	s.eventually(d+2*s.Resolution+2*time.Second, fmt.Sprintf("%.64q to expire", key), func() bool {
		_, err := s.Get(s.Context(), key)
		if err != nil && err != core.ErrNotFound { //nolint:errorlint // the contract
			s.Fatalf("Get(%.64q) = %v", key, err)
		}
		return err != nil
	})
}

func (s *suite) eventually(d time.Duration, what string, done func() bool) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), d)
	defer cancel()
	poll := time.NewTicker(2 * time.Millisecond)
	defer poll.Stop()
	for !done() {
		select {
		case <-poll.C:
		case <-ctx.Done():
			s.Fatalf("waited %v for %s", d, what)
		}
	}
}
