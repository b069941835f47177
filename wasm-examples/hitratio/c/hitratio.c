// hitratio counts reads and hits, by operation and namespace. See ../README.md.
#include "edgecache.h"

EC_MODULE("manifest.json")
EC_EVENTS(events)

enum {
	OPS = 2, // get and get_many, whose numbers follow each other
	NAMESPACES = 1024,
	OTHER = NAMESPACES - 1, // counts for all namespaces from this number on
};

typedef struct {
	uint64_t total, hits;
} count;

typedef struct {
	uint64_t label;
	count count;
} row;

static count counts[NAMESPACES][OPS];
static row rows[NAMESPACES * OPS];

EC_EXPORT("ec_observe") void ec_observe(uint32_t n) {
	for (const ec_event *e = events; e < events + n; e++) {
		uint32_t op = (uint32_t)(e->op & ~EC_EVENT_CONTINUED) - EC_OP_GET;
		if (op >= OPS) continue;
		count *c = &counts[e->namespace_id < OTHER ? e->namespace_id : OTHER][op];
		c->total++;
		c->hits += (e->result & EC_OUTCOME_MASK) == EC_OUTCOME_HIT;
	}
}

// ec_stats reports the namespaces and operations that were read, in their order; the host adds them up.
EC_EXPORT("ec_stats") uint64_t ec_stats(void) {
	uint32_t n = 0;
	for (uint32_t ns = 0; ns < NAMESPACES; ns++) {
		for (uint32_t op = 0; op < OPS; op++) {
			if (counts[ns][op].total == 0) continue;
			rows[n++] = (row){ec_label(EC_OP_GET + op, ns < OTHER ? ns : EC_NAMESPACE_OTHER), counts[ns][op]};
		}
	}
	return ec_block(rows, n);
}
