package capture

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/edgecache/edgecache/backends/memory"
	"github.com/edgecache/edgecache/bench/trace"
	"github.com/edgecache/edgecache/core"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newCache returns a cache of one memory tier, whose events have keys hashed by hash.
func newCache(tb testing.TB, hash func(prefix, key string) uint64) *core.Cache {
	tb.Helper()
	backend, err := memory.New(memory.Options{MaxBytes: 64 << 20})
	if err != nil {
		tb.Fatal(err)
	}
	c, err := core.New(core.Options{Tiers: []core.Tier{{Name: "memory", Backend: backend}}, KeyHash: hash})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = c.Close() })
	return c
}

// output is a buffer that can be full.
type output struct {
	bytes.Buffer
	most   int // 0 for any number
	closed int
}

var errNoSpace = errors.New("no space left")

func (o *output) Write(b []byte) (int, error) {
	if o.most > 0 && o.Len()+len(b) > o.most {
		n, _ := o.Buffer.Write(b[:o.most-o.Len()])
		return n, errNoSpace
	}
	return o.Buffer.Write(b)
}

func (o *output) Close() error {
	o.closed++
	return nil
}

func start(tb testing.TB, c *core.Cache, o Options) *Capture {
	tb.Helper()
	o.Name = "a capture"
	k, err := Start(c, o)
	if err != nil {
		tb.Fatal(err)
	}
	return k
}

// requests reads a trace.
func requests(tb testing.TB, b []byte) (all []trace.Request) {
	tb.Helper()
	for r, err := range trace.StreamOracle(bytes.NewReader(b)) {
		if err != nil {
			tb.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}

// letters is a hash that tests can read: the key's first byte.
func letters(_, key string) uint64 { return uint64(key[0]) }

// TestRequests captures commands and looks at what became requests, and of what size.
func TestRequests(t *testing.T) {
	ctx := context.Background()
	entry := core.EntryOptions{}
	run := func(c *core.Cache) {
		_, _ = c.Get(ctx, "a") // known when it is written
		_ = c.Set(ctx, "a", make([]byte, 100), entry)
		_, _ = c.Get(ctx, "a")
		_ = c.Set(ctx, "b", nil, entry)
		_, _ = c.GetMany(ctx, []string{"b", "a", "n"}) // n is never written
		_, _ = c.Increment(ctx, "i", 1, entry)
		_, _ = c.Delete(ctx, "a")
		_, _ = c.Get(ctx, "a")
		_, _ = c.Exists(ctx, "a")
		_ = c.Add(ctx, "b", make([]byte, 5), entry) // it is there
	}
	for _, tt := range []struct {
		name   string
		writes bool
		want   string
	}{
		{"reads", false, "a100 a100 b1 a100 n1 a100"},
		{"reads and writes", true, "a100 a100 a100 b1 b1 a100 n1 i1 a100"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, out := newCache(t, letters), new(output)
			k := start(t, c, Options{Output: out, Joinable: true, Writes: tt.writes})
			run(c)
			if err := k.Stop(ctx); err != nil {
				t.Fatal(err)
			}
			got := make([]string, 0, 16)
			for _, r := range requests(t, out.Bytes()) {
				got = append(got, fmt.Sprintf("%c%d", rune(r.Key), r.Size))
				if age := time.Now().Unix() - int64(r.Time); age < 0 || age > 60 {
					t.Errorf("a request of %v s ago", age)
				}
			}
			if strings.Join(got, " ") != tt.want {
				t.Errorf("requests %v, want %v", got, tt.want)
			}
			s := k.Stats()
			if s.Requests != int64(len(got)) || s.Bytes != int64(out.Len()) || s.Dropped != 0 || s.State != Complete || out.closed != 1 {
				t.Errorf("stats %+v, closed %d times", s, out.closed)
			}
		})
	}
}

// TestSizesComeLater holds requests for what was missed until the write that follows, and no longer than a while.
func TestSizesComeLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := new(output)
		k := &Capture{
			o: Options{Output: out}, stopped: make(chan struct{}), done: make(chan struct{}), detach: func() {},
			full: make(chan *block, mostBlocks), free: make(chan *block, mostBlocks),
		}
		k.stop = func() { close(k.stopped) }
		w, err := newWriter(&Options{Output: out, Joinable: true})
		if err != nil {
			t.Fatal(err)
		}
		go k.run(w)
		miss := func(key uint64) core.Event {
			return core.Event{KeyHash: key, Time: uint64(time.Now().UnixNano()), Op: uint8(core.OpGet), Result: uint8(core.OutcomeMiss)}
		}
		k.Observe([]core.Event{miss(1), miss(2), {Op: uint8(core.OpGet), Result: uint8(core.OutcomeHit)}}) // no hash: no request
		for range 3 {
			<-time.After(100 * time.Millisecond)
		}
		if n := k.Stats().Requests; n != 0 {
			t.Errorf("%d requests were written before their sizes were known", n)
		}
		k.Observe([]core.Event{
			{KeyHash: 1, Time: 1, Op: uint8(core.OpSet) | core.EventContinued, Result: uint8(core.OutcomeStored) | 1<<4, Size: 70},
		})
		<-time.After(time.Second / 2)
		if n := k.Stats().Requests; n != 1 {
			t.Errorf("%d requests were written, want the one whose size is known", n)
		}
		<-time.After(2 * time.Second)
		if n := k.Stats().Requests; n != 2 {
			t.Errorf("%d requests were written after a while, want 2", n)
		}
		k.Observe([]core.Event{miss(3)})
		if err := k.Stop(t.Context()); err != nil {
			t.Error(err)
		}
		var sizes []uint32
		for _, r := range requests(t, out.Bytes()) {
			sizes = append(sizes, r.Size)
		}
		if want := []uint32{70, 1, 1}; !slices.Equal(sizes, want) {
			t.Errorf("sizes %d, want %d", sizes, want)
		}
	})
}

