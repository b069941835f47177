// An LRU policy by the bare ABI, in both forms, without an SDK: see docs/ABI.md, "Policies". With REMEMBER it keeps out what it
// has thrown out, the next time that this is asked for.
#include <stdint.h>

#define EXPORT(name) __attribute__((export_name(name)))
#define NOBODY UINT32_MAX

typedef struct { uint64_t capacity, seed; uint32_t objects, most, batch, flags, params_len; char params[]; } spec;
typedef struct { uint32_t at, id; } victim;
typedef struct { uint32_t newer, older; } links;

extern uint8_t __heap_base[];

static _Alignas(8) uint8_t call[65536];
static _Alignas(8) struct { uint32_t *ids, *sizes, *hits; victim *victims; uint32_t reserved; } frame;

static uint64_t capacity, used;
// at has the links of object id at id+1, newer being 0 where it is absent. The list is closed by the end: at[end].older is
// the newest object, at[end].newer the oldest.
static links *at;
static uint32_t *size; // 0 where each counts 1
static uint32_t end;

// take returns memory, which is 0 at first.
static void *take(uint64_t bytes) {
	static uintptr_t next;
	if (!next) next = (uintptr_t)__heap_base + 7 & ~(uintptr_t)7;
	uint64_t stop = next + (bytes + 7 & ~7ull), have = (uint64_t)__builtin_wasm_memory_size(0) << 16;
	if (stop > have && __builtin_wasm_memory_grow(0, (stop - have + 65535) >> 16) == ~0ul) __builtin_trap();
	void *p = (void *)next;
	next = stop;
	return p;
}

static inline void push(uint32_t i) {
	uint32_t last = at[end].older;
	at[i] = (links){end, last};
	at[last].newer = at[end].older = i;
}

static inline void unlink(uint32_t i) {
	links n = at[i];
	at[n.older].newer = n.newer;
	at[n.newer].older = n.older;
}

EXPORT("edgecache_abi_policy_1") void marker(void) {}

EXPORT("ec_buf") uint8_t *ec_buf(uint32_t min) { return min <= sizeof call ? call : 0; }

#ifdef REMEMBER
static uint8_t *out; // by id: it was thrown out, and not asked for since

EXPORT("ec_policy_admit") uint32_t ec_policy_admit(uint32_t id, uint32_t bytes) {
	(void)bytes;
	uint32_t in = !out[id];
	out[id] = 0;
	return in;
}

EXPORT("ec_policy_forget") void ec_policy_forget(uint32_t id) { out[id] = 0; }
#endif

EXPORT("ec_policy_init") void *ec_policy_init(uint32_t len) {
	(void)len;
	spec *s = (spec *)call;
	if (s->params_len != 2) {
		__builtin_memcpy(call, "lru has no parameters", 22);
		return 0;
	}
	capacity = s->capacity;
	end = s->objects + 1;
	at = take((s->objects + 2ull) * sizeof *at);
	at[end] = (links){end, end};
	size = s->flags & 1 ? take((uint64_t)s->objects * 4) : 0;
#ifdef REMEMBER
	out = take(s->objects);
#endif
	frame.ids = take(s->batch * 4);
	frame.sizes = take(s->batch * 4);
	frame.hits = take((s->batch + 31) / 32 * 4);
	frame.victims = take(((uint64_t)s->most + s->batch) * sizeof(victim));
	return &frame;
}

EXPORT("ec_policy_hit") void ec_policy_hit(uint32_t id) {
	unlink(id + 1);
	push(id + 1);
}

EXPORT("ec_policy_insert") void ec_policy_insert(uint32_t id, uint32_t bytes) {
	if (size) size[id] = bytes;
	used += bytes;
	push(id + 1);
}

EXPORT("ec_policy_remove") void ec_policy_remove(uint32_t id) {
	unlink(id + 1);
	at[id + 1].newer = 0;
	used -= size ? size[id] : 1;
}

EXPORT("ec_policy_evict") uint32_t ec_policy_evict(void) {
	uint32_t id = at[end].newer - 1;
	ec_policy_remove(id);
#ifdef REMEMBER
	out[id] = 1;
#endif
	return id;
}

#ifndef REMEMBER
// objects is ec_policy_batch where every object counts 1. What it uses all the time is in locals.
static uint32_t objects(uint32_t n) {
	victim *v = frame.victims;
	links *list = at + 1, *ends = at + end;
	uint32_t bits = 0, closed = end;
	uint64_t room = capacity - used;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t id = frame.ids[i];
		links was = list[id];
		bits |= (uint32_t)(was.newer != 0) << (i & 31);
		if (was.newer) {
			at[was.older].newer = was.newer;
			at[was.newer].older = was.older;
		} else if (room) {
			room--;
		} else {
			uint32_t oldest = ends->newer, next = at[oldest].newer;
			*v++ = (victim){i, oldest - 1};
			at[oldest].newer = 0;
			at[next].older = closed;
			ends->newer = next;
		}
		uint32_t newest = ends->older;
		list[id] = (links){closed, newest};
		at[newest].newer = ends->older = id + 1;
		if ((i & 31) == 31) frame.hits[i / 32] = bits, bits = 0;
	}
	if (n & 31) frame.hits[n / 32] = bits;
	used = capacity - room;
	return v - frame.victims;
}
#endif

// any is ec_policy_batch for all caches.
static uint32_t any(uint32_t n) {
	victim *v = frame.victims;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t id = frame.ids[i], hit = at[id + 1].newer != 0, *word = frame.hits + i / 32;
		*word = (i & 31 ? *word : 0) | hit << (i & 31);
		if (hit) {
			ec_policy_hit(id);
			continue;
		}
#ifdef REMEMBER
		if (!ec_policy_admit(id, 0)) {
			*v++ = (victim){i, id};
			continue;
		}
#endif
		uint32_t bytes = size ? frame.sizes[i] : 1;
		while (used + bytes > capacity) *v++ = (victim){i, ec_policy_evict()};
		ec_policy_insert(id, bytes);
	}
	return v - frame.victims;
}

EXPORT("ec_policy_batch") uint32_t ec_policy_batch(uint32_t n) {
#ifndef REMEMBER
	if (!size) return objects(n);
#endif
	return any(n);
}
