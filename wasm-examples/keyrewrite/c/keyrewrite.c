// keyrewrite changes keys by a list of rules, before the cache looks for them. See ../README.md.
#include "rules.h"
#include "xxh64.h"

EC_MODULE("manifest.json")

enum {
	SMALL_KEY = 4096,                      // keys up to this need no more memory than the module begins with
	LARGE_CALL = EC_BUF_KEY + 2 * MAX_KEY, // the namespace's path, behind the key, can be as long
	PAGE = 1 << 16,
};

// Keys are rewritten from the call buffer or one working area into the other. The areas stand behind the call buffer,
// since an action's offset counts from there.
static struct {
	_Alignas(8) uint8_t call[EC_BUF_KEY + SMALL_KEY];
	uint8_t work[2][SMALL_KEY];
} small;

static ec_call *call = (ec_call *)small.call;
static uint8_t *work[2] = {small.work[0], small.work[1]};
static uint32_t work_size = SMALL_KEY;

static config conf;

// grow moves the working areas to new memory, with a call buffer in front of them which it returns, or NULL.
static ec_call *grow(void) {
	static uint8_t *large;
	if (large == NULL) {
		size_t pages = __builtin_wasm_memory_grow(0, (LARGE_CALL + 2 * MAX_KEY + PAGE - 1) / PAGE);
		if (pages == SIZE_MAX) return NULL;
		large = (uint8_t *)(pages * PAGE);
		work[0] = large + LARGE_CALL;
		work[1] = work[0] + MAX_KEY;
		work_size = MAX_KEY;
	}
	return (ec_call *)large;
}

// ec_buf returns the call buffer, or NULL for more than LARGE_CALL bytes.
EC_EXPORT("ec_buf") ec_call *ec_buf(uint32_t min_size) {
	if (min_size > LARGE_CALL) return NULL;
	if (min_size > sizeof small.call) {
		ec_call *large = grow();
		if (large == NULL) return NULL;
		call = large;
	}
	return call;
}

EC_EXPORT("ec_init") uint32_t ec_init(uint32_t config_len, uint64_t features) {
	(void)features;
	static json j;
	parse_config(&j, (bytes){call->key, config_len}, &conf);
	return json_report(&j, call);
}

// target returns where n bytes can be written that are made from key, or NULL if that is too many.
static uint8_t *target(bytes key, uint32_t n) {
	if (n > MAX_KEY || (n > work_size && grow() == NULL)) return NULL;
	return key.p == work[0] ? work[1] : work[0];
}

static uint64_t lower_at(uint8_t *out, const uint8_t *from, uint32_t n) {
	uint64_t x = 0;
	__builtin_memcpy(&x, from, n);
	uint64_t y = lower(x);
	__builtin_memcpy(out, &y, n);
	return x ^ y;
}

// Each of the functions below returns what a rule makes of key: key itself where it changes nothing, and bytes without
// a place where the result would be too long.

static bytes lowercase(bytes key) {
	uint8_t *out = target(key, key.n);
	if (out == NULL) return (bytes){0};
	uint64_t changed = 0;
	if (key.n < 8) {
		for (uint32_t i = 0; i < key.n; i++) changed |= lower_at(out + i, key.p + i, 1);
	} else {
		for (uint32_t i = 0; i < key.n - 8; i += 8) changed |= lower_at(out + i, key.p + i, 8);
		changed |= lower_at(out + key.n - 8, key.p + key.n - 8, 8);
	}
	return changed ? (bytes){out, key.n} : key;
}

static bytes add_prefix(bytes key, bytes prefix) {
	uint8_t *out = target(key, prefix.n + key.n);
	if (out == NULL) return (bytes){0};
	return (bytes){out, append(out, append(out, 0, prefix), key)};
}

static bool is_named(const name *names, bytes parameter) {
	bytes captures[MAX_STARS];
	for (; names != NULL; names = names->next) {
		if (glob_match(names->pattern, parameter, captures)) return true;
	}
	return false;
}

