package hostabi

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

const goodManifest = `{"name":"a-1","version":"2","abi":"hook/1","hooks":["before","observe"],"ops":["get","set_many"],"needs":["clock","kv"],
	"memory_pages":16,"fuel":5,"priority":-1,"pure":true,"lossy":true,"failure":"closed",
	"stats":[{"name":"n","kind":"sum"},{"name":"m","kind":"sum"},{"name":"r","kind":"ratio","of":["n","m"]},{"name":"h","kind":"log2"}]}`

func TestParseManifest(t *testing.T) {
	m, err := ParseManifest([]byte(goodManifest))
	if err != nil {
		t.Fatal(err)
	}
	want := &Manifest{
		Name: "a-1", Version: "2", ABI: ABIHook, Hooks: []string{HookBefore, HookObserve}, Ops: []string{"get", "set_many"},
		Needs: []string{"clock", "kv"}, MemoryPages: 16, Fuel: 5, Priority: -1, Pure: true, Lossy: true, Failure: FailClosed,
		Stats: []Stat{
			{Name: "n", Kind: KindSum}, {Name: "m", Kind: KindSum}, {Name: "r", Kind: KindRatio, Of: []string{"n", "m"}}, {Name: "h", Kind: KindLog2},
		},
	}
	if !reflect.DeepEqual(m, want) {
		t.Errorf("ParseManifest = %+v, want %+v", m, want)
	}
	if !m.Wants(HookBefore) || m.Wants(HookAfter) || !m.NeedsCapability("kv") || m.NeedsCapability("log") {
		t.Error("it wants or needs something else")
	}
}

func TestBadManifests(t *testing.T) {
	for _, test := range []struct{ old, text, want string }{
		{goodManifest, "", "the JSON ends too soon"},
		{goodManifest, "{", "the JSON ends too soon"},
		{goodManifest, "{]", "byte 2: invalid character"},
		{goodManifest, `[]`, "array where"},
		{goodManifest, strings.Repeat(" ", MaxManifest+1), "at most 65536 are allowed"},
		{`}]}`, `}]} {}`, "something follows the JSON object"},
		{`"lossy"`, `"lousy"`, `unknown field "lousy"`},
		{`"memory_pages":16`, `"memory_pages":"16"`, `field "memory_pages": string where int belongs`},
		{`"memory_pages":16`, `"memory_pages":65537`, "memory_pages 65537: 1 to 65536 are possible"},
		{`"fuel":5`, `"fuel":-5`, "fuel -5 is negative"},
		{`"a-1"`, `""`, `name "": 1 to 64 of a-z`},
		{`"a-1"`, `"-a"`, `name "-a"`},
		{`"a-1"`, `"A"`, `name "A"`},
		{`"version":"2"`, `"version":""`, `version ""`},
		{`"hook/1"`, `"hook/2"`, `abi "hook/2" is not known: this host speaks "hook/1", "http/1", and "policy/1" with policies`},
		{`["before","observe"]`, `["before","observed"]`, `hooks: "observed" is not known: possible are before, after, observe`},
		{`["before","observe"]`, `["before","before"]`, `hooks: "before" stands twice`},
		{`"hooks":["before","observe"]`, `"hooks":[]`, `pure: only a plugin`},
		{`"hooks":["before","observe"],`, ``, `pure: only a plugin`},
		{`"pure":true`, `"pure":true,"stateful":true`, `pure: only a plugin`},
		{`"set_many"`, `"mset"`, `ops: "mset" is not known: possible are get, `},
		{`"set_many"`, `"none"`, `ops: "none" is not known`},
		{`"set_many"`, `"*"`, `ops: "*" is not known`},
		{`["get","set_many"]`, `[]`, `ops: none given`},
		{`"kv"`, `"net"`, `needs: "net" is not known: possible are clock, `},
		{`"closed"`, `"shut"`, `failure "shut"`},
		{`"name":"m"`, `"name":"n"`, `stats: two columns are called "n"`},
		{`"name":"m"`, `"name":"M"`, `stats: name "M"`},
		{`["n","m"]`, `["n"]`, `stats: column "r": kind "ratio" needs "of"`},
		{`["n","m"]`, `["n","h"]`, `of: "h" is no column of kind "sum"`},
		{`["n","m"]`, `["n","x"]`, `of: "x" is no column`},
		{`"kind":"log2"`, `"kind":"log10"`, `column "h": kind "log10"`},
		{`"kind":"log2"`, `"kind":"log2","of":["n","m"]`, `kind "log2" takes no "of"`},
		{`"stats":[`, `"stats":[` + strings.Repeat(`{"name":"x","kind":"sum"},`, 64), `stats: 68 columns`},
	} {
		text := strings.Replace(goodManifest, test.old, test.text, 1)
		_, err := ParseManifest([]byte(text))
		if err == nil || !strings.HasPrefix(err.Error(), "manifest") || !strings.Contains(err.Error(), test.want) {
			t.Errorf("with %.80s: %v, want %q", test.text, err, test.want)
		}
	}
	none := strings.Replace(strings.Replace(goodManifest, `"pure":true,`, "", 1), `["before","observe"]`, `[]`, 1)
	if _, err := ParseManifest([]byte(none)); err == nil || !strings.Contains(err.Error(), "hooks: none given") {
		t.Errorf("without hooks: %v", err)
	}
}

