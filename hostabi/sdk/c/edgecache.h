// edgecache.h is all that a guest in C needs: the numbers and layouts of the ABI, version 1, the host's functions, and a
// few helpers. There is no libc behind it. docs/ABI.md explains the calls.
//
//   clang --target=wasm32 -nostdlib -ffreestanding -mbulk-memory -O2 -Wl,--no-entry -Wl,--stack-first \
//       -Wl,-z,stack-size=16384 -Wl,--strip-debug -o guest.wasm guest.c
#ifndef EDGECACHE_H
#define EDGECACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// generated from hostabi by make docs: begin

// The call buffer that ec_buf returns: a header, then the key, then the namespace's path.
#define EC_BUF_COOKIE 0        // u64: in ec_before written by the guest (with EC_ACTION_COOKIE), in ec_after what it wrote, else 0
#define EC_BUF_NAMESPACE_LEN 8 // u32: length of the namespace's path, which follows the key; 0 is the root
#define EC_BUF_NAMESPACE_ID 12 // u32: number of the namespace, stable while the process lives
#define EC_BUF_BATCH_INDEX 16  // u32: which key of a command on many this is
#define EC_BUF_BATCH_LEN 20    // u32: how many keys the command has
#define EC_BUF_KEY 64          // the key's bytes
// EC_MIN_BUF is the smallest buffer that the host asks ec_buf for.
#define EC_MIN_BUF 1024

// TTL values that are no milliseconds, in ec_before's ttl_ms and in EC_FIELD_TTL.
#define EC_TTL_DEFAULT 0
#define EC_TTL_NONE (-1)
#define EC_TTL_KEEP (-2)

// Flags of ec_before.

// EC_CALL_BATCH is set where the command is on many keys: the guest is called for each.
#define EC_CALL_BATCH 1

// An action is what ec_before and ec_after return: 0 goes on unchanged; else
//
//     action<<56 | cookie<<55 | offset<<32 | length
//
// where offset (23 bits) is relative to the call buffer, and the bytes there belong to the guest: the host copies them
// at once. Cookie says that the guest wrote the header's cookie; it may stand alone.
#define EC_ACTION_NONE 0    // go on
#define EC_ACTION_KEY 1     // before: the bytes are the new key
#define EC_ACTION_RESPOND 2 // before: the bytes are the value, the tiers are not asked. After: the bytes replace the value read
#define EC_ACTION_DENY 3    // before: the command is refused and the bytes are the reason
#define EC_ACTION_MISS 4    // before: a read misses, a write is skipped
#define EC_ACTION_EXT 5     // before: the bytes are a list of patches
#define EC_ACTION_SHIFT 56
#define EC_ACTION_COOKIE (1ull << 55)
#define EC_OFFSET_SHIFT 32
#define EC_OFFSET_MASK 0x7fffff
#define EC_LENGTH_MASK 0xffffffff

// A patch of EC_ACTION_EXT is a u8 field, a u32 length and that many bytes.
#define EC_FIELD_KEY 1       // the new key
#define EC_FIELD_TTL 2       // i64 milliseconds or a TTL constant
#define EC_FIELD_VALUE 3     // the new value of a write
#define EC_FIELD_NAMESPACE 4 // the path of the namespace to move to
#define EC_PATCH_HEADER 5    // bytes before a patch's payload

// An event, 32 bytes.
#define EC_EVENT_KEY_HASH 0    // u64: 0 unless the manifest needs "hash"
#define EC_EVENT_TIME 8        // u64: unix nanoseconds at the end of the command; 0 unless the manifest needs "clock"
#define EC_EVENT_ELAPSED 16    // u32: nanoseconds the command took; 0 unless the manifest needs "clock"
#define EC_EVENT_VALUE_SIZE 20 // u32: length of the value read or written
#define EC_EVENT_TTL 24        // u32: seconds a write asked for, rounded up; 0 default, 0xffffffff none or kept
#define EC_EVENT_NAMESPACE 28  // u16: number of the namespace
#define EC_EVENT_OP 30         // u8: Op, with EC_EVENT_CONTINUED for every key of a command but the first
#define EC_EVENT_RESULT 31     // u8: Outcome in bits 0-3, the tier that answered (1 is the nearest, 0 none) in bits 4-7
#define EC_EVENT_SIZE 32
#define EC_EVENT_CONTINUED 0x80
#define EC_OUTCOME_MASK 0x0f
#define EC_TIER_SHIFT 4
// EC_EVENT_BATCH is how many events the host hands over at most, and what it asks ec_events for.
#define EC_EVENT_BATCH 256

