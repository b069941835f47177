package torture

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"mime"
	"mime/multipart"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// client asks for objects in every way and checks what comes.
type client struct {
	run   *run
	http  *http.Client
	names [4]string // users and flavours
}

// asked is a request, and what its answer may be.
type asked struct {
	object     *object
	reader     string
	hard, soft int64 // the oldest versions allowed when the request began
	request    *http.Request
	slow       bool
}

// one sends a random request and checks the answer.
func (c *client) one(ctx context.Context) {
	o := c.run.objects[rand.IntN(len(c.run.objects))]
	if rand.IntN(4) == 0 {
		o = c.run.objects[rand.IntN(len(c.run.objects)/8+1)] // a few of them are asked for often
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if rand.IntN(15) == 0 { // a client that loses patience
		timer := time.AfterFunc(time.Duration(rand.Int64N(int64(30*time.Millisecond))), cancel)
		defer timer.Stop()
	}
	a, err := c.ask(ctx, o)
	if err != nil {
		c.run.fail("request of %s: %v", o.path(), err)
		return
	}
	c.run.requests.Add(1)
	res, err := c.http.Do(a.request)
	if err != nil {
		c.broken(ctx, a, err)
		return
	}
	defer func() { _ = res.Body.Close() }()
	c.check(ctx, a, res)
}

// ask makes a request: of the whole, a range or two of it, on a condition, or of the header alone.
func (c *client) ask(ctx context.Context, o *object) (*asked, error) {
	a := &asked{object: o, reader: everybody, hard: o.hard.Load(), soft: o.soft.Load(), slow: rand.IntN(50) == 0}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.run.url+o.path(), http.NoBody)
	if err != nil {
		return nil, err
	}
	a.request = req
	name := c.names[rand.IntN(len(c.names))]
	if field := o.kind.reader(); field.name != "" {
		a.reader = name
		req.Header.Set(field.name, field.prefix+name)
	}
	a.vary()
	return a, nil
}

// vary makes some requests special ones. An empty body has no ranges, for which Go's own server has none either.
func (a *asked) vary() {
	o, req := a.object, a.request
	switch what := rand.IntN(12); {
	case what >= 3 && o.size == 0:
	case what == 0:
		req.Method = http.MethodHead
	case what == 1:
		req.Header.Set("If-None-Match", o.etag(o.version.Load(), a.reader))
	case what == 2:
		req.Header.Set("Cache-Control", "no-cache")
	case what == 3 || what == 4:
		req.Header.Set("Range", ranges(o.size))
	case what == 5:
		req.Header.Set("Range", ranges(o.size))
		req.Header.Set("If-Range", o.etag(o.version.Load(), a.reader))
	}
}

// ranges returns a Range of an object of size bytes, most often one that can be satisfied.
func ranges(size int64) string {
	first := rand.Int64N(size + 1)
	last := first + rand.Int64N(size+1)
	switch rand.IntN(4) {
	case 0:
		return fmt.Sprintf("bytes=%d-", first)
	case 1:
		return fmt.Sprintf("bytes=-%d", 1+first)
	case 2:
		return fmt.Sprintf("bytes=%d-%d,%d-%d", first/2, first/2+first/4, first, last)
	default:
		return fmt.Sprintf("bytes=%d-%d", first, last)
	}
}

// broken counts an answer that ended early, which an origin that hangs up and a client that gives up lead to. Where that
// happens before the first byte of a body, the client may not even get the header.
func (c *client) broken(ctx context.Context, a *asked, err error) {
	if ctx.Err() != nil {
		c.run.cancelled.Add(1)
		return
	}
	if !c.run.origin.calm && (errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET)) {
		c.run.brokenOff.Add(1)
		return
	}
	c.run.fail("%s: %v", a, err)
}

func (a *asked) String() string {
	return fmt.Sprintf("%s %s %v", a.request.Method, a.object.path(), a.request.Header)
}

// check looks at the status and the header, then at every byte of the body.
func (c *client) check(ctx context.Context, a *asked, res *http.Response) {
	c.run.count(res)
	switch res.StatusCode {
	case http.StatusOK, http.StatusPartialContent, http.StatusNotModified:
	case http.StatusRequestedRangeNotSatisfiable:
		if a.request.Header.Get("Range") == "" {
			c.run.fail("%s: status 416 without a range", a)
		}
		return
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		if c.run.origin.calm {
			c.run.fail("%s: status %d though the origin is calm: %s", a, res.StatusCode, res.Header.Get("Cache-Status"))
		}
		c.run.failed.Add(1)
		return
	default:
		c.run.fail("%s: status %d", a, res.StatusCode)
		return
	}
	version, ok := c.version(a, res)
	if !ok || res.StatusCode == http.StatusNotModified {
		return
	}
	if err := c.content(a, res, version); err != nil {
		c.wrong(ctx, a, res, err)
	}
}

