// remember is an LRU that keeps out what it has thrown out, the next time that this is asked for, unless it was told to forget
// it: admit and forget at work.
#include "edgecache_policy.h"

static ec_links *at;
static uint32_t queue;
static bool *gone; // by id: it was thrown out

static bool init(const ec_spec *spec) {
	queue = spec->objects;
	return (at = ec_lists(spec, 1)) != NULL && (gone = ec_alloc(spec->objects, sizeof *gone)) != NULL;
}

static void hit(uint32_t id) { ec_touch(at, queue, id); }

static bool admit(uint32_t id, uint32_t size) {
	(void)size;
	bool in = !gone[id];
	gone[id] = false;
	return in;
}

static void insert(uint32_t id, uint32_t size) {
	(void)size;
	ec_push(at, queue, id);
}

static uint32_t evict(void) {
	uint32_t id = ec_pop(at, queue);
	gone[id] = true;
	return id;
}

static void remove(uint32_t id) { ec_unlink(at, id); }

static void forget(uint32_t id) { gone[id] = false; }

EC_POLICY("manifest.json", init, hit, insert, evict, remove)
EC_POLICY_ADMIT(admit)
EC_POLICY_FORGET(forget)
