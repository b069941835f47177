package hostabi

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
)

// Numbers of the sections that this package looks into.
const (
	SectionCustom   = 0
	SectionType     = 1
	SectionImport   = 2
	SectionFunction = 3
	SectionTable    = 4
	SectionMemory   = 5
	SectionGlobal   = 6
	SectionExport   = 7
	SectionStart    = 8
	SectionElement  = 9
	SectionCode     = 10
	SectionData     = 11
	SectionCount    = 12
	sectionLast     = SectionCount
)

// MaxModule is how long a module may be, in bytes.
const MaxModule = 64 << 20

// moduleHeader is the magic number and version of a core module.
const moduleHeader = "\x00asm\x01\x00\x00\x00"

// ErrComponent is returned for a component, which this ABI has no use for.
var ErrComponent = errors.New("is a component, not a core module: build it for wasm32-unknown-unknown or wasm32-wasip1, " +
	"or take the core module out of it")

// Section is one section of a core module.
type Section struct {
	ID byte
	// Name is that of a custom section.
	Name string
	// Body is the section's content, behind a custom section's name. It is a view of the module.
	Body []byte
	// Start and End are where the section, its number and length included, stands in the module.
	Start, End int
}

// checkHeader reports what is no core module.
func checkHeader(wasm []byte) error {
	switch {
	case len(wasm) > MaxModule:
		return fmt.Errorf("module of %d bytes: at most %d are allowed", len(wasm), MaxModule)
	case !bytes.HasPrefix([]byte(moduleHeader), wasm[:min(len(wasm), 4)]):
		return errors.New("is no WebAssembly module: it does not begin with \\0asm")
	case len(wasm) < len(moduleHeader):
		return fmt.Errorf("module ends within its header, after %d bytes", len(wasm))
	case string(wasm[:len(moduleHeader)]) == moduleHeader:
		return nil
	case binary.LittleEndian.Uint16(wasm[6:]) == 1: // the layer: 0 is a module, 1 a component
		return ErrComponent
	default:
		return fmt.Errorf("module of version %d: only 1 is known", binary.LittleEndian.Uint32(wasm[4:]))
	}
}

// Sections walks the sections of a core module. It ends after the first error. Nothing is copied.
func Sections(wasm []byte) iter.Seq2[Section, error] {
	return func(yield func(Section, error) bool) {
		if err := checkHeader(wasm); err != nil {
			yield(Section{}, err)
			return
		}
		c := cursor{b: wasm[len(moduleHeader):], base: len(wasm)}
		for len(c.b) > 0 {
			s := c.section()
			if c.err != nil {
				yield(Section{}, c.err)
				return
			}
			if !yield(s, nil) {
				return
			}
		}
	}
}

// section reads one section.
func (c *cursor) section() Section {
	s := Section{Start: c.offset(), ID: c.byte()}
	if s.ID > sectionLast {
		c.fail("section %d is not known", s.ID)
	}
	body := c.sub(c.u32())
	s.End = c.offset()
	if s.ID == SectionCustom {
		s.Name = string(body.vec())
	}
	if c.err == nil && body.err != nil {
		c.err = body.err
	}
	s.Body = body.b
	return s
}

// ReadManifest returns the manifest that stands in the module's custom section, as it is there, and whether it has one.
func ReadManifest(wasm []byte) (manifest []byte, ok bool, err error) {
	for s, err := range Sections(wasm) {
		switch {
		case err != nil:
			return nil, false, err
		case s.ID != SectionCustom || s.Name != ManifestSection:
		case ok:
			return nil, false, fmt.Errorf("module has two %s sections", ManifestSection)
		default:
			manifest, ok = s.Body, true
		}
	}
	return manifest, ok, nil
}

// AppendManifest returns a copy of the module with the manifest in a custom section at its end, in place of the one it
// has. wasm must be a core module; its sections are copied as they are.
func AppendManifest(wasm, manifest []byte) []byte {
	out := make([]byte, 0, len(wasm)+len(manifest)+64)
	copied := 0
	for s, err := range Sections(wasm) {
		if err == nil && s.ID == SectionCustom && s.Name == ManifestSection {
			out = append(out, wasm[copied:s.Start]...)
			copied = s.End
		}
	}
	out = append(out, wasm[copied:]...)
	name := append(binary.AppendUvarint(nil, uint64(len(ManifestSection))), ManifestSection...)
	out = append(out, SectionCustom)
	out = binary.AppendUvarint(out, uint64(len(name)+len(manifest)))
	return append(append(out, name...), manifest...)
}
