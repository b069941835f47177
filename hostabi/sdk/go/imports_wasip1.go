package edgecache

// The host's functions. The linker leaves out those that nothing calls, so a module imports what its plugin uses.

//go:wasmimport edgecache_1 log
//go:noescape
func hostLog(level int32, text string)

//go:wasmimport edgecache_1 log_enabled
func hostLogEnabled(level int32) uint32

//go:wasmimport edgecache_1 now_ns
func hostNow() int64

//go:wasmimport edgecache_1 mono_ns
func hostMono() int64

//go:wasmimport edgecache_1 random
//go:noescape
func hostRandom(p *byte, n uint32)

//go:wasmimport edgecache_1 hash64
//go:noescape
func hostHash(b string) uint64

//go:wasmimport edgecache_1 value_read
//go:noescape
func hostValueRead(offset uint32, p *byte, n uint32) uint32

//go:wasmimport edgecache_1 value_write
//go:noescape
func hostValueWrite(b string) uint32

//go:wasmimport edgecache_1 kv_get
//go:noescape
func hostKVGet(key string, p *byte, room uint32) int64

//go:wasmimport edgecache_1 kv_set
//go:noescape
func hostKVSet(key, value string, ttl int64) int32

//go:wasmimport edgecache_1 kv_cas
//go:noescape
func hostKVCAS(key string, old *byte, oldLen int32, value string, ttl int64) int32

//go:wasmimport edgecache_1 kv_add
//go:noescape
func hostKVAdd(key string, delta, ttl int64) int64

//go:wasmimport edgecache_1 kv_delete
//go:noescape
func hostKVDelete(key string) int32

//go:wasmimport edgecache_1 metric_define
//go:noescape
func hostMetricDefine(kind int32, name string) int32

//go:wasmimport edgecache_1 counter_add
func hostCounterAdd(metric int32, delta uint64)

//go:wasmimport edgecache_1 gauge_set
func hostGaugeSet(metric int32, value int64)

//go:wasmimport edgecache_1 hist_record
func hostHistRecord(metric int32, value uint64)

//go:wasmimport edgecache_1 span_attr
//go:noescape
func hostSpanAttr(key, value string)
