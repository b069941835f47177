package httpcache

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"

	"github.com/edgecache/edgecache/frontends/httpcache/internal/invalid"
	"github.com/edgecache/edgecache/rfc9111"
)

// methodPurge asks for a purge of the URL. With tags (Surrogate-Key, Cache-Tag, Xkey) it is one of those instead. The header
// Edgecache-Purge makes more of it: soft, prefix for what begins with the URL, or all.
const methodPurge = "PURGE"

const purgeHeader = "Edgecache-Purge"

// servePurge answers a request with the method PURGE.
func (c *Cache) servePurge(w http.ResponseWriter, r *http.Request) {
	if status, err := c.options.Purge.refuses(r); err != nil {
		if status == http.StatusUnauthorized {
			w.Header().Set("WWW-Authenticate", "Bearer")
		}
		answerPurge(w, status, map[string]string{"error": err.Error()})
		return
	}
	targets, err := c.readPurge(r)
	if err == nil {
		err = c.purge(r.Context(), targets)
	}
	result := purgeResult{Purged: len(targets), Shared: true}
	switch {
	case err == nil:
		answerPurge(w, http.StatusOK, result)
	case errors.Is(err, ErrNotShared):
		result.Shared, result.Detail = false, err.Error()
		answerPurge(w, http.StatusAccepted, result)
	case errors.Is(err, ErrBadPurge):
		answerPurge(w, http.StatusBadRequest, map[string]string{"error": err.Error()})
	default:
		answerPurge(w, http.StatusServiceUnavailable, map[string]string{"error": err.Error()})
	}
}

// purgeResult is the body that answers PURGE.
type purgeResult struct {
	Purged int    `json:"purged"` // names, whatever has them
	Shared bool   `json:"shared"` // other nodes know, or will within their interval
	Detail string `json:"detail,omitempty"`
}

// refuses says why the client may not purge.
func (o *PurgeOptions) refuses(r *http.Request) (status int, err error) {
	if peer, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		for _, network := range o.Clients {
			if network.Contains(peer.Addr().Unmap().WithZone("")) {
				return 0, nil
			}
		}
	}
	switch {
	case o.Token == "" && len(o.Clients) == 0:
		return http.StatusMethodNotAllowed, errors.New("the method PURGE is not switched on: give it a token, or networks of clients")
	case o.Token == "":
		return http.StatusForbidden, errors.New("clients of this network may not purge")
	case !o.tokenFits(r):
		return http.StatusUnauthorized, errors.New("the token is missing or wrong: Authorization: Bearer TOKEN is wanted")
	}
	return 0, nil
}

// tokenFits compares in a time that says nothing about the token, not even its length.
func (o *PurgeOptions) tokenFits(r *http.Request) bool {
	given, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	a, b := sha256.Sum256([]byte(given)), sha256.Sum256([]byte(o.Token))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1 && ok
}

// readPurge returns what a request with the method PURGE asks for.
func (c *Cache) readPurge(r *http.Request) ([]invalid.Target, error) {
	var p PurgeRequest
	kind := invalid.URL
	for _, line := range r.Header[purgeHeader] {
		for word := range strings.SplitSeq(line, ",") {
			switch word = strings.Trim(word, " \t"); word {
			case "soft":
				p.Soft = true
			case "prefix":
				kind = invalid.Prefix
			case "all":
				p.All = true
			case "", "hard":
			default:
				return nil, fmt.Errorf("%w: %s: %.40q is none of hard, soft, prefix and all", ErrBadPurge, purgeHeader, word)
			}
		}
	}
	if p.Tags = rfc9111.Tags(r.Header); len(p.Tags) > 0 || p.All {
		return c.targets(r.Context(), &p)
	}
	g := r.Clone(r.Context())
	g.Method = http.MethodGet
	key, err := c.keyOfRequest(g)
	return []invalid.Target{{Kind: kind, Name: key, Soft: p.Soft}}, err
}

func answerPurge(w http.ResponseWriter, status int, body any) {
	text, err := json.Marshal(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(append(text, '\n')) // a client that went away has no use for an error
}
