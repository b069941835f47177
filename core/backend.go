package core

import (
	"context"
	"io"
	"iter"
	"math"
	"os"
	"strconv"
)

// Backend stores entries by key. It must be safe for concurrent use, and every key and value is any bytes.
//
// A key passed to a reading method or Delete is only valid until that method returns; a key or entry passed to a writing
// method stays as it is for ever, so a backend may keep it. Entries returned are immutable and shared.
//
// A miss is ErrNotFound itself, unwrapped and unallocated. An expired entry is a miss. A backend reports the other
// conditions of errors.go with those errors, wrapped or not, honours ctx where it waits, and never retains it.
type Backend interface {
	// Get returns the entry with its expiry, or ErrNotFound.
	Get(ctx context.Context, key string) (*Entry, error)
	// Set stores the entry whatever was there. An entry that has already expired deletes the key.
	Set(ctx context.Context, key string, e *Entry) error
	// Delete removes the entry and reports whether it was there.
	Delete(ctx context.Context, key string) (bool, error)
	// Close gives back what the backend holds. It is idempotent; after it every method returns ErrClosed.
	Close() error
}

// The optional abilities of a backend follow. The cache looks for each with a type assertion, once, when it is made,
// and does without where it can.

// Updater changes one entry atomically against every other writer of the store: all conditional writes, counters and
// appends rest on it. Without it a tier can't be the authority for them (ErrUnsupported).
type Updater interface {
	// Update calls fn with the entry, nil if absent, and stores what fn returns: nil deletes, the same pointer leaves
	// everything as it is, an error leaves everything as it is and is returned as it is. It returns what is stored
	// afterwards. fn may be called several times when other writers interfere, and must not block or call the backend.
	Update(ctx context.Context, key string, fn func(old *Entry) (*Entry, error)) (*Entry, error)
}

// Counter adds to a decimal int64 in one round trip.
type Counter interface {
	// Increment adds delta, negative or not, to the number at key, keeping its expiry. An absent key counts as 0 and
	// gets the expiry expires (unix nanoseconds, 0 never). It returns the new number, ErrNotInteger if the value is no
	// number, ErrOverflow if the sum leaves int64.
	Increment(ctx context.Context, key string, delta int64, expires int64) (int64, error)
}

// Sum returns what a Counter that rests on an Update stores in place of old, nil for an absent key, and the new number. It
// carries no version, as counters have none in other stores.
func Sum(old *Entry, delta, expires int64) (next *Entry, sum int64, err error) {
	next = &Entry{Expires: expires}
	if old != nil {
		var ok bool
		if sum, ok = ParseInt(old.Value); !ok {
			return nil, 0, ErrNotInteger
		}
		next.Expires, next.Flags = old.Expires, old.Flags
	}
	if delta > 0 && sum > math.MaxInt64-delta || delta < 0 && sum < math.MinInt64-delta {
		return nil, 0, ErrOverflow
	}
	sum += delta
	next.Value = strconv.AppendInt(nil, sum, 10)
	return next, sum, nil
}

// Condition is what a conditional write demands of the key.
type Condition uint8

// The conditions.
const (
	IfAbsent  Condition = iota + 1 // ErrExists otherwise
	IfPresent                      // ErrNotFound otherwise
)

// Check returns the condition's error where old, nil for an absent key, does not meet it.
func (c Condition) Check(old *Entry) error {
	switch {
	case c == IfAbsent && old != nil:
		return ErrExists
	case c == IfPresent && old == nil:
		return ErrNotFound
	default:
		return nil
	}
}

// ConditionalSetter writes under a condition in one round trip.
type ConditionalSetter interface {
	// SetIf stores the entry if cond holds; else it returns the condition's error.
	SetIf(ctx context.Context, key string, e *Entry, cond Condition) error
}

// Expirer changes an expiry without touching the value.
type Expirer interface {
	// Expire sets the expiry (unix nanoseconds; 0 never; one that has passed deletes) and reports whether the key is there.
	Expire(ctx context.Context, key string, expires int64) (bool, error)
}

// ExpiryReader reads an expiry without the value.
type ExpiryReader interface {
	// Expiry returns when the key's entry ends (unix nanoseconds, 0 never), or ErrNotFound.
	Expiry(ctx context.Context, key string) (int64, error)
}

