// Package evict has the policies that decide what a cache throws out. A policy sees dense numbers, never keys, so that the
// same one runs in the live memory tier, where numbers are slots, in shadow caches, and in the simulator, where they are
// objects in the order of their first appearance.
package evict

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
)

// Spec is the cache that a policy works for.
type Spec struct {
	// Objects is how many objects there can be: ids go from 0 to Objects-1.
	Objects int
	// Capacity is how much fits: objects, or bytes if Bytes is set. It is at least 1.
	Capacity uint64
	// Bytes makes sizes count. Else every object counts 1.
	Bytes bool
	// Scaled says that the cache stands for a larger one, in which a sample of the objects is looked at. Parts that are too
	// small for an object have room for one then, so that the cache lets in what the larger one would.
	Scaled bool
	// Seed makes the choices of policies that choose at random: the same seed, the same choices.
	Seed uint64
	// Params are the policy's own, by name: see Info. Those not given have their defaults.
	Params map[string]string
	// Evicted, if not nil, is told of each object that the policy throws out, before that is used for another.
	Evicted func(id uint32)
	// Forgotten, if not nil, is told once when the policy keeps nothing any more of an object that it had let in: its id may
	// then stand for another. A policy that remembers what it threw out calls it later than Evicted, others right after it.
	Forgotten func(id uint32)
}

// Policy is a policy with the state of one cache. It is not safe for concurrent use. The methods on single objects are for a
// cache that lives: it knows which objects are resident, and calls Hit for those alone, Insert for the others alone.
type Policy interface {
	// Replay asks for objects in their order, and inserts those that miss. sizes are theirs, in the same order, or nil where
	// Spec.Bytes is not set. Bit i of hits, which has a bit for each request at least, is set where request i hits and
	// cleared where it misses; it returns how many miss. An object keeps the size that it was inserted with. One larger than
	// the cache is not inserted.
	Replay(ids, sizes []uint32, hits []uint64) (misses int)
	// Hit says that a resident object was asked for. It may throw out others.
	Hit(id uint32)
	// Insert says that an absent object was asked for and is there now, and throws out what is too much. It reports whether
	// the policy lets it in. Where not, no more is known of it than before.
	Insert(id, size uint32) bool
	// Remove takes a resident object out that is gone for another reason, such as its age. It is not told to Evicted.
	Remove(id uint32)
	// Contains reports whether an object is resident.
	Contains(id uint32) bool
	// Used returns how much of the capacity is used.
	Used() uint64
}

// Ranker is implemented by policies that know what they would throw out next.
type Ranker interface {
	// Ranked walks the residents in the order in which they would be thrown out if nothing more were asked for. The policy
	// must not be used meanwhile, and is the same afterwards. lastFirst says that of objects that are inserted and not asked
	// for again, the last goes first.
	Ranked() (ids iter.Seq[uint32], lastFirst bool)
}

// Offline is implemented by policies that know the future, which only a simulator can tell. It calls Prepare once, before
// Replay, with all requests that will come; the policy keeps the slices, which must not change.
type Offline interface {
	Prepare(ids, sizes []uint32)
}

// Info describes a policy.
type Info struct {
	// Name is what New knows it by, in lower case.
	Name string
	// Title is how its authors write it, Paper where they did.
	Title, Paper string
	// Params are its parameters with their defaults.
	Params map[string]string
	// Online says that it can run in a live cache.
	Online bool
	// Random says that results differ by seed.
	Random bool

	build func(Spec) (Policy, error)
}

