package store

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"unsafe"

	"github.com/cespare/xxhash/v2"

	"github.com/edgecache/edgecache/rfc9111"
)

// epoch is part of the keys of a resource's variants. A new index has a new one, so that no variant of before is found.
type epoch [8]byte

func newEpoch() (e epoch) {
	_, _ = rand.Read(e[:]) // never fails
	return e
}

// index is what the primary key has of a resource that varies: how, and which variants there are. It is immutable.
type index struct {
	epoch epoch
	ends  int64  // when the last of the variants ends, in unix nanoseconds; 0 never
	rules []rule // at most MaxRules; by which was stored last
	refs  []ref  // at most MaxVariants; the one stored last is the last
}

// rule is a Vary field.
type rule struct {
	names []string // canonical and sorted
	text  string   // the names joined by commas
}

func newRule(names []string) rule { return rule{names, strings.Join(names, ",")} }

// byLanguage reports whether responses vary by Accept-Language.
func (r *rule) byLanguage() bool { return slices.Contains(r.names, "Accept-Language") }

// ref is a variant.
type ref struct {
	rule     uint8  // its rule's place in rules
	hash     uint64 // of the selector it was stored for, which its key has
	language uint64 // of the selector of those that want its language above all others; 0 without one
	date     int64
}

// encode returns the frame of the index.
func (x *index) encode() []byte {
	b := append(beginFrame(nil, kindIndex), x.epoch[:]...)
	b = append(appendU64(b, uint64(x.ends)), byte(len(x.rules)), byte(len(x.refs)))
	for _, r := range x.rules {
		b = appendText(b, r.text)
	}
	for _, r := range x.refs {
		b = append(appendU64(appendU64(appendU64(b, r.hash), r.language), uint64(r.date)), r.rule)
	}
	endFrame(b)
	return slices.Clip(b)
}

// decodeIndex reads a proven frame's data.
func decodeIndex(data []byte) (*index, error) {
	c := &cursor{data: data}
	x := &index{}
	copy(x.epoch[:], c.bytes(uint64(len(x.epoch))))
	x.ends = int64(c.u64())
	rules, refs := c.u8(), c.u8()
	if rules > MaxRules || refs > MaxVariants {
		return nil, fmt.Errorf("%w: %d variants by %d rules", errFrame, refs, rules)
	}
	for range rules {
		text := c.text()
		x.rules = append(x.rules, rule{strings.Split(text, ","), text})
	}
	for range refs {
		r := ref{hash: c.u64(), language: c.u64(), date: int64(c.u64()), rule: c.u8()}
		if r.rule >= rules {
			return nil, fmt.Errorf("%w: variant of rule %d of %d", errFrame, r.rule, rules)
		}
		x.refs = append(x.refs, r)
	}
	if c.failed || len(c.data) > 0 {
		return nil, fmt.Errorf("%w: index of another length", errFrame)
	}
	return x, nil
}

// weight is what the decoded index takes beside its frame.
func (x *index) weight() uint32 {
	n := unsafe.Sizeof(index{}) + uintptr(cap(x.rules))*unsafe.Sizeof(rule{}) + uintptr(cap(x.refs))*unsafe.Sizeof(ref{})
	for _, r := range x.rules {
		n += uintptr(cap(r.names)) * unsafe.Sizeof("")
	}
	return uint32(n + n/16)
}

// with returns the index with a variant in its place, and the variants that had to go.
func (x *index) with(r rule, v ref, ends int64) (next *index, dropped []ref) {
	next = &index{epoch: x.epoch, ends: laterEnd(x.ends, ends), rules: []rule{r}}
	if len(x.refs) == 0 {
		next.ends = ends
	}
	places := make([]int, len(x.rules)) // of the rules in next
	for i, old := range x.rules {
		switch {
		case old.text == r.text:
			places[i] = 0
		case len(next.rules) == MaxRules:
			places[i] = -1
		default:
			places[i] = len(next.rules)
			next.rules = append(next.rules, old)
		}
	}
	for _, old := range x.refs {
		place := places[old.rule]
		switch {
		case place < 0:
			dropped = append(dropped, old)
		case place == 0 && old.hash == v.hash:
		default:
			old.rule = uint8(place)
			next.refs = append(next.refs, old)
		}
	}
	if over := len(next.refs) + 1 - MaxVariants; over > 0 {
		dropped = append(dropped, next.refs[:over]...)
		next.refs = next.refs[over:]
	}
	v.rule = 0
	next.refs = append(slices.Clip(next.refs), v)
	return next, dropped
}

// has reports whether there is a variant with the hash.
func (x *index) has(hash uint64) bool {
	return slices.ContainsFunc(x.refs, func(v ref) bool { return v.hash == hash })
}

// laterEnd returns the later of two ends, of which 0 is never.
func laterEnd(a, b int64) int64 {
	if a == 0 || b == 0 {
		return 0
	}
	return max(a, b)
}

// appendSelector appends what a variant's hash is of: the epoch, the rule, and what the request has of it.
func appendSelector(dst []byte, e epoch, r *rule, req Fields) []byte {
	dst = append(append(append(dst, e[:]...), r.text...), '\n')
	return rfc9111.AppendVariant(dst, r.names, req)
}

// appendLanguageSelector is appendSelector for the request that asks for the language alone that req wants above all others.
func appendLanguageSelector(dst []byte, e epoch, r *rule, req Fields, language string) []byte {
	dst = append(append(append(dst, e[:]...), r.text...), '\n')
	return rfc9111.AppendVariantFor(dst, r.names, req, language)
}

// selected returns the part of a selector that is the request's values.
func selected(selector []byte, r *rule) []byte { return selector[len(epoch{})+len(r.text)+1:] }

// hashOf is the hash of a selector.
func hashOf(selector []byte) uint64 { return xxhash.Sum64(selector) }

// hashWith is the hash of a variant's selector in an epoch.
func hashWith(e epoch, rule, selecting string) uint64 {
	b := append(append(append(make([]byte, 0, 64), e[:]...), rule...), '\n')
	return hashOf(append(b, selecting...))
}

// variantKey appends the key of a variant.
func variantKey(dst []byte, e epoch, hash uint64) []byte {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], hash)
	return hex.AppendEncode(hex.AppendEncode(dst, e[:]), b[:])
}
