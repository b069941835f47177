package core

import (
	"crypto/sha256"
	"encoding"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// maxPlainKey is up to how many bytes arguments stand in a key as they are; longer ones are hashed.
const maxPlainKey = 64

// maxArgsDepth is how deep arguments may nest.
const maxArgsDepth = 64

// errArgs is returned for arguments that no key can be made of.
var errArgs = errors.New("arguments that can't be compared by value: give a Key")

// keyBuilder returns what makes keys of arguments of type A: the name, a colon and the arguments in a form that is the same
// for equal ones, or the SHA-256 of that where it is long. If typed, arguments of different types are different even where
// they are equal as numbers.
func keyBuilder[A any](name string, typed bool) (func(A) (string, error), error) {
	t := reflect.TypeFor[A]()
	if err := checkArgs(t, nil); err != nil {
		return nil, fmt.Errorf("core: memoize %s: %w", name, err)
	}
	prefix := name + ":"
	if typed {
		prefix += t.String() + ":"
	}
	for _, f := range plainBuilders(prefix) {
		if build, ok := f.(func(A) (string, error)); ok {
			return build, nil
		}
	}
	return func(a A) (string, error) {
		args, err := appendArg(make([]byte, 0, 2*maxPlainKey), reflect.ValueOf(&a).Elem(), typed, 0)
		if err != nil {
			return "", err
		}
		if len(args) <= maxPlainKey {
			return prefix + string(args), nil
		}
		return prefix + hashed(args), nil
	}, nil
}

// plainBuilders are the builders for types that need no reflection. Their keys are the same.
func plainBuilders(prefix string) []any {
	integer := func(n int64) string {
		var buf [24]byte
		return prefix + string(appendInt(buf[:0], n))
	}
	return []any{
		func(n int64) (string, error) { return integer(n), nil },
		func(n int) (string, error) { return integer(int64(n)), nil },
		func(s string) (string, error) {
			if len(s) <= maxPlainKey-len("s10:") {
				return prefix + "s" + strconv.Itoa(len(s)) + ":" + s, nil
			}
			return prefix + hashed(appendString(nil, s)), nil
		},
	}
}

func hashed(args []byte) string {
	sum := sha256.Sum256(args)
	return "#" + hex.EncodeToString(sum[:])
}

func appendString(dst []byte, s string) []byte {
	dst = strconv.AppendInt(append(dst, 's'), int64(len(s)), 10)
	return append(append(dst, ':'), s...)
}

func appendInt(dst []byte, n int64) []byte { return append(strconv.AppendInt(dst, n, 10), ';') }

// checkArgs reports types of which no value can stand in a key. above are the types that t is part of.
func checkArgs(t reflect.Type, above []reflect.Type) error {
	if slices.Contains(above, t) {
		return nil // as deep as the values go
	}
	if writesText(t) {
		return nil
	}
	above = append(above, t)
	switch t.Kind() {
	case reflect.Chan, reflect.Func, reflect.UnsafePointer, reflect.Uintptr:
		return fmt.Errorf("%w: %v", errArgs, t)
	case reflect.Map:
		return errors.Join(checkArgs(t.Key(), above), checkArgs(t.Elem(), above))
	case reflect.Pointer, reflect.Slice, reflect.Array:
		return checkArgs(t.Elem(), above)
	case reflect.Struct:
		for field := range t.Fields() {
			if !field.IsExported() && writesText(field.Type) {
				return fmt.Errorf("%w: field %s of %v is not exported", errArgs, field.Name, t)
			}
			if err := checkArgs(field.Type, above); err != nil {
				return err
			}
		}
	default: // scalars, and what an interface holds is seen with the value
	}
	return nil
}

// writesText reports whether values of type t know how to write themselves.
func writesText(t reflect.Type) bool {
	return t.NumMethod() > 0 && t.Implements(reflect.TypeFor[encoding.TextMarshaler]())
}

// appendArg appends v so that no two different values have the same bytes, and none's are the beginning of another's.
func appendArg(dst []byte, v reflect.Value, typed bool, depth int) ([]byte, error) {
	if depth > maxArgsDepth {
		return dst, fmt.Errorf("%w: nested too deep", errArgs)
	}
	if done, text, err := marshalArg(v); done || err != nil {
		return appendString(append(dst, 'm'), text), err
	}
	switch v.Kind() {
	case reflect.Bool:
		return append(dst, "ft"[b2i(v.Bool())]), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return appendInt(dst, v.Int()), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return append(strconv.AppendUint(dst, v.Uint(), 10), ';'), nil
	case reflect.Float32, reflect.Float64:
		return append(appendFloat(dst, v.Float()), ';'), nil
	case reflect.Complex64, reflect.Complex128:
		dst = append(appendFloat(dst, real(v.Complex())), 'i')
		return append(appendFloat(dst, imag(v.Complex())), ';'), nil
	case reflect.String:
		return appendString(dst, v.String()), nil
	default:
		return appendParts(dst, v, typed, depth)
	}
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// appendFloat writes a whole number as an integer is written.
func appendFloat(dst []byte, f float64) []byte {
	if f == math.Trunc(f) && math.Abs(f) < 1<<63 {
		return strconv.AppendInt(dst, int64(f), 10)
	}
	return strconv.AppendFloat(dst, f, 'g', -1, 64)
}

// marshalArg returns the text of a value that knows how to write itself, such as a time.
func marshalArg(v reflect.Value) (done bool, text string, err error) {
	if v.Kind() == reflect.Interface || v.Kind() == reflect.Pointer && v.IsNil() || !writesText(v.Type()) {
		return false, "", nil
	}
	if !v.CanInterface() {
		return false, "", fmt.Errorf("%w: %v in a field that is not exported", errArgs, v.Type())
	}
	b, err := v.Interface().(encoding.TextMarshaler).MarshalText()
	if err != nil {
		return false, "", fmt.Errorf("%w: %w", errArgs, err)
	}
	return true, string(b), nil
}

// appendParts is appendArg for what holds other values.
func appendParts(dst []byte, v reflect.Value, typed bool, depth int) ([]byte, error) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return append(dst, 'z'), nil
		}
		if typed && v.Kind() == reflect.Interface {
			dst = appendString(append(dst, 'y'), v.Elem().Type().String())
		}
		return appendArg(dst, v.Elem(), typed, depth+1)
	case reflect.Slice, reflect.Array:
		dst = append(dst, '[')
		for i := range v.Len() {
			var err error
			if dst, err = appendArg(dst, v.Index(i), typed, depth+1); err != nil {
				return dst, err
			}
		}
		return append(dst, ']'), nil
	case reflect.Struct:
		dst = append(dst, '(')
		for i := 0; i < v.NumField(); i++ { //nolint:modernize // Fields allocates
			var err error
			if dst, err = appendArg(dst, v.Field(i), typed, depth+1); err != nil {
				return dst, err
			}
		}
		return append(dst, ')'), nil
	case reflect.Map:
		return appendMap(dst, v, typed, depth)
	default:
		return dst, fmt.Errorf("%w: %v", errArgs, v.Type())
	}
}

