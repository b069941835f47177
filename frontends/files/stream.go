package files

import (
	"io/fs"
	"net/http"
	"strconv"
	"time"

	"github.com/edgecache/edgecache/rfc9110"
)

// stream answers with a file whose bodies are not cached, in the coding of a precompressed one if there is one.
func (h *Handler) stream(w http.ResponseWriter, q *http.Request, s *state, wanted *rfc9110.Acceptable) error {
	for _, c := range wanted.List() {
		if c != rfc9110.Identity && s.sidecars[c] == (stamp{}) {
			continue
		}
		done, err := h.streamAs(w, q, s, c)
		if done || c == rfc9110.Identity {
			return err
		}
	}
	return errNotAcceptable
}

// streamAs answers with the file in one coding, and reports whether it did so.
func (h *Handler) streamAs(w http.ResponseWriter, q *http.Request, s *state, c rfc9110.Coding) (done bool, err error) {
	name := s.name
	if c != rfc9110.Identity {
		name += suffixes[c]
	}
	f, err := h.openFile(name)
	if err != nil {
		return false, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	switch {
	case err != nil:
		return false, err
	case !info.Mode().IsRegular():
		return false, fs.ErrNotExist
	}
	h.stats.streamed.Add(1)
	now, file := time.Now(), stampOf(info)
	modified := s.info.MTime
	if c == rfc9110.Identity {
		modified = file.MTime
	}
	p := representation{file: f, size: file.Size}
	p.describe(s.contentType, c, fileTag(file, c, now), time.Unix(0, modified), now)
	h.respond(w, q, &p, s.sidecars != [rfc9110.Codings]stamp{})
	return true, nil
}

// settled is how long a file must have been left alone for its times to tell its states apart on any file system.
const settled = 2 * time.Second

// fileTag returns an entity tag by what the file system knows of a file: a strong one if the file has been left alone for a
// while, so that another state would have another time (RFC 9110, section 8.8.1).
func fileTag(s stamp, c rfc9110.Coding, now time.Time) string {
	etag := `"` + strconv.FormatInt(s.Size, 36) + "-" + strconv.FormatInt(s.MTime, 36) + "-" + strconv.FormatUint(s.Inode, 36)
	if c != rfc9110.Identity {
		etag += "-" + c.String()
	}
	etag += `"`
	if now.Sub(time.Unix(0, s.MTime)) < settled {
		return "W/" + etag
	}
	return etag
}
