// An LRU policy by the bare ABI, in both forms, without an SDK: see docs/ABI.md, "Policies".
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
static links *at;
static uint8_t *resident;
static uint32_t *size;
static uint32_t head = NOBODY, tail = NOBODY; // newest and oldest

// take returns memory, which is 0 at first.
static void *take(uint64_t bytes) {
	static uintptr_t next;
	if (!next) next = (uintptr_t)__heap_base + 7 & ~(uintptr_t)7;
	uint64_t end = next + (bytes + 7 & ~7ull), have = (uint64_t)__builtin_wasm_memory_size(0) << 16;
	if (end > have && __builtin_wasm_memory_grow(0, (end - have + 65535) >> 16) == ~0ul) __builtin_trap();
	void *p = (void *)next;
	next = end;
	return p;
}

static void push(uint32_t id) {
	at[id] = (links){NOBODY, head};
	if (head != NOBODY) at[head].newer = id;
	else tail = id;
	head = id;
}

static void unlink(uint32_t id) {
	links n = at[id];
	if (n.newer != NOBODY) at[n.newer].older = n.older;
	else head = n.older;
	if (n.older != NOBODY) at[n.older].newer = n.newer;
	else tail = n.newer;
}

EXPORT("edgecache_abi_policy_1") void marker(void) {}

EXPORT("ec_buf") uint8_t *ec_buf(uint32_t min) { return min <= sizeof call ? call : 0; }

EXPORT("ec_policy_init") void *ec_policy_init(uint32_t len) {
	spec *s = (spec *)call;
	if (s->params_len != 2) {
		__builtin_memcpy(call, "lru has no parameters", 22);
		return 0;
	}
	capacity = s->capacity;
	at = take((uint64_t)s->objects * sizeof *at);
	resident = take(s->objects);
	size = s->flags & 1 ? take((uint64_t)s->objects * 4) : 0;
	frame.ids = take(s->batch * 4);
	frame.sizes = take(s->batch * 4);
	frame.hits = take((s->batch + 31) / 32 * 4);
	frame.victims = take(((uint64_t)s->most + s->batch) * sizeof(victim));
	return &frame;
}

EXPORT("ec_policy_hit") void ec_policy_hit(uint32_t id) {
	if (id != head) {
		unlink(id);
		push(id);
	}
}

EXPORT("ec_policy_insert") void ec_policy_insert(uint32_t id, uint32_t bytes) {
	resident[id] = 1;
	if (size) size[id] = bytes;
	used += bytes;
	push(id);
}

EXPORT("ec_policy_remove") void ec_policy_remove(uint32_t id) {
	unlink(id);
	resident[id] = 0;
	used -= size ? size[id] : 1;
}

EXPORT("ec_policy_evict") uint32_t ec_policy_evict(void) {
	uint32_t id = tail;
	ec_policy_remove(id);
	return id;
}

EXPORT("ec_policy_batch") uint32_t ec_policy_batch(uint32_t n) {
	victim *v = frame.victims;
	for (uint32_t i = 0; i < n; i += 32) {
		uint32_t bits = 0, end = n - i < 32 ? n - i : 32;
		for (uint32_t j = 0; j < end; j++) {
			uint32_t id = frame.ids[i + j];
			if (resident[id]) {
				bits |= 1u << j;
				ec_policy_hit(id);
				continue;
			}
			uint32_t bytes = size ? frame.sizes[i + j] : 1;
			while (used + bytes > capacity) *v++ = (victim){i + j, ec_policy_evict()};
			ec_policy_insert(id, bytes);
		}
		frame.hits[i / 32] = bits;
	}
	return v - frame.victims;
}