// The statistics block of ec_stats: rows of u64 slots. The first slot of a row is its label, the others are the columns
// of the manifest's "stats" in their order, a histogram taking EC_HISTOGRAM_SLOTS.
#define EC_LABEL_OP 0        // bits 0-7 of the label: the Op, 0 is all of them
#define EC_LABEL_NAMESPACE 8 // bits 8-23 of the label: the namespace's number, or a Namespace constant
#define EC_NAMESPACE_ALL 0xffff
#define EC_NAMESPACE_OTHER 0xfffe // those that had no row left
// EC_HISTOGRAM_SLOTS is how many slots a log2 histogram takes: slot i counts values v with bit length i, the last also
// all above. So slot 0 counts zeros, slot i (from 1) values in [2^(i-1), 2^i).
#define EC_HISTOGRAM_SLOTS 40
// EC_MAX_STAT_ROWS is how many rows a guest may report.
#define EC_MAX_STAT_ROWS 4096

// The operations.
#define EC_OP_GET 1
#define EC_OP_GET_MANY 2
#define EC_OP_SET 3
#define EC_OP_SET_MANY 4
#define EC_OP_ADD 5
#define EC_OP_REPLACE 6
#define EC_OP_COMPARE_AND_SWAP 7
#define EC_OP_APPEND 8
#define EC_OP_PREPEND 9
#define EC_OP_INCREMENT 10
#define EC_OP_DECREMENT 11
#define EC_OP_EXISTS 12
#define EC_OP_TTL 13
#define EC_OP_EXPIRE 14
#define EC_OP_DELETE 15
#define EC_OP_DELETE_MANY 16
#define EC_OP_CLEAR 17
#define EC_OP_KEYS 18
#define EC_OP_RAW 19
#define EC_OP_COUNT 20

// The outcomes, in events and in ec_after's result (there also with the tier above them).
#define EC_OUTCOME_NONE 0
#define EC_OUTCOME_HIT 1
#define EC_OUTCOME_MISS 2
#define EC_OUTCOME_STORED 3
#define EC_OUTCOME_NOT_STORED 4
#define EC_OUTCOME_BYPASS 5
#define EC_OUTCOME_DENIED 6
#define EC_OUTCOME_ERROR 7

// Levels of log.
#define EC_LOG_DEBUG 0
#define EC_LOG_INFO 1
#define EC_LOG_WARN 2
#define EC_LOG_ERROR 3

// What the functions of capability "kv" return beside lengths and numbers. Entries are the plugin's own: all its instances
// and versions see the same ones, and they end with it. A number of kv_add is an entry of 8 bytes. A time to live
// is in milliseconds, 0 or below is none.
#define EC_KV_OK 0
#define EC_KV_ABSENT (-1)      // there is no such entry
#define EC_KV_FULL (-2)        // the plugin's share is used up, or key or value are too long
#define EC_KV_DIFFERS (-3)     // the entry is not the expected one
#define EC_KV_NONE (-1)        // as a length: no entry is expected
#define EC_KV_FAILED INT64_MIN // of kv_add: the entry is no number, or EC_KV_FULL

// Kinds of metric_define.
#define EC_METRIC_COUNTER 0
#define EC_METRIC_GAUGE 1
#define EC_METRIC_HISTOGRAM 2

// Bits of ec_init's features, which say what the host has granted besides clock, hash, log and rng.
#define EC_FEATURE_VALUE 1
#define EC_FEATURE_KV 2
#define EC_FEATURE_METRICS 4
#define EC_FEATURE_TRACE 8

