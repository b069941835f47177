package core_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/edgecache/edgecache/core"
)

// Values of a history are never written twice, so what a CompareAndSwap must find is told by the value that was read with
// the token.
type linearOp struct {
	op     string // get, set, add, swap, update, increment, delete
	expect string // swap: the value that the token came with
	value  string // what is written
	delta  int64  // increment; update of a number
}

type linearResult struct {
	value string // what was read, "" for nothing; the sum of an increment
	ok    bool   // the write took place
}

// linearModel is one key: the state is its value, "" for none.
var linearModel = porcupine.Model{ //nolint:gochecknoglobals // a constant in all but name
	Init: func() any { return "" },
	Step: func(state, input, output any) (bool, any) {
		return linearStep(state.(string), input.(linearOp), output.(linearResult))
	},
	DescribeOperation: func(input, output any) string { return fmt.Sprintf("%+v -> %+v", input, output) },
}

func linearStep(state string, in linearOp, out linearResult) (bool, string) {
	switch in.op {
	case "get":
		return out.value == state, state
	case "set":
		return true, in.value
	case "add":
		if out.ok {
			return state == "", in.value
		}
		return state != "", state
	case "swap":
		if out.ok {
			return state == in.expect, in.value
		}
		return state != in.expect, state
	case "update":
		if in.delta != 0 {
			return out.value == state, strconv.FormatInt(number(state)+in.delta, 10)
		}
		return out.value == state, in.value
	case "increment":
		sum := strconv.FormatInt(number(state)+in.delta, 10)
		return out.value == sum, sum
	default: // delete
		return out.ok == (state != ""), ""
	}
}

func number(s string) int64 {
	n, _ := strconv.ParseInt(s, 10, 64)
	return n
}

// linearClient does at random what a history is made of.
type linearClient struct {
	c    *core.Cache
	id   int
	rand *rand.Rand
	seq  int
	last *core.Entry // what get read last
}

// run does one operation.
func (l *linearClient) run(ctx context.Context, key string, in *linearOp) (out linearResult, err error) {
	var none core.EntryOptions
	switch in.op {
	case "get":
		if l.last, err = l.c.GetAuthority(ctx, key); err == nil {
			out.value = string(l.last.Value)
		}
	case "set":
		err = l.c.Set(ctx, key, []byte(in.value), none)
	case "add":
		err = l.c.Add(ctx, key, []byte(in.value), none)
	case "swap":
		err = l.c.CompareAndSwap(ctx, key, l.last.Token(), []byte(in.value), none)
	case "update":
		err = l.c.Update(ctx, key, func(old *core.Entry) ([]byte, error) {
			out.value = ""
			if old != nil {
				out.value = string(old.Value)
			}
			if in.delta != 0 {
				return strconv.AppendInt(nil, number(out.value)+in.delta, 10), nil
			}
			return []byte(in.value), nil
		}, none)
	case "increment":
		var sum int64
		sum, err = l.c.Increment(ctx, key, in.delta, none)
		out.value = strconv.FormatInt(sum, 10)
	case "delete":
		out.ok, err = l.c.Delete(ctx, key)
		return out, err
	}
	if errors.Is(err, core.ErrNotFound) || errors.Is(err, core.ErrExists) || errors.Is(err, core.ErrConflict) {
		return out, nil
	}
	out.ok = err == nil
	return out, err
}

// next chooses an operation on a register or a counter.
func (l *linearClient) next(counter bool) linearOp {
	l.seq++
	in := linearOp{value: fmt.Sprintf("%d.%d", l.id, l.seq), delta: l.rand.Int64N(9) + 1}
	ops := []string{"get", "get", "set", "add", "swap", "swap", "update", "delete"}
	if counter {
		ops = []string{"get", "increment", "increment", "update", "swap"}
	}
	in.op = ops[l.rand.IntN(len(ops))]
	if in.op == "swap" && l.last == nil {
		in.op = "get"
	}
	switch {
	case in.op == "swap":
		in.expect = string(l.last.Value)
		if counter {
			in.value = strconv.FormatInt(number(in.expect)+in.delta, 10)
		}
	case in.op == "update" && !counter:
		in.delta = 0
	}
	return in
}

// TestLinearizable records what several clients of two caches on one store do at once to a key, and looks for an order
// that explains it.
func TestLinearizable(t *testing.T) {
	onStores(t, func(t *testing.T, open func() *core.Cache) {
		caches := []*core.Cache{open(), open()}
		for name, counter := range map[string]bool{"register": false, "counter": true} {
			t.Run(name, func(t *testing.T) {
				for round := range 5 {
					history := record(t, caches, name+strconv.Itoa(round), counter)
					if got := porcupine.CheckOperationsTimeout(linearModel, history, time.Minute); got != porcupine.Ok {
						t.Fatalf("round %d: a history of %d operations is %v", round, len(history), got)
					}
				}
			})
		}
	})
}

// TestLinearizableFindsLostUpdates shows that the model refuses what must not happen.
func TestLinearizableFindsLostUpdates(t *testing.T) {
	op := func(in linearOp, call int64, out linearResult, done int64) porcupine.Operation {
		return porcupine.Operation{ClientId: int(call), Input: in, Call: call, Output: out, Return: done}
	}
	set := op(linearOp{op: "set", value: "1"}, 0, linearResult{ok: true}, 1)
	for name, history := range map[string][]porcupine.Operation{
		"two swaps of one value": {
			set,
			op(linearOp{op: "swap", expect: "1", value: "2"}, 2, linearResult{ok: true}, 5),
			op(linearOp{op: "swap", expect: "1", value: "3"}, 3, linearResult{ok: true}, 6),
		},
		"an old value": {set, op(linearOp{op: "get"}, 2, linearResult{}, 3)},
		"one sum for two": {
			op(linearOp{op: "increment", delta: 1}, 0, linearResult{value: "1", ok: true}, 5),
			op(linearOp{op: "increment", delta: 1}, 1, linearResult{value: "1", ok: true}, 6),
		},
		"a lost update": {
			set,
			op(linearOp{op: "update", delta: 1}, 2, linearResult{value: "1", ok: true}, 5),
			op(linearOp{op: "update", delta: 1}, 3, linearResult{value: "1", ok: true}, 6),
		},
	} {
		if porcupine.CheckOperations(linearModel, history) {
			t.Errorf("%s: the history is explained", name)
		}
	}
}

func record(t *testing.T, caches []*core.Cache, key string, counter bool) (history []porcupine.Operation) {
	const clients, steps = 6, 40
	var mu sync.Mutex
	var wg sync.WaitGroup
	for id := range clients {
		l := &linearClient{c: caches[id%len(caches)], id: id, rand: rand.New(rand.NewPCG(uint64(id), 1))}
		wg.Go(func() {
			for range steps {
				in := l.next(counter)
				call := core.Clock()
				out, err := l.run(t.Context(), key, &in)
				done := core.Clock()
				if err != nil {
					t.Errorf("%+v = %v", in, err)
					return
				}
				mu.Lock()
				history = append(history, porcupine.Operation{ClientId: id, Input: in, Call: call, Output: out, Return: done})
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return history
}
