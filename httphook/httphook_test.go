package httphook

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestPhases(t *testing.T) {
	if got := (OnRequest | OnDeliver).String(); got != "request+deliver" {
		t.Errorf("String = %q", got)
	}
	if got := AllPhases.String(); got != "request+key+lookup+response+admit+deliver+event" {
		t.Errorf("String = %q", got)
	}
	if s := OnKey | OnEvent; !s.Has(OnKey) || s.Has(OnKey|OnLookup) {
		t.Error("Has is wrong")
	}
}

func TestApplyLeavesSharedValuesAlone(t *testing.T) {
	shared := make([]string, 1, 4)
	shared[0] = "a"
	h := map[string][]string{"X-A": shared, "X-B": {"b"}, "X-C": {"c"}}
	var e Edits
	e.Add("X-A", "a2")
	e.Set("X-B", "b2")
	e.Remove("X-C")
	e.Add("X-D", "d")
	e.Apply(h)
	want := map[string][]string{"X-A": {"a", "a2"}, "X-B": {"b2"}, "X-D": {"d"}}
	if !reflect.DeepEqual(h, want) {
		t.Errorf("the header is %v, want %v", h, want)
	}
	if shared[:2][1] != "" {
		t.Error("a shared slice was written to")
	}
}

func TestSettle(t *testing.T) {
	before := Lifetime{TTL: time.Minute}
	longer, shorter := Lifetime{Store: true, TTL: time.Hour, SWR: 1, SIE: 1}, Lifetime{TTL: time.Second}
	for _, test := range []struct {
		barred, lengthen bool
		said, want       Lifetime
	}{
		{false, false, longer, longer},
		{true, true, longer, longer},
		{true, false, longer, before},
		{true, false, shorter, shorter},
	} {
		c := ResponseCall{Barred: test.barred, Lifetime: test.said}
		if c.Settle(before, test.lengthen); c.Lifetime != test.want {
			t.Errorf("Settle = %+v, want %+v", c.Lifetime, test.want)
		}
	}
}

// TestResetForgets sees that a call that is used again holds nothing of the exchange before, but the room it took.
func TestResetForgets(t *testing.T) {
	r := &Request{Target: "/"}
	request := RequestCall{Action: Deny, Status: 403, Body: make([]byte, 3, 9), Edits: make(Edits, 2, 9), Location: "x"}
	request.Reset(r)
	if request.Action != Pass || request.Status != 0 || len(request.Body)+len(request.Edits) != 0 || cap(request.Body) != 9 || cap(request.Edits) != 9 {
		t.Errorf("the call is %+v", request)
	}
	key := KeyCall{Target: "/x", Extra: "x", Vary: []Field{{"a", "b"}}}
	vary := key.Vary
	if key.Reset(r); key.Target != "/" || !key.Forward || key.Extra != "" || len(key.Vary) != 0 || vary[0] != (Field{}) {
		t.Errorf("the call is %+v", key)
	}
	response := ResponseCall{Barred: true, Lifetime: Lifetime{Store: true}, Tags: []string{"a"}}
	if response.Reset(r); response.Barred || response.Store || len(response.Tags) != 0 {
		t.Errorf("the call is %+v", response)
	}
}

func TestMethodOf(t *testing.T) {
	for i, name := range []string{"PURGE", "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"} {
		if got := MethodOf(name); int(got) != i {
			t.Errorf("MethodOf(%s) = %d, want %d", name, got, i)
		}
	}
}

func TestChecks(t *testing.T) {
	for _, test := range []struct {
		name, value string
		ok          bool
	}{
		{"X-A", "b\tc \x80", true},
		{"x-a", "", true},
		{"", "b", false},
		{"X A", "b", false},
		{"X-A", "b\r\nc: d", false},
		{"X-A", "\x7f", false},
		{"Connection", "close", false},
		{"TRANSFER-ENCODING", "", false},
		{"X-A", strings.Repeat("b", MaxFieldValue+1), false},
	} {
		if err := CheckField(test.name, test.value); (err == nil) != test.ok {
			t.Errorf("CheckField(%.20q, %.20q) = %v", test.name, test.value, err)
		}
	}
	for target, ok := range map[string]bool{"/": true, "/a?b=%20": true, "": false, "a": false, "//host/": true, "/a b": false, "/\n": false, "/é": false} {
		if err := CheckTarget(target); (err == nil) != ok {
			t.Errorf("CheckTarget(%q) = %v", target, err)
		}
	}
	for location, ok := range map[string]bool{"https://a/": true, "b": true, "": false, "/\r\n": false} {
		if err := CheckLocation(location); (err == nil) != ok {
			t.Errorf("CheckLocation(%q) = %v", location, err)
		}
	}
	for tag, ok := range map[string]bool{"a:1/2": true, "": false, "a,b": false, "a b": false, `"`: false} {
		if err := CheckTag(tag); (err == nil) != ok {
			t.Errorf("CheckTag(%q) = %v", tag, err)
		}
	}
}
