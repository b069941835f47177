package core

import (
	"context"
	"sync"
)

// turns lets the goroutines of this process that want the same key go one after the other, in the order in which they
// came.
type turns struct {
	mu   sync.Mutex
	keys map[string]*turn // those that somebody has or waits for
}

// turn is a key's.
type turn struct {
	key  string
	held chan struct{} // holds a token while somebody has the turn
	refs int           // guarded by turns.mu
}

func newTurns() *turns { return &turns{keys: make(map[string]*turn)} }

// take waits for the key's turn, which give must give back, until ctx ends. key must stay as it is.
func (t *turns) take(ctx context.Context, key string) (*turn, error) {
	k := t.enter(key)
	select {
	case k.held <- struct{}{}:
		return k, nil
	case <-ctx.Done():
		t.leave(k)
		return nil, ctx.Err()
	}
}

// try takes the key's turn if nobody has it; else it returns nil. key must stay as it is.
func (t *turns) try(key string) *turn {
	k := t.enter(key)
	select {
	case k.held <- struct{}{}:
		return k
	default:
		t.leave(k)
		return nil
	}
}

// give lets the next have the turn.
func (t *turns) give(k *turn) {
	<-k.held
	t.leave(k)
}

func (t *turns) enter(key string) *turn {
	t.mu.Lock()
	defer t.mu.Unlock()
	k := t.keys[key]
	if k == nil {
		k = &turn{key: key, held: make(chan struct{}, 1)}
		t.keys[key] = k
	}
	k.refs++
	return k
}

func (t *turns) leave(k *turn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if k.refs--; k.refs == 0 {
		delete(t.keys, k.key)
	}
}
