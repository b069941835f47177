package meter

import "fmt"

// reader reads a part of a module. After the first error it is at its end and reads zeros.
type reader struct {
	b        []byte // the whole module
	at, end  int
	function int // index of the function that is read, or -1
	err      error
}

// failAt refuses the module for what stands at an offset.
func (r *reader) failAt(offset int, format string, args ...any) {
	if r.err == nil {
		r.err = &Error{Function: r.function, Offset: offset, Reason: fmt.Sprintf(format, args...)}
	}
	r.at = r.end
}

// short refuses the module for what ends too early. It returns 0.
func (r *reader) short() byte {
	r.failAt(r.at, "is cut short")
	return 0
}

func (r *reader) byte() byte {
	if r.at >= r.end {
		return r.short()
	}
	r.at++
	return r.b[r.at-1]
}

// u32 reads an unsigned number of up to five bytes.
func (r *reader) u32() uint32 {
	if r.at < r.end && r.b[r.at] < 0x80 {
		r.at++
		return uint32(r.b[r.at-1])
	}
	return r.longU32()
}

func (r *reader) longU32() uint32 {
	start := r.at
	var v uint64
	for shift := 0; shift < 35; shift += 7 {
		b := r.byte()
		v |= uint64(b&0x7f) << shift
		if b < 0x80 {
			if v>>32 != 0 {
				break
			}
			return uint32(v)
		}
	}
	r.failAt(start, "a number does not fit in 32 bits")
	return 0
}

// i32 reads a signed number of up to five bytes.
func (r *reader) i32() uint32 {
	start := r.at
	var v uint32
	for shift := 0; shift < 35; shift += 7 {
		b := r.byte()
		v |= uint32(b&0x7f) << shift
		if b >= 0x80 {
			continue
		}
		if b&0x40 != 0 && shift < 28 {
			v |= ^uint32(0) << (shift + 7)
		}
		return v
	}
	r.failAt(start, "a number does not fit in 32 bits")
	return 0
}

// skipI64 reads over a signed number of up to ten bytes.
func (r *reader) skipI64() {
	start := r.at
	for range 10 {
		if r.byte() < 0x80 {
			return
		}
	}
	r.failAt(start, "a number does not fit in 64 bits")
}

// skip reads over n bytes.
func (r *reader) skip(n uint32) {
	if int64(n) > int64(r.end-r.at) {
		r.short()
		return
	}
	r.at += int(n)
}

// name reads a string. It aliases the module.
func (r *reader) name() []byte {
	n := r.u32()
	start := r.at
	r.skip(n)
	if r.err != nil {
		return nil
	}
	return r.b[start:r.at]
}

// count reads the length of a vector whose elements take at least size bytes each.
func (r *reader) count(what string, size int) uint32 {
	start := r.at
	n := r.u32()
	if int64(n) > int64((r.end-r.at)/size) {
		r.failAt(start, "%d %s do not fit in what is left of the section", n, what)
		return 0
	}
	return n
}

// index reads an index into a space of n.
func (r *reader) index(what string, n uint32) uint32 {
	start := r.at
	i := r.u32()
	if i >= n {
		r.failAt(start, "%s %d is used: there are %d", what, i, n)
	}
	return i
}

func (r *reader) valueType() {
	start := r.at
	switch t := r.byte(); t {
	case i32Type, i64Type, f32Type, f64Type, v128Type, funcrefType, externrefType:
	case 0x69, 0x68:
		r.failAt(start, "value type %#x is not supported: exception handling is not", t)
	case 0x63, 0x64:
		r.failAt(start, "value type %#x is not supported: typed references are not", t)
	default:
		r.failAt(start, "value type %#x is not known", t)
	}
}

func (r *reader) refType() {
	start := r.at
	if t := r.byte(); t != funcrefType && t != externrefType {
		r.failAt(start, "reference type %#x is not supported", t)
	}
}

func (r *reader) limits() {
	start := r.at
	switch flags := r.byte(); flags {
	case 0:
		r.u32()
	case 1:
		r.u32()
		r.u32()
	case 2, 3:
		r.failAt(start, "limits %#x are not supported: shared memory (threads) is not", flags)
	default:
		r.failAt(start, "limits %#x are not supported: 64-bit memory is not", flags)
	}
}

func (r *reader) table() {
	r.refType()
	r.limits()
}

func (r *reader) globalType() {
	r.valueType()
	start := r.at
	if mutable := r.byte(); mutable > 1 {
		r.failAt(start, "mutability %#x is not known", mutable)
	}
}
