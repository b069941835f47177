package codec

import "errors"

// What is wrong with a gob stream.
var (
	errGobShort = errors.New("cut short")
	errGobType  = errors.New("a type that can't be")
	errGobDeep  = errors.New("nested too deep")
)

// maxGobDepth is how deep types and values may nest.
const maxGobDepth = 1000

// checkGob walks a gob stream of one value and reports sizes that it claims and does not have: encoding/gob makes maps as
// large as they say they are. The format is that of the documentation of encoding/gob, "Encoding Details".
func checkGob(data []byte) error {
	w := gobWalker{after: data, types: make(map[int64]gobType)}
	for id := int64(-1); id < 0 && w.err == nil; {
		w.next()
		if id = w.typeID(); id >= 0 {
			w.value(id, 0)
		}
		if len(w.rest) > 0 || id >= 0 && len(w.after) > 0 {
			w.fail(errTrailing)
		}
	}
	return w.err
}

// gobType is what a type's definition says of the values' form.
type gobType struct {
	kind      int     // the number of the field in gob's wireType: one of those below
	key, elem int64   // types of a map's keys, and of the elements of maps, slices and arrays
	fields    []int64 // types of a struct's fields
}

const (
	gobArray      = 1
	gobSlice      = 2
	gobStruct     = 3
	gobMap        = 4
	gobMarshalers = 5 // 5 to 7: bytes that only the type itself reads
)

// The types that every stream knows.
const (
	gobBool      = 1 // 1 to 4: bool, int, uint and float64, one number each
	gobFloat     = 4
	gobBytes     = 5
	gobString    = 6
	gobComplex   = 7
	gobInterface = 8
	gobFirstUser = 64
)

// gobWalker reads a stream. After an error it reads zeros.
type gobWalker struct {
	rest  []byte // of the message
	after []byte // the messages after that
	types map[int64]gobType
	err   error
}

func (w *gobWalker) fail(err error) {
	if w.err == nil {
		w.err = err
	}
	w.rest, w.after = nil, nil
}

// next goes on to the next message, which begins with its size.
func (w *gobWalker) next() {
	w.rest, w.after = w.after, nil
	n := w.uint()
	if n > uint64(len(w.rest)) {
		w.fail(errGobShort)
		return
	}
	w.rest, w.after = w.rest[:n], w.rest[n:]
}

func (w *gobWalker) skip(n uint64) {
	if n > uint64(len(w.rest)) {
		w.fail(errGobShort)
		return
	}
	w.rest = w.rest[n:]
}

// uint reads an unsigned number: a byte below 128, or the negated count of big-endian bytes that follow.
func (w *gobWalker) uint() (n uint64) {
	if len(w.rest) == 0 {
		w.fail(errGobShort)
		return 0
	}
	b := w.rest[0]
	w.rest = w.rest[1:]
	if b < 0x80 {
		return uint64(b)
	}
	width := 256 - int(b)
	if width > 8 || width > len(w.rest) {
		w.fail(errGobShort)
		return 0
	}
	for _, b := range w.rest[:width] {
		n = n<<8 | uint64(b)
	}
	w.rest = w.rest[width:]
	return n
}

// int reads a signed number, whose lowest bit says that the others are complemented.
func (w *gobWalker) int() int64 {
	u := w.uint()
	if u&1 != 0 {
		return ^int64(u >> 1)
	}
	return int64(u >> 1)
}

// typeID reads a type's number. A negative one is followed by the type's definition, which it reads, too.
func (w *gobWalker) typeID() int64 {
	id := w.int()
	if id >= 0 || w.err != nil {
		return id
	}
	t := w.definition()
	if _, twice := w.types[-id]; twice || -id < gobFirstUser {
		w.fail(errGobType)
		return id
	}
	w.types[-id] = t
	return id
}

