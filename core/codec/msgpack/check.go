package msgpack

import "errors"

// maxDepth is how deep arrays and maps may nest.
const maxDepth = 1000

var (
	errShort = errors.New("cut short")
	errDeep  = errors.New("nested too deep")
	errLong  = errors.New("bytes after the end")
	errCode  = errors.New("a byte that begins nothing")
)

// check reports what keeps data from being one MessagePack object, by the format's specification
// (github.com/msgpack/msgpack, spec.md), whose arrays and maps hold as many elements as they claim.
func check(data []byte) error {
	var open [maxDepth]uint64 // how many objects are to come, in each array and map that has begun
	open[0] = 1
	depth, at := 0, 0
	for {
		for open[depth] == 0 {
			if depth == 0 {
				if at < len(data) {
					return errLong
				}
				return nil
			}
			depth--
		}
		open[depth]--
		size, elements, err := object(data[at:])
		if err != nil {
			return err
		}
		if at += size; elements == 0 {
			continue
		}
		if elements > uint64(len(data)-at) { // each takes a byte at least
			return errShort
		}
		if depth++; depth == maxDepth {
			return errDeep
		}
		open[depth] = elements
	}
}

// object returns how many bytes the object at the front of b takes, without the elements that follow, and how many
// those are.
func object(b []byte) (size int, elements uint64, err error) {
	if len(b) == 0 {
		return 0, 0, errShort
	}
	switch code := b[0]; {
	case code <= 0x7f || code >= 0xe0: // fixint
		return 1, 0, nil
	case code <= 0x8f: // fixmap
		return 1, 2 * uint64(code&0x0f), nil
	case code <= 0x9f: // fixarray
		return 1, uint64(code & 0x0f), nil
	case code <= 0xbf: // fixstr
		return sized(b, 1+uint64(code&0x1f))
	default:
		return object2(b, code)
	}
}

// object2 is object for the codes from 0xc0 to 0xdf.
func object2(b []byte, code byte) (size int, elements uint64, err error) {
	switch code {
	case 0xc1:
		return 0, 0, errCode
	case 0xc0, 0xc2, 0xc3: // nil, false, true
		return 1, 0, nil
	case 0xc4, 0xc5, 0xc6: // bin 8, 16, 32
		return prefixed(b, 1<<(code-0xc4), 0)
	case 0xc7, 0xc8, 0xc9: // ext 8, 16, 32: a type after the length
		return prefixed(b, 1<<(code-0xc7), 1)
	case 0xca, 0xcb: // float 32, 64
		return sized(b, 1+4<<(code-0xca))
	case 0xcc, 0xcd, 0xce, 0xcf: // uint 8 to 64
		return sized(b, 1+1<<(code-0xcc))
	case 0xd0, 0xd1, 0xd2, 0xd3: // int 8 to 64
		return sized(b, 1+1<<(code-0xd0))
	case 0xd4, 0xd5, 0xd6, 0xd7, 0xd8: // fixext 1 to 16
		return sized(b, 2+1<<(code-0xd4))
	case 0xd9, 0xda, 0xdb: // str 8, 16, 32
		return prefixed(b, 1<<(code-0xd9), 0)
	case 0xdc, 0xdd: // array 16, 32
		n, ok := number(b[1:], 2<<(code-0xdc))
		return counted(b, 1+2<<(code-0xdc), n, ok)
	default: // 0xde, 0xdf: map 16, 32
		n, ok := number(b[1:], 2<<(code-0xde))
		return counted(b, 1+2<<(code-0xde), 2*n, ok)
	}
}

// sized is an object of size bytes.
func sized(b []byte, size uint64) (int, uint64, error) {
	if size > uint64(len(b)) {
		return 0, 0, errShort
	}
	return int(size), 0, nil
}

// prefixed is an object whose length follows its code in width bytes, and more bytes after that.
func prefixed(b []byte, width int, more uint64) (int, uint64, error) {
	n, ok := number(b[1:], width)
	if !ok {
		return 0, 0, errShort
	}
	return sized(b, 1+uint64(width)+more+n)
}

// counted is an array or map, whose header has size bytes.
func counted(b []byte, size int, elements uint64, ok bool) (int, uint64, error) {
	if !ok || size > len(b) {
		return 0, 0, errShort
	}
	return size, elements, nil
}

// number reads a big-endian number of width bytes.
func number(b []byte, width int) (n uint64, ok bool) {
	if len(b) < width {
		return 0, false
	}
	for _, c := range b[:width] {
		n = n<<8 | uint64(c)
	}
	return n, true
}
