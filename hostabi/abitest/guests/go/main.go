//go:build wasip1

// The conformance guest: it does what keys ask for. ../../README.md says what that is.
package main

import (
	"bytes"
	"math"
	"strconv"

	edgecache "github.com/edgecache/edgecache/hostabi/sdk/go"
)

const (
	cookie    = 0x0123456789abcdef
	maxConfig = 1024 // bytes that are kept of the configuration
)

var (
	config []byte
	idles  int64
)

func init() {
	edgecache.Register(edgecache.Plugin{
		Init: configure, Before: before, After: after, Observe: observe, Stats: report, Idle: func() { idles++ },
	})
}

func main() {}

// refusal is an error of just that text.
type refusal string

func (r refusal) Error() string { return string(r) }

func configure(c []byte) error {
	if rest, ok := bytes.CutPrefix(c, []byte(`{"refuse":"`)); ok {
		why, _, _ := bytes.Cut(rest, []byte(`"`))
		return refusal(why)
	}
	if bytes.HasPrefix(c, []byte(`{"trap":`)) {
		panic("as told")
	}
	config = c[:min(len(c), maxConfig)]
	define(c)
	return nil
}

// asked is a call with what its key asks for.
type asked struct {
	*edgecache.Call
	verb string
	arg  []byte
}

func ask(c *edgecache.Call) asked {
	verb, arg, _ := bytes.Cut(c.Key(), []byte(":"))
	return asked{c, string(verb), arg}
}

// tell answers with a number.
func (a asked) tell(n int64) edgecache.Action { return a.Respond(strconv.AppendInt(a.Out(), n, 10)) }

func (a asked) tellBool(b bool) edgecache.Action {
	if b {
		return a.tell(1)
	}
	return a.tell(0)
}

// number reads a decimal number that takes all of b.
func number(b []byte) (int64, bool) {
	n, err := strconv.ParseInt(string(b), 10, 64)
	return n, err == nil
}

// count reads a number from 0 to most.
func count(b []byte, most int64) (int, bool) {
	n, ok := number(b)
	return int(n), ok && n >= 0 && n <= most
}

// hex reads an action of 16 hexadecimal digits.
func hex(b []byte) edgecache.Action {
	n, err := strconv.ParseUint(string(b[:min(len(b), 16)]), 16, 64)
	if err != nil || len(b) < 16 {
		return edgecache.Continue
	}
	return edgecache.Action(n)
}

// appendHex appends 16 hexadecimal digits.
func appendHex(b []byte, n uint64) []byte {
	for shift := 60; shift >= 0; shift -= 4 {
		b = append(b, "0123456789abcdef"[n>>shift&15])
	}
	return b
}

func appendField(b []byte, name string, n int64) []byte {
	return strconv.AppendInt(append(b, name...), n, 10)
}

func (a asked) appendPlace(b []byte) []byte {
	b = append(append(b, " ns="...), a.Namespace()...)
	i, n := a.Position()
	return appendField(appendField(b, " batch=", int64(i)), "/", int64(n))
}

func before(c *edgecache.Call) edgecache.Action {
	a := ask(c)
	r := rowOf(c.Op(), uint16(c.NamespaceID()))
	r[beforeCalls]++
	r[shortest] = min(r[shortest], uint64(len(c.Key())))
	switch a.verb {
	case "upper":
		return a.ReplaceKey(upper(c.Key()))
	case "cut":
		return a.ReplaceKey(a.arg)
	case "long":
		if n, ok := count(a.arg, 65536); ok {
			return a.ReplaceKey(bytes.Repeat([]byte("x"), n))
		}
	case "args":
		return a.args()
	case "respond":
		return a.Respond(a.arg)
	case "deny":
		return a.deny()
	case "miss":
		return edgecache.Miss
	case "raw":
		return hex(a.arg)
	case "trap":
		panic("as told")
	case "cookie":
		c.SetCookie(cookie)
	case "cookie-key":
		c.SetCookie(cookie)
		return a.ReplaceKey(append([]byte("cookie:"), a.arg...))
	case "cookie-respond":
		c.SetCookie(cookie)
		return a.Respond(a.arg)
	default:
		return a.patch()
	}
	return edgecache.Continue
}

// deny refuses with a reason as it stands in the key: Call.Deny would cut off what is too long for the host.
func (a asked) deny() edgecache.Action {
	offset := edgecache.BufKey + len(a.Key()) - len(a.arg)
	return edgecache.Action(edgecache.ActionDeny<<edgecache.ActionShift | offset<<edgecache.OffsetShift | len(a.arg))
}

func upper(key []byte) []byte {
	for i, c := range key {
		if c >= 'a' && c <= 'z' {
			key[i] = c - 'a' + 'A'
		}
	}
	return key
}

// args makes what the call was made with the key.
func (a asked) args() edgecache.Action {
	var flags int64
	if a.Many() {
		flags = edgecache.CallBatch
	}
	b := appendField(a.Out(), "args op=", int64(a.Op()))
	b = appendField(b, " key=", int64(len(a.Key())))
	b = appendField(b, " value=", int64(a.ValueLen()))
	b = appendField(b, " ttl=", a.TTL())
	return a.ReplaceKey(a.appendPlace(appendField(b, " flags=", flags)))
}

