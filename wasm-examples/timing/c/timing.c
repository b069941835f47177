// timing measures how long commands take, by operation. See ../README.md.
#include "edgecache.h"

EC_MODULE("manifest.json")
EC_EVENTS(events)

// What is kept of an operation's times, in nanoseconds: as little as an event can be added to quickly.
typedef struct {
	uint64_t total;
	uint32_t max, room; // the greatest, and what the least is below UINT32_MAX
	uint64_t buckets[EC_HISTOGRAM_SLOTS];
} times;

// A row has the columns of the manifest, but for the mean, which the host derives from the first two.
typedef struct {
	uint64_t label;
	uint64_t count, total, min, max;
	uint64_t buckets[EC_HISTOGRAM_SLOTS];
} row;

static times ops[EC_OP_COUNT];
static row rows[EC_OP_COUNT]; // the first is that of all: no operation is number 0

EC_EXPORT("ec_observe") void ec_observe(uint32_t n) {
	for (const ec_event *e = events; e < events + n; e++) {
		if (e->op >= EC_OP_COUNT) continue; // also the further keys of a command
		times *t = &ops[e->op];
		uint32_t ns = e->elapsed, room = UINT32_MAX - ns;
		t->total += ns;
		if (ns > t->max) t->max = ns;
		if (room > t->room) t->room = room;
		t->buckets[63 - __builtin_clzll((uint64_t)ns << 1 | 1)]++; // the bit length of ns, also of 0
	}
}

// add adds an operation's times to a row and returns how many there are.
static uint64_t add(row *r, const times *t) {
	uint64_t count = 0, min = UINT32_MAX - t->room;
	for (uint32_t i = 0; i < EC_HISTOGRAM_SLOTS; i++) {
		count += t->buckets[i];
		r->buckets[i] += t->buckets[i];
	}
	r->count += count;
	r->total += t->total;
	if (count > 0 && min < r->min) r->min = min;
	if (t->max > r->max) r->max = t->max;
	return count;
}

// ec_stats reports the row of everything, then those of operations that took place, in their order.
EC_EXPORT("ec_stats") uint64_t ec_stats(void) {
	uint32_t n = 1;
	rows[0] = (row){.label = ec_label(0, EC_NAMESPACE_ALL), .min = UINT64_MAX}; // no least time yet
	for (uint32_t op = EC_OP_GET; op < EC_OP_COUNT; op++) {
		rows[n] = (row){.label = ec_label(op, EC_NAMESPACE_ALL), .min = UINT64_MAX};
		if (add(&rows[n], &ops[op]) == 0) continue;
		add(&rows[0], &ops[op]);
		n++;
	}
	return ec_block(rows, n);
}