// TestOrder has events come out of order.
func TestOrder(t *testing.T) {
	out := new(output)
	w, err := newWriter(&Options{Output: out, Joinable: true})
	if err != nil {
		t.Fatal(err)
	}
	const second = uint64(time.Second)
	for _, batch := range [][]uint64{{5 * second, 5*second + 2, 5*second + 2}, {5*second + 1, 4 * second}, {7 * second}} {
		var events []core.Event
		for i, at := range batch {
			key := at*10 + uint64(i)
			events = append(events, core.Event{KeyHash: key, Time: at, Op: uint8(core.OpGet), Result: uint8(core.OutcomeHit), Size: 1})
		}
		if err := w.write(events); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.tick(w.newestAt), w.write([]core.Event{
		{KeyHash: 1, Time: 6 * second, Op: uint8(core.OpGet), Result: uint8(core.OutcomeHit)}, // too late
	}), w.finish(), w.out.endFrame()); err != nil {
		t.Fatal(err)
	}
	var keys []uint64
	var times []uint32
	for _, r := range requests(t, out.Bytes()) {
		keys, times = append(keys, r.Key), append(times, r.Time)
	}
	want := []uint64{40*second + 1, 50 * second, 50*second + 10, 50*second + 21, 50*second + 22, 1, 70 * second}
	if !slices.Equal(keys, want) || !slices.Equal(times, []uint32{4, 5, 5, 5, 5, 6, 7}) {
		t.Errorf("requests %d at %d, want %d", keys, times, want)
	}
}

// TestManyWait has more requests wait than may.
func TestManyWait(t *testing.T) {
	out := new(output)
	w, err := newWriter(&Options{Output: out, Joinable: true})
	if err != nil {
		t.Fatal(err)
	}
	const n = mostHeld + 1000
	events := make([]core.Event, 0, 2*n)
	for i := range n {
		events = append(events, core.Event{KeyHash: uint64(i + 1), Time: uint64(i + 1), Op: uint8(core.OpGet), Result: uint8(core.OutcomeMiss)})
		if i%2 == 0 { // each second key has a size
			events = append(events, core.Event{KeyHash: uint64(i + 1), Time: 1, Op: uint8(core.OpSet), Result: uint8(core.OutcomeStored), Size: 9})
		}
	}
	if err := errors.Join(w.write(events), w.finish(), w.out.endFrame()); err != nil {
		t.Fatal(err)
	}
	got := requests(t, out.Bytes())
	if len(got) != n {
		t.Fatalf("%d requests, want %d", len(got), n)
	}
	for i, r := range got {
		// Sizes are remembered for the last objects alone, as many as mostSizes at least.
		if r.Key != uint64(i+1) || i%2 == 1 && r.Size != 1 || i%2 == 0 && i > n-2*mostSizes && r.Size != 9 {
			t.Fatalf("request %d is %+v", i, r)
		}
	}
}