// EC_MAX_RANDOM is how many bytes random gives at once.
#define EC_MAX_RANDOM 4096
// EC_MAX_LOG is how much of a text log takes; the rest is cut off.
#define EC_MAX_LOG 4096
// EC_MAX_KV_KEY is how long a key of capability "kv" may be.
#define EC_MAX_KV_KEY 1024
// EC_MAX_KV_VALUE is how long a value of capability "kv" may be.
#define EC_MAX_KV_VALUE 65536
// EC_MAX_METRICS bounds the metrics of a plugin. Their names are 1 to 64 of a-z 0-9 . _ - and begin with a letter or digit.
#define EC_MAX_METRICS 64
// EC_MAX_SPAN_ATTRS bounds the attributes of one call, whose keys are named as metrics are.
#define EC_MAX_SPAN_ATTRS 16
// EC_MAX_SPAN_VALUE is how much of an attribute's value is taken; the rest is cut off.
#define EC_MAX_SPAN_VALUE 256

// The spec of the cache that ec_policy_init finds at the beginning of the call buffer.
#define EC_SPEC_CAPACITY 0    // u64: how much fits: objects, or bytes with EC_SPEC_BYTES
#define EC_SPEC_SEED 8        // u64: of what the policy chooses at random
#define EC_SPEC_OBJECTS 16    // u32: ids go from 0 to one below
#define EC_SPEC_MOST 20       // u32: how many objects can be resident at once
#define EC_SPEC_BATCH 24      // u32: how many requests a call of ec_policy_batch has at most
#define EC_SPEC_FLAGS 28      // u32: EC_SPEC_BYTES, or 0
#define EC_SPEC_PARAMS_LEN 32 // u32: length of the parameters
#define EC_SPEC_PARAMS 36     // the parameters: a JSON object of strings

// Flags of EC_SPEC_FLAGS.

// EC_SPEC_BYTES says that sizes count. Else every object counts 1.
#define EC_SPEC_BYTES 1

// The frame, whose address ec_policy_init returns: addresses of buffers that stay where they are.
#define EC_FRAME_IDS 0       // u32: of EC_SPEC_BATCH u32, the objects that are asked for
#define EC_FRAME_SIZES 4     // u32: of EC_SPEC_BATCH u32, their sizes; used with EC_SPEC_BYTES alone
#define EC_FRAME_HITS 8      // u32: of a bit for each of EC_SPEC_BATCH requests, in u32 from the lowest bit on
#define EC_FRAME_VICTIMS 12  // u32: of EC_SPEC_MOST+EC_SPEC_BATCH victims
#define EC_FRAME_RESERVED 16 // u32: 0
#define EC_FRAME_SIZE 20

// A victim, 8 bytes.
#define EC_VICTIM_AT 0 // u32: index of the request that it makes room for, from 0
#define EC_VICTIM_ID 4 // u32: the object
#define EC_VICTIM_SIZE 8

// EC_MAX_POLICY_TEXT is how long the text may be that says why ec_policy_init refuses, the 0 at its end included.
#define EC_MAX_POLICY_TEXT 1024

// The phases of an exchange, of ec_http.
#define EC_HTTP_PHASE_REQUEST 1  // ahead of everything
#define EC_HTTP_PHASE_KEY 2      // makes the key
#define EC_HTTP_PHASE_LOOKUP 3   // a stored response was found
#define EC_HTTP_PHASE_RESPONSE 4 // the origin's header has come
#define EC_HTTP_PHASE_ADMIT 5    // a response is about to take room
#define EC_HTTP_PHASE_DELIVER 6  // ahead of the header that the client gets
#define EC_HTTP_PHASE_COUNT 7

