// accesslog writes a line for each key of each command. See ../README.md.
#define MAX_CONFIG 512
#include "json.h"

enum { MAX_KEY = 65536, SHOWN = 128 };

EC_MODULE("manifest.json")
EC_BUFFER(call, MAX_KEY, 0)

static uint32_t sample, passed; // one line of so many, and how many went by since the last

EC_EXPORT("ec_init") uint32_t ec_init(uint32_t config_len, uint64_t features) {
	(void)features;
	static const char *const fields[] = {"sample"};
	static json j;
	uint32_t n = 0, seen = 0;
	sample = 1;
	if (json_begin(&j, (bytes){call->key, config_len})) {
		while (json_more(&j, '}', &n)) {
			if (json_field(&j, fields, 1, &seen, ": want sample") != 0) continue;
			sample = json_number(&j, 1, 1000000000, "a number from 1 to 1000000000");
		}
		json_end(&j);
	}
	return json_report(&j, call);
}

static const char *const ops[EC_OP_COUNT] = {
	"none", "get", "get_many", "set", "set_many", "add", "replace", "compare_and_swap", "append", "prepend",
	"increment", "decrement", "exists", "ttl", "expire", "delete", "delete_many", "clear", "keys", "raw",
};

static const char *const outcomes[] = {
	"none", "hit", "miss", "stored", "not_stored", "bypass", "denied", "error",
};

// append_name appends the i-th of n names, or the number where a newer host knows more.
static uint32_t append_name(uint8_t *line, uint32_t at, const char *const *names, uint32_t n, uint32_t i) {
	return i < n ? append(line, at, c_string(names[i])) : append_number(line, at, i);
}

// append_key appends the first SHOWN bytes of the key in quotes; what is not printable as \xNN.
static uint32_t append_key(uint8_t *line, uint32_t at, bytes key) {
	line[at++] = '"';
	for (uint32_t i = 0; i < key.n && i < SHOWN; i++) {
		uint8_t c = key.p[i];
		if (c == '"' || c == '\\') line[at++] = '\\';
		if (c >= ' ' && c <= '~') {
			line[at++] = c;
			continue;
		}
		at = append(line, at, c_string("\\x"));
		line[at++] = "0123456789abcdef"[c >> 4];
		line[at++] = "0123456789abcdef"[c & 15];
	}
	line[at++] = '"';
	return key.n > SHOWN ? append(line, at, c_string("...")) : at;
}

EC_EXPORT("ec_after")
uint64_t ec_after(uint32_t op, uint32_t key_len, uint32_t result, int64_t elapsed_ns, uint32_t value_len) {
	static uint8_t line[4 * SHOWN + 256];
	if (++passed < sample) return EC_ACTION_NONE;
	passed = 0;
	if (!ec_log_enabled(EC_LOG_INFO)) return EC_ACTION_NONE;
	uint32_t n = append_name(line, append(line, 0, c_string("op=")), ops, EC_OP_COUNT, op);
	n = append_key(line, append(line, n, c_string(" key=")), (bytes){call->key, key_len});
	n = append_name(line, append(line, n, c_string(" outcome=")), outcomes, sizeof outcomes / sizeof *outcomes, ec_outcome(result));
	n = append_number(line, append(line, n, c_string(" tier=")), ec_tier(result));
	n = append_number(line, append(line, n, c_string(" bytes=")), value_len);
	n = append_number(line, append(line, n, c_string(" us=")), (uint64_t)elapsed_ns / 1000);
	ec_log(EC_LOG_INFO, line, n);
	return EC_ACTION_NONE;
}