// BatchGetter reads many keys in one round trip.
type BatchGetter interface {
	// GetMany writes to out[i] the entry of keys[i], or leaves nil on a miss. With an error, what was written stands, and
	// of the other keys nothing is known.
	GetMany(ctx context.Context, keys []string, out []*Entry) error
}

// BatchSetter writes many keys in one round trip.
type BatchSetter interface {
	// SetMany stores entries[i] at keys[i]. errs[i] is set for each key that failed; the error returned is for a
	// failure that left the fate of all keys unknown.
	SetMany(ctx context.Context, keys []string, entries []*Entry, errs []error) error
}

// BatchDeleter deletes many keys in one round trip.
type BatchDeleter interface {
	// DeleteMany sets found[i] where keys[i] was there.
	DeleteMany(ctx context.Context, keys []string, found []bool) error
}

// Scanner walks the keys of a store.
type Scanner interface {
	// Scan returns about count keys that begin with prefix and, if match is not "", match the glob pattern match after
	// the prefix, and the cursor to go on with; 0 begins and 0 ends. A key that is there from begin to end is returned
	// at least once. count <= 0 asks for all.
	Scan(ctx context.Context, cursor uint64, prefix, match string, count int) (keys []string, next uint64, err error)
}

// Clearer removes all keys with a prefix better than by Scan and Delete.
type Clearer interface {
	// Clear removes every key that begins with prefix; "" is every key.
	Clear(ctx context.Context, prefix string) error
}

// RangeDeleter removes the keys of a range better than by Scan and Delete. A prefix is a range (PrefixRange), and so is
// what is below the root of a tree.
type RangeDeleter interface {
	// DeleteRange removes every key k with from <= k and k < to, compared byte by byte, and returns how many were there.
	// to "" is no bound. With an error, that many are gone all the same.
	DeleteRange(ctx context.Context, from, to string) (int64, error)
}

// ExpiredDeleter gives back at once what entries that have expired still take. They are misses either way.
type ExpiredDeleter interface {
	// DeleteExpired removes all that have expired and returns how many there were. It may do so in slices, between which
	// other calls come through.
	DeleteExpired(ctx context.Context) (int64, error)
}

// Popper knows the entry that the store's policy would evict next. Cache.Pop deletes it, as a command that hooks see.
type Popper interface {
	// Victim returns, of the keys that begin with prefix, the one that the policy values least, and leaves it where it is.
	// It returns ErrNotFound if there is none, and ErrUnsupported where the policy can't tell.
	Victim(ctx context.Context, prefix string) (key string, err error)
}

// Evictor brings a store back within its bounds at once, which it otherwise does beside the commands.
type Evictor interface {
	// Evict removes what has expired and then, as the policy says, as many as are beyond the bounds. It returns how many
	// entries went.
	Evict(ctx context.Context) (int64, error)
}

// Peeker reads without a trace: the policy and the counts learn nothing.
type Peeker interface {
	// Peek is Get otherwise.
	Peek(ctx context.Context, key string) (*Entry, error)
}

// ValueOpener hands out values as open files, so that they can be sent without passing through the memory of the process.
type ValueOpener interface {
	// OpenValue returns the file that has the value of key, or ErrNotFound. It is a use, as Get is. The value has been proven
	// whole at least once since the store was opened or the file written. What is written, deleted or evicted afterwards does
	// not change what is read from the file. The caller closes it.
	OpenValue(ctx context.Context, key string) (*ValueFile, error)
}

// ValueFile is a value in an open file of its own, whose position is anywhere.
type ValueFile struct {
	File *os.File
	// Offset is where in the file the value begins, Size how long it is.
	Offset, Size int64
	// Entry is all that is known of the value but the bytes.
	Entry *Entry
}

// Swapper replaces an entry by another form of itself. It is for stores that hold the entries that they are given.
type Swapper interface {
	// Swap stores next if the key still has old, the very same, and reports whether it did.
	Swap(key string, old, next *Entry) bool
}