// The frame that ec_http finds at the beginning of the call buffer. A string is a u32 offset from the beginning of the frame
// and, 4 bytes on, a u32 length. What a phase has no part in is 0.
#define EC_HTTP_FRAME_LENGTH 0          // u32: of the whole frame
#define EC_HTTP_FRAME_PHASE 4           // u8: as the parameter
#define EC_HTTP_FRAME_METHOD_NUMBER 5   // u8: an HTTPMethod
#define EC_HTTP_FRAME_SCHEME 6          // u8: 0 http, 1 https
#define EC_HTTP_FRAME_FLAGS 7           // u8: sum of HTTPFlag
#define EC_HTTP_FRAME_STATUS 8          // u16: of the response
#define EC_HTTP_FRAME_OUTCOME 10        // u8: in deliver an HTTPOutcome
#define EC_HTTP_FRAME_FAMILY 11         // u8: 4 or 6, of the client's address; 0 if that is not known
#define EC_HTTP_FRAME_RESERVED 12       // u32
#define EC_HTTP_FRAME_METHOD 16         // string
#define EC_HTTP_FRAME_HOST 24           // string: in lower case, as it goes into keys
#define EC_HTTP_FRAME_TARGET 32         // string: path and query; in key as the plugins ahead left it
#define EC_HTTP_FRAME_REQUEST_LINES 40  // u32 offset of the request's lines, and their number in a u32
#define EC_HTTP_FRAME_RESPONSE_LINES 48 // u32 offset of the response's lines, and their number in a u32
#define EC_HTTP_FRAME_CLIENT 56         // 16 bytes: the client's address, of IPv4 the first 4
#define EC_HTTP_FRAME_AGE 72            // i64: milliseconds that the stored response is old
#define EC_HTTP_FRAME_TTL 80            // i64: milliseconds that the response is fresh from now on; a stored one that is stale, below 0
#define EC_HTTP_FRAME_SWR 88            // i64: milliseconds behind that in which it may be used while it is validated
#define EC_HTTP_FRAME_SIE 96            // i64: milliseconds behind that in which it may be used if the origin fails
#define EC_HTTP_FRAME_BODY 104          // i64: length of the body, -1 if it is not known
#define EC_HTTP_FRAME_KEY_HASH 112      // u64: in admit
#define EC_HTTP_FRAME_FREQUENCY 120     // u32: in admit about how often the key was asked for lately, 0 if that is not known
#define EC_HTTP_FRAME_STRINGS 128       // lines, then strings

// A line of a header, 12 bytes: those of the fields that the manifest names, in its order, each as often as it is there.
#define EC_HTTP_LINE_NAME 0   // u16: index in the manifest's "headers" or "response_headers"
#define EC_HTTP_LINE_OFFSET 4 // u32: where the value is, from the beginning of the frame
#define EC_HTTP_LINE_LENGTH 8 // u32
#define EC_HTTP_LINE_SIZE 12

// Bits of EC_HTTP_FRAME_FLAGS.
#define EC_HTTP_FLAG_BARRED 1 // in response: no-store, private or Authorization forbid to keep it
#define EC_HTTP_FLAG_STORE 2  // in response: it is kept, unless a verdict says otherwise

// Methods.
#define EC_HTTP_METHOD_OTHER 0
#define EC_HTTP_METHOD_GET 1
#define EC_HTTP_METHOD_HEAD 2
#define EC_HTTP_METHOD_POST 3
#define EC_HTTP_METHOD_PUT 4
#define EC_HTTP_METHOD_DELETE 5
#define EC_HTTP_METHOD_PATCH 6
#define EC_HTTP_METHOD_OPTIONS 7
#define EC_HTTP_METHOD_COUNT 8

// Where an answer comes from.
#define EC_HTTP_OUTCOME_NONE 0
#define EC_HTTP_OUTCOME_HIT 1         // stored and fresh
#define EC_HTTP_OUTCOME_STALE 2       // stored and stale
#define EC_HTTP_OUTCOME_REVALIDATED 3 // stored, and validated for this request
#define EC_HTTP_OUTCOME_MISS 4        // the origin's
#define EC_HTTP_OUTCOME_COLLAPSED 5   // the origin's, fetched for another request
#define EC_HTTP_OUTCOME_BYPASS 6      // the origin's, by the cache
#define EC_HTTP_OUTCOME_HOOK 7        // a plugin's
#define EC_HTTP_OUTCOME_ERROR 8       // the cache's own
#define EC_HTTP_OUTCOME_COUNT 9

