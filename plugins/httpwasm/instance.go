package httpwasm

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tetratelabs/wazero/api"

	"github.com/edgecache/edgecache/plugins/meter"
)

// instance is one memory of the guest. Who took it from the pool has it alone.
type instance struct {
	guest             *Guest
	module            api.Module
	memory            api.Memory
	request, response api.Function
	fuel, budget      api.MutableGlobal
	features          features  // enabled outside of requests
	x                 *exchange // the one under way, nil while it is set up
	stack             [2]uint64
}

// instantiate makes an instance and runs what it has to begin with.
func (g *Guest) instantiate() (*instance, error) {
	in := &instance{guest: g}
	out := &output{guest: g}
	module, err := g.runtime.InstantiateModule(in, g.compiled, g.modules.WithStdout(out).WithStderr(out))
	if err != nil {
		return nil, fmt.Errorf("instance: %w", err)
	}
	in.module, in.memory = module, module.Memory()
	in.request, in.response = module.ExportedFunction(exportRequest), module.ExportedFunction(exportResponse)
	in.fuel = module.ExportedGlobal(meter.FuelGlobal).(api.MutableGlobal)
	in.budget = module.ExportedGlobal(meter.BudgetGlobal).(api.MutableGlobal)
	return in, nil
}

// errFuel says that a call burnt all it had.
var errFuel = errors.New("the guest used up its fuel")

// call enters the guest with the stack's first words and a full tank. The runtime turns panics of host functions into errors.
func (in *instance) call(f api.Function, words int) error {
	in.fuel.Set(0)
	in.budget.Set(uint64(in.guest.o.Fuel))
	err := f.CallWithStack(in, in.stack[:words])
	switch {
	case err == nil:
		return nil
	case int64(in.budget.Get()) < 0:
		return fmt.Errorf("%w: %d units", errFuel, in.guest.o.Fuel)
	default:
		return brief(err)
	}
}

// brief is the first line of a trap: what follows is a trace.
func brief(err error) error {
	text, _, _ := strings.Cut(err.Error(), "\n")
	return errors.New(text)
}

// charge takes units from a guest that is calling the host.
func (in *instance) charge(units int) {
	if in.fuel != nil {
		in.fuel.Set(in.fuel.Get() - uint64(units))
	}
}

// An instance is the context of its calls, so that host functions find it. It never ends: fuel ends calls.

func (*instance) Deadline() (time.Time, bool) { return time.Time{}, false }
func (*instance) Done() <-chan struct{}       { return nil }
func (*instance) Err() error                  { return nil }

// callerKey asks for the instance.
type callerKey struct{}

func (in *instance) Value(key any) any {
	if _, ok := key.(callerKey); ok {
		return in
	}
	return nil
}

// pool holds the instances that no request has.
type pool struct {
	idle  chan *instance
	slots chan struct{} // one for each instance that there is or is being made
}

func (p *pool) init(size int) {
	p.idle, p.slots = make(chan *instance, size), make(chan struct{}, size)
}

// take returns an instance for a request, within ctx.
func (g *Guest) take(ctx context.Context) (*instance, error) {
	select {
	case in := <-g.pool.idle:
		return in, nil
	default:
	}
	select {
	case in := <-g.pool.idle:
		return in, nil
	case g.pool.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	in, err := g.instantiate()
	if err != nil {
		<-g.pool.slots
	}
	return in, err
}

// put gives back an instance whose request is done.
func (p *pool) put(in *instance) {
	in.x = nil
	p.idle <- in
}

// discard ends an instance that failed.
func (g *Guest) discard(in *instance) {
	_ = in.module.Close(context.Background()) // it runs nothing
	<-g.pool.slots
}