const goodPolicy = `{"name":"lru","version":"1","abi":"policy/1","needs":["log"],"memory_pages":300,"fuel":1000}`

func TestPolicyManifests(t *testing.T) {
	m, err := ParseManifest([]byte(goodPolicy))
	want := &Manifest{Name: "lru", Version: "1", ABI: ABIPolicy, Needs: []string{"log"}, MemoryPages: 300, Fuel: 1000}
	if err != nil || !reflect.DeepEqual(m, want) {
		t.Errorf("ParseManifest = %+v, %v, want %+v", m, err, want)
	}
	for _, test := range []struct{ more, want string }{
		{`"hooks":["before"]`, "hooks: a policy"},
		{`"ops":["get"]`, "ops: a policy"},
		{`"keys":["a"]`, "keys: a policy"},
		{`"headers":["a"]`, "headers: a policy"},
		{`"priority":1`, "priority: a policy"},
		{`"pure":true`, "pure: a policy"},
		{`"stateful":true`, "stateful: a policy"},
		{`"lossy":true`, "lossy: a policy"},
		{`"failure":"open"`, "failure: a policy"},
		{`"stats":[{"name":"n","kind":"sum"}]`, "stats: a policy"},
		{`"needs":["clock"]`, `needs: "clock" is not known: possible are log`},
		{`"fuel":-1`, "fuel -1 is negative"},
	} {
		text := strings.Replace(goodPolicy, "}", ","+test.more+"}", 1)
		if _, err := ParseManifest([]byte(text)); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("with %s: %v, want %q", test.more, err, test.want)
		}
	}
}

func FuzzManifest(f *testing.F) {
	f.Add([]byte(goodPolicy))
	f.Add([]byte(goodManifest))
	f.Add([]byte(`{"name":"a","version":"1","abi":"hook/1","hooks":["after"],"ops":["*"]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := ParseManifest(b)
		if err != nil {
			return
		}
		text, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := ParseManifest(text); err != nil || !reflect.DeepEqual(normal(again), normal(m)) {
			t.Errorf("%s became %s: %v", b, text, err)
		}
	})
}

// normal makes empty lists alike.
func normal(m *Manifest) Manifest {
	n := *m
	if len(n.Needs) == 0 {
		n.Needs = nil
	}
	if len(n.Stats) == 0 {
		n.Stats = nil
	}
	for i := range n.Stats {
		if len(n.Stats[i].Of) == 0 {
			n.Stats[i].Of = nil
		}
	}
	return n
}