// strip_query leaves out the parameters that are named, and empty ones. The query goes from the first question mark to
// the first # behind it.
static bytes strip_query(bytes key, const name *names) {
	uint32_t query = find_byte(key, 0, '?');
	if (query == key.n) return key;
	uint8_t *out = target(key, key.n);
	if (out == NULL) return (bytes){0};
	uint32_t end = find_byte(key, query, '#');
	uint32_t n = append(out, 0, slice(key, 0, query));
	for (uint32_t at = query + 1, next; at <= end; at = next + 1) {
		next = find_byte(slice(key, 0, end), at, '&');
		bytes parameter = slice(key, at, next);
		if (parameter.n == 0 || is_named(names, slice(parameter, 0, find_byte(parameter, 0, '=')))) continue;
		out[n] = n == query ? '?' : '&';
		n = append(out, n + 1, parameter);
	}
	n = append(out, n, slice(key, end, key.n));
	return n == key.n ? key : (bytes){out, n};
}

static bytes replace(bytes key, const rule *r) {
	bytes captures[MAX_STARS];
	if (!glob_match(r->pattern, key, captures)) return key;
	const bytes *pieces = r->with.pieces;
	uint64_t size = 0;
	for (uint32_t i = 0; i < r->with.n; i++) size += pieces[i].p != NULL ? pieces[i].n : captures[pieces[i].n].n;
	uint8_t *out = size <= MAX_KEY ? target(key, size) : NULL;
	if (out == NULL) return (bytes){0};
	uint32_t n = 0;
	for (uint32_t i = 0; i < r->with.n; i++) n = append(out, n, pieces[i].p != NULL ? pieces[i] : captures[pieces[i].n]);
	return (bytes){out, n};
}

// hash_long cuts a key to longest bytes, of which the last 17 are # and the hash of all of it.
static bytes hash_long(bytes key, uint32_t longest) {
	if (key.n <= longest) return key;
	uint8_t *out = target(key, longest);
	if (out == NULL) return (bytes){0};
	uint32_t n = append(out, 0, slice(key, 0, longest - HASH_TAIL));
	out[n++] = '#';
	uint64_t hash = xxh64(key);
	for (uint32_t shift = 64; shift > 0; shift -= 4) out[n++] = "0123456789abcdef"[hash >> (shift - 4) & 15];
	return (bytes){out, n};
}

static bytes apply(const rule *r, bytes key) {
	switch (r->action) {
	case LOWERCASE:
		return lowercase(key);
	case PREFIX:
		return add_prefix(key, r->prefix);
	case STRIP_QUERY:
		return strip_query(key, r->names);
	case REPLACE:
		return replace(key, r);
	default:
		return hash_long(key, r->longest);
	}
}

// too_long refuses a command because its key is longer than MAX_KEY, by itself or by the given rule.
static uint64_t too_long(uint32_t rule) {
	uint8_t *out = call->key;
	uint32_t n = 0;
	if (rule == 0) {
		n = append(out, n, c_string("the key is"));
	} else {
		n = append_number(out, append(out, n, c_string("rule ")), rule);
		n = append(out, n, c_string(" makes the key"));
	}
	n = append(out, n, c_string(" longer than 65536 bytes"));
	return ec_action(EC_ACTION_DENY, call, out, n);
}

EC_EXPORT("ec_before")
uint64_t ec_before(uint32_t op, uint32_t key_len, uint32_t value_len, int64_t ttl_ms, uint32_t flags) {
	(void)op, (void)value_len, (void)ttl_ms, (void)flags;
	bytes key = {call->key, key_len};
	if (conf.n > 0 && key.n > MAX_KEY) return too_long(0);
	for (uint32_t i = 0; i < conf.n; i++) {
		const rule *r = &conf.rules[i];
		if (!starts_with(key, r->if_prefix)) continue;
		key = apply(r, key);
		if (key.p == NULL) return too_long(i + 1);
	}
	if (key.p == call->key) return EC_ACTION_NONE;
	return ec_action(EC_ACTION_KEY, call, key.p, key.n);
}
