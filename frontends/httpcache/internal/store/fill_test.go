package store_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgecache/edgecache/frontends/httpcache/internal/store"
)

var errOrigin = errors.New("origin is gone")

// reader returns a reader of a fill from off on.
func reader(t testing.TB, f *store.Fill, off int64) *store.Reader {
	t.Helper()
	r, err := f.Reader(off)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func write(t testing.TB, f *store.Fill, data []byte) {
	t.Helper()
	if n, err := f.Write(data); n != len(data) || err != nil {
		t.Fatalf("Write = %d, %v, want %d", n, err, len(data))
	}
}

type outcome struct {
	data []byte
	err  error
}

func follower(ctx context.Context, r *store.Reader) <-chan outcome {
	done := make(chan outcome, 1)
	go func() {
		data, err := follow(ctx, r)
		done <- outcome{data, err}
	}()
	return done
}

func TestReadersGetBytesAsTheyCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		data := body(1, 1_000_000)
		f := s.Begin(t.Context(), key, nil, meta(), -1)
		first := reader(t, f, 0)
		write(t, f, data[:100])
		if got, err := first.Next(t.Context()); !bytes.Equal(got, data[:100]) || err != nil {
			t.Fatalf("Next = %d bytes, %v", len(got), err)
		}
		rest, late := follower(t.Context(), first), follower(t.Context(), reader(t, f, 50))
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		gone := follower(ctx, reader(t, f, 100))
		synctest.Wait()
		cancel()
		if got := <-gone; !errors.Is(got.err, context.Canceled) {
			t.Errorf("a reader that went got %v", got.err)
		}
		write(t, f, data[100:])
		if _, err := f.Commit(); err != nil {
			t.Fatal(err)
		}
		if got := <-rest; got.err != nil || !bytes.Equal(got.data, data[100:]) {
			t.Errorf("the first reader got %d bytes, %v", len(got.data), got.err)
		}
		if got := <-late; got.err != nil || !bytes.Equal(got.data, data[50:]) {
			t.Errorf("the late reader got %d bytes, %v", len(got.data), got.err)
		}
		if _, err := f.Reader(0); !errors.Is(err, store.ErrEnded) {
			t.Errorf("Reader after the end = %v", err)
		}
		want(t, s, key, nil, data)
	})
}

func TestAbort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCache(t)
		s := open(t, func(o *store.Options) { o.Cache = c })
		data := body(1, 1_000_000)
		f := s.Begin(t.Context(), key, nil, meta(), 2_000_000)
		r := follower(t.Context(), reader(t, f, 0))
		write(t, f, data)
		f.Abort(errOrigin)
		if got := <-r; !errors.Is(got.err, errOrigin) || !bytes.Equal(got.data, data) {
			t.Errorf("the reader got %d bytes, %v", len(got.data), got.err)
		}
		if _, err := f.Write(data); !errors.Is(err, errOrigin) {
			t.Errorf("Write after Abort = %v", err)
		}
		if _, err := f.Commit(); !errors.Is(err, errOrigin) {
			t.Errorf("Commit after Abort = %v", err)
		}
		wantMiss(t, s, nil, store.MissURI)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if n, err := c.Len(t.Context()); n != 0 || err != nil {
			t.Errorf("%d entries are left, %v", n, err)
		}
	})
}

func TestIncomplete(t *testing.T) {
	s := open(t)
	for _, n := range []int{10, 500_000} {
		f := s.Begin(t.Context(), key, nil, meta(), int64(n))
		r := reader(t, f, 0)
		write(t, f, body(1, n-1))
		if _, err := f.Commit(); !errors.Is(err, store.ErrIncomplete) {
			t.Errorf("Commit = %v", err)
		}
		if got, err := follow(t.Context(), r); len(got) != n-1 || !errors.Is(err, store.ErrIncomplete) {
			t.Errorf("the reader got %d bytes, %v", len(got), err)
		}
		f = s.Begin(t.Context(), key, nil, meta(), int64(n))
		if got, err := f.Write(body(1, n+1)); got != n || !errors.Is(err, store.ErrIncomplete) {
			t.Errorf("Write of too much = %d, %v", got, err)
		}
		wantMiss(t, s, nil, store.MissURI)
	}
}

