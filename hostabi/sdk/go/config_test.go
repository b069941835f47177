package edgecache

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

// settings are of all types that a Reader reads.
type settings struct {
	Text  string
	Int   int64
	Float float64
	Bool  bool
	List  []settings
}

// fields reads settings within each other, up to a depth.
func (s *settings) fields(depth int) Fields {
	return Fields{
		"Text":  func(r *Reader) { s.Text = r.Text() },
		"Int":   func(r *Reader) { s.Int = r.Int(-1000, 1000) },
		"Float": func(r *Reader) { s.Float = r.Float(-1e9, 1e9) },
		"Bool":  func(r *Reader) { s.Bool = r.Bool() },
		"List": func(r *Reader) {
			r.Array(func(r *Reader) {
				var e settings
				if depth == 0 {
					r.Fail("too deep")
					return
				}
				r.Object(e.fields(depth - 1))
				s.List = append(s.List, e)
			})
		},
	}
}

func read(config string) (s settings, err error) {
	return s, ReadConfig([]byte(config), s.fields(3))
}

func TestReadConfig(t *testing.T) {
	for config, want := range map[string]settings{
		`{}`:                                   {},
		" { } \n":                              {},
		`{"Text":"a","Int":-5,"Bool":true}`:    {Text: "a", Int: -5, Bool: true},
		`{ "Float" : 1.5e3 , "Bool" : false }`: {Float: 1500},
		`{"List":[]}`:                          {},
		`{"List":[{"Int":1}, {"Int":2}],"Int":3}`: {Int: 3, List: []settings{{Int: 1}, {Int: 2}}},
		`{"Text":"\"\\\/\b\f\n\r\t"}`:             {Text: "\"\\/\b\f\n\r\t"},
		`{"Text":"\u00e9\ud83d\ude00é"}`:          {Text: "é😀é"},
		"{\"Text\":\"\xff\"}":                     {Text: "\xff"},
		`{"T\u0065xt":"a"}`:                       {Text: "a"},
	} {
		if got, err := read(config); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v, want %+v", config, got, err, want)
		}
	}
}

func TestReadConfigRefuses(t *testing.T) {
	for config, want := range map[string]string{
		``:                        `config byte 0: want an object, found the end`,
		`[]`:                      `config byte 0: want an object, found "["`,
		`{`:                       `config byte 1: want a string, found the end`,
		`{}x`:                     `config byte 2: want the end, found "x"`,
		"{}\x00":                  `config byte 2: want the end, found "\x00"`,
		`{"Int":1,}`:              `config byte 9: want a string, found "}"`,
		`{"Int":1 "Bool":true}`:   `config byte 9: want a comma or "}", found "\""`,
		`{"List":[{} {}]}`:        `config byte 12: want a comma or "]", found "{"`,
		`{"Int"}`:                 `config byte 6: want a colon, found "}"`,
		`{"it":1}`:                `config byte 1: unknown field "it": want Bool, Float, Int, List, Text`,
		`{"Int":1,"Int":2}`:       `config byte 9: field "Int" appears twice`,
		`{"Int":1.5}`:             `config byte 7: want a number from -1000 to 1000, found "1"`,
		`{"Int":1001}`:            `config byte 7: want a number from -1000 to 1000, found "1"`,
		`{"Int":"1"}`:             `config byte 7: want a number from -1000 to 1000, found "\""`,
		`{"Int":01}`:              `config byte 7: want a number from -1000 to 1000, found "0"`,
		`{"Int":+1}`:              `config byte 7: want a number from -1000 to 1000, found "+"`,
		`{"Float":1e10}`:          `config byte 9: want a number from -1e+09 to 1e+09, found "1"`,
		`{"Float":.5}`:            `config byte 9: want a number from -1e+09 to 1e+09, found "."`,
		`{"Float":5.}`:            `config byte 9: want a number from -1e+09 to 1e+09, found "5"`,
		`{"Bool":1}`:              `config byte 8: want true or false, found "1"`,
		`{"Text":1}`:              `config byte 8: want a string, found "1"`,
		`{"Text":"a`:              `config byte 8: string without an end`,
		"{\"Text\":\"a\n\"}":      `config byte 10: control character in a string`,
		`{"Text":"\x"}`:           `config byte 9: bad escape in a string`,
		`{"Text":"\ud800"}`:       `config byte 9: bad escape in a string`,
		`{"Text":"\ud800\u0041"}`: `config byte 9: bad escape in a string`,
		`{"Text":"\u00"}`:         `config byte 9: bad escape in a string`,
		`{"Text":"\u+041"}`:       `config byte 9: bad escape in a string`,
		`{"Text":"\`:              `config byte 9: bad escape in a string`,
		`{"List":{}}`:             `config byte 8: want an array, found "{"`,
		`{"` + strings.Repeat("a", 41) + `":1}`: `config byte 1: unknown field "` + strings.Repeat("a", 40) +
			`"...: want Bool, Float, Int, List, Text`,
	} {
		if _, err := read(config); err == nil || err.Error() != want {
			t.Errorf("%s:\ngot  %v\nwant %s", config, err, want)
		}
	}
}

// FuzzReadConfig compares what is read with encoding/json: what that refuses must be refused, and what is taken must mean
// the same. Texts that are no UTF-8 are kept here and replaced there.
func FuzzReadConfig(f *testing.F) {
	for _, config := range []string{
		`{}`, `{"Text":"a\u00e9\ud83d\ude00","Int":-5,"Float":1.5e3,"Bool":true,"List":[{"Int":1},{"List":[]}]}`,
		`{"Int":01}`, `{"Text":"\`, `{"Float":-0.0}`, `[]`, `{"Int":1,"Int":2}`,
	} {
		f.Add(config)
	}
	f.Fuzz(func(t *testing.T, config string) {
		got, err := read(config)
		if err != nil {
			return
		}
		var want settings
		if err := json.Unmarshal([]byte(config), &want); err != nil {
			t.Fatalf("%q is taken, but is no JSON: %v", config, err)
		}
		a, _ := json.Marshal(got)
		b, _ := json.Marshal(want)
		if strings.ReplaceAll(string(a), "[]", "null") != strings.ReplaceAll(string(b), "[]", "null") {
			t.Errorf("%q is read as %s, want %s", config, a, b)
		}
	})
}
