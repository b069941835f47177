package edgecache

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/edgecache/edgecache/internal/units"
)

// URL is what names a store: a scheme, what stands between "://" and "?", and parameters.
type URL struct {
	// Scheme is in lower case.
	Scheme string
	// Rest is as it was given, percent signs and all. It may hold a password: errors must not show it.
	Rest string
	// Params are the parameters, which its methods read.
	Params Params
}

// Params are the parameters of a URL. The methods return the zero value for one that is not there, and also for one that
// can't be read: Err then says so.
type Params struct {
	scheme string
	values url.Values
	err    error
}

// parseURL takes a URL apart. Errors do not show what may be secret.
func parseURL(raw string) (*URL, error) {
	scheme, rest, ok := strings.Cut(strings.TrimSpace(raw), "://")
	if !ok || scheme == "" {
		return nil, errors.New("a store has no scheme: a URL such as memory:// or redis://host:port is wanted")
	}
	u := &URL{Scheme: strings.ToLower(scheme)}
	rest, query, _ := strings.Cut(rest, "?")
	values, err := url.ParseQuery(query)
	if err != nil || strings.Contains(query, "#") {
		return nil, fmt.Errorf("%s:// has parameters that can't be read: name=value&name=value is wanted, special characters as %%XX", u.Scheme)
	}
	u.Rest, u.Params = rest, Params{scheme: u.Scheme, values: values}
	for name, given := range values {
		if len(given) > 1 {
			return nil, fmt.Errorf("%s:// has the parameter %q more than once", u.Scheme, name)
		}
	}
	return u, nil
}

// String returns the URL with its parameters sorted. It shows what is secret.
func (u *URL) String() string {
	if query := u.Params.values.Encode(); query != "" {
		return u.Scheme + "://" + u.Rest + "?" + query
	}
	return u.Scheme + "://" + u.Rest
}

// Path returns Rest as a path of the file system, with %XX undone.
func (u *URL) Path() (string, error) {
	path, err := url.PathUnescape(u.Rest)
	if err != nil {
		return "", fmt.Errorf("%s:// has a path with a bad %%XX: write %%25 for a percent sign", u.Scheme)
	}
	if path == "" {
		return "", fmt.Errorf("%s:// has no path: write %s:///path", u.Scheme, u.Scheme)
	}
	return path, nil
}

// splitURLs takes a list apart: a comma separates where a scheme follows. What is not split so, such as the servers of
// memcached://a,b, is one URL.
func splitURLs(list string) []string {
	var all []string
	for {
		at := nextURL(list)
		if at < 0 {
			return append(all, list)
		}
		all, list = append(all, list[:at]), list[at+1:]
	}
}

// nextURL returns where the comma stands that ends the first URL of a list, or -1.
func nextURL(list string) int {
	for at := 0; ; at++ {
		comma := strings.IndexByte(list[at:], ',')
		if comma < 0 {
			return -1
		}
		at += comma
		scheme, _, found := strings.Cut(list[at+1:], "://")
		if scheme = strings.TrimSpace(scheme); found && scheme != "" && strings.IndexFunc(scheme, notOfScheme) < 0 {
			return at
		}
	}
}

func notOfScheme(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '+' && r != '-' && r != '.'
}

// Has reports whether the parameter was given.
func (p *Params) Has(name string) bool { return p.values.Has(name) }

// Text returns a parameter as it is.
func (p *Params) Text(name string) string { return p.values.Get(name) }

// Err returns what is wrong with the first parameter that could not be read.
func (p *Params) Err() error { return p.err }

// Size reads a size, such as 64MiB.
func (p *Params) Size(name string) int64 { return read(p, name, units.ParseBytes) }

// Time reads a time, such as 250ms or 7d.
func (p *Params) Time(name string) time.Duration { return read(p, name, units.ParseTime) }

// Int reads a number that is not negative.
func (p *Params) Int(name string) int {
	return read(p, name, func(given string) (int, error) {
		n, err := strconv.ParseUint(given, 10, 31)
		if err != nil {
			return 0, fmt.Errorf("%q is no number", given)
		}
		return int(n), nil
	})
}

// Bool reads a switch: true or false.
func (p *Params) Bool(name string) bool {
	return read(p, name, func(given string) (bool, error) {
		b, err := strconv.ParseBool(given)
		if err != nil {
			return false, fmt.Errorf("%q is neither true nor false", given)
		}
		return b, nil
	})
}

// Choice reads one of some words, and returns its number. Without the parameter it is 0.
func (p *Params) Choice(name string, words ...string) int {
	return read(p, name, func(given string) (int, error) {
		if i := slices.Index(words, given); i >= 0 {
			return i, nil
		}
		return 0, fmt.Errorf("%q is none of %s", given, strings.Join(words, ", "))
	})
}

// lifetime reads a time to live, where "never" is NoExpiry.
func (p *Params) lifetime(name string) time.Duration { return read(p, name, parseTTL) }

// share reads a number from 0 to 1.
func (p *Params) share(name string) float32 { return read(p, name, parseShare) }

// read parses a parameter. Of several that can't be read, Err tells the first.
func read[T any](p *Params, name string, parse func(string) (T, error)) (v T) {
	if !p.values.Has(name) {
		return v
	}
	v, err := parse(p.values.Get(name))
	if err != nil {
		var zero T
		if p.err == nil {
			p.err = fmt.Errorf("%s:// parameter %s: %w", p.scheme, name, err)
		}
		return zero
	}
	return v
}

// take removes a parameter.
func (p *Params) take(names ...string) {
	for _, name := range names {
		p.values.Del(name)
	}
}

// parseTTL reads a time to live. 0 is no expiry, as in most of the systems that people come from.
func parseTTL(given string) (time.Duration, error) {
	if given == "never" {
		return NoExpiry, nil
	}
	d, err := units.ParseTime(given)
	switch {
	case err != nil:
		return 0, fmt.Errorf("%w, or never", err)
	case d == 0:
		return NoExpiry, nil
	}
	return d, nil
}

func parseShare(given string) (float32, error) {
	f, err := strconv.ParseFloat(given, 32)
	if err != nil || !(f >= 0 && f <= 1) {
		return 0, fmt.Errorf("%q is no share: a number from 0 to 1 is wanted", given)
	}
	return float32(f), nil
}

// parsePath reads a path of names, a/b, as a namespace has it. A name with a slash in it has %2F there.
func parsePath(given string) ([]string, error) {
	if given == "" {
		return nil, nil
	}
	names := strings.Split(given, "/")
	for i, name := range names {
		plain, err := url.PathUnescape(name)
		if err != nil || plain == "" {
			return nil, fmt.Errorf("%q is no namespace: names are wanted, with slashes between them and special characters as %%XX", given)
		}
		names[i] = plain
	}
	return names, nil
}