// Policies returns all policies, sorted by name.
func Policies() []Info {
	all := slices.Clone(policies[:])
	slices.SortFunc(all, func(a, b Info) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// New returns the policy called name, or an error that says what is possible. A name may have parameters behind it:
// "slru:segments=4". Those of the name win over the spec's. Behind that there may be stages of admission, each with its own:
// "lru+size:max=64KiB". See Admissions.
func New(name string, s Spec) (Policy, error) {
	if at := strings.LastIndexByte(name, '+'); at >= 0 {
		return Admit(name[at+1:], s, func(s Spec) (Policy, error) { return New(name[:at], s) })
	}
	info, params, err := parse(name)
	if err != nil {
		return nil, err
	}
	all := maps.Clone(info.Params)
	for _, given := range []map[string]string{s.Params, params} {
		for key, value := range given {
			if _, ok := all[key]; !ok {
				return nil, fmt.Errorf("policy %s: parameter %q is not known: possible are %s", info.Name, key, known(info.Params))
			}
			all[key] = value
		}
	}
	if s.Capacity < 1 || s.Objects < 0 || uint64(s.Objects) >= nobody {
		return nil, fmt.Errorf("policy %s: a cache of %d for %d objects is not possible", info.Name, s.Capacity, s.Objects)
	}
	s.Params = all
	p, err := info.build(s)
	if err != nil {
		return nil, fmt.Errorf("policy %s: %w", info.Name, err)
	}
	return p, nil
}

// parse takes a name with parameters apart.
func parse(name string) (Info, map[string]string, error) {
	name, list, _ := strings.Cut(name, ":")
	i := slices.IndexFunc(policies[:], func(p Info) bool { return p.Name == name })
	if i < 0 {
		return Info{}, nil, fmt.Errorf("no policy is called %q: there are %s", name, names())
	}
	params, err := parseParams("policy "+name, list)
	return policies[i], params, err
}

// parseParams reads "a=1,b=2", the parameters of what.
func parseParams(what, list string) (map[string]string, error) {
	params := make(map[string]string)
	for pair := range strings.SplitSeq(list, ",") {
		if pair == "" {
			continue
		}
		key, value, ok := strings.Cut(pair, "=")
		if !ok {
			return nil, fmt.Errorf("%s: parameter %q is no name=value", what, pair)
		}
		params[key] = value
	}
	return params, nil
}

func names() string {
	var all []string
	for _, p := range Policies() {
		all = append(all, p.Name)
	}
	return strings.Join(all, ", ")
}

func known(params map[string]string) string {
	if len(params) == 0 {
		return "none"
	}
	return strings.Join(slices.Sorted(maps.Keys(params)), ", ")
}

// part returns that share of the capacity, rounded down.
func (s *Spec) part(share float64) uint64 {
	if share == 0 {
		return 0
	}
	return s.room(uint64(share * float64(s.Capacity)))
}

// room is what a part has room for, where it has some at all.
func (s *Spec) room(part uint64) uint64 {
	if s.Scaled {
		return max(part, 1)
	}
	return part
}

// most returns how many objects can be resident at once.
func (s *Spec) most() int {
	if s.Bytes {
		return s.Objects
	}
	return int(min(uint64(s.Objects), s.Capacity))
}

// base is what all policies have: the spec, who is resident, and how much room they take.
type base struct {
	spec Spec
	used uint64
	size []uint32 // by id, of what is resident or was last; nil where each counts 1
}

func newBase(s Spec) base {
	b := base{spec: s}
	if s.Bytes {
		b.size = make([]uint32, s.Objects)
	}
	return b
}

// Used returns how much of the capacity is used.
func (b *base) Used() uint64 { return b.used }

// fits reports whether an object of that size can be resident at all.
func (b *base) fits(size uint32) bool { return b.size == nil || uint64(size) <= b.spec.Capacity }

// full reports whether something must go before an object of that size comes.
func (b *base) full(size uint32) bool {
	if b.size == nil {
		return b.used >= b.spec.Capacity
	}
	return b.used+uint64(size) > b.spec.Capacity
}

// came accounts for an object that is resident from here on.
func (b *base) came(id, size uint32) {
	if b.size == nil {
		b.used++
		return
	}
	b.size[id] = size
	b.used += uint64(size)
}

// went accounts for an object that is not resident any more.
func (b *base) went(id uint32) {
	if b.size == nil {
		b.used--
		return
	}
	b.used -= uint64(b.size[id])
}

// threwOut is went for an object of which the policy forgets everything.
func (b *base) threwOut(id uint32) {
	b.went(id)
	b.told(id)
	b.forgot(id)
}

// told tells that an object was thrown out.
func (b *base) told(id uint32) {
	if b.spec.Evicted != nil {
		b.spec.Evicted(id)
	}
}

// forgot tells that nothing is known of an object any more.
func (b *base) forgot(id uint32) {
	if b.spec.Forgotten != nil {
		b.spec.Forgotten(id)
	}
}

// sizeAt returns the size of request i.
func sizeAt(sizes []uint32, i int) uint32 {
	if sizes == nil {
		return 1
	}
	return sizes[i]
}

// setHit sets bit i.
func setHit(hits []uint64, i int) { hits[i>>6] |= 1 << (i & 63) }

// noHits clears the bits of n requests.
func noHits(hits []uint64, n int) { clear(hits[:(n+63)>>6]) }
