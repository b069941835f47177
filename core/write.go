package core

import (
	"bytes"
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/edgecache/edgecache/core/codec"
)

// write runs the operations that change one key. With one tier it is one call to that. With more, the farthest tier, the
// authority, decides; then the nearer copies are replaced, or dropped where the new entry is not known.
func (e *engine) write(ctx context.Context, cmd *Command, res *Result) error {
	key, err := e.stored(cmd, cmd.Key)
	if err != nil {
		return err
	}
	t := e.authority()
	if len(e.tiers) == 1 && e.loaders.active.Load() == 0 {
		res.stored, err = e.change(ctx, t, cmd, key, res)
		return t.wrap(err)
	}
	k, err := e.keys.beginWrite(ctx, owned(cmd, key))
	if err != nil {
		return err
	}
	defer e.keys.endWrite(k)
	if cmd.marks != nil && !cmd.marks[0].take(e.keys, k) {
		res.Outcome = OutcomeNotStored
		return nil
	}
	sweeps := e.keys.sweeps.Load()
	stored, err := e.change(ctx, t, cmd, k.key, res)
	res.stored = stored
	nearErr := e.settle(context.WithoutCancel(ctx), k.key, stored, sweeps)
	if err != nil {
		return t.wrap(err)
	}
	return nearErr
}

// settle brings the nearer tiers in line with the authority: they get stored, or lose the key where stored is nil or a
// Clear has come between. It fails only where a tier may be left with what was there before.
func (e *engine) settle(ctx context.Context, key string, stored *Entry, sweeps uint64) error {
	e.keys.sweep.RLock()
	defer e.keys.sweep.RUnlock()
	if e.keys.sweeps.Load() != sweeps {
		stored = nil
	}
	now := time.Now()
	var errs []error
	for i := len(e.tiers) - 2; i >= 0; i-- {
		t := e.tiers[i]
		if stored != nil {
			err := t.set(ctx, key, capped(stored, t.MaxTTL, now))
			if err == nil {
				continue
			}
			e.tierTrouble(ctx, t, OpSet, err)
		}
		if _, err := t.delete(ctx, key); err != nil {
			errs = append(errs, t.wrap(err))
		}
	}
	return errors.Join(errs...)
}

// change runs the command on the one tier t and returns the entry that is there now, if that is known. A condition that
// does not hold is an outcome, not an error.
func (e *engine) change(ctx context.Context, t *tier, cmd *Command, key string, res *Result) (stored *Entry, err error) {
	res.Tier = t.number
	switch cmd.Op {
	case OpSet:
		stored, err = e.changeSet(ctx, t, cmd, key, res)
	case OpAdd, OpReplace:
		stored, err = e.changeIf(ctx, t, cmd, key, res)
	case OpIncrement, OpDecrement:
		stored, err = e.changeNumber(ctx, t, cmd, key, res)
	case OpExpire:
		stored, err = e.changeExpiry(ctx, t, cmd, key, res)
	case OpDelete:
		err = e.changeDelete(ctx, t, cmd, key, res)
	default:
		stored, err = e.changeUpdate(ctx, t, cmd, key, res)
	}
	if err == nil {
		return stored, nil
	}
	switch {
	case errors.Is(err, ErrExists), errors.Is(err, ErrConflict) && !tierFailed(err):
		res.Outcome = OutcomeNotStored
	case errors.Is(err, ErrNotFound):
		res.Outcome = OutcomeMiss
	default:
		return nil, err
	}
	return nil, nil
}

func (e *engine) changeSet(ctx context.Context, t *tier, cmd *Command, key string, res *Result) (*Entry, error) {
	if cmd.Flags&FlagOld != 0 || cmd.TTL == KeepTTL {
		return e.changeUpdate(ctx, t, cmd, key, res)
	}
	res.Outcome = OutcomeStored
	key, value := keep(cmd, key, cmd.Value)
	entry := e.newEntry(cmd, value)
	return entry, t.set(ctx, key, entry)
}

func (e *engine) changeIf(ctx context.Context, t *tier, cmd *Command, key string, res *Result) (*Entry, error) {
	if cmd.Flags&FlagOld != 0 || cmd.TTL == KeepTTL {
		return e.changeUpdate(ctx, t, cmd, key, res)
	}
	cond := IfAbsent
	if cmd.Op == OpReplace {
		cond = IfPresent
	}
	res.Outcome = OutcomeStored
	key, value := keep(cmd, key, cmd.Value)
	entry := e.newEntry(cmd, value)
	err := t.setIf(ctx, key, entry, cond)
	if cond == IfAbsent && errors.Is(err, ErrExists) && t.updater != nil {
		if old, getErr := t.get(ctx, key); getErr == nil && old.absent() {
			return e.changeUpdate(ctx, t, cmd, key, res)
		}
	}
	return entry, err
}