// A verdict is a list of patches: a u8 field, a u32 length and that many bytes, without gaps. An edit's bytes are a u16 length
// of the name, the name and the value.
#define EC_HTTP_FIELD_ACTION 1   // request: u8 HTTPAction, u8 0, u16 status
#define EC_HTTP_FIELD_LOCATION 2 // request: where redirect goes
#define EC_HTTP_FIELD_BODY 3     // request: of deny and synth
#define EC_HTTP_FIELD_SET 4      // request, response, deliver: edit, one line in the place of all of that name
#define EC_HTTP_FIELD_ADD 5      // request, response, deliver: edit, one more line
#define EC_HTTP_FIELD_REMOVE 6   // request, response, deliver: the name of a field that goes
#define EC_HTTP_FIELD_TARGET 7   // key: path and query in the place of the request's
#define EC_HTTP_FIELD_HIDE 8     // key: no bytes: the origin gets the request's own target
#define EC_HTTP_FIELD_EXTRA 9    // key: bytes that are added to the key
#define EC_HTTP_FIELD_VARY 10    // key: edit, a value in the place of the request's where Vary names the field
#define EC_HTTP_FIELD_LOOKUP 11  // lookup: u8 HTTPLookup
#define EC_HTTP_FIELD_STORE 12   // response: u8, 1 keeps it and 0 does not
#define EC_HTTP_FIELD_TTL 13     // response: i64 milliseconds
#define EC_HTTP_FIELD_SWR 14     // response: i64 milliseconds
#define EC_HTTP_FIELD_SIE 15     // response: i64 milliseconds
#define EC_HTTP_FIELD_TAG 16     // response: a tag, for purging
#define EC_HTTP_FIELD_REFUSE 17  // admit: no bytes: it is not kept
#define EC_HTTP_FIELD_COUNT 18

// What a request comes to.
#define EC_HTTP_ACTION_PASS 0
#define EC_HTTP_ACTION_BYPASS 1   // goes on to the origin by the cache
#define EC_HTTP_ACTION_DENY 2     // is answered with a status from 400 to 599 and a body
#define EC_HTTP_ACTION_REDIRECT 3 // is answered with a status 301, 302, 303, 307 or 308 and a location
#define EC_HTTP_ACTION_SYNTH 4    // is answered with a status from 200 to 599, a header and a body
#define EC_HTTP_ACTION_COUNT 5

// What a stored response is used for.
#define EC_HTTP_LOOKUP_USE 0        // as HTTP has it
#define EC_HTTP_LOOKUP_REVALIDATE 1 // it is validated, even if it is fresh
#define EC_HTTP_LOOKUP_MISS 2       // another one is fetched
#define EC_HTTP_LOOKUP_COUNT 3

// An event of HTTP, 32 bytes, of ec_observe.
#define EC_HTTP_EVENT_KEY_HASH 0 // u64: tells keys apart while the process lives
#define EC_HTTP_EVENT_TIME 8     // u64: unix nanoseconds at the end of the exchange
#define EC_HTTP_EVENT_ELAPSED 16 // u32: microseconds that it took
#define EC_HTTP_EVENT_SIZE 20    // u32: bytes of body that the client got
#define EC_HTTP_EVENT_AGE 24     // u32: seconds that the stored response was old
#define EC_HTTP_EVENT_STATUS 28  // u16
#define EC_HTTP_EVENT_METHOD 30  // u8: an HTTPMethod
#define EC_HTTP_EVENT_OUTCOME 31 // u8: an HTTPOutcome

// Limits of frames and verdicts, in bytes, or how many.
#define EC_MAX_HTTP_FRAME 65536          // a longer one is not shown to the guest
#define EC_MAX_HTTP_VERDICT (1ull << 17) // as a whole
#define EC_MAX_HTTP_BODY 65536
#define EC_MAX_HTTP_TARGET 32768
#define EC_MAX_HTTP_EXTRA 1024
#define EC_MAX_HTTP_EDITS 64
#define EC_MAX_HTTP_VARY 16
#define EC_MAX_HTTP_TAGS 64
#define EC_MAX_HTTP_TAG 256

// generated from hostabi by make docs: end

// ec_call is the call buffer: the host writes it before each call, the guest owns the memory.
typedef struct {
	uint64_t cookie;        // written by ec_before (with EC_ACTION_COOKIE), given back to ec_after
	uint32_t namespace_len; // the namespace's path follows the key
	uint32_t namespace_id;
	uint32_t batch_index, batch_len; // which key of how many
	uint8_t reserved[40];
	uint8_t key[]; // the key; in ec_init the configuration, and the error text that it leaves
} ec_call;

// ec_event is one key of a command that has ended.
typedef struct {
	uint64_t key_hash;
	uint64_t time;       // unix nanoseconds
	uint32_t elapsed;    // nanoseconds
	uint32_t value_size; // bytes
	uint32_t ttl;        // seconds
	uint16_t namespace_id;
	uint8_t op;     // EC_EVENT_CONTINUED is added for every key of a command but the first
	uint8_t result; // outcome in the low four bits, tier in the high four
} ec_event;