// TestKeysAreSecret has captures of the same keys differ unless they shall be joined.
func TestKeysAreSecret(t *testing.T) {
	record := func(joinable bool, hash func(prefix, key string) uint64) uint64 {
		c, out := newCache(t, hash), new(output)
		k := start(t, c, Options{Output: out, Joinable: joinable})
		_, _ = c.Get(context.Background(), "user:1")
		if err := k.Stop(context.Background()); err != nil {
			t.Fatal(err)
		}
		return requests(t, out.Bytes())[0].Key
	}
	salted := Salted("pepper")
	if a, b := record(false, salted), record(false, salted); a == b {
		t.Error("two captures have the same key")
	}
	if a, b := record(true, salted), record(true, Salted("pepper")); a != b || a != salted("", "user:1") {
		t.Errorf("two captures with one salt have the keys %x and %x", a, b)
	}
	if a, b := record(true, salted), record(true, Salted("other")); a == b {
		t.Error("two captures with two salts have the same key")
	}
	if a := record(true, Plain); a != Plain("us", "er:1") {
		t.Errorf("the plain key is %x", a)
	}
}

// TestErrorsEndTheCapture has commands go on where the output fails, at once or later, really full or not.
func TestErrorsEndTheCapture(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip(err)
	}
	for _, tt := range []struct {
		name string
		out  io.WriteCloser
		want string
	}{
		{"nothing is taken", &output{most: 1}, "no space left"},
		{"some is taken", &output{most: 200_000}, "no space left"},
		{"/dev/full", full, "no space left on device"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ctx := context.Background()
			c := newCache(t, nil)
			var ended []Stats
			k := start(t, c, Options{Output: tt.out, Ended: func(s Stats) { ended = append(ended, s) }})
			for i := 0; ; i++ {
				if _, err := c.Get(ctx, fmt.Sprint("absent", i%50_000)); !errors.Is(err, core.ErrNotFound) {
					t.Fatal(err)
				}
				if i%50_000 == 0 {
					_ = c.Set(ctx, fmt.Sprint(i), []byte("v"), core.EntryOptions{})
				}
				if s := k.Stats(); s.State == Failed {
					break
				} else if i > 100_000 && tt.name != "some is taken" || i > 10_000_000 {
					break // it fails when it is stopped
				}
			}
			if err := k.Stop(ctx); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Stop: %v, want %s", err, tt.want)
			}
			if len(ended) != 1 || ended[0].State != Failed || ended[0].Err == nil || strings.Count(ended[0].Err.Error(), tt.want) != 1 {
				t.Errorf("ended %+v", ended)
			}
			if _, err := c.Get(ctx, "k"); !errors.Is(err, core.ErrNotFound) {
				t.Errorf("a command afterwards: %v", err)
			}
		})
	}
}

// stuck is an output that takes nothing until it is freed.
type stuck struct {
	output
	freed chan struct{}
}

func (s *stuck) Write(b []byte) (int, error) {
	<-s.freed
	return s.output.Write(b)
}

// TestCommandsDoNotWait has an output that hangs: commands go on, and what is dropped is counted.
func TestCommandsDoNotWait(t *testing.T) {
	ctx := context.Background()
	c := newCache(t, nil)
	out := &stuck{freed: make(chan struct{})}
	k := start(t, c, Options{Output: out, FrameTime: time.Nanosecond})
	_ = c.Set(ctx, "k", []byte("value"), core.EntryOptions{})
	reads := int64(0)
	for k.Stats().Dropped == 0 {
		for range 1000 {
			_, _ = c.Get(ctx, "k")
		}
		reads += 1000
	}
	stopping, cancel := context.WithCancel(ctx)
	cancel()
	if err := k.Stop(stopping); !errors.Is(err, context.Canceled) {
		t.Errorf("Stop of a capture that hangs: %v", err)
	}
	close(out.freed)
	if err := k.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	if s := k.Stats(); s.Requests+s.Dropped < reads || s.Requests+s.Dropped > reads+1 || int(s.Requests) != len(requests(t, out.Bytes())) {
		t.Errorf("%d requests and %d dropped, want %d", s.Requests, s.Dropped, reads)
	}
}

