package resp

import (
	"bufio"
	"bytes"
	"math"
	"testing"
)

func TestReply(t *testing.T) {
	for _, tt := range []struct {
		name   string
		append func(*reply)
		v2, v3 string
	}{
		{"simple", func(r *reply) { r.simple("PONG") }, "+PONG\r\n", "+PONG\r\n"},
		{"ok", func(r *reply) { r.ok() }, "+OK\r\n", "+OK\r\n"},
		{"error", func(r *reply) { r.err("no\r\nway\r\n") }, "-ERR no  way\r\n", "-ERR no  way\r\n"},
		{"zero", func(r *reply) { r.int(0) }, ":0\r\n", ":0\r\n"},
		{"ten", func(r *reply) { r.int(10) }, ":10\r\n", ":10\r\n"},
		{"least", func(r *reply) { r.int(math.MinInt64) }, ":-9223372036854775808\r\n", ":-9223372036854775808\r\n"},
		{"bool", func(r *reply) { r.bool(true) }, ":1\r\n", ":1\r\n"},
		{"empty", func(r *reply) { r.bulk(nil) }, "$0\r\n\r\n", "$0\r\n\r\n"},
		{"binary", func(r *reply) { r.bulk([]byte("a\r\n\x00b")) }, "$5\r\na\r\n\x00b\r\n", "$5\r\na\r\n\x00b\r\n"},
		{"text", func(r *reply) { r.text("0123456789") }, "$10\r\n0123456789\r\n", "$10\r\n0123456789\r\n"},
		{"verbatim", func(r *reply) { r.verbatim("hi") }, "$2\r\nhi\r\n", "=6\r\ntxt:hi\r\n"},
		{"null", func(r *reply) { r.null() }, "$-1\r\n", "_\r\n"},
		{"texts", func(r *reply) { r.texts([]string{"a"}) }, "*1\r\n$1\r\na\r\n", "*1\r\n$1\r\na\r\n"},
		{"dict", func(r *reply) { r.dict(1); r.int(1); r.int(2) }, "*2\r\n:1\r\n:2\r\n", "%1\r\n:1\r\n:2\r\n"},
		{"statuses", func(r *reply) { r.statuses([]string{"x"}) }, "*1\r\n+x\r\n", "~1\r\n+x\r\n"},
	} {
		for v, want := range map[bool]string{false: tt.v2, true: tt.v3} {
			r := reply{v3: v, limit: 100}
			tt.append(&r)
			if got := string(r.out); got != want {
				t.Errorf("%s, RESP3 %v: %q, want %q", tt.name, v, got, want)
			}
		}
	}
}

// FuzzReply checks that whatever text is replied, a client reads one reply and no more.
func FuzzReply(f *testing.F) {
	f.Add("hello", true)
	f.Add("a\r\n+OK\r\n", false)
	f.Fuzz(func(t *testing.T, s string, v3 bool) {
		for _, appendTo := range []func(*reply){
			func(r *reply) { r.fail(s) }, func(r *reply) { r.err(s) }, func(r *reply) { r.text(s) }, func(r *reply) { r.verbatim(s) },
		} {
			r := reply{v3: v3, limit: 1 << 20}
			appendTo(&r)
			got, err := readReply(nil, bufio.NewReader(bytes.NewReader(r.out)))
			if err != nil || !bytes.Equal(got, r.out) {
				t.Fatalf("%q became %q, of which a client reads %q: %v", s, r.out, got, err)
			}
		}
	})
}

func TestReplyLimit(t *testing.T) {
	r := reply{limit: 10}
	r.text("0123")
	r.text("0123456789")
	if !r.over || string(r.out) != "$4\r\n0123\r\n" {
		t.Errorf("over %v with %q", r.over, r.out)
	}
}

func TestMatch(t *testing.T) {
	for _, tt := range []struct {
		pattern, name string
		want          bool
	}{
		{"*", "", true},
		{"save", "SAVE", true},
		{"max*", "maxmemory", true},
		{"*mem*", "maxmemory", true},
		{"ma?memory", "maxmemory", true},
		{"max", "maxmemory", false},
		{"*x", "maxmemory", false},
		{"", "a", false},
		{"a*b*c", "axxbxxbc", true},
	} {
		if got := match(tt.pattern, tt.name); got != tt.want {
			t.Errorf("match(%q, %q) = %v", tt.pattern, tt.name, got)
		}
	}
}

func TestTable(t *testing.T) {
	table := newTable()
	for _, cmd := range table.all {
		upper := bytes.ToUpper([]byte(cmd.name))
		if got := table.find(upper); got != cmd {
			t.Errorf("find(%q) = %v", upper, got)
		}
		if len(cmd.name) > maxName || cmd.run == nil || cmd.about == "" || cmd.group == "" {
			t.Errorf("%s is incomplete", cmd.name)
		}
		for _, b := range []byte(cmd.name) {
			if b < 'a' || b > 'z' {
				t.Errorf("%s: fold takes letters only", cmd.name)
			}
		}
	}
	for _, name := range []string{"", "ge", "gett", "\x07et", "g\x05t", "GET\x00", "averyveryverylongname", "@et"} {
		if cmd := table.find([]byte(name)); cmd != nil {
			t.Errorf("find(%q) = %s", name, cmd.name)
		}
	}
	name := []byte("pexpiretime")
	if n := testing.AllocsPerRun(100, func() { table.find(name) }); n != 0 {
		t.Errorf("find allocates %v times", n)
	}
}
