// sieve is a queue through which a hand goes from the oldest object to the newest, and throws out the first that was not
// asked for since the hand came by. See ../README.md.
#include "edgecache_policy.h"

static ec_links *at;
static uint32_t queue, hand; // the next to look at; queue is the oldest
static uint8_t *asked;       // by id: whether it was asked for since the hand came by

static bool init(const ec_spec *spec) {
	queue = hand = spec->objects;
	return (at = ec_lists(spec, 1)) != NULL && (asked = ec_alloc(spec->objects, sizeof *asked)) != NULL;
}

static void hit(uint32_t id) { asked[id] = true; }

static void insert(uint32_t id, uint32_t size) {
	(void)size;
	asked[id] = false;
	ec_push(at, queue, id);
}

static void remove(uint32_t id) {
	if (hand == id) hand = at[id].newer;
	ec_unlink(at, id);
}

static uint32_t evict(void) {
	uint32_t id = hand;
	while (id == queue || asked[id]) {
		if (id != queue) asked[id] = false;
		id = at[id].newer;
	}
	hand = id;
	remove(id);
	return id;
}

EC_POLICY("manifest.json", init, hit, insert, evict, remove)
