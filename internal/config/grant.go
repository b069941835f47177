package config

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/edgecache/edgecache/internal/units"
)

// Grant is what one plugin may have.
type Grant struct {
	// Name is the plugin's as it is loaded.
	Name   string
	Grants Grants
}

// Grants are what a plugin may have beside what everyone gets. Its fields are those of plugins.Grants.
type Grants struct {
	// Needs are capabilities.
	Needs []string
	// MemoryPages is how many pages of 64 KiB each instance may have, 0 for the default.
	MemoryPages int
	// Fuel is how many units a call may burn, 0 for the default.
	Fuel int64
	// Keys are the prefixes of the keys that it is called for; none is all.
	Keys []string
	// KVBytes and KVEntries bound what it keeps, 0 for the defaults.
	KVBytes, KVEntries int
	// Failure is "open", "closed", or "" for the manifest's word.
	Failure string
}

// Bounds of what can be granted: the pages of a memory, and the length of a prefix.
const (
	maxPages  = 65536
	maxPrefix = 256
)

// ParseGrant reads NAME=item,item,...
func ParseGrant(given string) (Grant, error) {
	name, items, found := strings.Cut(given, "=")
	name = strings.TrimSpace(name)
	if name == "" || !found {
		return Grant{}, fmt.Errorf("%q grants nothing: name=item,item,... is wanted, such as tenant=kv,kv-entries:50000", given)
	}
	g, err := ParseGrants(items)
	if err != nil {
		return Grant{}, fmt.Errorf("%s: %w", name, err)
	}
	return Grant{Name: name, Grants: g}, nil
}

// ParseGrants reads item,item,... Errors name the item that is wrong.
func ParseGrants(items string) (g Grants, err error) {
	given := make(map[string]bool)
	for item := range strings.SplitSeq(items, ",") {
		item = strings.TrimSpace(item)
		what, value, valued := strings.Cut(item, ":")
		switch {
		case given[what] && what != "keys", given[item]:
			return Grants{}, fmt.Errorf("%s is given twice", what)
		case !valued:
			err = g.need(item)
		default:
			err = g.set(what, value)
		}
		if err != nil {
			return Grants{}, err
		}
		given[what], given[item] = true, true
	}
	return g, nil
}

// need adds a capability.
func (g *Grants) need(item string) error {
	switch {
	case slices.Contains([]string{"value", "kv", "metrics", "trace", "lengthen"}, item):
		g.Needs = append(g.Needs, item)
		return nil
	case slices.Contains([]string{"clock", "hash", "log", "rng"}, item):
		return fmt.Errorf("%s needs no grant: every plugin gets it", item)
	case slices.Contains([]string{"memory", "fuel", "kv-bytes", "kv-entries", "keys", "failure"}, item):
		return fmt.Errorf("%s lacks its value: %s:... is wanted", item, item)
	default:
		return unknownItem(item)
	}
}

func unknownItem(item string) error {
	return fmt.Errorf("%q can't be granted: value, kv, metrics, trace, lengthen, memory:PAGES, fuel:UNITS, kv-bytes:SIZE, kv-entries:N, "+
		"keys:PREFIX, failure:open and failure:closed can", item)
}

// set takes an item with a value.
func (g *Grants) set(what, value string) (err error) {
	var n int64
	switch what {
	case "memory":
		n, err = count(value, maxPages)
		g.MemoryPages = int(n)
	case "fuel":
		g.Fuel, err = count(value, math.MaxInt64)
	case "kv-bytes":
		if n, err = units.ParseBytes(value); err == nil && (n == 0 || n > math.MaxInt) {
			err = fmt.Errorf("%q is out of range", value)
		}
		g.KVBytes = int(n)
	case "kv-entries":
		n, err = count(value, math.MaxInt32)
		g.KVEntries = int(n)
	case "keys":
		if value == "" || len(value) > maxPrefix {
			err = fmt.Errorf("a prefix of 1 to %d bytes is wanted", maxPrefix)
		}
		g.Keys = append(g.Keys, value)
	case "failure":
		if value != "open" && value != "closed" {
			err = errors.New("open or closed is wanted")
		}
		g.Failure = value
	default:
		return unknownItem(what + ":" + value)
	}
	if err != nil {
		return fmt.Errorf("%s:%s: %w", what, value, err)
	}
	return nil
}

// count reads a whole number from 1 to most.
func count(given string, most int64) (int64, error) {
	n, err := strconv.ParseInt(given, 10, 64)
	if err != nil || n < 1 || n > most {
		return 0, fmt.Errorf("a whole number from 1 to %d is wanted", most)
	}
	return n, nil
}
