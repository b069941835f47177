package sim

import (
	"reflect"
	"strings"

	"github.com/edgecache/edgecache/core/evict"
)

// Declaring is implemented by policies that say how many bytes they keep, because that cannot be seen from outside.
type Declaring interface {
	MetadataBytes() uint64
}

// metadata returns how many bytes a policy keeps, without the columns of the trace that it may know. Those of core/evict
// are measured: the arrays behind them with the room that these have to grow. Of others it is what they declare, or 0.
func metadata(p evict.Policy, trace ...[]uint32) uint64 {
	if d, ok := p.(Declaring); ok {
		return d.MetadataBytes()
	}
	v := reflect.ValueOf(p)
	if v.Kind() != reflect.Pointer || !strings.HasSuffix(v.Type().Elem().PkgPath(), "/core/evict") {
		return 0
	}
	m := measure{seen: make(map[uintptr]bool)}
	behind := uint64(0)
	if stage, ok := p.(interface{ Unwrap() evict.Policy }); ok {
		if behind = metadata(stage.Unwrap(), trace...); behind == 0 {
			return 0
		}
		m.seen[reflect.ValueOf(stage.Unwrap()).Pointer()] = true
	}
	for _, column := range trace {
		if len(column) > 0 {
			m.seen[reflect.ValueOf(column).Pointer()] = true
		}
	}
	return behind + m.of(v)
}

// measure adds up what is reachable, everything once.
type measure struct{ seen map[uintptr]bool }

// of returns the bytes behind v, without those of v itself, which are in what holds it.
func (m *measure) of(v reflect.Value) (bytes uint64) {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() || m.known(v.Pointer()) {
			return 0
		}
		return uint64(v.Type().Elem().Size()) + m.of(v.Elem())
	case reflect.Interface:
		if v.IsNil() {
			return 0
		}
		return m.of(v.Elem())
	case reflect.Slice:
		if v.IsNil() || v.Cap() == 0 || m.known(v.Pointer()) {
			return 0
		}
		return uint64(v.Cap())*uint64(v.Type().Elem().Size()) + m.elements(v)
	case reflect.Array:
		return m.elements(v)
	case reflect.Struct:
		for _, field := range v.Fields() {
			bytes += m.of(field)
		}
		return bytes
	case reflect.Map:
		entry := uint64(v.Type().Key().Size() + v.Type().Elem().Size() + 1) // and a byte of its table
		return uint64(v.Len()) * entry * 8 / 7                              // which is full to seven eighths at most
	default:
		return 0
	}
}

// elements is what is behind those of a slice or array that have anything behind them.
func (m *measure) elements(v reflect.Value) (bytes uint64) {
	if !refers(v.Type().Elem()) {
		return 0
	}
	for i := range v.Len() {
		bytes += m.of(v.Index(i))
	}
	return bytes
}

// known reports whether what is there was counted, and counts it.
func (m *measure) known(at uintptr) bool {
	known := m.seen[at]
	m.seen[at] = true
	return known
}

// refers reports whether values of a type have something behind them.
func refers(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Pointer, reflect.Interface, reflect.Slice, reflect.Map:
		return true
	case reflect.Array:
		return refers(t.Elem())
	case reflect.Struct:
		for field := range t.Fields() {
			if refers(field.Type) {
				return true
			}
		}
		return false
	default:
		return false
	}
}
