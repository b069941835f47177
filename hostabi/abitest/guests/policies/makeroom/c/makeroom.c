// makeroom makes room itself: EC_POLICY_ACCESS at work. It is an LRU that throws out one more with the hit after something had
// to go, and has every sixteenth object go itself where something must for it.
#include "edgecache_policy.h"

static ec_links *at;
static uint32_t queue;
static uint64_t capacity;
static bool owes; // one more goes with the next hit

static bool init(const ec_spec *spec) {
	queue = spec->objects, capacity = spec->capacity;
	return (at = ec_lists(spec, 1)) != NULL;
}

static void access(uint32_t id, uint32_t size, bool hit) {
	(void)size;
	if (hit) {
		ec_touch(at, queue, id);
		if (owes && ec_oldest(at, queue) != id) ec_evicted(ec_pop(at, queue));
		owes = false;
		return;
	}
	if (ec_used() > capacity && id % 16 == 15) {
		ec_evicted(id);
		return;
	}
	for (; ec_used() > capacity; owes = true) ec_evicted(ec_pop(at, queue));
	ec_push(at, queue, id);
}

static void remove(uint32_t id) { ec_unlink(at, id); }

EC_POLICY_ACCESS("manifest.json", init, access, remove)
