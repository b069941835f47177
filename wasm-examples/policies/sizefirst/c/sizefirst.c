// sizefirst throws out the largest of the objects that were not asked for the longest. See ../README.md.
#include "edgecache_policy.h"

static ec_links *at;
static uint32_t queue;
static uint64_t window = 16; // how many of the oldest it chooses from

static bool init(const ec_spec *spec) {
	queue = spec->objects;
	return ec_param_number("window", 1, 1000, &window) && (at = ec_lists(spec, 1)) != NULL;
}

static void hit(uint32_t id) { ec_touch(at, queue, id); }

static void insert(uint32_t id, uint32_t size) {
	(void)size;
	ec_push(at, queue, id);
}

static uint32_t evict(void) {
	uint32_t largest = ec_oldest(at, queue);
	uint32_t id = at[largest].newer;
	for (uint64_t n = 1; n < window && id != queue; n++, id = at[id].newer) {
		if (ec_size(id) > ec_size(largest)) largest = id;
	}
	ec_unlink(at, largest);
	return largest;
}

static void remove(uint32_t id) { ec_unlink(at, id); }

EC_POLICY("manifest.json", init, hit, insert, evict, remove)
