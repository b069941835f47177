// admission lets writes into the cache that are small and whose keys are asked for. See ../README.md.
#define MAX_CONFIG 512
#include "json.h"

enum {
	MAX_KEY = 65536,
	ROWS = 4,
	COUNTERS = 1 << 14,  // of a row
	AGE = 10 * COUNTERS, // reads after which all counters are halved
};

EC_MODULE("manifest.json")
EC_BUFFER(call, MAX_KEY, 0)

static uint32_t max_bytes, min_count;
static struct {
	uint64_t label, admitted, too_large, too_rare;
} stats;

EC_EXPORT("ec_init") uint32_t ec_init(uint32_t config_len, uint64_t features) {
	(void)features;
	enum { MAX_BYTES, MIN_COUNT, FIELDS };
	static const char *const fields[FIELDS] = {"max_bytes", "min_count"};
	static json j;
	uint32_t n = 0, seen = 0;
	max_bytes = 65536;
	min_count = 2;
	stats.label = ec_label(0, EC_NAMESPACE_ALL);
	if (json_begin(&j, (bytes){call->key, config_len})) {
		while (json_more(&j, '}', &n)) {
			uint32_t field = json_field(&j, fields, FIELDS, &seen, ": want max_bytes or min_count");
			if (field == MAX_BYTES) max_bytes = json_number(&j, 0, UINT32_MAX, "a number from 0 to 4294967295");
			if (field == MIN_COUNT) min_count = json_number(&j, 0, UINT8_MAX, "a number from 0 to 255");
		}
		json_end(&j);
	}
	return json_report(&j, call);
}

// A count-min sketch: Cormode and Muthukrishnan, "An improved data stream summary", 2005; with the conservative update of
// Estan and Varghese, "New directions in traffic measurement and accounting", 2002.
static union {
	uint8_t at[ROWS][COUNTERS];
	uint64_t words[ROWS * COUNTERS / 8];
} sketch;
static uint32_t reads; // since all counters were halved

// counter returns which counter of a row a hash falls on.
static uint8_t *counter(uint64_t hash, uint32_t row) { return &sketch.at[row][hash >> 16 * row & (COUNTERS - 1)]; }

static uint32_t estimate(uint64_t hash) {
	uint32_t least = UINT8_MAX;
	for (uint32_t row = 0; row < ROWS; row++) {
		uint32_t n = *counter(hash, row);
		if (n < least) least = n;
	}
	return least;
}

// halve makes all counters half as large, eight at a time.
static void halve(void) {
	for (uint32_t i = 0; i < ROWS * COUNTERS / 8; i++) sketch.words[i] = sketch.words[i] >> 1 & 0x7f7f7f7f7f7f7f7f;
}

static void count_read(uint64_t hash) {
	uint32_t least = estimate(hash);
	for (uint32_t row = 0; row < ROWS && least < UINT8_MAX; row++) {
		uint8_t *n = counter(hash, row);
		if (*n == least) ++*n;
	}
	if (++reads == AGE) {
		reads = 0;
		halve();
	}
}

static uint64_t judge(uint64_t hash, uint32_t value_len) {
	uint64_t *column = value_len > max_bytes ? &stats.too_large : estimate(hash) < min_count ? &stats.too_rare : &stats.admitted;
	++*column;
	return column == &stats.admitted ? EC_ACTION_NONE : (uint64_t)EC_ACTION_MISS << EC_ACTION_SHIFT;
}

EC_EXPORT("ec_before")
uint64_t ec_before(uint32_t op, uint32_t key_len, uint32_t value_len, int64_t ttl_ms, uint32_t flags) {
	(void)ttl_ms, (void)flags;
	uint64_t hash = ec_hash64(call->key, key_len + call->namespace_len); // of the key and the namespace's path behind it
	switch (op) {
	case EC_OP_GET:
	case EC_OP_GET_MANY:
		count_read(hash);
		return EC_ACTION_NONE;
	case EC_OP_SET:
	case EC_OP_SET_MANY:
	case EC_OP_ADD:
	case EC_OP_REPLACE:
		return judge(hash, value_len);
	default:
		return EC_ACTION_NONE;
	}
}

EC_EXPORT("ec_stats") uint64_t ec_stats(void) { return ec_block(&stats, 1); }