_Static_assert(offsetof(ec_call, namespace_len) == EC_BUF_NAMESPACE_LEN, "layout of ec_call");
_Static_assert(offsetof(ec_call, batch_index) == EC_BUF_BATCH_INDEX, "layout of ec_call");
_Static_assert(offsetof(ec_call, key) == EC_BUF_KEY, "layout of ec_call");
_Static_assert(offsetof(ec_event, elapsed) == EC_EVENT_ELAPSED, "layout of ec_event");
_Static_assert(offsetof(ec_event, result) == EC_EVENT_RESULT, "layout of ec_event");
_Static_assert(sizeof(ec_event) == EC_EVENT_SIZE, "layout of ec_event");

#define EC_EXPORT(name) __attribute__((export_name(name)))
#define EC_IMPORT(name) __attribute__((import_module("edgecache_1"), import_name(name)))

// What the host offers. A manifest lists under "needs" the capability that stands above a function it uses; hash64 needs
// none. Lengths are of bytes.

// log: levels are EC_LOG_...; ask first whether a line would be written if it costs something to make.
EC_IMPORT("log") void ec_log(uint32_t level, const void *text, uint32_t len);
EC_IMPORT("log_enabled") bool ec_log_enabled(uint32_t level);
// clock: unix time, and one that never goes back, in nanoseconds.
EC_IMPORT("now_ns") uint64_t ec_now_ns(void);
EC_IMPORT("mono_ns") uint64_t ec_mono_ns(void);
// rng: up to EC_MAX_RANDOM bytes.
EC_IMPORT("random") void ec_random(void *p, uint32_t len);
// XXH64 with seed 0.
EC_IMPORT("hash64") uint64_t ec_hash64(const void *p, uint32_t len);
// value: of a write in ec_before, of what was read in ec_after. ec_value_read returns how many bytes it copied,
// ec_value_write whether there is a value to replace.
EC_IMPORT("value_read") uint32_t ec_value_read(uint32_t offset, void *p, uint32_t len);
EC_IMPORT("value_write") bool ec_value_write(const void *p, uint32_t len);
// kv: entries that all instances share. Results are EC_KV_..., and of ec_kv_get the entry's whole length. Times to live are
// in milliseconds, 0 is none.
EC_IMPORT("kv_get") int64_t ec_kv_get(const void *key, uint32_t key_len, void *p, uint32_t room);
EC_IMPORT("kv_set") int32_t ec_kv_set(const void *key, uint32_t key_len, const void *value, uint32_t value_len, int64_t ttl_ms);
EC_IMPORT("kv_cas") int32_t ec_kv_cas(const void *key, uint32_t key_len, const void *old, int32_t old_len, const void *value, uint32_t value_len, int64_t ttl_ms);
EC_IMPORT("kv_add") int64_t ec_kv_add(const void *key, uint32_t key_len, int64_t delta, int64_t ttl_ms);
EC_IMPORT("kv_delete") int32_t ec_kv_delete(const void *key, uint32_t key_len);
// metrics: ec_metric_define, in ec_init, gives the number that the others take, or -1; kinds are EC_METRIC_...
EC_IMPORT("metric_define") int32_t ec_metric_define(uint32_t kind, const void *name, uint32_t len);
EC_IMPORT("counter_add") void ec_counter_add(int32_t metric, uint64_t delta);
EC_IMPORT("gauge_set") void ec_gauge_set(int32_t metric, int64_t value);
EC_IMPORT("hist_record") void ec_hist_record(int32_t metric, uint64_t value);
// trace: an attribute of the command's span.
EC_IMPORT("span_attr") void ec_span_attr(const void *key, uint32_t key_len, const void *value, uint32_t value_len);

// EC_MODULE marks the module as a guest of this ABI and puts the manifest, a file in the compiler's working directory,
// into the module's custom section. Once in a module.
#define EC_MODULE(manifest)                                                                          \
	__asm__(".section .custom_section.edgecache.manifest,\"\",@\n.incbin \"" manifest "\"\n.text\n"); \
	EC_EXPORT("edgecache_abi_hook_1") void ec_marker(void) {}