// TestLimits has captures end by themselves.
func TestLimits(t *testing.T) {
	for _, most := range []int64{1, 100, 1000, 100_000} {
		ctx := context.Background()
		c, out := newCache(t, nil), new(output)
		k := start(t, c, Options{Output: out, MaxBytes: most})
		for i := 0; k.Stats().State == Running; i++ {
			_, _ = c.Get(ctx, fmt.Sprint(i%1000))
		}
		if err := k.Stop(ctx); err != nil {
			t.Fatal(err)
		}
		s := k.Stats()
		if s.State != Complete || s.Bytes != int64(out.Len()) || s.Bytes > most || most >= 1000 && s.Bytes < most*9/10 {
			t.Errorf("a capture of %d bytes at most: %+v", most, s)
		}
		if n := len(requests(t, out.Bytes())); int64(n) != s.Requests {
			t.Errorf("%d requests can be read of %d", n, s.Requests)
		}
	}
	c, out := newCache(t, nil), new(output)
	k := start(t, c, Options{Output: out, For: time.Millisecond})
	_, _ = c.Get(context.Background(), "k")
	<-k.Done()
	if n := len(requests(t, out.Bytes())); n != 1 || k.Stats().State != Complete {
		t.Errorf("%d requests, %+v", n, k.Stats())
	}
}

// TestUnderTraffic starts and stops captures while several goroutines run commands.
func TestUnderTraffic(t *testing.T) {
	ctx := context.Background()
	c := newCache(t, nil)
	ended := make(chan struct{})
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-ended:
					return
				default:
					_, _ = c.Get(ctx, fmt.Sprint(i%(g+10)))
				}
			}
		})
	}
	for range 5 {
		out := new(output)
		k := start(t, c, Options{Output: out, For: 5 * time.Millisecond})
		<-k.Done()
		if err := k.Stop(ctx); err != nil {
			t.Fatal(err)
		}
		if n := len(requests(t, out.Bytes())); int64(n) != k.Stats().Requests || n == 0 {
			t.Errorf("%d requests can be read of %d", n, k.Stats().Requests)
		}
	}
	close(ended)
	wg.Wait()
}

