package edgecache

import (
	"errors"
	"unsafe"
)

// Features returns what the host grants besides clock, hash, log and rng: a sum of Feature constants. From Init on.
func Features() uint64 { return here.features }

// view is b as a string that is only read while the host's function runs.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// Log writes a line of up to MaxLog bytes to the host's log, at one of the Log levels, if the host's limit on the
// plugin's lines allows it. Needs "log".
func Log(level int, line string) { hostLog(int32(level), line) }

// LogBytes is Log of bytes.
func LogBytes(level int, line []byte) { hostLog(int32(level), view(line)) }

// LogEnabled reports whether a line of the level would be written at all. Needs "log".
func LogEnabled(level int) bool { return hostLogEnabled(int32(level)) != 0 }

// Now returns the time in unix nanoseconds. Needs "clock".
func Now() int64 { return hostNow() }

// Mono returns nanoseconds of a clock that never goes back. Needs "clock".
func Mono() int64 { return hostMono() }

// Random fills b with random bytes. Needs "rng".
func Random(b []byte) {
	for len(b) > 0 {
		n := min(len(b), MaxRandom)
		hostRandom(&b[0], uint32(n))
		b = b[n:]
	}
}

// Hash returns the XXH64 of b with seed 0. It needs no capability.
func Hash(b []byte) uint64 { return hostHash(view(b)) }

// ReadValue copies the value from offset on to b and returns how many bytes there were: in Before of the value to write,
// in After of the one that was read. Needs "value".
func (c *Call) ReadValue(b []byte, offset int) int {
	return int(hostValueRead(uint32(offset), unsafe.SliceData(b), uint32(len(b))))
}

// AppendValue appends the whole value to b. Needs "value".
func (c *Call) AppendValue(b []byte) []byte {
	b, to := extend(b, int(c.valueLen))
	return b[:len(b)-len(to)+c.ReadValue(to, 0)]
}

// extend makes b longer by n bytes, which it also returns.
func extend(b []byte, n int) (all, added []byte) {
	end := len(b) + n
	if end > cap(b) {
		b = append(make([]byte, 0, end), b...)
	}
	return b[:end], b[len(b):end]
}

// WriteValue makes value, which is copied, the call's value from here on, and reports whether the call has one: in Before
// that to write, in After that which was read. Needs "value".
func (c *Call) WriteValue(value []byte) bool { return hostValueWrite(view(value)) != 0 }

// Errors of the plugin's entries.
var (
	// ErrFull says that the plugin's share is used up, or that key or value are longer than MaxKVKey or MaxKVValue.
	ErrFull = errors.New("kv: the plugin's share is used up, or key or value are too long")
	// ErrDiffers says that the entry is not the expected one.
	ErrDiffers = errors.New("kv: the entry is not the expected one")
	// ErrNoNumber says that the entry is no number, or that there is no room for one.
	ErrNoNumber = errors.New("kv: the entry is no number, or there is no room for one")
)

func kvError(code int32) error {
	switch code {
	case KVFull:
		return ErrFull
	case KVDiffers:
		return ErrDiffers
	default:
		return nil
	}
}

// KVRead copies the entry's value to b as far as that is long, and returns the value's whole length, or KVAbsent. Entries
// are the plugin's own, shared by its instances and versions. Needs "kv", as all that begins with KV.
func KVRead(key, b []byte) int {
	return int(hostKVGet(view(key), unsafe.SliceData(b), uint32(len(b))))
}

// KVAppend appends the entry's value to b and reports whether there is one.
func KVAppend(b, key []byte) ([]byte, bool) {
	to := b[len(b):cap(b)]
	for {
		n := KVRead(key, to)
		switch {
		case n < 0:
			return b, false
		case n <= len(to):
			return append(b, to[:n]...), true
		}
		to = make([]byte, n) // it may have grown when asked again
	}
}

// KVSet sets an entry. ttl is in milliseconds, none if it is 0 or less. The error is ErrFull.
func KVSet(key, value []byte, ttl int64) error {
	return kvError(hostKVSet(view(key), view(value), ttl))
}

// KVCompareAndSwap sets an entry that is old, or if old is nil one that is absent. The error is ErrDiffers or ErrFull.
func KVCompareAndSwap(key, old, value []byte, ttl int64) error {
	n := int32(len(old))
	if old == nil {
		n = KVNone
	}
	return kvError(hostKVCAS(view(key), unsafe.SliceData(old), n, view(value), ttl))
}

// KVAdd adds to a number, which is 0 where it is absent, and returns the sum. ttl counts from the first addition. The
// error is ErrNoNumber.
func KVAdd(key []byte, delta, ttl int64) (int64, error) {
	n := hostKVAdd(view(key), delta, ttl)
	if n == KVFailed {
		return 0, ErrNoNumber
	}
	return n, nil
}

// KVDelete deletes an entry and reports whether there was one.
func KVDelete(key []byte) bool { return hostKVDelete(view(key)) == KVOK }

// Counter is a metric that only grows.
type Counter struct{ id int32 }

// Gauge is a metric that is set.
type Gauge struct{ id int32 }

// Histogram is a metric of how large values are, of nanoseconds for example.
type Histogram struct{ id int32 }

var errMetric = errors.New("metric can't be defined: a plugin has up to 64, with names of 1 to 64 of a-z 0-9 . _ -")

func define(kind int32, name string) (int32, error) {
	id := hostMetricDefine(kind, name)
	if id < 0 {
		return 0, errMetric
	}
	return id, nil
}

// NewCounter defines a counter, in Init. Needs "metrics", as the other two.
func NewCounter(name string) (Counter, error) {
	id, err := define(MetricCounter, name)
	return Counter{id}, err
}

// NewGauge defines a gauge, in Init.
func NewGauge(name string) (Gauge, error) {
	id, err := define(MetricGauge, name)
	return Gauge{id}, err
}

// NewHistogram defines a histogram, in Init.
func NewHistogram(name string) (Histogram, error) {
	id, err := define(MetricHistogram, name)
	return Histogram{id}, err
}

// Add adds to the counter.
func (c Counter) Add(n uint64) { hostCounterAdd(c.id, n) }

// Set sets the gauge.
func (g Gauge) Set(v int64) { hostGaugeSet(g.id, v) }

// Record adds a value to the histogram.
func (h Histogram) Record(v uint64) { hostHistRecord(h.id, v) }

// SpanAttr adds an attribute to the command's span, if the command is traced: up to MaxSpanAttrs in a call. Needs "trace".
func SpanAttr(key, value string) { hostSpanAttr(key, value) }
