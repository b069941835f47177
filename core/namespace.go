package core

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// Namespace is a part of the keyspace, itself split by the namespaces below it. The root namespace is the whole: its
// keys are stored as they are. Elsewhere a key is stored as path + ":" + key, where path joins the escaped names by "/".
// No name holds an unescaped "/" or ":", so that "a" never meets "ab", nor key "b:x" of "a" key "x" of "a/b".
type Namespace struct {
	path   string
	prefix string
	id     uint16
}

// Path returns the names joined by "/", with "/", ":" and "%" in a name as %2F, %3A and %25. The root's is "".
func (n *Namespace) Path() string { return n.path }

// ID returns the namespace's number, stable while the process lives. The root's is 0. OtherNamespaces is shared by all
// that came after 65,534 others.
func (n *Namespace) ID() uint16 { return n.id }

// Prefix returns what the store has before the keys of the namespace.
func (n *Namespace) Prefix() string { return n.prefix }

// subtree returns the prefixes of all keys in the namespace and below it.
func (n *Namespace) subtree() []string {
	if n.path == "" {
		return []string{""}
	}
	return []string{n.path + ":", n.path + "/"}
}

var nameEscaper = strings.NewReplacer("%", "%25", "/", "%2F", ":", "%3A")

// escapeName returns a name as it stands in a path. The empty name is a lone "%".
func escapeName(name string) string {
	if name == "" {
		return "%"
	}
	return nameEscaper.Replace(name)
}

// checkPath reports what is wrong with a path that did not come from escapeName.
func checkPath(path string) error {
	for name := range strings.SplitSeq(path, "/") {
		if name == "%" {
			continue
		}
		if name == "" || strings.Contains(name, ":") {
			return fmt.Errorf("namespace %.128q: a name is empty or holds a colon: write %%3A for it", path)
		}
		for rest := name; ; {
			_, after, found := strings.Cut(rest, "%")
			if !found {
				break
			}
			if !strings.HasPrefix(after, "25") && !strings.HasPrefix(after, "2F") && !strings.HasPrefix(after, "3A") {
				return fmt.Errorf("namespace %.128q: a percent sign must be written %%25", path)
			}
			rest = after
		}
	}
	return nil
}

// namespaces numbers the namespaces of a cache.
type namespaces struct {
	mu     sync.Mutex
	byPath sync.Map                     // path -> *Namespace
	byID   atomic.Pointer[[]*Namespace] // replaced under mu
}

func newNamespaces() *namespaces {
	n := &namespaces{}
	root := &Namespace{}
	n.byPath.Store("", root)
	n.byID.Store(&[]*Namespace{root})
	return n
}

func (n *namespaces) root() *Namespace { return (*n.byID.Load())[0] }

// parse returns the namespace at path, which anyone may have written.
func (n *namespaces) parse(path string) (*Namespace, error) {
	if ns, ok := n.byPath.Load(path); ok {
		return ns.(*Namespace), nil
	}
	if err := checkPath(path); err != nil {
		return nil, err
	}
	return n.at(strings.Clone(path)), nil
}

// at returns the namespace at a well-formed path, numbering it if it is new.
func (n *namespaces) at(path string) *Namespace {
	if ns, ok := n.byPath.Load(path); ok {
		return ns.(*Namespace)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if ns, ok := n.byPath.Load(path); ok {
		return ns.(*Namespace)
	}
	all := *n.byID.Load()
	ns := &Namespace{path: path, prefix: path + ":", id: OtherNamespaces}
	if len(all) >= int(OtherNamespaces) {
		return ns // not kept: a caller that makes up names must not grow the table for ever
	}
	ns.id = uint16(len(all))
	grown := append(slices.Clip(all), ns)
	n.byID.Store(&grown)
	n.byPath.Store(path, ns)
	return ns
}

// path names a number.
func (n *namespaces) path(id uint16) string {
	all := *n.byID.Load()
	switch {
	case int(id) < len(all):
		return all[id].path
	case id == AllNamespaces:
		return "*"
	default:
		return "(others)"
	}
}