// wrong tells apart what broke off and what is wrong.
func (c *client) wrong(ctx context.Context, a *asked, res *http.Response, err error) {
	if _, bad := errors.AsType[contentError](err); bad {
		c.run.fail("%s: %v, %v", a, err, res.Header)
		return
	}
	c.broken(ctx, a, fmt.Errorf("%w: %s", err, res.Header.Get("Cache-Status")))
}

// version checks that an answer is for this reader, and no older than what was purged before.
func (c *client) version(a *asked, res *http.Response) (int64, bool) {
	version, err := strconv.ParseInt(res.Header.Get("X-Version"), 10, 64)
	etag := res.Header.Get("ETag")
	switch reader := res.Header.Get("X-Reader"); {
	case res.StatusCode == http.StatusNotModified && err != nil: // need not have it
		if got := a.request.Header.Get("If-None-Match"); etag != got {
			c.run.fail("%s: 304 with %s, asked with %s", a, etag, got)
		}
		return 0, false
	case err != nil:
		c.run.fail("%s: status %d without a version: %v", a, res.StatusCode, res.Header)
		return 0, false
	case reader != a.reader:
		c.run.fail("%s: %s received the answer of %s: %v", a, a.reader, reader, res.Header)
		return 0, false
	case etag != a.object.etag(version, reader):
		c.run.fail("%s: version %d has the entity tag %s", a, version, etag)
		return 0, false
	}
	status := res.Header.Get("Cache-Status")
	if version < a.hard {
		c.run.fail("%s: version %d is older than %d, which was purged: %s", a, version, a.hard, status)
	}
	if version < a.soft && strings.Contains(status, "hit") && !strings.Contains(status, "detail=") { // which says why it is used though stale
		c.run.fail("%s: version %d is as fresh though %d was purged softly: %s", a, version, a.soft, status)
	}
	return version, true
}

// contentError says that a body is not what the origin ever had for its version.
type contentError struct{ what string }

func (b contentError) Error() string { return b.what }

func wrongBody(format string, args ...any) error { return contentError{fmt.Sprintf(format, args...)} }

// content reads the body and compares it.
func (c *client) content(a *asked, res *http.Response, version int64) error {
	want := a.object.body(version, res.Header.Get("X-Reader"))
	switch {
	case a.request.Method == http.MethodHead:
		if res.ContentLength >= 0 && res.ContentLength != a.object.size {
			return wrongBody("Content-Length %d of %d bytes", res.ContentLength, a.object.size)
		}
		return nil
	case res.StatusCode == http.StatusOK:
		return c.compare(res.Body, want, 0, a.object.size, a.slow)
	}
	kind, params, err := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if err == nil && kind == "multipart/byteranges" {
		return c.parts(multipart.NewReader(res.Body, params["boundary"]), want)
	}
	return c.part(res.Header.Get("Content-Range"), res.Body, want, a.slow)
}

func (c *client) parts(parts *multipart.Reader, want *body) error {
	for {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := c.part(part.Header.Get("Content-Range"), part, want, false); err != nil {
			return err
		}
	}
}

func (c *client) part(contentRange string, got io.Reader, want *body, slow bool) error {
	var first, last, size int64
	if n, err := fmt.Sscanf(contentRange, "bytes %d-%d/%d", &first, &last, &size); n != 3 || err != nil {
		return wrongBody("Content-Range %q", contentRange)
	}
	if size != want.size || first < 0 || last < first || last >= size {
		return wrongBody("Content-Range %q of %d bytes", contentRange, want.size)
	}
	return c.compare(got, want, first, last+1-first, slow)
}

// compare reads got to its end, which must be n bytes of want from first on. A slow reader rests once.
func (c *client) compare(got io.Reader, want *body, first, n int64, slow bool) error {
	want.at = first
	wanted := io.LimitReader(want, n)
	var a, b [block]byte
	for at := first; ; {
		read, err := got.Read(a[:])
		if expected, _ := io.ReadFull(wanted, b[:read]); expected < read || !bytes.Equal(a[:read], b[:read]) {
			return wrongBody("wrong bytes from %d on, version %d", at, want.version)
		}
		at += int64(read)
		c.run.bytes.Add(int64(read))
		switch {
		case errors.Is(err, io.EOF) && at != first+n: // a clean end, and yet not all
			return wrongBody("ends after %d of %d bytes of version %d", at-first, n, want.version)
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		if slow {
			slow = false
			c.run.rest()
		}
	}
}
