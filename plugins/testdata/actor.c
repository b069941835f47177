// actor is a guest for tests: it does what the key asks for, up to the first colon.
#include "edgecache.h"

__asm__(".section .custom_section.edgecache.manifest,\"\",@\n.incbin \"actor.json\"\n.text\n");
EC_EXPORT("edgecache_abi_hook_1") void marker(void) {}

EC_IMPORT("log") void host_log(uint32_t level, const void *text, uint32_t len);
EC_IMPORT("log_enabled") uint32_t host_log_enabled(uint32_t level);
EC_IMPORT("now_ns") uint64_t host_now(void);
EC_IMPORT("mono_ns") uint64_t host_mono(void);
EC_IMPORT("random") void host_random(void *to, uint32_t len);
EC_IMPORT("hash64") uint64_t host_hash(const void *p, uint32_t len);

#define SMALL 4096
#define LARGE (EC_BUF_KEY + 8192)
static _Alignas(8) uint8_t small[SMALL], large[LARGE];
static uint8_t *buf = small;
static ec_event events[EC_EVENT_BATCH];
static struct { uint64_t label, calls, most; } row;

EC_EXPORT("ec_buf") uint8_t *ec_buf(uint32_t size) {
	if (size > LARGE) return NULL;
	if (size > SMALL) buf = large;
	return buf;
}

EC_EXPORT("ec_init") uint32_t ec_init(uint32_t len, uint64_t features) {
	(void)features;
	if (len >= 6 && ec_equal(buf + EC_BUF_KEY, (const uint8_t *)"\"trap\"", 6)) __builtin_trap();
	if (len < 5 || !ec_equal(buf + EC_BUF_KEY, (const uint8_t *)"\"bad\"", 5)) return 0;
	__builtin_memcpy(buf + EC_BUF_KEY, "bad is bad", 10);
	return 10;
}

static uint64_t action(uint64_t what, uint32_t offset, uint32_t len) {
	return what << EC_ACTION_SHIFT | (uint64_t)offset << EC_OFFSET_SHIFT | len;
}

static bool is(const uint8_t *key, uint32_t len, const char *word) {
	uint32_t i = 0;
	for (; word[i]; i++) {
		if (i >= len || key[i] != (uint8_t)word[i]) return false;
	}
	return i == len || key[i] == ':';
}

static volatile uint32_t zero;

__attribute__((noinline)) static uint32_t deeper(uint32_t n) {
	volatile uint32_t here[4] = {n, n, n, n};
	return zero == 1 ? n : deeper(n + 1) * 3 + here[n & 3];
}

// recurse uses no memory, so that it is the host's stack that ends.
__attribute__((noinline)) static uint64_t recurse(uint64_t n) { return zero == 1 ? n : recurse(n + 1) * 3 + n; }

static uint8_t *patch(uint8_t *p, uint8_t field, const void *data, uint32_t len) {
	*p++ = field;
	__builtin_memcpy(p, &len, 4);
	__builtin_memcpy(p + 4, data, len);
	return p + 4 + len;
}

#define KEY EC_BUF_KEY
#define IS(word) is(key, len, word)