// Persister writes what a store holds to a stream and reads it back. It is for stores that lose everything with the process.
type Persister interface {
	// Persist writes all entries that have not expired, those worth the most first, with their expiries as points in time,
	// and returns how many. Writes meanwhile may be in it or not.
	Persist(ctx context.Context, w io.Writer) (int64, error)
	// Restore adds the entries of a stream that Persist wrote, without those that have expired or whose key is there, and
	// returns how many. Where the stream is damaged it keeps what came whole before, and returns an error that is ErrDecode
	// and says where.
	Restore(ctx context.Context, r io.Reader) (int64, error)
}

// Flusher makes durable what a store still holds back.
type Flusher interface {
	// Flush returns once all that was written before the call survives the end of the process.
	Flush(ctx context.Context) error
}

// Info is what a store tells of itself to people.
type Info struct {
	// Name is the kind of the store and what tells it from others: "memory (tinylfu)", "sqlite /var/cache/edge.db".
	Name string
	// Entries and Bytes are what it holds, -1 where it can't tell. What Bytes counts is the store's affair.
	Entries, Bytes int64
	// Approximate says that the figures are estimates, lag behind, or count what has expired.
	Approximate bool
}

// Inspector tells what a store holds. It may look at everything, so it is not for every second.
type Inspector interface {
	Inspect(ctx context.Context) (Info, error)
}

// Cause says why an entry is not there any more.
type Cause uint8

// The causes.
const (
	CauseDeleted  Cause = iota + 1 // a command deleted its key
	CauseExpired                   // its time was over
	CauseEvicted                   // it made room for others, or was not let in
	CauseReplaced                  // a command wrote another one
	CausePopped                    // Pop took it
	CauseCleared                   // Clear, or a deletion by range, took it with others
)

// Notifier tells which entries went without a command that names their key.
type Notifier interface {
	// Notify has fn called for each entry that is removed from now on with CauseExpired, CauseEvicted or CauseCleared; nil
	// ends that, and another fn takes its place. fn may be called by several goroutines at once, beside or below the
	// store's own locks: it must be quick, and must not block or call the backend. Calls that are under way may still come
	// when Notify returns. key and e are fn's to keep. The store pays nothing while there is no fn.
	Notify(fn func(key string, e *Entry, cause Cause))
}

// Rawer takes commands of the store's own language.
type Rawer interface {
	// Raw runs the command and returns the client's own form of the reply.
	Raw(ctx context.Context, args ...any) (any, error)
}

// Pinger tells whether the store answers.
type Pinger interface {
	Ping(ctx context.Context) error
}

// Sizer tells how much a local store holds, cheaply.
type Sizer interface {
	// Size returns the number of entries and their weight in bytes; both may lag behind.
	Size() (entries, bytes int64)
}

// KeyCounter tells how many keys a remote store holds.
type KeyCounter interface {
	CountKeys(ctx context.Context) (int64, error)
}

// EvictionCounter tells how many entries the store's policy has evicted.
type EvictionCounter interface {
	Evictions() int64
}

// PolicyNamer tells which policy of eviction a local store works with.
type PolicyNamer interface {
	// EvictionPolicy returns the policy's name, and where another one had to take over from it, that one's and why.
	EvictionPolicy() (name string, failure error)
}

// DecodeErrorCounter tells how many stored values were damaged and read as misses.
type DecodeErrorCounter interface {
	DecodeErrors() int64
}

// ScanAll walks all keys of s that begin with prefix, in pages, holding one page at a time. A key may come twice.
func ScanAll(ctx context.Context, s Scanner, prefix, match string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		var cursor uint64
		for {
			keys, next, err := s.Scan(ctx, cursor, prefix, match, 512)
			if err != nil {
				yield("", err)
				return
			}
			for _, k := range keys {
				if !yield(k, nil) {
					return
				}
			}
			if next == 0 {
				return
			}
			cursor = next
		}
	}
}

// PrefixRange returns the range of DeleteRange that holds exactly the keys that begin with prefix.
func PrefixRange(prefix string) (from, to string) {
	for n := len(prefix); n > 0; n-- {
		if last := prefix[n-1]; last != 0xff {
			return prefix, prefix[:n-1] + string([]byte{last + 1})
		}
	}
	return prefix, "" // nothing sorts after these but what begins with them
}

var causeNames = [...]string{"", "deleted", "expired", "evicted", "replaced", "popped", "cleared"}

// String returns the cause's name.
func (c Cause) String() string {
	if int(c) < len(causeNames) {
		return causeNames[c]
	}
	return "unknown"
}
