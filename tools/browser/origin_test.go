package browser

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"image/png"
	"net/http"
	"sync"
	"time"
)

// site is a page with a style, a script, a picture and a sound. Its version shows in the style and the script.
type site struct {
	sound []byte

	mu       sync.Mutex
	version  int
	requests map[string]int // by path
	answers  map[int]int    // by status
}

func newSite() *site {
	return &site{sound: wav(10 * time.Minute), version: 1, requests: map[string]int{}, answers: map[int]int{}}
}

const page = `<!doctype html><title>edgecache</title><link rel="icon" href="data:,"><link rel="stylesheet" href="/style.css">
<body><img id="picture" src="/picture.png"><audio id="sound" preload="metadata" src="/sound.wav"></audio>
<script src="/script.js"></script></body>`

func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.requests[r.URL.Path]++
	version := s.version
	s.mu.Unlock()
	contents := map[string]struct {
		kind, cacheControl string
		content            []byte
	}{
		"/":            {"text/html; charset=utf-8", "max-age=0, s-maxage=2", []byte(page)},
		"/style.css":   {"text/css", "max-age=600", fmt.Appendf(nil, "body { --version: %d; width: %dpx }", version, 100+version)},
		"/script.js":   {"text/javascript", "max-age=600", fmt.Appendf(nil, "window.version = %d", version)},
		"/picture.png": {"image/png", "max-age=600", picture()},
		"/sound.wav":   {"audio/wav", "max-age=600", s.sound},
	}
	c, ok := contents[r.URL.Path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", c.kind)
	h.Set("Cache-Control", c.cacheControl)
	h.Set("ETag", fmt.Sprintf(`"%s-%d"`, r.URL.Path[1:], version))
	h.Set("Surrogate-Key", "site")
	http.ServeContent(&answer{w, s}, r, "", time.Time{}, bytes.NewReader(c.content))
}

// change makes a new version of everything.
func (s *site) change() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.version++
}

// seen returns how often a path was asked for, and how often the answer was 304, whatever the path.
func (s *site) seen(path string) (requests, notModified int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests[path], s.answers[http.StatusNotModified]
}

// answer counts statuses.
type answer struct {
	http.ResponseWriter
	s *site
}

func (a *answer) WriteHeader(status int) {
	a.s.mu.Lock()
	a.s.answers[status]++
	a.s.mu.Unlock()
	a.ResponseWriter.WriteHeader(status)
}

func picture() []byte {
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 64, 64))); err != nil {
		panic(err) // a buffer takes all
	}
	return b.Bytes()
}

// wav is silence: RIFF/WAVE, PCM, one channel of 16 bits, 22,050 Hz.
func wav(length time.Duration) []byte {
	const rate, frame = 22_050, 2
	size := uint32(length.Seconds() * rate * frame)
	var b bytes.Buffer
	b.WriteString("RIFF")
	_ = binary.Write(&b, binary.LittleEndian, 36+size)
	b.WriteString("WAVEfmt ")
	for _, field := range []any{uint32(16), uint16(1), uint16(1), uint32(rate), uint32(rate * frame), uint16(frame), uint16(8 * frame)} {
		_ = binary.Write(&b, binary.LittleEndian, field)
	}
	b.WriteString("data")
	_ = binary.Write(&b, binary.LittleEndian, size)
	return append(b.Bytes(), make([]byte, size)...)
}