EC_EXPORT("ec_before")
uint64_t ec_before(uint32_t op, uint32_t len, uint32_t value_len, int64_t ttl, uint32_t flags) {
	uint8_t *key = buf + KEY;
	const ec_call *call = (const ec_call *)buf;
	row.calls++;
	if (len > row.most) row.most = len;
	if (IS("pass")) return 0;
	if (IS("up")) {
		for (uint32_t i = 0; i < len; i++) {
			if (key[i] >= 'a' && key[i] <= 'z') key[i] -= 32;
		}
		return action(EC_ACTION_KEY, KEY, len);
	}
	if (IS("respond")) return action(EC_ACTION_RESPOND, KEY + 8, len - 8);
	if (IS("deny")) return action(EC_ACTION_DENY, KEY + 5, len - 5);
	if (IS("miss")) return action(EC_ACTION_MISS, 0, 0);
	if (IS("cookie")) {
		uint64_t v = 0x1122334455667788 + len;
		__builtin_memcpy(buf, &v, 8);
		return EC_ACTION_COOKIE;
	}
	if (IS("args")) { // becomes a key that tells what the guest was told
		uint8_t *p = buf + KEY;
		uint8_t path[64];
		uint32_t n = call->namespace_len;
		__builtin_memcpy(path, key + len, n);
		*p++ = '0' + op, *p++ = '0' + value_len, *p++ = ttl < 0 ? 'a' - ttl : '0' + ttl / 1000, *p++ = '0' + flags;
		*p++ = '0' + call->batch_index, *p++ = '0' + call->batch_len, *p++ = '0' + call->namespace_id;
		__builtin_memcpy(p, path, n);
		return action(EC_ACTION_KEY, KEY, 7 + n);
	}
	if (IS("ext")) { // key "patched", ttl 1500 ms, value "new"
		uint8_t *p = buf + 2048;
		int64_t ms = 1500;
		p = patch(p, EC_FIELD_KEY, "patched", 7);
		p = patch(p, EC_FIELD_TTL, &ms, 8);
		if (value_len) p = patch(p, EC_FIELD_VALUE, "new", 3);
		return action(EC_ACTION_EXT, 2048, p - buf - 2048);
	}
	if (IS("ns")) { // namespace is what follows, up to the next colon
		uint32_t n = 0;
		while (3 + n < len && key[3 + n] != ':') n++;
		uint8_t *p = patch(buf + 2048, EC_FIELD_NAMESPACE, key + 3, n);
		return action(EC_ACTION_EXT, 2048, p - buf - 2048);
	}
	if (IS("trap")) __builtin_trap();
	if (IS("outside")) return *(volatile uint8_t *)0xfffffff0;
	if (IS("divide")) return len / zero;
	if (IS("shadow")) return deeper(1) & 1;
	if (IS("stack")) return recurse(1) & 1;
	if (IS("bomb")) { // grows until that fails, and says how far it came
		while (__builtin_wasm_memory_grow(0, 1) != (size_t)-1) {}
		key[0] = '0' + __builtin_wasm_memory_size(0);
		return action(EC_ACTION_KEY, KEY, 1);
	}
	if (IS("spin")) { // so many thousand times, without a number for ever
		uint64_t rounds = 0;
		for (uint32_t i = 5; i < len; i++) rounds = rounds * 10 + (key[i] - '0') * 1000;
		for (uint64_t i = rounds - 1; i != 0; i--) zero = 0;
		return 0;
	}
	if (IS("farkey")) return action(EC_ACTION_KEY, 0x7fffff, 10);
	if (IS("longkey")) return action(EC_ACTION_KEY, KEY, 0xffffffff);
	if (IS("bigkey")) {
		__builtin_wasm_memory_grow(0, 2);
		return action(EC_ACTION_KEY, 0, 70000);
	}
	if (IS("badaction")) return action(77, 0, 0);
	if (IS("badtext")) {
		key[0] = 0xff;
		return action(EC_ACTION_DENY, KEY, 1);
	}
	if (IS("badpatch")) return action(EC_ACTION_EXT, KEY, 8);
	if (IS("badns")) {
		uint8_t *p = patch(buf + 2048, EC_FIELD_NAMESPACE, "a//b", 4);
		return action(EC_ACTION_EXT, 2048, p - buf - 2048);
	}
	if (IS("noneargs")) return 17;
	if (IS("log")) {
		if (host_log_enabled(2)) host_log(2, key + 4, len - 4);
		return 0;
	}
	if (IS("badlog")) host_log(2, (void *)0xfffffff0, 100);
	if (IS("badrandom")) host_random(key, 100000);
	if (IS("hash")) {
		uint64_t h = host_hash(key, len);
		__builtin_memcpy(key, &h, 8);
		return action(EC_ACTION_KEY, KEY, 8);
	}
	if (IS("clock")) {
		uint64_t a = host_mono(), b = host_now(), c = host_mono(), r[2] = {0, 0};
		host_random(r, 16);
		key[0] = c >= a && b > 1600000000000000000 && (r[0] | r[1]) ? 'y' : 'n';
		return action(EC_ACTION_KEY, KEY, 1);
	}
	return 0;
}

EC_EXPORT("ec_after")
uint64_t ec_after(uint32_t op, uint32_t len, uint32_t result, int64_t elapsed, uint32_t value_len) {
	(void)op, (void)elapsed;
	const uint8_t *key = buf + KEY;
	if (IS("cookie")) {
		uint64_t v;
		__builtin_memcpy(&v, buf, 8);
		if (v != 0x1122334455667788 + len) __builtin_trap();
		if (value_len == 0) return 0;
		__builtin_memcpy(buf + 2048, "after:", 6);
		buf[2054] = '0' + (result & EC_OUTCOME_MASK);
		buf[2055] = '0' + (result >> EC_TIER_SHIFT);
		buf[2056] = '0' + value_len;
		return action(EC_ACTION_RESPOND, 2048, 9);
	}
	if (IS("aftertrap")) __builtin_trap();
	if (IS("afterdeny")) return action(EC_ACTION_DENY, KEY, 1);
	return 0;
}

EC_EXPORT("ec_events") ec_event *ec_events(uint32_t capacity) { return capacity <= EC_EVENT_BATCH ? events : NULL; }

// ec_observe counts, and fails on an event whose size is a magic number.
EC_EXPORT("ec_observe") void ec_observe(uint32_t n) {
	for (uint32_t i = 0; i < n; i++) {
		if (events[i].value_size == 0xdead) __builtin_trap();
		if (events[i].value_size == 0xb10c) for (uint32_t k = 0; k < 1000000; k++) zero = 0; // for a millisecond or so
	}
	row.calls += n;
}

EC_EXPORT("ec_idle") void ec_idle(void) {}

EC_EXPORT("ec_stats") uint64_t ec_stats(void) {
	row.label = EC_NAMESPACE_ALL << EC_LABEL_NAMESPACE;
	return (uint64_t)(uintptr_t)&row << 32 | 1;
}
