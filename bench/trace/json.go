package trace

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

const jsonLine = "a JSON object on each line"

// jsonDecoder reads lines that are JSON objects.
type jsonDecoder struct {
	paths [roles][]string // nil where there is none
}

func (d *jsonDecoder) next(in *input, r *record) error {
	line, err := in.nextLine()
	if err != nil {
		return err
	}
	if len(bytes.TrimSpace(line)) == 0 {
		return errSkip
	}
	r.reset()
	var object map[string]json.RawMessage
	if err := json.Unmarshal(line, &object); err != nil {
		return in.located(bad(jsonLine, line))
	}
	missing := error(nil)
	field := func(as role) []byte {
		if d.paths[as] == nil {
			return nil
		}
		value, err := valueAt(object, d.paths[as])
		if err != nil {
			missing = err
		}
		return value
	}
	if err := errors.Join(fill(r, field, false), missing); err != nil {
		if missing != nil {
			err = missing
		}
		return in.located(err)
	}
	return nil
}

// valueAt returns the text of a string, or the literal of another value.
func valueAt(object map[string]json.RawMessage, path []string) ([]byte, error) {
	want := fmt.Sprintf("a string or number at %q", strings.Join(path, "."))
	for len(path) > 1 {
		var inner map[string]json.RawMessage
		if err := json.Unmarshal(object[path[0]], &inner); err != nil {
			return nil, bad(want, object[path[0]])
		}
		object, path = inner, path[1:]
	}
	value := object[path[0]]
	if len(value) == 0 || value[0] == '{' || value[0] == '[' || value[0] == 'n' {
		return nil, bad(want, value)
	}
	if value[0] != '"' {
		return value, nil
	}
	var text string
	if err := json.Unmarshal(value, &text); err != nil {
		return nil, bad(want, value)
	}
	return []byte(text), nil
}

// looksJSON reports whether the first line is an object.
func looksJSON(head []byte) bool {
	lines := firstLines(head)
	return isText(head) && len(lines) > 0 && bytes.HasPrefix(lines[0], []byte("{")) && json.Valid(lines[0])
}

// openJSON takes the paths that the user says, and what the first object has by a known name.
func openJSON(in *input, o *Options) (decoder, columns, error) {
	asked, err := parseColumns(o.Columns)
	if err != nil {
		return nil, columns{}, err
	}
	head, err := in.peek()
	if err != nil {
		return nil, columns{}, err
	}
	var first map[string]json.RawMessage
	line, _, _ := bytes.Cut(head, []byte("\n"))
	if err := json.Unmarshal(line, &first); err != nil {
		return nil, columns{}, &BadRecordError{File: in.name, Line: 1, Want: jsonLine, Got: shown(head)}
	}
	d := new(jsonDecoder)
	for as := range roles {
		if path, ok := asked[as]; ok {
			d.paths[as] = strings.Split(strings.TrimPrefix(path, "."), ".")
			continue
		}
		for _, name := range headerNames[as] {
			if _, ok := first[name]; ok {
				d.paths[as] = []string{name}
				break
			}
		}
	}
	if d.paths[roleKey] == nil {
		return nil, columns{}, &BadRecordError{
			File: in.name, Line: 1, Want: "a key (--key request.url says where)", Got: shown(head),
		}
	}
	return d, columns{
		size: d.paths[roleSize] != nil, time: d.paths[roleTime] != nil, op: d.paths[roleOp] != nil, cost: d.paths[roleCost] != nil,
		ttl: d.paths[roleTTL] != nil, blocks: d.paths[roleOffset] != nil,
	}, nil
}
