package evict

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// Admission is a stage before a policy that keeps some objects out: the policy sees nothing of a request for these.
type Admission struct {
	// Name is what stands behind a policy's name and a "+".
	Name string
	// Title is how its authors write it, Paper where they did.
	Title, Paper string
	// Params are its parameters with their defaults.
	Params map[string]string
	// Bytes says that it goes by sizes, so that caches must hold bytes. Random says that results differ by seed.
	Bytes, Random bool

	build func(Spec) (admission, error)
}

// admission is the stage of one cache. It may remember objects that are not in, by their ids: where an id stands for another
// object later, what was remembered counts for that one, as with the collisions of a Bloom filter.
type admission interface {
	// hit says that a resident object was asked for.
	hit(id uint32)
	// admits reports whether an absent object that was asked for may come in. room says that nothing has to go for it.
	admits(id, size uint32, room bool) bool
}

// admissionTold is implemented by stages that want to know what comes in and what is thrown out.
type admissionTold interface {
	came()
	evicted(id uint32)
	removed()
}

// admissions are all that there are.
var admissions = [...]Admission{
	{
		Name: "adaptsize", Title: "AdaptSize", Paper: "Berger, Sitaraman and Harchol-Balter, NSDI 2017", Bytes: true, Random: true,
		Params: map[string]string{"interval": "250000"}, build: newAdaptSize,
	},
	{Name: "always", Title: "Always", build: newAlways},
	{
		Name: "probability", Title: "Probability", Random: true,
		Params: map[string]string{"p": "0.1"}, build: newProbability,
	},
	{
		Name: "second-hit", Title: "Second hit", Paper: "Maggs and Sitaraman, SIGCOMM CCR 45(3), 2015",
		Params: map[string]string{"ghost": "1"}, build: newSecondHit,
	},
	{
		Name: "size", Title: "Size threshold", Bytes: true,
		Params: map[string]string{"max": "1%"}, build: newSizeLimit,
	},
	{
		Name: "tinylfu", Title: "TinyLFU", Paper: "Einziger et al., ACM TOS 13(4), 2017", build: newTinyLFU,
	},
}

// Admissions returns all stages, sorted by name.
func Admissions() []Admission { return slices.Clone(admissions[:]) }

// SplitAdmission takes a name such as "lru+size:max=64KiB" apart at the last stage of admission: "lru", "size:max=64KiB".
// admission is empty where there is none, as in paths that have a "+" in them.
func SplitAdmission(name string) (policy, admission string) {
	at := strings.LastIndexByte(name, '+')
	if at < 0 {
		return name, ""
	}
	stage, _, _ := strings.Cut(name[at+1:], ":")
	if !slices.ContainsFunc(admissions[:], func(a Admission) bool { return a.Name == stage }) {
		return name, ""
	}
	return name[:at], name[at+1:]
}

// Admit returns the policy that build makes with a stage before it, which may have parameters: "size:max=64KiB". Policies
// that know the future have no use for one. The policy has Err and Close, which are those of the one behind it, if it has any.
func Admit(admission string, s Spec, build func(Spec) (Policy, error)) (Policy, error) {
	info, params, err := parseAdmission(admission)
	if err != nil {
		return nil, err
	}
	switch {
	case info.Bytes && !s.Bytes:
		return nil, fmt.Errorf("admission %s goes by sizes: it wants a cache of bytes", info.Name)
	case s.Capacity < 1:
		return nil, fmt.Errorf("admission %s: a cache of %d is not possible", info.Name, s.Capacity)
	}
	own := s
	own.Params = params
	p := &admitting{spec: s}
	if p.stage, err = info.build(own); err != nil {
		return nil, fmt.Errorf("admission %s: %w", info.Name, err)
	}
	p.told, _ = p.stage.(admissionTold)
	if p.told != nil {
		s.Evicted = p.evicted
	}
	if p.Policy, err = build(s); err != nil {
		return nil, err
	}
	if _, ok := p.Policy.(Offline); ok {
		return nil, fmt.Errorf("admission %s: the policy behind it knows the future, and needs no advice", info.Name)
	}
	return p, nil
}

// parseAdmission takes a stage with parameters apart.
func parseAdmission(text string) (Admission, map[string]string, error) {
	name, list, _ := strings.Cut(text, ":")
	i := slices.IndexFunc(admissions[:], func(a Admission) bool { return a.Name == name })
	if i < 0 {
		var names []string
		for _, a := range admissions {
			names = append(names, a.Name)
		}
		return Admission{}, nil, fmt.Errorf("no admission is called %q: there are %s", name, strings.Join(names, ", "))
	}
	info := admissions[i]
	given, err := parseParams("admission "+name, list)
	if err != nil {
		return Admission{}, nil, err
	}
	all := maps.Clone(info.Params)
	for key, value := range given {
		if _, ok := all[key]; !ok {
			return Admission{}, nil, fmt.Errorf("admission %s: parameter %q is not known: possible are %s", name, key, known(info.Params))
		}
		all[key] = value
	}
	return info, all, nil
}

// admitting is a policy with a stage before it.
type admitting struct {
	Policy
	stage admission
	told  admissionTold // the stage, if it wants to know; else nil
	spec  Spec          // as it was given
}

func (p *admitting) Replay(ids, sizes []uint32, hits []uint64) (misses int) {
	noHits(hits, len(ids))
	for i, id := range ids {
		if p.Contains(id) {
			p.Hit(id)
			setHit(hits, i)
			continue
		}
		misses++
		p.Insert(id, sizeAt(sizes, i))
	}
	return misses
}

func (p *admitting) Hit(id uint32) {
	p.stage.hit(id)
	p.Policy.Hit(id)
}

func (p *admitting) Insert(id, size uint32) bool {
	need := uint64(1)
	if p.spec.Bytes {
		need = uint64(size)
	}
	if need > p.spec.Capacity || !p.stage.admits(id, size, p.Used()+need <= p.spec.Capacity) || !p.Policy.Insert(id, size) {
		return false
	}
	if p.told != nil {
		p.told.came()
	}
	return true
}

func (p *admitting) Remove(id uint32) {
	if p.told != nil {
		p.told.removed()
	}
	p.Policy.Remove(id)
}

// evicted passes on what the policy throws out.
func (p *admitting) evicted(id uint32) {
	p.told.evicted(id)
	if p.spec.Evicted != nil {
		p.spec.Evicted(id)
	}
}

// Unwrap returns the policy behind the stage.
func (p *admitting) Unwrap() Policy { return p.Policy }

// Err returns why the policy behind the stage failed, if it can.
func (p *admitting) Err() error {
	if failing, ok := p.Policy.(interface{ Err() error }); ok {
		return failing.Err()
	}
	return nil
}

// Close closes the policy behind the stage, if that is to be closed.
func (p *admitting) Close() error {
	if c, ok := p.Policy.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

// always lets everything in: a policy behind it is as without it.
type always struct{}

func newAlways(Spec) (admission, error) { return always{}, nil }

func (always) hit(uint32)                       {}
func (always) admits(uint32, uint32, bool) bool { return true }

// errSize says how a size is written.
var errSize = errors.New("bytes as in 64KiB or 2MB, or a percentage of the cache, are wanted")
