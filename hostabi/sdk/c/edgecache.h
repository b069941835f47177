// edgecache.h is all that a guest in C needs: the numbers and layouts of the ABI, version 1, and a few helpers. There is
// no libc behind it. docs/ABI.md explains the calls; the numbers are checked against package hostabi by a test.
//
//   clang --target=wasm32 -nostdlib -ffreestanding -mbulk-memory -O2 -Wl,--no-entry -Wl,--stack-first \
//       -Wl,-z,stack-size=16384 -Wl,--strip-all -I hostabi/sdk/c -o guest.wasm guest.c
#ifndef EDGECACHE_H
#define EDGECACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// The call buffer (ec_call below has its fields).
#define EC_BUF_COOKIE 0
#define EC_BUF_NAMESPACE_LEN 8
#define EC_BUF_NAMESPACE_ID 12
#define EC_BUF_BATCH_INDEX 16
#define EC_BUF_BATCH_LEN 20
#define EC_BUF_KEY 64
#define EC_MIN_BUF 1024

// Times to live that are no milliseconds.
#define EC_TTL_DEFAULT 0
#define EC_TTL_NONE -1
#define EC_TTL_KEEP -2

// Flags of ec_before.
#define EC_CALL_BATCH 1

// Actions: what ec_before and ec_after return.
#define EC_ACTION_NONE 0
#define EC_ACTION_KEY 1
#define EC_ACTION_RESPOND 2
#define EC_ACTION_DENY 3
#define EC_ACTION_MISS 4
#define EC_ACTION_EXT 5
#define EC_ACTION_SHIFT 56
#define EC_ACTION_COOKIE (1ull << 55)
#define EC_OFFSET_SHIFT 32
#define EC_OFFSET_MASK 0x7fffff
#define EC_LENGTH_MASK 0xffffffff

// Patches of EC_ACTION_EXT.
#define EC_FIELD_KEY 1
#define EC_FIELD_TTL 2
#define EC_FIELD_VALUE 3
#define EC_FIELD_NAMESPACE 4
#define EC_PATCH_HEADER 5

// Events (ec_event below has the fields).
#define EC_EVENT_KEY_HASH 0
#define EC_EVENT_TIME 8
#define EC_EVENT_ELAPSED 16
#define EC_EVENT_VALUE_SIZE 20
#define EC_EVENT_TTL 24
#define EC_EVENT_NAMESPACE 28
#define EC_EVENT_OP 30
#define EC_EVENT_RESULT 31
#define EC_EVENT_SIZE 32
#define EC_EVENT_CONTINUED 0x80
#define EC_OUTCOME_MASK 0x0f
#define EC_TIER_SHIFT 4
#define EC_EVENT_BATCH 256

// The statistics block.
#define EC_LABEL_OP 0
#define EC_LABEL_NAMESPACE 8
#define EC_NAMESPACE_ALL 0xffff
#define EC_NAMESPACE_OTHER 0xfffe
#define EC_HISTOGRAM_SLOTS 40
#define EC_MAX_STAT_ROWS 4096

// Operations.
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

// Outcomes.
#define EC_OUTCOME_NONE 0
#define EC_OUTCOME_HIT 1
#define EC_OUTCOME_MISS 2
#define EC_OUTCOME_STORED 3
#define EC_OUTCOME_NOT_STORED 4
#define EC_OUTCOME_BYPASS 5
#define EC_OUTCOME_DENIED 6
#define EC_OUTCOME_ERROR 7

// The host's functions.
#define EC_LOG_DEBUG 0
#define EC_LOG_INFO 1
#define EC_LOG_WARN 2
#define EC_LOG_ERROR 3
#define EC_MAX_RANDOM 4096
#define EC_MAX_LOG 4096

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

// What the host offers. A manifest lists under "needs" the capability that is named behind a function it uses.
EC_IMPORT("log") void ec_log(uint32_t level, const void *text, uint32_t len); // log
EC_IMPORT("log_enabled") bool ec_log_enabled(uint32_t level);                 // log
EC_IMPORT("now_ns") uint64_t ec_now_ns(void);                                 // clock: unix time
EC_IMPORT("mono_ns") uint64_t ec_mono_ns(void);                               // clock: never goes back
EC_IMPORT("random") void ec_random(void *p, uint32_t len);                    // rng
EC_IMPORT("hash64") uint64_t ec_hash64(const void *p, uint32_t len);          // XXH64 with seed 0

// EC_MODULE marks the module as a guest of this ABI and puts the manifest, a file in the compiler's working directory,
// into the module's custom section. Once in a module.
#define EC_MODULE(manifest)                                                                          \
	__asm__(".section .custom_section.edgecache.manifest,\"\",@\n.incbin \"" manifest "\"\n.text\n"); \
	EC_EXPORT("edgecache_abi_hook_1") void ec_marker(void) {}

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