// appendMap appends a map's pairs in the order of their bytes.
func appendMap(dst []byte, v reflect.Value, typed bool, depth int) ([]byte, error) {
	pairs := make([]string, 0, v.Len())
	for iter := v.MapRange(); iter.Next(); {
		pair, err := appendArg(nil, iter.Key(), typed, depth+1)
		if err != nil {
			return dst, err
		}
		if pair, err = appendArg(pair, iter.Value(), typed, depth+1); err != nil {
			return dst, err
		}
		pairs = append(pairs, string(pair))
	}
	slices.Sort(pairs)
	dst = append(dst, '{')
	for _, pair := range pairs {
		dst = append(dst, pair...)
	}
	return append(dst, '}'), nil
}

// functionName returns the name of fn, a function. Literals, methods bound to a value and instances of generic functions
// share theirs with others.
func functionName(fn any) (string, error) {
	name := runtime.FuncForPC(reflect.ValueOf(fn).Pointer()).Name()
	if strings.HasSuffix(name, "-fm") || strings.Contains(name, "[...]") || literal(name) {
		return "", fmt.Errorf("core: memoize: function %s shares its name with others: give a Name", name)
	}
	return name, nil
}

// literal reports whether the name is one that the compiler has made up: "main.main.func1", "main.init.0.func2.3".
func literal(name string) bool {
	return regexp.MustCompile(`\.(func)?\d+(\.|$)`).MatchString(name[strings.LastIndex(name, "/")+1:])
}
