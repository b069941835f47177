// lru throws out what was not asked for the longest. See ../README.md.
#include "edgecache_policy.h"

static ec_links *at;
static uint32_t queue;

static bool init(const ec_spec *spec) {
	queue = spec->objects;
	return (at = ec_lists(spec, 1)) != NULL;
}

static void hit(uint32_t id) { ec_touch(at, queue, id); }

static void insert(uint32_t id, uint32_t size) {
	(void)size;
	ec_push(at, queue, id);
}

static uint32_t evict(void) { return ec_pop(at, queue); }

static void remove(uint32_t id) { ec_unlink(at, id); }

EC_POLICY("manifest.json", init, hit, insert, evict, remove)
