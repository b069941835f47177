// lowercase puts keys in lower case and a prefix before them. See ../README.md.
#define MAX_CONFIG 512
#include "json.h"

enum { MAX_KEY = 65536, MAX_NEW = MAX_CONFIG + MAX_KEY + 8 };

EC_MODULE("manifest.json")
EC_BUFFER(call, MAX_KEY, MAX_NEW)

static uint8_t *const out = call_memory + EC_BUF_KEY + MAX_KEY; // the new key: the prefix stands there for good
static uint32_t prefix_len;

EC_EXPORT("ec_init") uint32_t ec_init(uint32_t config_len, uint64_t features) {
	(void)features;
	static const char *const fields[] = {"prefix"};
	static json j;
	bytes prefix = {0};
	uint32_t n = 0, seen = 0;
	if (json_begin(&j, (bytes){call->key, config_len})) {
		while (json_more(&j, '}', &n)) {
			if (json_field(&j, fields, 1, &seen, ": want prefix") == 0) prefix = json_string(&j);
		}
		json_end(&j);
	}
	prefix_len = append(out, 0, prefix);
	return json_report(&j, call);
}

// lower_at writes eight bytes of the key from i on, in lower case, and returns which bits that changed.
static uint64_t lower_at(uint32_t i) {
	uint64_t x;
	__builtin_memcpy(&x, call->key + i, 8);
	uint64_t y = lower(x);
	__builtin_memcpy(out + prefix_len + i, &y, 8);
	return x ^ y;
}

EC_EXPORT("ec_before")
uint64_t ec_before(uint32_t op, uint32_t key_len, uint32_t value_len, int64_t ttl_ms, uint32_t flags) {
	(void)op, (void)value_len, (void)ttl_ms, (void)flags;
	uint64_t changed = prefix_len;
	uint32_t i = 0, rest = key_len % 8;
	for (; i < key_len - rest; i += 8) changed |= lower_at(i);
	changed |= lower_at(i) & ((1ull << 8 * rest) - 1); // what stands behind the key does not count
	return changed ? ec_action(EC_ACTION_KEY, call, out, prefix_len + key_len) : EC_ACTION_NONE;
}
