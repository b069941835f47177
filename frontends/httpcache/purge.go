package httpcache

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"slices"

	"github.com/edgecache/edgecache/core"
	"github.com/edgecache/edgecache/frontends/httpcache/internal/invalid"
)

// PurgeRequest is what Cache.Purge makes unusable. What it names may be of several kinds.
type PurgeRequest struct {
	// URLs are absolute ones with host and query as clients ask for them. Every variant of a response goes.
	URLs []string
	// Prefixes are what URLs begin with, byte by byte, scheme and host included: end one with a slash where a folder is meant.
	Prefixes []string
	// Tags are those that responses have in Surrogate-Key, Cache-Tag, Xkey or Cache-Groups.
	Tags []string
	// All is everything.
	All bool
	// Soft makes responses stale: they may be used where stale ones may, and are validated otherwise. Without it they are not
	// used any more.
	Soft bool
}

var (
	// ErrBadPurge is returned for a PurgeRequest that names nothing, or what can't be. Nothing is purged then.
	ErrBadPurge = errors.New("httpcache: nothing that can be purged")
	// ErrNotShared is returned for a purge that holds here, but of which other nodes do not know, nor this one after a restart:
	// the store could not be written. That is tried again until it succeeds.
	ErrNotShared = invalid.ErrNotShared
)

// Purge makes stored responses unusable, or stale, at once, also those that are being fetched. It costs the same however many
// there are. Nodes with the same store follow within a second or so. What is purged is given back in the background. Its errors
// are ErrBadPurge, ErrNotShared and those of hooks that make keys.
func (c *Cache) Purge(ctx context.Context, p PurgeRequest) error {
	targets, err := c.targets(ctx, &p)
	if err != nil {
		return err
	}
	return c.purge(ctx, targets)
}

func (c *Cache) purge(ctx context.Context, targets []invalid.Target) error {
	err := c.index.Purge(ctx, targets...)
	if errors.Is(err, invalid.ErrBadTarget) {
		return fmt.Errorf("%w: %w", ErrBadPurge, err)
	}
	c.counts.purged.Add(int64(len(targets)))
	for _, t := range targets {
		if t.Kind == invalid.URL {
			c.flights.void(t.Name) // others are asked when somebody joins them
		}
	}
	c.remove(targets)
	return err
}

// targets returns what p names as the index has it.
func (c *Cache) targets(ctx context.Context, p *PurgeRequest) ([]invalid.Target, error) {
	targets := make([]invalid.Target, 0, len(p.URLs)+len(p.Prefixes)+len(p.Tags)+1)
	for _, raw := range p.URLs {
		key, err := c.keyOf(ctx, raw)
		if err != nil {
			return nil, err
		}
		targets = append(targets, invalid.Target{Kind: invalid.URL, Name: key, Soft: p.Soft})
	}
	for _, prefix := range p.Prefixes {
		if prefix = lowerOrigin(prefix); prefix == "" {
			return nil, fmt.Errorf("%w: an empty prefix: say that it shall be everything", ErrBadPurge)
		}
		targets = append(targets, invalid.Target{Kind: invalid.Prefix, Name: prefix, Soft: p.Soft})
	}
	for _, tag := range p.Tags {
		targets = append(targets, invalid.Target{Kind: invalid.Tag, Name: tag, Soft: p.Soft})
	}
	if p.All {
		targets = append(targets, invalid.Target{Kind: invalid.Prefix, Soft: p.Soft})
	}
	if len(targets) == 0 {
		return nil, fmt.Errorf("%w: neither URLs, prefixes, tags nor all", ErrBadPurge)
	}
	return targets, nil
}

// keyOf returns the key that a request for a URL has, as far as hooks make keys of URLs alone.
func (c *Cache) keyOf(ctx context.Context, raw string) (string, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return "", fmt.Errorf("%w: %w", ErrBadPurge, err)
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return "", fmt.Errorf("%w: %.200q is no absolute URL: https://host/path is wanted", ErrBadPurge, raw)
	}
	u.Fragment, u.User = "", nil
	r := &http.Request{Method: http.MethodGet, URL: u, Host: u.Host, Header: http.Header{}}
	return c.keyOfRequest(r.WithContext(ctx))
}

func (c *Cache) keyOfRequest(r *http.Request) (string, error) {
	x := &exchange{c: c, r: r, fields: r.Header}
	if c.hooks.any {
		x.see()
	}
	keyed, err := x.makeKey()
	switch {
	case err != nil:
		return "", fmt.Errorf("httpcache: purge: %w", err)
	case !keyed:
		return "", fmt.Errorf("%w: requests for %.200q have no key", ErrBadPurge, r.URL)
	}
	return invalid.Base(string(x.key)), nil
}

// lowerOrigin returns a prefix with scheme and host in lower case.
func lowerOrigin(prefix string) string {
	b := []byte(prefix)
	for i, slashes := 0, 0; i < len(b) && slashes < 3; i++ {
		if b[i] == '/' {
			slashes++
		}
		if 'A' <= b[i] && b[i] <= 'Z' {
			b[i] += 'a' - 'A'
		}
	}
	return string(b)
}

// remove gives back in the background what has been purged, as far as tiers can find it. Nothing depends on it.
func (c *Cache) remove(targets []invalid.Target) {
	targets = slices.DeleteFunc(targets, func(t invalid.Target) bool { return t.Soft || t.Kind == invalid.Tag })
	if len(targets) == 0 || !c.beginWork() {
		return
	}
	go func() {
		defer c.work.Done()
		for _, t := range targets {
			if err := c.removeOne(t); err != nil && !errors.Is(err, core.ErrUnsupported) {
				c.options.Logger.LogAttrs(c.closing, slog.LevelWarn, "what was purged takes room until it is evicted", slog.Any("error", err))
				return
			}
		}
	}()
}

func (c *Cache) removeOne(t invalid.Target) error {
	if t.Kind != invalid.URL {
		_, err := c.store.DeletePrefix(c.closing, t.Name)
		return err
	}
	_, err := c.store.Delete(c.closing, t.Name)
	return errors.Join(err, c.coder.remove(c.closing, t.Name))
}

// beginWork begins a piece of work that Close waits for, unless c is closed. c.work.Done must follow.
func (c *Cache) beginWork() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.work.Add(1)
	}
	return !c.closed
}

// purged reports whether what a flight that is decided has brought was purged meanwhile.
func (c *Cache) purged(f *flight) bool {
	switch f.outcome {
	case shared:
		return c.index.Purged(f.key, f.content.tags, f.content.stamp)
	case stored:
		hard, soft := c.index.State(f.response.Marks())
		return hard || soft != 0
	case alone, late, erred, failed: // it has brought nothing that is stored
	}
	return false
}

// PurgeOptions says who may purge with the method PURGE. Without any, nobody may.
type PurgeOptions struct {
	// Token is what requests show: Authorization: Bearer TOKEN. "" is none.
	Token string
	// Clients are networks whose clients need no token. What counts is the address of the connection: who lists a proxy lets
	// all of its clients purge.
	Clients []netip.Prefix
}