func (e *engine) changeNumber(ctx context.Context, t *tier, cmd *Command, key string, res *Result) (*Entry, error) {
	if t.counter == nil {
		return e.changeUpdate(ctx, t, cmd, key, res)
	}
	delta, err := cmd.signedDelta()
	if err != nil {
		return nil, err
	}
	expires := e.deadline(cmd, time.Now())
	key = owned(cmd, key)
	res.Outcome = OutcomeStored
	return nil, t.call(ctx, cmd.Op, func(ctx context.Context) (err error) {
		res.N, err = t.counter.Increment(ctx, key, delta, expires)
		return err
	})
}

func (e *engine) changeExpiry(ctx context.Context, t *tier, cmd *Command, key string, res *Result) (*Entry, error) {
	if cmd.Flags&(FlagOld|FlagIfValue) != 0 || cmd.TTL == KeepTTL || t.expirer == nil {
		return e.changeUpdate(ctx, t, cmd, key, res)
	}
	expires := e.deadline(cmd, time.Now())
	found, key := false, owned(cmd, key)
	err := t.call(ctx, OpExpire, func(ctx context.Context) (err error) {
		found, err = t.expirer.Expire(ctx, key, expires)
		return err
	})
	res.Outcome = outcomeOf(found)
	return nil, err
}

func (e *engine) changeDelete(ctx context.Context, t *tier, cmd *Command, key string, res *Result) error {
	if cmd.Flags&(FlagOld|FlagIfValue) != 0 {
		_, err := e.changeUpdate(ctx, t, cmd, key, res)
		return err
	}
	found, err := t.delete(ctx, key)
	res.Outcome = outcomeOf(found)
	return err
}

func outcomeOf(found bool) Outcome {
	if found {
		return OutcomeHit
	}
	return OutcomeMiss
}

// changeUpdate runs the command as an atomic update of the entry that is there.
func (e *engine) changeUpdate(ctx context.Context, t *tier, cmd *Command, key string, res *Result) (*Entry, error) {
	key, value := keep(cmd, key, cmd.Value)
	c := change{engine: e, cmd: cmd, value: value, now: time.Now()}
	stored, err := t.update(ctx, cmd.Op, key, c.next)
	if cmd.Flags&FlagOld != 0 {
		res.Entry = c.old
	}
	if err != nil {
		return nil, err
	}
	res.N = c.number
	switch cmd.Op {
	case OpGet:
		res.Entry = stored
		fallthrough
	case OpExpire, OpDelete:
		res.Outcome = outcomeOf(c.old != nil)
	default:
		res.Outcome = OutcomeStored
	}
	return stored, nil
}

// change is a command at work on one entry. An updater may call next several times.
type change struct {
	engine *engine
	cmd    *Command
	value  []byte
	now    time.Time
	old    *Entry // what next was called with last
	number int64  // Result.N
}

// next returns what becomes of the entry, by the operation's meaning.
func (c *change) next(old *Entry) (*Entry, error) {
	if old != nil && old.absent() {
		old = nil
	}
	c.old = old
	switch c.cmd.Op {
	case OpSet:
		return c.replacement(), nil
	case OpAdd:
		if old != nil {
			return nil, ErrExists
		}
		return c.replacement(), nil
	case OpReplace:
		if old == nil {
			return nil, ErrNotFound
		}
		return c.replacement(), nil
	case OpCompareAndSwap:
		return c.swap()
	case OpAppend, OpPrepend:
		return c.join()
	case OpIncrement, OpDecrement:
		return c.add()
	case OpExpire:
		if c.another() {
			return nil, ErrConflict
		}
		return c.expire(), nil
	case OpGet:
		return c.renew(), nil
	default: // OpDelete
		if c.another() {
			return nil, ErrConflict
		}
		return nil, nil
	}
}

// another reports whether the key holds another value than FlagIfValue demands.
func (c *change) another() bool {
	return c.cmd.Flags&FlagIfValue != 0 && c.old != nil && !bytes.Equal(c.old.Value, c.value)
}

// replacement is the entry that the command writes.
func (c *change) replacement() *Entry {
	entry := c.engine.entryAt(c.cmd, c.value, c.now)
	if c.old != nil {
		entry.Version = c.after(entry.Version)
		if c.cmd.TTL == KeepTTL {
			entry.Expires = c.old.Expires
		}
	}
	return entry
}

// after returns version, or a later one than the old entry's if another node, whose clock is ahead, has made that. So the
// versions of a key's updates only grow. It leaves out some, by chance: that node may be about to count on by one.
func (c *change) after(version uint64) uint64 {
	if version > c.old.Version {
		return version
	}
	return max(version, c.old.Version+1+uint64(rand.Uint32()>>18))
}