// fieldsOf calls read for each field of a struct that was sent, with its number from 1.
func (w *gobWalker) fieldsOf(read func(field uint64)) {
	for field := uint64(0); w.err == nil; {
		delta := w.uint()
		if delta == 0 {
			return
		}
		if field += delta; field > 1<<16 {
			w.fail(errGobType)
			return
		}
		read(field)
	}
}

// definition reads gob's wireType, a struct of which one field is there.
func (w *gobWalker) definition() (t gobType) {
	w.fieldsOf(func(kind uint64) {
		t = gobType{kind: int(kind)}
		w.fieldsOf(func(field uint64) {
			if field == 1 { // CommonType
				w.fieldsOf(w.commonField)
				return
			}
			w.definitionField(&t, field)
		})
	})
	return t
}

func (w *gobWalker) commonField(field uint64) {
	if field == 1 { // Name
		w.skip(w.uint())
		return
	}
	w.int() // Id
}

func (w *gobWalker) definitionField(t *gobType, field uint64) {
	switch {
	case t.kind == gobStruct && field == 2: // []fieldType{Name, Id}
		for n := w.uint(); n > 0 && w.err == nil; n-- {
			id := int64(0)
			w.fieldsOf(func(field uint64) {
				if field == 1 {
					w.skip(w.uint())
					return
				}
				id = w.int()
			})
			t.fields = append(t.fields, id)
		}
	case t.kind == gobMap && field == 2:
		t.key = w.int()
	case t.kind == gobMap && field == 3, (t.kind == gobSlice || t.kind == gobArray) && field == 2:
		t.elem = w.int()
	case t.kind == gobArray && field == 3:
		w.int() // its length, which values repeat
	default:
		w.fail(errGobType)
	}
}

// value reads a value where it stands alone: what is no struct has a zero before it.
func (w *gobWalker) value(id int64, depth int) {
	if w.types[id].kind != gobStruct && w.uint() != 0 {
		w.fail(errGobType)
		return
	}
	w.inner(id, depth)
}

// inner reads a value inside another.
func (w *gobWalker) inner(id int64, depth int) {
	if depth > maxGobDepth {
		w.fail(errGobDeep)
		return
	}
	if id >= gobFirstUser {
		w.user(w.types[id], depth+1)
		return
	}
	switch {
	case id >= gobBool && id <= gobFloat:
		w.uint()
	case id == gobBytes, id == gobString:
		w.skip(w.uint())
	case id == gobComplex:
		w.uint()
		w.uint()
	case id == gobInterface:
		w.dynamic(depth + 1)
	default:
		w.fail(errGobType)
	}
}

// user reads a value of a type that the stream has defined.
func (w *gobWalker) user(t gobType, depth int) {
	switch t.kind {
	case gobStruct:
		w.fieldsOf(func(field uint64) {
			if field > uint64(len(t.fields)) {
				w.fail(errGobType)
				return
			}
			w.inner(t.fields[field-1], depth)
		})
	case gobMap, gobSlice, gobArray:
		n := w.uint()
		if n > uint64(len(w.rest)) { // every element takes a byte at least
			w.fail(errGobShort)
			return
		}
		for ; n > 0 && w.err == nil; n-- {
			if t.kind == gobMap {
				w.inner(t.key, depth)
			}
			w.inner(t.elem, depth)
		}
	default:
		if t.kind < gobMarshalers || t.kind > gobMarshalers+2 {
			w.fail(errGobType)
			return
		}
		w.skip(w.uint())
	}
}

// dynamic reads what an interface holds: the type's name, definitions perhaps, its number, a size and the value.
func (w *gobWalker) dynamic(depth int) {
	n := w.uint()
	if w.skip(n); n == 0 {
		return
	}
	id := w.typeID()
	for ; id < 0 && w.err == nil; id = w.typeID() {
		if len(w.rest) == 0 {
			w.next()
		} else {
			w.uint() // a message's size inside this one
		}
	}
	w.uint()
	w.value(id, depth)
}
