package sim

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/edgecache/edgecache/core/evict"
)

// Policy is one that a cache runs with: a native one (see Native), or any other that serves evict.Policy, such as a guest.
type Policy struct {
	// Name is what results call it.
	Name string
	// New returns it for one cache. It is called by several goroutines at the same time. What it returns is closed after
	// use where it has a Close, and asked for its error where it is Failing.
	New func(evict.Spec) (evict.Policy, error)
	// Curve, if not nil, tells what caches of several sizes miss, all at once. It is used where it is faster than New, and
	// where New is nil: then it is no policy but a bound. sizes may be nil.
	Curve func(ids, sizes []uint32, capacities []uint64, bytes bool) []evict.Point
	// admitsAll says that it lets in all that is not larger than the cache, so that what it throws out need not be counted
	// one by one: that takes a sixth of the time of the fastest.
	admitsAll bool
}

// fromCurve is how many sizes a curve must have to be faster than one cache after the other.
const fromCurve = 48

// atOnce reports whether Curve is to be used for so many sizes. It tells nothing of bytes, of costs,
// of age and of operations.
func (p *Policy) atOnce(sizes int, s *stream, bytes bool) bool {
	return p.Curve != nil && (p.New == nil || sizes >= fromCurve && !bytes && s.costs == nil && !s.oneByOne())
}

// Failing is implemented by policies that can fail while they run. After an error, what they say does not count.
type Failing interface {
	Err() error
}

// Native returns the policy that core/evict knows by that name, which may have parameters behind it: "slru:segments=2".
// "pfoo-l" is the bound of evict.PFOOL.
func Native(name string) (Policy, error) {
	p := Policy{Name: name, New: func(s evict.Spec) (evict.Policy, error) { return evict.New(name, s) }, admitsAll: admitsAll(name)}
	switch name {
	case boundName:
		return Policy{Name: name, Curve: evict.PFOOL}, nil
	case "lru":
		p.Curve = evict.LRUCurve
	}
	// A cache of one object shows what is wrong with the name or the parameters.
	if _, err := p.New(evict.Spec{Objects: 1, Capacity: 1}); err != nil {
		return Policy{}, err
	}
	return p, nil
}

// admitsAll reports whether that native policy lets in all that is not larger than the cache.
func admitsAll(name string) bool {
	switch name {
	case "arc", "clock", "fifo", "lfu", "lru", "opt", "sieve":
		return true
	}
	return false
}

// ParsePolicies returns the policies of a list that was taken apart at its commas: names of native policies, "all" for all of
// these, and whatever other knows, which may be nil. Behind a name and a colon there may be parameters, with commas between
// them too, and behind these a stage of admission: "slru:segments=2+size:max=64KiB".
func ParsePolicies(words []string, other func(name string) (p Policy, ok bool, err error)) ([]Policy, error) {
	var all []Policy
	for _, name := range join(words) {
		for _, name := range expand(name) {
			p, err := parsePolicy(name, other)
			if err != nil {
				return nil, err
			}
			if !slices.ContainsFunc(all, func(known Policy) bool { return known.Name == p.Name }) {
				all = append(all, p)
			}
		}
	}
	if len(all) == 0 {
		return nil, errors.New("no policy is named")
	}
	return all, nil
}

func parsePolicy(name string, other func(string) (Policy, bool, error)) (Policy, error) {
	if policy, admission := evict.SplitAdmission(name); admission != "" {
		return parseAdmitted(name, policy, admission, other)
	}
	if other != nil {
		if p, ok, err := other(name); ok || err != nil {
			return p, err
		}
	}
	return Native(name)
}

// parseAdmitted returns a policy, which may be any, with a stage of admission before it.
func parseAdmitted(name, policy, admission string, other func(string) (Policy, bool, error)) (Policy, error) {
	behind, err := parsePolicy(policy, other)
	if err != nil {
		return Policy{}, err
	}
	if behind.New == nil || knowsTheFuture(policy) {
		return Policy{}, fmt.Errorf("%s: %s knows the future, and needs no admission", name, policy)
	}
	// A cache of one byte shows what is wrong with the admission or its parameters.
	if _, err := evict.New("lru+"+admission, evict.Spec{Objects: 1, Capacity: 1, Bytes: true}); err != nil {
		return Policy{}, fmt.Errorf("%s: %w", name, err)
	}
	return Policy{Name: behind.Name + "+" + admission, New: func(s evict.Spec) (evict.Policy, error) { return evict.Admit(admission, s, behind.New) }}, nil
}

// join puts words together that are parameters of one policy.
func join(words []string) []string {
	var all []string
	for _, word := range words {
		word = strings.TrimSpace(word)
		last := len(all) - 1
		switch {
		case word == "":
		case last >= 0 && strings.Contains(all[last], ":") && isParameter(word):
			all[last] += "," + word
		default:
			all = append(all, word)
		}
	}
	return all
}

// isParameter reports whether a word is one, and no policy with parameters.
func isParameter(word string) bool {
	name, _, ok := strings.Cut(word, "=")
	return ok && !strings.Contains(name, ":")
}

// expand returns the names that one stands for: itself, or those of all policies, where there is admission of those that
// can have any.
func expand(name string) []string {
	policy, admission := evict.SplitAdmission(name)
	if policy != "all" {
		return []string{name}
	}
	var all []string
	for _, p := range evict.Policies() {
		if admission == "" {
			all = append(all, p.Name)
		} else if p.Online {
			all = append(all, p.Name+"+"+admission)
		}
	}
	return all
}

// What the ends of the gap are called.
const (
	worstName = "fifo"
	bestName  = "opt"
	boundName = "pfoo-l"
)

// bestOf returns the name of what nothing misses less than: objects of the same size have an optimum that can be found, of
// others a bound is known.
func bestOf(bytes bool) string {
	if bytes {
		return boundName
	}
	return bestName
}

// withGapPolicies are o.Policies, and behind them those that only Result.Gap wants.
func (o *Options) withGapPolicies() []Policy {
	all := slices.Clone(o.Policies)
	if !o.Gap {
		return all
	}
	for _, name := range []string{worstName, bestOf(o.Bytes)} {
		if slices.ContainsFunc(all, func(p Policy) bool { return p.Name == name }) {
			continue
		}
		p, err := Native(name)
		if err != nil {
			panic(err) // there are such policies
		}
		all = append(all, p)
	}
	return all
}
