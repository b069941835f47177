package policy

import (
	"encoding/binary"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// lru is a policy with a parameter, which lets in what has no more than that size, and which can be told to lie.
type lru struct {
	queue Lists
	most  uint64
	lie   bool
}

func (p *lru) Init(s *Spec) (err error) {
	p.queue = s.Lists(1)
	p.most, err = s.Number("most", 1, 1000, 1000)
	return err
}

func (p *lru) Hit(id uint32)             { p.queue.Touch(0, id) }
func (p *lru) Insert(id, _ uint32)       { p.queue.Push(0, id) }
func (p *lru) Remove(id uint32)          { p.queue.Unlink(id) }
func (p *lru) Admit(_, size uint32) bool { return uint64(size) <= p.most }
func (p *lru) Evict() uint32 {
	if p.lie {
		return p.queue.Root(0)
	}
	return p.queue.Pop(0)
}

// spec is what a host writes.
func spec(capacity uint64, flags uint32, params string) []byte {
	b := binary.LittleEndian.AppendUint64(nil, capacity)
	b = binary.LittleEndian.AppendUint64(b, 7)
	for _, v := range []uint32{10, 10, 64, flags, uint32(len(params))} {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	return append(b, params...)
}

// begin makes p the module's policy, for a cache.
func begin(t *testing.T, p Policy, spec []byte) error {
	t.Helper()
	here = guest{}
	t.Cleanup(func() { here = guest{} })
	Register(p)
	return start(spec)
}

func TestBatch(t *testing.T) {
	for _, test := range []struct {
		name       string
		spec       []byte
		policy     lru
		ids, sizes []uint32
		hits       uint32
		victims    []victim
		used       uint64
	}{
		{"objects", spec(2, 0, "{}"), lru{}, []uint32{1, 2, 1, 3, 2, 1}, nil, 0b000100, []victim{{3, 2}, {4, 1}, {5, 3}}, 2},
		{"bytes", spec(10, 1, "{}"), lru{}, []uint32{1, 2, 3, 1, 4}, []uint32{4, 4, 2, 9, 8}, 0b01000, []victim{{4, 2}, {4, 3}, {4, 1}}, 8},
		{"some kept out", spec(10, 1, `{"most":"4"}`), lru{}, []uint32{1, 2, 2}, []uint32{4, 5, 5}, 0, []victim{{1, 2}, {2, 2}}, 4},
		{"a lie ends the batch", spec(1, 0, "{}"), lru{lie: true}, []uint32{1, 1, 2, 3}, nil, 0b10, []victim{{2, 10}}, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			if err := begin(t, &test.policy, test.spec); err != nil {
				t.Fatal(err)
			}
			copy(here.ids, test.ids)
			copy(here.sizes, test.sizes)
			here.hits[0] = 1<<32 - 1
			n := here.batch(len(test.ids))
			if here.hits[0] != test.hits || !slices.Equal(here.victims[:n], test.victims) || Used() != test.used {
				t.Errorf("hits %b, victims %v, used %d, want %b, %v, %d",
					here.hits[0], here.victims[:n], Used(), test.hits, test.victims, test.used)
			}
		})
	}
}

// TestEvents goes through the calls of a host that keeps residency and room itself.
func TestEvents(t *testing.T) {
	if err := begin(t, new(lru), spec(10, 1, "{}")); err != nil {
		t.Fatal(err)
	}
	here.insert(1, 4)
	here.insert(2, 5)
	if !here.admit(3, 6) || !Resident(1) || Size(2) != 5 || Used() != 9 {
		t.Errorf("admit, resident %v, size %d, used %d", Resident(1), Size(2), Used())
	}
	if id := here.evict(); id != 1 || Resident(1) || Used() != 5 {
		t.Errorf("evicted %d, used %d, want 1 and 5", id, Used())
	}
	here.remove(2)
	if Resident(2) || Used() != 0 {
		t.Errorf("resident %v, used %d after the last one was removed", Resident(2), Used())
	}
}

func TestLists(t *testing.T) {
	s := &Spec{Objects: 4}
	l := s.Lists(2)
	for _, id := range []uint32{0, 1, 2, 3} {
		l.Push(0, id)
	}
	l.Touch(1, 1)
	l.Touch(0, 0)
	if l.Oldest(0) != 2 || l.Newer(2) != 3 || l.Newer(3) != 0 || l.Newer(0) != l.Root(0) || l.Older(l.Root(0)) != 0 {
		t.Errorf("the first list is %v", l.at)
	}
	if l.Pop(1) != 1 || l.Oldest(1) != l.Root(1) {
		t.Errorf("the second list is %v", l.at)
	}
}

func TestRefusals(t *testing.T) {
	for params, want := range map[string]string{
		`{"most":"0"}`:            `parameter most="0" is no whole number from 1 to 1000`,
		`{"most":"-1"}`:           `is no whole number`,
		`{"absent":"1"}`:          `parameter "absent" is not known`,
		`{"most":"1","more":"1"}`: `parameter "more" is not known`,
		`{"most":1}`:              `no JSON object of strings`,
		`[]`:                      `no JSON object of strings`,
	} {
		if err := begin(t, new(lru), spec(1, 0, params)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", params, err, want)
		}
	}
	here = guest{}
	if err := start(spec(1, 0, "{}")); err == nil || !strings.Contains(err.Error(), "call policy.Register") {
		t.Errorf("without a policy: %v", err)
	}
}

// FuzzParams holds the reader against encoding/json, which takes more: white space, for one.
func FuzzParams(f *testing.F) {
	for _, text := range []string{
		`{}`, `{"a":"b","c":""}`, `{"\u003c\ud83d\ude00\n\/":"\\\""}`, `{"a":"\ud83d"}`, `{"a":"\ud83dx"}`, `{"a"`, `{"a":"b"`, `{"a":"\u12"}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := readParams(text)
		want := make(map[string]string)
		if !utf8.Valid(text) || json.Unmarshal(text, &want) != nil {
			return
		}
		canonical, _ := json.Marshal(want)
		again, wrong := readParams(canonical)
		if wrong != nil || !reflect.DeepEqual(again, want) {
			t.Errorf("%s is read as %q, %v", canonical, again, wrong)
		}
		if err == nil && len(got) == len(want) && !maps.Equal(got, want) && !strings.Contains(string(text), `\u`) && json.Valid(text) {
			t.Errorf("%q is read as %q, want %q", text, got, want)
		}
	})
}