func TestTwoCapturesNeedTwoNames(t *testing.T) {
	c := newCache(t, nil)
	k := start(t, c, Options{Output: new(output)})
	if _, err := Start(c, Options{Name: "a capture", Output: new(output)}); err == nil {
		t.Error("a second capture of the same name was started")
	}
	if err := k.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestOthersCanRead has zstd's own program decompress a capture of several frames.
func TestOthersCanRead(t *testing.T) {
	program, err := exec.LookPath("zstd")
	if err != nil {
		t.Skip(err)
	}
	var out output
	s, err := newSink(&out, 0, time.Nanosecond)
	if err != nil {
		t.Fatal(err)
	}
	const frames, each = 5, 10_000
	for i := range frames {
		batch := make([]trace.Request, each)
		for j := range batch {
			batch[j] = trace.Request{Key: uint64(i*each + j), Time: 7, Size: 11}
		}
		if _, err := s.write(batch); err != nil {
			t.Fatal(err)
		}
		if err := s.tick(time.Now().Add(time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), "c.zst")
	if err := os.WriteFile(path, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	plain, err := exec.CommandContext(t.Context(), program, "-dc", path).Output()
	if err != nil || len(plain) != frames*each*trace.RecordSize {
		t.Fatalf("%d bytes, %v", len(plain), err)
	}
	last := plain[len(plain)-trace.RecordSize:]
	want := "\x07\x00\x00\x00" + "\x4f\xc3\x00\x00\x00\x00\x00\x00" + "\x0b\x00\x00\x00" + "\xfe" + strings.Repeat("\xff", 7)
	if string(last) != want {
		t.Errorf("the last record is %x, want %x", last, want)
	}
}

func TestCreate(t *testing.T) {
	dir := t.TempDir()
	for _, want := range []string{"c.zst", "c-2.zst", "c-3.zst"} {
		file, err := Create(filepath.Join(dir, "c.zst"))
		if err != nil {
			t.Fatal(err)
		}
		info, err := file.Stat()
		if filepath.Base(file.Name()) != want || err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("created %s, %v, want %s", file.Name(), info.Mode(), want)
		}
		_ = file.Close()
	}
	for _, path := range []string{filepath.Join(dir, "c"), filepath.Join(dir, "absent", "c.zst")} {
		if _, err := Create(path); err == nil {
			t.Errorf("%s was created", path)
		}
	}
}

func TestReceive(t *testing.T) {
	var source output
	s, err := newSink(&source, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	const n = 5000
	for i := range n {
		if _, err := s.write([]trace.Request{{Key: uint64(i), Time: 1, Size: uint32(i)}}); err != nil {
			t.Fatal(err)
		}
		if i%1000 == 0 {
			_ = s.endFrame()
		}
	}
	_ = s.endFrame()
	for _, tt := range []struct {
		name     string
		source   []byte
		maxBytes int64
		least    int64
		broken   bool
	}{
		{"whole", source.Bytes(), 0, n, false},
		{"cut", source.Bytes()[:source.Len()-1], 0, 4001, true},
		{"limited", source.Bytes(), 10_000, 100, false},
		{"empty", nil, 0, 0, false},
		{"no zstd", []byte("<html>such as a proxy's error page"), 0, 0, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var dst bytes.Buffer
			got, err := Receive(&dst, bytes.NewReader(tt.source), tt.maxBytes)
			if got < tt.least || tt.maxBytes == 0 && !tt.broken && got != n*min(1, int64(len(tt.source))) || (err != nil) != tt.broken {
				t.Errorf("Receive = %d, %v", got, err)
			}
			all := requests(t, dst.Bytes())
			if int64(len(all)) != got || tt.maxBytes > 0 && dst.Len() > int(tt.maxBytes) {
				t.Errorf("%d requests in %d bytes, want %d", len(all), dst.Len(), got)
			}
			for i, r := range all {
				if r.Key != uint64(i) || r.Size != uint32(i) || r.Time != 1 {
					t.Fatalf("request %d is %+v", i, r)
				}
			}
		})
	}
	if _, err := Receive(&output{most: 10}, bytes.NewReader(source.Bytes()), 0); !errors.Is(err, errNoSpace) {
		t.Errorf("Receive into what is full: %v", err)
	}
}

// TestSipHash compares with the vectors of the paper's appendix A and of the authors' reference implementation.
func TestSipHash(t *testing.T) {
	const k0, k1 = 0x0706050403020100, 0x0f0e0d0c0b0a0908
	input := make([]byte, 64)
	for i := range input {
		input[i] = byte(i)
	}
	for n, want := range map[int]uint64{
		0: 0x726fdb47dd0e0e31, 1: 0x74f839c593dc67fd, 7: 0xab0200f58b01d137, 8: 0x93f5f5799a932462, 15: 0xa129ca6149be45e5,
		63: 0x958a324ceb064572,
	} {
		for cut := range n + 1 {
			h := newSip(k0, k1)
			h.write(string(input[:cut]))
			h.write(string(input[cut:n]))
			if got := h.sum(); got != want {
				t.Errorf("hash of %d bytes, cut at %d = %x, want %x", n, cut, got, want)
			}
		}
	}
	if got := sipHash64([2]uint64{k0, k1}, 0x0706050403020100); got != 0x93f5f5799a932462 {
		t.Errorf("hash of a number = %x", got)
	}
}

// TestPlain compares with the vectors of xxHash's own tests.
func TestPlain(t *testing.T) {
	for key, want := range map[string]uint64{"": 0xef46db3751d8e999, "a": 0xd24ec4f1a98c6e5b, "abc": 0x44bc2cf5ad770999} {
		for cut := range len(key) + 1 {
			if got := Plain(key[:cut], key[cut:]); got != want {
				t.Errorf("hash of %q, cut at %d = %x, want %x", key, cut, got, want)
			}
		}
	}
}

// TestObserveAllocatesNothing observes while the goroutine keeps up.
func TestObserveAllocatesNothing(t *testing.T) {
	c := newCache(t, nil)
	_ = c.Set(t.Context(), "k", []byte("value"), core.EntryOptions{})
	k := start(t, c, Options{Output: new(output)})
	ctx, cmd, res := context.Background(), &core.Command{Op: core.OpGet, Key: "k"}, new(core.Result)
	allocs := testing.AllocsPerRun(100_000, func() { _ = c.Do(ctx, cmd, res) })
	if allocs > 0 {
		t.Errorf("%v allocations for a command", allocs)
	}
	if err := k.Stop(ctx); err != nil {
		t.Fatal(err)
	}
}
