package files

// window gathers changes: the first of a name is acted on at once, those that follow until the window ends, together at its
// end. So nothing is out of date for longer than a window, and a file that is written in small pieces costs no more than one
// change for each window.
type window struct {
	names map[string]*pending
}

// pending is a name that has changed in this window.
type pending struct {
	tree  bool // it, and all below it
	again bool // it has changed since it was acted on
}

// change is a file, or with tree a file or folder and all below it, that has changed. The name "" is everything.
type change struct {
	name string
	tree bool
}

// crowd is how many names may change in a window one by one. With more, everything has changed.
const crowd = 256

func newWindow() *window { return &window{names: make(map[string]*pending)} }

// note takes a change in and returns what to act on at once, if anything.
func (w *window) note(c change) (now change, act bool) {
	if all := w.names[""]; all != nil {
		all.again = true
		return change{}, false
	}
	if p := w.names[c.name]; p != nil {
		p.again, p.tree = true, p.tree || c.tree
		return change{}, false
	}
	if len(w.names) >= crowd {
		clear(w.names)
		c = change{"", true}
	}
	w.names[c.name] = &pending{tree: c.tree}
	return c, true
}

// end ends the window and returns what has changed again in it, with which the next one begins.
func (w *window) end() (again []change) {
	for name, p := range w.names {
		if !p.again {
			delete(w.names, name)
			continue
		}
		p.again = false
		again = append(again, change{name, p.tree})
	}
	return again
}

// open reports whether a window is under way.
func (w *window) open() bool { return len(w.names) > 0 }
