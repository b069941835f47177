// canary gives a share of the keys another name. See ../README.md.
#define MAX_CONFIG 1024
#include "glob.h"

enum { MAX_KEY = 65536 };

EC_MODULE("manifest.json")
EC_BUFFER(call, MAX_KEY, MAX_CONFIG) // the suffix follows the key

enum { MATCH, PERCENT, SUFFIX, FIELDS };

static glob match;
static uint32_t percent;
static bytes suffix;

RUN_ONCE_BEGIN

static void parse_field(json *j, uint32_t field) {
	json_peek(j);
	uint32_t at = j->at;
	switch (field) {
	case MATCH:
		match = glob_parse(j, json_string(j), at);
		break;
	case PERCENT:
		percent = json_number(j, 0, 100, "a number from 0 to 100");
		break;
	case SUFFIX:
		suffix = json_string(j);
		break;
	}
}

static void parse_config(json *j, bytes text) {
	static const char *const fields[FIELDS] = {"match", "percent", "suffix"};
	uint32_t n = 0, seen = 0;
	match = glob_parse(j, (bytes){(uint8_t[]){'*'}, 1}, 0);
	suffix = c_string("@canary");
	if (!json_begin(j, text)) return;
	while (json_more(j, '}', &n)) parse_field(j, json_field(j, fields, FIELDS, &seen, ": want match, percent or suffix"));
	json_end(j);
}

RUN_ONCE_END

EC_EXPORT("ec_init") uint32_t ec_init(uint32_t config_len, uint64_t features) {
	(void)features;
	static json j;
	parse_config(&j, (bytes){call->key, config_len});
	return json_report(&j, call);
}

EC_EXPORT("ec_before")
uint64_t ec_before(uint32_t op, uint32_t key_len, uint32_t value_len, int64_t ttl_ms, uint32_t flags) {
	(void)op, (void)value_len, (void)ttl_ms, (void)flags;
	bytes captures[MAX_STARS];
	bytes key = {call->key, key_len};
	if (percent == 0 || !glob_match(match, key, captures) || ec_hash64(key.p, key.n) % 100 >= percent) return EC_ACTION_NONE;
	return ec_action(EC_ACTION_KEY, call, key.p, append(call->key, key.n, suffix));
}