func (c *change) swap() (*Entry, error) {
	switch {
	case c.old == nil:
		return nil, ErrNotFound
	case c.old.Token() != c.cmd.Version:
		return nil, ErrConflict
	default:
		return c.replacement(), nil
	}
}

// join is Append and Prepend.
func (c *change) join() (*Entry, error) {
	if c.old == nil {
		c.number = int64(len(c.value))
		return c.engine.entryAt(c.cmd, c.value, c.now), nil
	}
	head, tail := c.old.Value, c.value
	if c.cmd.Op == OpPrepend {
		head, tail = tail, head
	}
	c.number = int64(len(head) + len(tail))
	if c.number > int64(c.engine.maxValue) {
		return nil, ErrTooLarge
	}
	return c.changed(bytes.Join([][]byte{head, tail}, nil)), nil
}

// add is Increment and Decrement.
func (c *change) add() (*Entry, error) {
	delta, err := c.cmd.signedDelta()
	if err != nil {
		return nil, err
	}
	if c.old == nil {
		c.number = delta
		return c.engine.entryAt(c.cmd, strconv.AppendInt(nil, delta, 10), c.now), nil
	}
	n, ok := ParseInt(c.old.Value)
	if !ok {
		return nil, ErrNotInteger
	}
	if delta > 0 && n > math.MaxInt64-delta || delta < 0 && n < math.MinInt64-delta {
		return nil, ErrOverflow
	}
	c.number = n + delta
	return c.changed(strconv.AppendInt(nil, c.number, 10)), nil
}

// changed is the old entry with another value.
func (c *change) changed(value []byte) *Entry {
	return &Entry{
		Value: value, Expires: c.old.Expires, Flags: c.old.Flags, Codec: c.old.Codec,
		Version: c.after(c.engine.versions.at(c.now)),
	}
}

func (c *change) expire() *Entry {
	if c.old == nil || c.cmd.TTL == KeepTTL {
		return c.old
	}
	return c.until(c.engine.deadline(c.cmd, c.now))
}

// renew is the sliding read. What never expires goes on so.
func (c *change) renew() *Entry {
	if c.old == nil || c.old.Expires == 0 {
		return c.old
	}
	return c.until(Deadline(c.now, c.cmd.Renew))
}

// until is the old entry with another expiry.
func (c *change) until(expires int64) *Entry {
	if expires == c.old.Expires {
		return c.old
	}
	return c.old.Until(expires)
}

// signedDelta is what OpIncrement and OpDecrement add.
func (c *Command) signedDelta() (int64, error) {
	if c.Op == OpIncrement {
		return c.Delta, nil
	}
	if c.Delta == math.MinInt64 {
		return 0, ErrOverflow
	}
	return -c.Delta, nil
}

// ParseInt reads a decimal int64 as counters are stored: no sign but a minus, no leading zeros, no spaces.
func ParseInt(b []byte) (int64, bool) { return codec.ParseCounter(b) }

// deadline is when the command's time to live, begun at now, ends. KeepTTL means the default here: there is nothing to
// keep.
func (e *engine) deadline(cmd *Command, now time.Time) int64 {
	ttl, d := cmd.TTL, e.defaults.Load()
	if ttl == DefaultTTL || ttl == KeepTTL {
		ttl = d.ttl
	}
	if jitter := orElse(cmd.Jitter, d.jitter); jitter > 0 && ttl > 0 {
		ttl -= time.Duration(float64(ttl) * float64(jitter) * rand.Float64())
	}
	return Deadline(now, ttl)
}

// newEntry makes the entry that cmd writes, reading the time only where something depends on it.
func (e *engine) newEntry(cmd *Command, value []byte) *Entry {
	if e.near == nil || len(e.tiers) > 1 || cmd.TTL > 0 || cmd.TTL == DefaultTTL && e.defaults.Load().ttl > 0 {
		return e.entryAt(cmd, value, time.Now())
	}
	return cmd.entry(value, 0, e.versions.next())
}

func (e *engine) entryAt(cmd *Command, value []byte, now time.Time) *Entry {
	return cmd.entry(value, e.deadline(cmd, now), e.versions.at(now))
}

func (c *Command) entry(value []byte, expires int64, version uint64) *Entry {
	entry := &Entry{Value: value, Expires: expires, Version: version, Flags: c.EntryFlags, Codec: c.Codec}
	if c.Decoded != nil {
		entry.weight = c.DecodedWeight
		entry.SetDecoded(c.Decoded)
	}
	return entry
}

// keep returns key and value in memory that stays as it is.
func keep(cmd *Command, key string, value []byte) (string, []byte) {
	if cmd.Flags&FlagBorrowed == 0 {
		return owned(cmd, key), value
	}
	if len(value) == 0 {
		return strings.Clone(key), nil
	}
	both := make([]byte, len(key)+len(value))
	copy(both, key)
	copy(both[len(key):], value)
	return view(both[:len(key)]), both[len(key):]
}
