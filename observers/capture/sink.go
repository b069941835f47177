package capture

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/edgecache/edgecache/bench/trace"
)

const (
	defaultFrameTime = 5 * time.Second
	largestFrame     = 8 << 20 // bytes before compression
)

// errFull says that the output has as many bytes as it may have.
var errFull = errors.New("capture: the output is full")

// sink writes requests as a trace whose frames take a bounded time, and which takes a bounded room.
type sink struct {
	*trace.OracleWriter
	most      int64 // bytes, 0 for any number
	frameTime time.Duration
	began     time.Time // the frame, or the zero time where there is none
	frame     int       // bytes in it before compression
}

func newSink(w io.Writer, most int64, frameTime time.Duration) (*sink, error) {
	out, err := trace.NewOracleWriter(w)
	if frameTime == 0 {
		frameTime = defaultFrameTime
	}
	return &sink{OracleWriter: out, most: most, frameTime: frameTime}, err
}

// write writes requests and says how many. Where that is not all of them, there is an error.
func (s *sink) write(requests []trace.Request) (written int, err error) {
	for written < len(requests) {
		n := s.room(len(requests) - written)
		if n == 0 && s.frame > 0 { // it takes less room when it is compressed
			if err := s.endFrame(); err != nil {
				return written, err
			}
			continue
		}
		if n == 0 {
			return written, errFull
		}
		if s.frame == 0 {
			s.began = time.Now()
		}
		s.frame += n * trace.RecordSize
		if err := s.Write(requests[written : written+n]); err != nil {
			return written, err
		}
		written += n
		if s.frame >= largestFrame {
			if err := s.endFrame(); err != nil {
				return written, err
			}
		}
	}
	return written, nil
}

// room returns for how many of n requests there is room, however badly they are compressed.
func (s *sink) room(n int) int {
	if s.most == 0 {
		return n
	}
	return int(min(int64(n), max(0, s.most-s.Most())/(trace.RecordSize+1)))
}

// tick ends a frame that was begun long enough ago.
func (s *sink) tick(now time.Time) error {
	if s.frame == 0 || now.Sub(s.began) < s.frameTime {
		return nil
	}
	return s.endFrame()
}

func (s *sink) endFrame() error {
	s.frame = 0
	return s.EndFrame()
}

// Suffix is what the name of a capture ends in: libCacheSim goes by it.
const Suffix = ".zst"

// Create makes the file at path for its owner alone. What is there already is left alone: then there is a number ahead of
// Suffix, from 2 on.
func Create(path string) (*os.File, error) {
	base, ok := strings.CutSuffix(path, Suffix)
	if !ok {
		return nil, fmt.Errorf("%s: the name of a capture must end in %s, which it is compressed with", path, Suffix)
	}
	const most = 10_000
	for n := 2; ; n++ {
		file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if !errors.Is(err, os.ErrExist) || n > most {
			return file, err
		}
		path = fmt.Sprintf("%s-%d%s", base, n, Suffix)
	}
}

// Receive writes what source, a capture that is sent, holds to w until it ends, w has maxBytes (0: no bound), or there is an
// error. It says how many requests were written; they can be read in any case but that w fails.
func Receive(w io.Writer, source io.Reader, maxBytes int64) (requests int64, err error) {
	s, err := newSink(w, maxBytes, 0)
	if err != nil {
		return 0, err
	}
	for r, err := range trace.StreamOracle(source) {
		if err != nil {
			return requests, errors.Join(err, s.endFrame())
		}
		if _, err := s.write([]trace.Request{r}); err != nil {
			if errors.Is(err, errFull) {
				break
			}
			return requests, err
		}
		requests++
		const some = 1 << 8
		if requests%some == 0 {
			if err := s.tick(time.Now()); err != nil {
				return requests, err
			}
		}
	}
	return requests, s.endFrame()
}