func TestAbandoned(t *testing.T) {
	cases := []struct {
		name      string
		size      int64
		written   int
		abandoned bool
	}{
		{"small", 900_000, 10, false},
		{"half", 4_000_000, 1_900_000, true},
		{"more than half", 4_000_000, 2_100_000, false},
		{"unknown and small", -1, 1_000_000, false},
		{"unknown and large", -1, 1_100_000, true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := open(t)
			f := s.Begin(t.Context(), key, nil, meta(), c.size)
			r := reader(t, f, 0)
			write(t, f, body(1, c.written))
			r.Close()
			r.Close()
			select {
			case <-f.Abandoned():
				if !c.abandoned {
					t.Error("it is abandoned")
				}
				if _, err := f.Write([]byte("x")); !errors.Is(err, store.ErrAbandoned) {
					t.Errorf("Write = %v", err)
				}
				if _, err := f.Reader(0); !errors.Is(err, store.ErrAbandoned) {
					t.Errorf("Reader = %v", err)
				}
			default:
				if c.abandoned {
					t.Error("it is not abandoned")
				}
				write(t, f, []byte("x"))
			}
			f.Abort(errOrigin)
		})
	}
	t.Run("unknown and grows", func(t *testing.T) {
		f := open(t).Begin(t.Context(), key, nil, meta(), -1)
		reader(t, f, 0).Close()
		_, err := f.Write(body(1, 2_000_000))
		if !errors.Is(err, store.ErrAbandoned) {
			t.Errorf("Write = %v", err)
		}
		f.Abort(err)
	})
	t.Run("nobody ever", func(t *testing.T) {
		s := open(t)
		f := s.Begin(t.Context(), key, nil, meta(), 8_000_000)
		write(t, f, body(1, 8_000_000))
		if _, err := f.Commit(); err != nil {
			t.Fatal(err)
		}
	})
}

// TestBackPressure has a fill wait for its one reader where nothing is retained.
func TestBackPressure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, func(o *store.Options) { o.MaxObject, o.FillBytes = 1<<20, 1<<20 })
		data := body(1, 16<<20)
		f := s.Begin(t.Context(), key, nil, meta(), int64(len(data)))
		r := reader(t, f, 0)
		wrote := make(chan error, 1)
		go func() {
			_, err := f.Write(data)
			wrote <- err
		}()
		var got []byte
		for len(got) < len(data) {
			synctest.Wait()
			<-time.After(time.Minute) // more than its patience: it has nobody else to go on for
			chunk, err := r.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, chunk...)
			if len(got) == 4<<20 {
				if _, err := f.Reader(0); !errors.Is(err, store.ErrGone) {
					t.Errorf("a late reader got %v", err)
				}
			}
		}
		if !bytes.Equal(got, data) {
			t.Error("the reader got other bytes")
		}
		if err := <-wrote; err != nil {
			t.Error(err)
		}
		if _, err := f.Commit(); !errors.Is(err, store.ErrNotStored) {
			t.Errorf("Commit = %v", err)
		}
		if _, err := r.Next(t.Context()); !errors.Is(err, io.EOF) {
			t.Errorf("Next at the end = %v", err)
		}
		r.Close()
	})
}

// TestSlowReader has a fill leave behind a reader that stands still: it gets the rest from the cache where that has it.
func TestSlowReader(t *testing.T) {
	for _, retained := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			s := open(t, func(o *store.Options) {
				o.FillBytes = 1 << 20
				if !retained {
					o.MaxObject = 1 << 20
				}
			})
			data := body(1, 16<<20)
			f := s.Begin(t.Context(), key, nil, meta(), int64(len(data)))
			slow := reader(t, f, 0)
			if _, err := slow.Next(ctxDone(t)); !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
			quick := follower(t.Context(), reader(t, f, 0))
			start := time.Now()
			write(t, f, data)
			if d := time.Since(start); d < 10*time.Second || d > 20*time.Second {
				t.Errorf("the slow reader held it up for %v", d)
			}
			_, err := f.Commit()
			if retained != (err == nil) {
				t.Errorf("Commit = %v", err)
			}
			if got := <-quick; got.err != nil || !bytes.Equal(got.data, data) {
				t.Errorf("the quick reader got %d bytes, %v", len(got.data), got.err)
			}
			got, err := follow(t.Context(), slow)
			switch {
			case retained && (err != nil || !bytes.Equal(got, data)):
				t.Errorf("the slow reader got %d bytes, %v", len(got), err)
			case !retained && (!errors.Is(err, store.ErrGone) || !bytes.Equal(got, data[:len(got)])):
				t.Errorf("the slow reader got %d bytes, %v", len(got), err)
			}
		})
	}
}

// ctxDone returns a context that has ended.
func ctxDone(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

// TestConcurrentVariants has fills of variants of one resource end at once: none is lost.
func TestConcurrentVariants(t *testing.T) {
	s := open(t)
	for round := range 20 {
		var done []chan error
		for i := range 16 {
			ch := make(chan error, 1)
			done = append(done, ch)
			go func() {
				f := s.Begin(t.Context(), key, user(i), meta("Vary", "X-User"), -1)
				_, _ = f.Write(body(uint64(i), 100*i))
				_, err := f.Commit()
				ch <- err
			}()
		}
		for _, ch := range done {
			if err := <-ch; err != nil {
				t.Fatal(err)
			}
		}
		for i := range 16 {
			want(t, s, key, user(i), body(uint64(i), 100*i))
		}
		if round%2 == 0 {
			_, _ = s.Delete(t.Context(), key)
		}
	}
}
