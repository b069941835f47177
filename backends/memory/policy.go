package memory

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/edgecache/edgecache/core/evict"
)

// Default is the name of the policy where none is given: adaptive W-TinyLFU as otter has it.
const Default = "tinylfu"

// Policy is what decides which entries make room for others.
type Policy struct {
	// Name is what figures call it.
	Name string
	// New returns it for a cache of bytes. It is called once, and must not call Evicted or Forgotten before it returns. Where
	// what it returns has an Err() error, that is asked after each batch: with an error the policy has failed, and lru takes
	// over. Where it has a Close() error, it is closed then, or with the backend.
	New func(evict.Spec) (evict.Policy, error)
	// Ghosts is how many keys that are gone the policy may remember, for each that can be there. Numbers for them take
	// memory, and run out where the policy remembers more: then entries go early. 0 means 1.
	Ghosts float64
}

// mostGhosts is what a policy remembers at most, for each entry that can be there, unless its name says otherwise.
const mostGhosts = 2

// Native returns the policy that core/evict knows by that name, which may have parameters behind it: "slru:segments=2". One
// that knows the future is an error, and so is one with a stage of admission, as what is written here must be there. Native
// remembers no more than two keys that are gone for each entry that can be there, unless the name has the parameter ghost.
func Native(name string) (*Policy, error) {
	if policy, admission := evict.SplitAdmission(name); admission != "" {
		return nil, fmt.Errorf("policy %s: admission is for the simulator, as the memory tier keeps what is written to it: take %s",
			name, policy)
	}
	short, params, _ := strings.Cut(name, ":")
	all := evict.Policies()
	i := slices.IndexFunc(all, func(p evict.Info) bool { return p.Name == short })
	switch {
	case i < 0:
		return nil, fmt.Errorf("no policy is called %q: there are %s", short, strings.Join(names(), ", "))
	case !all[i].Online:
		return nil, fmt.Errorf("policy %s knows the future, which only a simulator can tell: take one of %s",
			short, strings.Join(names(), ", "))
	}
	n, given := ghosts(all[i].Params, params)
	p := &Policy{Name: name, Ghosts: n, New: func(s evict.Spec) (evict.Policy, error) {
		s.Params = maps.Clone(given)
		return evict.New(name, s)
	}}
	// A cache for one object shows what is wrong with the parameters.
	if _, err := p.New(evict.Spec{Objects: 1, Capacity: 1, Bytes: true}); err != nil {
		return nil, err
	}
	return p, nil
}

// names are those of all policies that there are here.
func names() []string {
	all := []string{Default}
	for _, p := range evict.Policies() {
		if p.Online {
			all = append(all, p.Name)
		}
	}
	return all
}

// ghosts returns how many keys a policy with such parameters, some of which may be given in a list, remembers for each entry,
// and what it must be told for that.
func ghosts(defaults map[string]string, list string) (float64, map[string]string) {
	n, err := strconv.ParseFloat(defaults["ghost"], 64)
	if err != nil {
		return 1, nil
	}
	for pair := range strings.SplitSeq(list, ",") {
		if value, ok := strings.CutPrefix(pair, "ghost="); ok {
			n, _ = strconv.ParseFloat(value, 64) // the policy refuses what is no number
			return max(n, 1), nil
		}
	}
	if n > mostGhosts {
		return mostGhosts, map[string]string{"ghost": strconv.Itoa(mostGhosts)}
	}
	return max(n, 1), nil
}
