//go:build wasip1 && !without_grants

package main

import (
	"bytes"
	"errors"
	"slices"
	"strconv"

	edgecache "github.com/edgecache/edgecache/hostabi/sdk/go"
)

// chunk is how much of values and entries is read, in bytes.
const chunk = 4096

var (
	calls   edgecache.Counter
	level   edgecache.Gauge
	times   edgecache.Histogram
	defined int64
)

func define(config []byte) {
	var errs [3]error
	calls, errs[0] = edgecache.NewCounter("calls")
	level, errs[1] = edgecache.NewGauge("level")
	times, errs[2] = edgecache.NewHistogram("times")
	for _, err := range errs {
		noteDefined(err)
	}
	rest, _ := bytes.CutPrefix(config, []byte(`{"metrics":`))
	digits, _, _ := bytes.Cut(rest, []byte("}"))
	more, _ := count(digits, 1000)
	for i := range more {
		_, err := edgecache.NewCounter("extra-" + strconv.Itoa(i))
		noteDefined(err)
	}
}

func noteDefined(err error) {
	if err == nil {
		defined++
	}
}

// granted does what verbs ask for that need a capability which an operator must grant.
func (a asked) granted() edgecache.Action {
	switch a.verb {
	case "value-at":
		offset, rest, _ := bytes.Cut(a.arg, []byte(","))
		o, ok := count(offset, 1<<32-1)
		n, ok2 := count(rest, chunk)
		if ok && ok2 {
			b := a.Out()[:n]
			return a.ReplaceKey(b[:a.ReadValue(b, o)])
		}
	case "value-put":
		b := a.Out()
		if a.WriteValue(a.arg) {
			return a.ReplaceKey(append(b, '1'))
		}
		return a.ReplaceKey(append(b, '0'))
	case "value-add":
		b := a.Out()[:chunk]
		a.WriteValue(append(b[:a.ReadValue(b, 0)], a.arg...))
	case "metrics":
		return a.tell(defined)
	case "metric-again":
		again, err := edgecache.NewCounter("calls")
		return a.tellBool(err == nil && again == calls)
	case "span":
		key, value, _ := bytes.Cut(a.arg, []byte(","))
		edgecache.SpanAttr(string(key), string(value))
	case "count", "gauge", "hist":
		a.measure()
	default:
		return a.entry()
	}
	return edgecache.Continue
}

func (a asked) measure() {
	n, ok := number(a.arg)
	switch {
	case !ok:
	case a.verb == "count":
		calls.Add(uint64(n))
	case a.verb == "gauge":
		level.Set(n)
	default:
		times.Record(uint64(n))
	}
}

// entry does what verbs ask for that need kv.
func (a asked) entry() edgecache.Action {
	arg := bytes.Split(a.arg, []byte(","))
	key, last := arg[0], arg[len(arg)-1]
	switch ttl, ok := number(last); {
	case a.verb == "kv-delete":
		if edgecache.KVDelete(a.arg) {
			return a.tell(edgecache.KVOK)
		}
		return a.tell(edgecache.KVAbsent)
	case !ok:
	case a.verb == "kv-get" && len(arg) == 2 && ttl >= 0 && ttl <= chunk:
		b := make([]byte, ttl)
		n := edgecache.KVRead(key, b)
		out := append(appendField(a.Out(), "", int64(n)), '=')
		return a.Respond(append(out, b[:min(max(n, 0), len(b))]...))
	case a.verb == "kv-set" && len(arg) == 3:
		return a.tellError(edgecache.KVSet(key, arg[1], ttl))
	case a.verb == "kv-cas" && len(arg) == 4:
		old := arg[1]
		if string(old) == "-" {
			old = nil
		}
		return a.tellError(edgecache.KVCompareAndSwap(key, old, arg[2], ttl))
	case a.verb == "kv-add" && len(arg) == 3:
		delta, ok := number(arg[1])
		if !ok {
			break
		}
		n, err := edgecache.KVAdd(key, delta, ttl)
		if err != nil {
			n = edgecache.KVFailed
		}
		return a.tell(n)
	case a.verb == "kv-fill" && len(arg) == 2:
		n, ok := count(key, edgecache.MaxKVKey+1)
		if !ok || ttl < 0 || ttl > edgecache.MaxKVValue+1 {
			break
		}
		return a.tellError(edgecache.KVSet(bytes.Repeat([]byte("k"), n), bytes.Repeat([]byte("v"), int(ttl)), 0))
	}
	return edgecache.Continue
}

// tellError tells which result of the host an error stands for.
func (a asked) tellError(err error) edgecache.Action {
	switch {
	case errors.Is(err, edgecache.ErrFull):
		return a.tell(edgecache.KVFull)
	case errors.Is(err, edgecache.ErrDiffers):
		return a.tell(edgecache.KVDiffers)
	default:
		return a.tell(edgecache.KVOK)
	}
}

// reverse turns the value round.
func (a asked) reverse() {
	b := a.Out()[:chunk]
	b = b[:a.ReadValue(b, 0)]
	slices.Reverse(b)
	a.WriteValue(b)
}