// EC_BUFFER defines the call buffer and ec_buf: room bytes for the key and the namespace behind it (or the configuration),
// and spare bytes at name->key + room, which are the guest's alone. What does not fit is refused. An author who wants
// more only when it is needed writes ec_buf himself.
#define EC_BUFFER(name, room, spare)                                                    \
	static _Alignas(8) uint8_t name##_memory[EC_BUF_KEY + (room) + (spare)];            \
	static ec_call *const name = (ec_call *)name##_memory;                              \
	EC_EXPORT("ec_buf") ec_call *ec_buf(uint32_t min_size) {                            \
		return min_size <= EC_BUF_KEY + (room) ? name : NULL;                           \
	}

// EC_EVENTS defines the buffer of events that ec_observe(n) finds its n events in. Once in an observer.
#define EC_EVENTS(buffer)                                             \
	static ec_event buffer[EC_EVENT_BATCH];                           \
	EC_EXPORT("ec_events") ec_event *ec_events(uint32_t capacity) {   \
		return capacity <= EC_EVENT_BATCH ? buffer : NULL;            \
	}

// ec_action says what to do with the len bytes at p, which must lie at or up to 8 MiB behind the call buffer.
static inline uint64_t ec_action(uint32_t action, const ec_call *call, const void *p, uint32_t len) {
	uint64_t offset = (uint64_t)((const uint8_t *)p - (const uint8_t *)call);
	return (uint64_t)action << EC_ACTION_SHIFT | offset << EC_OFFSET_SHIFT | len;
}

// ec_deny refuses the command for the given reason, which takes the key's place in the buffer.
static inline uint64_t ec_deny(ec_call *call, const char *reason) {
	uint32_t n = 0;
	for (; reason[n] != 0; n++) call->key[n] = reason[n];
	return ec_action(EC_ACTION_DENY, call, call->key, n);
}

// ec_patch writes a patch for EC_ACTION_EXT to p and returns where the next one goes.
static inline uint8_t *ec_patch(uint8_t *p, uint8_t field, const void *data, uint32_t len) {
	p[0] = field;
	__builtin_memcpy(p + 1, &len, sizeof len);
	__builtin_memcpy(p + EC_PATCH_HEADER, data, len);
	return p + EC_PATCH_HEADER + len;
}

// ec_patch_ttl writes a patch of the time to live, in milliseconds or EC_TTL_...
static inline uint8_t *ec_patch_ttl(uint8_t *p, int64_t ttl_ms) { return ec_patch(p, EC_FIELD_TTL, &ttl_ms, sizeof ttl_ms); }

// ec_outcome and ec_tier take apart the result of ec_after and of events.
static inline uint32_t ec_outcome(uint32_t result) { return result & EC_OUTCOME_MASK; }
static inline uint32_t ec_tier(uint32_t result) { return result >> EC_TIER_SHIFT & EC_OUTCOME_MASK; }

// ec_label is the first slot of a row of statistics.
static inline uint64_t ec_label(uint32_t op, uint32_t namespace_id) {
	return (uint64_t)op << EC_LABEL_OP | (uint64_t)namespace_id << EC_LABEL_NAMESPACE;
}

// ec_block is what ec_stats returns: where the rows are and how many.
static inline uint64_t ec_block(const void *rows, uint32_t n) {
	return (uint64_t)(uintptr_t)rows << 32 | n;
}

// ec_copy copies n bytes between places that do not overlap, without leaving the guest's code for short ones.
static inline void ec_copy(uint8_t *to, const uint8_t *from, uint32_t n) {
	if (n > 128) {
		__builtin_memcpy(to, from, n);
		return;
	}
	if (n < 8) {
		for (uint32_t i = 0; i < n; i++) to[i] = from[i];
		return;
	}
	for (uint32_t i = 0; i < n - 8; i += 8) __builtin_memcpy(to + i, from + i, 8);
	__builtin_memcpy(to + n - 8, from + n - 8, 8); // overlaps the word before it unless n is a multiple of 8
}

// ec_equal reports whether n bytes are the same.
static inline bool ec_equal(const uint8_t *a, const uint8_t *b, uint32_t n) {
	for (uint32_t i = 0; i < n; i++) {
		if (a[i] != b[i]) return false;
	}
	return true;
}

#endif