// patch does what verbs ask for whose action is ext.
func (a asked) patch() edgecache.Action {
	switch a.verb {
	case "ttl":
		if n, ok := number(a.arg); ok {
			return a.Patch().TTL(n).Action()
		}
	case "value":
		return a.Patch().Value(a.arg).Action()
	case "ns":
		return a.Patch().Namespace(a.arg).Action()
	case "ext":
		return a.Patch().Key(a.arg).TTL(90_000).Namespace([]byte("ext")).Action()
	case "last":
		return a.Patch().Key([]byte("first")).Key(a.arg).Action()
	default:
		return a.host()
	}
	return edgecache.Continue
}

// host does what verbs ask for that need what everyone gets.
func (a asked) host() edgecache.Action {
	switch a.verb {
	case "config":
		return a.Respond(config)
	case "features":
		return a.tell(int64(edgecache.Features()))
	case "idle":
		return a.tell(idles)
	case "hash":
		return a.Respond(appendHex(a.Out(), edgecache.Hash(a.arg)))
	case "clock":
		b := appendField(a.Out(), "", edgecache.Now())
		b = appendField(b, " ", edgecache.Mono())
		return a.Respond(appendField(b, " ", edgecache.Mono()))
	case "random":
		if n, ok := count(a.arg, edgecache.MaxRandom); ok {
			b := a.Out()[:n]
			edgecache.Random(b)
			return a.Respond(b)
		}
	case "log":
		level, text, _ := bytes.Cut(a.arg, []byte(","))
		if n, ok := count(level, edgecache.LogError); ok {
			edgecache.LogBytes(n, text)
		}
	case "log-enabled":
		if n, ok := count(a.arg, edgecache.LogError); ok {
			return a.tellBool(edgecache.LogEnabled(n))
		}
	default:
		return a.granted()
	}
	return edgecache.Continue
}

func after(c *edgecache.Call) edgecache.Action {
	a := ask(c)
	rowOf(c.Op(), uint16(c.NamespaceID()))[afterCalls]++
	switch {
	case a.verb == "after-raw":
		return hex(a.arg)
	case a.verb == "after-trap":
		panic("as told")
	case c.Outcome() != edgecache.OutcomeHit:
		return edgecache.Continue
	}
	switch a.verb {
	case "cookie", "cookie-respond", "tell":
		return a.result()
	case "after-respond":
		return a.Respond(a.arg)
	case "after-elapsed":
		return a.tell(a.Elapsed())
	case "after-reverse":
		a.reverse()
	}
	return edgecache.Continue
}

// result tells what the call was made with.
func (a asked) result() edgecache.Action {
	b := appendField(a.Out(), "after op=", int64(a.Op()))
	b = append(append(b, " key="...), a.Key()...)
	b = appendField(b, " result=", int64(a.Outcome())|int64(a.Tier())<<edgecache.TierShift)
	b = appendField(b, " value=", int64(a.ValueLen()))
	b = appendHex(append(b, " cookie="...), a.Cookie())
	return a.Respond(a.appendPlace(b))
}

// The columns of the manifest, in their order.
const (
	beforeCalls = iota
	afterCalls
	eventCount
	continued
	hits
	valueBytes
	hashed
	longestTTL
	farthest
	latest
	shortest
	elapsed
	columns = elapsed + edgecache.HistogramSlots
)

type label struct {
	op        edgecache.Op
	namespace uint16
}

// rows is the statistics; the last one takes what has no row, and is not reported.
var (
	labels []label
	rows   [33][columns]uint64
)

func rowOf(op edgecache.Op, namespace uint16) *[columns]uint64 {
	l := label{op, namespace}
	for i := range labels {
		if labels[i] == l {
			return &rows[i]
		}
	}
	i := len(labels)
	if i < len(rows)-1 {
		labels = append(labels, l)
		rows[i][shortest] = math.MaxUint64
	}
	return &rows[i]
}

func observe(events []edgecache.Event) {
	for i := range events {
		e := &events[i]
		r := rowOf(e.Op(), e.NamespaceID)
		r[eventCount]++
		r[valueBytes] += uint64(e.ValueSize)
		r[longestTTL] = max(r[longestTTL], uint64(e.TTL))
		r[farthest] = max(r[farthest], uint64(e.Tier()))
		r[latest] = max(r[latest], uint64(e.Time))
		r[elapsed+edgecache.Bucket(uint64(e.Elapsed))]++
		if e.Continued() {
			r[continued]++
		}
		if e.Outcome() == edgecache.OutcomeHit {
			r[hits]++
		}
		if e.KeyHash != 0 {
			r[hashed]++
		}
	}
}

func report(r *edgecache.Rows) {
	for i, l := range labels {
		r.Add(l.op, l.namespace, rows[i][:]...)
	}
}
