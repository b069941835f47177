// edgecache_policy.h is all that an eviction policy in C needs. A policy decides what a full cache throws out: it sees
// numbers from 0 to objects-1, never keys, so arrays are all it needs. docs/ABI.md explains the calls that stand behind it.
//
// A policy is five functions, which EC_POLICY at the end of the source makes a module of:
//
//   static bool init(const ec_spec *spec);              // once, ahead of all: takes its arrays, reads its parameters
//   static void hit(uint32_t id);                       // a resident object was asked for
//   static void insert(uint32_t id, uint32_t size);     // an absent one was; it is resident from here on, and there is room
//   static uint32_t evict(void);                        // room is needed: picks a resident object, which is gone from here on
//   static void remove(uint32_t id);                    // a resident object is gone for another reason: age, deletion
//
//   EC_POLICY("manifest.json", init, hit, insert, evict, remove)
//   EC_POLICY_ADMIT(admit)                              // optional: static bool admit(uint32_t id, uint32_t size)
//   EC_POLICY_FORGET(forget)                            // optional: static void forget(uint32_t id)
//
// What is resident, how large it is and how much room is left is kept here. There is no libc behind it. It is compiled as
// edgecache.h says.
#ifndef EDGECACHE_POLICY_H
#define EDGECACHE_POLICY_H

#include "edgecache.h"

// ec_spec is the cache that a policy works for. It is the call buffer: good while init runs.
typedef struct {
	uint64_t capacity;   // how much fits: objects, or bytes where sizes count
	uint64_t seed;       // for policies that choose by chance: the same seed, the same choices
	uint32_t objects;    // ids go from 0 to objects-1
	uint32_t most;       // how many can be resident at once
	uint32_t batch;      // how many requests come in one call at most
	uint32_t flags;      // EC_SPEC_BYTES if the capacity is bytes; else every object has size 1
	uint32_t params_len; // of the parameters, a JSON object of strings: see ec_param
	uint8_t params[];
} ec_spec;

_Static_assert(offsetof(ec_spec, objects) == EC_SPEC_OBJECTS && offsetof(ec_spec, params) == EC_SPEC_PARAMS, "layout of ec_spec");

// In init: memory, parameters, refusals.

// ec_alloc returns n elements of that size, all 0, for good; NULL where memory may not grow so far: init then returns false.
static void *ec_alloc(uint64_t n, uint32_t size);

// ec_param returns the parameter of that name, or NULL if it is not given. Those that init does not ask for are refused.
static const char *ec_param(const char *name);

// ec_param_number puts the parameter of that name, a whole number from least to most, into *value, which keeps what it has
// where it is not given. It returns false, having refused, where it is something else.
static bool ec_param_number(const char *name, uint64_t least, uint64_t most, uint64_t *value);

// ec_refuse says why init returns false, which it returns.
static bool ec_refuse(const char *why);

// At any time.

// ec_resident reports whether an object is resident.
static inline bool ec_resident(uint32_t id);

// ec_size returns the size of an object that is resident, or of one that was, when it came last: 1 where sizes do not count.
static inline uint32_t ec_size(uint32_t id);

// ec_used returns how much of the capacity is used.
static inline uint64_t ec_used(void);

// Lists of objects, from the newest to the oldest. Each is a ring through a place of its own, its root, so that no end needs
// care; the roots stand behind the objects in one array of links. An object is in one of the lists or in none.
typedef struct {
	uint32_t newer, older; // of a root: the oldest and the newest, or the root itself in an empty list
} ec_links;

// ec_lists returns the links of all objects and n empty lists, whose roots are objects, objects+1 and so on; or NULL.
static inline ec_links *ec_lists(const ec_spec *spec, uint32_t n) {
	ec_links *at = ec_alloc((uint64_t)spec->objects + n, sizeof *at);
	for (uint32_t root = spec->objects; at != NULL && root < spec->objects + n; root++) at[root] = (ec_links){root, root};
	return at;
}

// ec_push makes an object that is in no list the newest of one.
static inline void ec_push(ec_links *at, uint32_t root, uint32_t id) {
	uint32_t newest = at[root].older;
	at[id].older = newest;
	at[id].newer = root;
	at[newest].newer = id;
	at[root].older = id;
}

// ec_unlink takes an object out of the list that it is in.
static inline void ec_unlink(ec_links *at, uint32_t id) {
	ec_links l = at[id];
	at[l.newer].older = l.older;
	at[l.older].newer = l.newer;
}

// ec_touch makes an object of a list, whichever it is in, the newest of one.
static inline void ec_touch(ec_links *at, uint32_t root, uint32_t id) {
	ec_unlink(at, id);
	ec_push(at, root, id);
}

// ec_oldest returns the oldest of a list, the root itself if it is empty.
static inline uint32_t ec_oldest(const ec_links *at, uint32_t root) { return at[root].newer; }

// ec_pop takes the oldest out of a list, which must not be empty, and returns it.
static inline uint32_t ec_pop(ec_links *at, uint32_t root) {
	uint32_t id = at[root].newer;
	ec_unlink(at, id);
	return id;
}

// EC_POLICY makes the module a policy of those functions and puts the manifest, a file in the compiler's working directory,
// into its custom section. Once in a module.
#define EC_POLICY(manifest, init, hit, insert, evict, remove)                                                    \
	EC_POLICY_MODULE(manifest, init)                                                                             \
	EC_EXPORT("ec_policy_batch") uint32_t ec_policy_batch(uint32_t n) {                                          \
		return ec_sized ? ec_run(n, true, hit, insert, evict) : ec_run(n, false, hit, insert, evict);            \
	}                                                                                                            \
	EC_EXPORT("ec_policy_hit") void ec_policy_hit(uint32_t id) { hit(id); }                                      \
	EC_EXPORT("ec_policy_insert") void ec_policy_insert(uint32_t id, uint32_t size) {                            \
		ec_came(id, size);                                                                                       \
		insert(id, size);                                                                                        \
	}                                                                                                            \
	EC_EXPORT("ec_policy_evict") uint32_t ec_policy_evict(void) {                                                \
		uint32_t id = evict();                                                                                   \
		ec_went(id);                                                                                             \
		return id;                                                                                               \
	}                                                                                                            \
	EC_EXPORT("ec_policy_remove") void ec_policy_remove(uint32_t id) {                                           \
		ec_went(id);                                                                                             \
		remove(id);                                                                                              \
	}

// EC_POLICY_ADMIT names a function that is asked on a miss, before room is made: false keeps the object out.
#define EC_POLICY_ADMIT(admit)                                                  \
	static bool (*const ec_admit)(uint32_t id, uint32_t size) = admit;          \
	EC_EXPORT("ec_policy_admit") uint32_t ec_policy_admit(uint32_t id, uint32_t size) { return admit(id, size); }

// EC_POLICY_FORGET names a function that is told that an id, which is not resident, will stand for another object: what is
// remembered of it does not count. A policy that remembers what it threw out needs it, for caches that live.
#define EC_POLICY_FORGET(forget) \
	EC_EXPORT("ec_policy_forget") void ec_policy_forget(uint32_t id) { forget(id); }

// EC_POLICY_ACCESS is EC_POLICY for a policy that makes room itself:
//
//   static void access(uint32_t id, uint32_t size, bool hit)   // the object was asked for, and was resident or not
//
// An absent object counts as resident by then: the policy calls ec_evicted for one after the other until ec_used() is at most
// the capacity, or for the new one itself if it does not come in. ec_admit is not asked. There are no calls for single events.
#define EC_POLICY_ACCESS(manifest, init, access, remove)                                           \
	EC_POLICY_MODULE(manifest, init)                                                               \
	EC_EXPORT("ec_policy_batch") uint32_t ec_policy_batch(uint32_t n) {                            \
		return ec_sized ? ec_ask(n, true, access) : ec_ask(n, false, access);                      \
	}                                                                                              \
	EC_EXPORT("ec_policy_remove") void ec_policy_remove(uint32_t id) {                             \
		ec_went(id);                                                                               \
		remove(id);                                                                                \
	}

// ec_evicted says that an object goes, in access alone.
static inline void ec_evicted(uint32_t id);

// What follows is not called by policies.

#define EC_POLICY_MODULE(manifest, init)                                                              \
	__asm__(".section .custom_section.edgecache.manifest,\"\",@\n.incbin \"" manifest "\"\n.text\n"); \
	EC_EXPORT("edgecache_abi_policy_1") void ec_marker(void) {}                                       \
	EC_EXPORT("ec_buf") void *ec_buf(uint32_t min) { return ec_room(min); }                           \
	EC_EXPORT("ec_policy_init") const void *ec_policy_init(uint32_t len) {                            \
		(void)len;                                                                                    \
		return ec_end(ec_open(ec_given()) && init(ec_given()));                                       \
	}

#define EC_INLINE static inline __attribute__((always_inline)) // what runs for each request
#define EC_ONCE static __attribute__((noinline, minsize))      // what runs once, and should be small

// ec_admit is NULL unless EC_POLICY_ADMIT defines it further down.
static bool (*const ec_admit)(uint32_t id, uint32_t size);

// ec_victim is an object that a request made go.
typedef struct {
	uint32_t at, id;
} ec_victim;

// ec_frame says where the host puts requests and finds what became of them.
static struct {
	_Alignas(8) uint32_t *ids;
	uint32_t *sizes, *hits;
	ec_victim *victims;
	uint32_t reserved;
} ec_frame;

_Static_assert(sizeof(ec_victim) == EC_VICTIM_SIZE && offsetof(ec_victim, id) == EC_VICTIM_ID, "layout of ec_victim");

static uint64_t ec_capacity, ec_taken;
static uint32_t ec_objects;
static bool ec_sized;
static uint8_t *ec_state;  // by id: whether it is resident
static uint32_t *ec_sizes; // by id, where sizes count

static inline bool ec_resident(uint32_t id) { return ec_state[id]; }

static inline uint32_t ec_size(uint32_t id) { return ec_sized ? ec_sizes[id] : 1; }

static inline uint64_t ec_used(void) { return ec_taken; }

// ec_come accounts for an object that is resident from here on.
EC_INLINE void ec_come(uint32_t id, uint32_t size, bool sized) {
	ec_state[id] = true;
	if (sized) ec_sizes[id] = size;
	ec_taken += size;
}

// ec_go accounts for an object that is not resident from here on. It returns false if there is no such object: the host
// must see that.
EC_INLINE bool ec_go(uint32_t id, bool sized) {
	if (id >= ec_objects || !ec_state[id]) return false;
	ec_state[id] = false;
	ec_taken -= sized ? ec_sizes[id] : 1;
	return true;
}

static inline void ec_came(uint32_t id, uint32_t size) { ec_come(id, size, ec_sized); }
static inline void ec_went(uint32_t id) { ec_go(id, ec_sized); }

// ec_round is where a batch is: at which request, and behind which victim.
static struct {
	uint32_t request;
	ec_victim *end;
} ec_round;

// ec_note writes down an object that the request at hand makes go. The higher address comes first, here and elsewhere: the
// host then checks the other one no more.
EC_INLINE void ec_note(uint32_t id) {
	ec_round.end->id = id;
	ec_round.end->at = ec_round.request;
	ec_round.end++;
}

// ec_leave writes down an object that goes, and returns false if it was not there: the host sees that, and asks no more.
EC_INLINE bool ec_leave(uint32_t id, bool sized) {
	ec_note(id);
	return ec_go(id, sized);
}

static inline void ec_evicted(uint32_t id) {
	if (!ec_leave(id, ec_sized)) __builtin_trap();
}

// ec_miss brings an object in, and makes others go that there is no room for beside it.
EC_INLINE bool ec_miss(uint32_t id, bool sized, void (*insert)(uint32_t, uint32_t), uint32_t (*evict)(void)) {
	uint32_t size = sized ? ec_frame.sizes[ec_round.request] : 1;
	if (ec_admit != NULL && !ec_admit(id, size)) {
		ec_note(id);
		return true;
	}
	if (sized) {
		while (ec_taken + size > ec_capacity) {
			if (!ec_leave(evict(), true)) return false;
		}
	} else if (ec_taken == ec_capacity && !ec_leave(evict(), false)) {
		return false;
	}
	ec_come(id, size, sized);
	insert(id, size);
	return true;
}

// ec_run goes through n requests and returns how many victims there are.
EC_INLINE uint32_t ec_run(uint32_t n, bool sized, void (*hit)(uint32_t), void (*insert)(uint32_t, uint32_t),
	uint32_t (*evict)(void)) {
	const uint32_t *ids = ec_frame.ids;
	ec_round.end = ec_frame.victims;
	__builtin_memset(ec_frame.hits, 0, (n + 31) / 32 * sizeof *ec_frame.hits);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t id = ids[i];
		if (ec_state[id]) {
			ec_frame.hits[i / 32] |= 1u << (i & 31);
			hit(id);
			continue;
		}
		ec_round.request = i;
		if (!ec_miss(id, sized, insert, evict)) break;
	}
	return ec_round.end - ec_frame.victims;
}

// ec_ask is ec_run for a policy that makes room itself.
EC_INLINE uint32_t ec_ask(uint32_t n, bool sized, void (*access)(uint32_t, uint32_t, bool)) {
	const uint32_t *ids = ec_frame.ids;
	ec_round.end = ec_frame.victims;
	__builtin_memset(ec_frame.hits, 0, (n + 31) / 32 * sizeof *ec_frame.hits);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t id = ids[i], size = sized ? ec_frame.sizes[i] : 1;
		bool resident = ec_state[id];
		ec_round.request = i;
		if (resident) ec_frame.hits[i / 32] |= 1u << (i & 31);
		else ec_come(id, size, sized);
		access(id, size, resident);
	}
	return ec_round.end - ec_frame.victims;
}

// Memory. The call buffer is one of the module's own until the host wants a larger one.

#define EC_PAGE 65536

static struct {
	_Alignas(8) uint8_t buffer[2048]; // for a spec with parameters; for a refusal
	uint8_t *call;                    // the call buffer
	uint32_t size;                    // of it
	uint8_t *free;                    // what memory has not been given away is from here to its end
	char why[EC_MAX_POLICY_TEXT];             // the refusal, of said bytes
	uint32_t said;
} ec_memory;

extern uint8_t __heap_base; // by the linker: where the module's own memory ends

EC_ONCE void *ec_alloc(uint64_t n, uint32_t size) {
	if (ec_memory.free == NULL) ec_memory.free = (uint8_t *)(((uintptr_t)&__heap_base + 7) & ~(uintptr_t)7);
	uint64_t begin = (uintptr_t)ec_memory.free, end = begin + (n * size + 7) / 8 * 8;
	uint64_t have = (uint64_t)__builtin_wasm_memory_size(0) * EC_PAGE;
	if (n > UINT32_MAX || end > UINT32_MAX ||
	    (end > have && __builtin_wasm_memory_grow(0, (end - have + EC_PAGE - 1) / EC_PAGE) == (size_t)-1)) {
		ec_refuse("there is not enough memory for so many objects");
		return NULL;
	}
	ec_memory.free = (uint8_t *)(uintptr_t)end;
	return (void *)(uintptr_t)begin;
}

// ec_room is ec_buf.
EC_ONCE void *ec_room(uint32_t min) {
	if (ec_memory.call == NULL) ec_memory.call = ec_memory.buffer, ec_memory.size = sizeof ec_memory.buffer;
	if (min > ec_memory.size) {
		uint8_t *larger = ec_alloc(min, 1);
		if (larger == NULL) return NULL;
		ec_memory.call = larger, ec_memory.size = min;
	}
	return ec_memory.call;
}

// Refusals.

// ec_say appends a text to the refusal, as far as there is room for it and a 0.
EC_ONCE void ec_say(const char *text) {
	while (*text != 0 && ec_memory.said < sizeof ec_memory.why - 1) ec_memory.why[ec_memory.said++] = *text++;
}

EC_ONCE void ec_say_number(uint64_t n) {
	char digits[21], *p = digits + 20;
	*p = 0;
	do *--p = '0' + n % 10;
	while ((n /= 10) != 0);
	ec_say(p);
}

EC_ONCE bool ec_refuse(const char *why) {
	ec_memory.said = 0;
	ec_say(why);
	return false;
}

// Parameters. When init first asks for one, the JSON object becomes EC_ASKED_NOT, name, 0, value, 0 for each, and an end, in
// its place. All this is not in a module that asks for none.

#define EC_ASKED_NOT 1
#define EC_ASKED 2
#define EC_END 0

static bool ec_params_read;

EC_ONCE uint32_t ec_hex(const uint8_t *p) {
	uint32_t u = 0;
	for (uint32_t i = 0; i < 4; i++) u = u << 4 | ((p[i] & 15) + (p[i] > '9' ? 9 : 0));
	return u;
}

// ec_escaped writes the character that is escaped from the u on, as UTF-8, and returns where the next one goes.
EC_ONCE uint8_t *ec_escaped(const uint8_t **from, uint8_t *to) {
	uint32_t u = ec_hex(*from + 1);
	*from += 4;
	if (u >> 10 == 0xd800 >> 10) { // the first half of a pair
		u = 0x10000 + ((u & 0x3ff) << 10 | (ec_hex(*from + 3) & 0x3ff));
		*from += 6;
	}
	uint32_t more = u < 0x80 ? 0 : u < 0x800 ? 1 : u < 0x10000 ? 2 : 3;
	*to++ = more == 0 ? u : 0xff00 >> (more + 1) | u >> 6 * more;
	while (more-- > 0) *to++ = 0x80 | (u >> 6 * more & 0x3f);
	return to;
}

// ec_unquote copies the JSON string that begins at the next quote to where it may overlap, with a 0 behind it, and returns
// what follows it. The host wrote it: it is well formed.
EC_ONCE const uint8_t *ec_unquote(const uint8_t *from, uint8_t **end) {
	uint8_t *to = *end;
	while (*from++ != '"') {}
	for (; *from != '"'; from++) {
		uint32_t c = *from;
		if (c == '\\') {
			c = *++from;
			for (const char *pair = "b\bf\fn\nr\rt\t"; *pair != 0; pair += 2) {
				if (c == (uint8_t)pair[0]) {
					c = pair[1];
					break;
				}
			}
			if (c == 'u') {
				to = ec_escaped(&from, to);
				continue;
			}
		}
		*to++ = c;
	}
	*to++ = 0;
	*end = to;
	return from + 1;
}

static ec_spec *ec_given(void) { return (ec_spec *)ec_memory.call; }

EC_ONCE void ec_read_params(void) {
	uint8_t *to = ec_given()->params;
	const uint8_t *from = to + 1, *end = to + ec_given()->params_len - 1; // within the braces
	ec_params_read = true;
	while (from < end) {
		uint8_t *mark = to++;
		from = ec_unquote(ec_unquote(from, &to), &to) + 1;
		*mark = EC_ASKED_NOT;
	}
	*to = EC_END;
}

// ec_skip returns what follows a text and its 0.
EC_ONCE uint8_t *ec_skip(uint8_t *text) {
	while (*text++ != 0) {}
	return text;
}

EC_ONCE const char *ec_param(const char *name) {
	if (!ec_params_read) ec_read_params();
	for (uint8_t *p = ec_given()->params; *p != EC_END; p = ec_skip(ec_skip(p))) {
		const char *a = (const char *)p + 1, *b = name;
		while (*a == *b && *a != 0) a++, b++;
		if (*a != *b) continue;
		*p = EC_ASKED;
		return a + 1;
	}
	return NULL;
}

EC_ONCE bool ec_param_number(const char *name, uint64_t least, uint64_t most, uint64_t *value) {
	const char *text = ec_param(name);
	if (text == NULL) return true;
	uint64_t n = 0;
	bool good = *text != 0;
	for (const char *p = text; *p != 0; p++) {
		good = good && *p >= '0' && *p <= '9' && n < UINT64_MAX / 10;
		n = n * 10 + (*p - '0');
	}
	if (good && n >= least && n <= most) {
		*value = n;
		return true;
	}
	ec_refuse("parameter "), ec_say(name), ec_say("=\""), ec_say(text), ec_say("\" is no whole number from ");
	ec_say_number(least), ec_say(" to "), ec_say_number(most);
	return false;
}

// ec_all_asked refuses a parameter that init did not ask for.
EC_ONCE bool ec_all_asked(void) {
	if (!ec_params_read) return ec_given()->params_len <= 2 || ec_refuse("the policy has no parameters");
	for (uint8_t *p = ec_given()->params; *p != EC_END; p = ec_skip(ec_skip(p))) {
		if (*p == EC_ASKED) continue;
		ec_refuse("parameter \""), ec_say((const char *)p + 1), ec_say("\" is not known");
		return false;
	}
	return true;
}

// ec_open takes what the SDK itself needs.
EC_ONCE bool ec_open(const ec_spec *spec) {
	ec_capacity = spec->capacity, ec_objects = spec->objects, ec_sized = spec->flags & EC_SPEC_BYTES;
	ec_frame.ids = ec_alloc(spec->batch, sizeof *ec_frame.ids);
	ec_frame.sizes = ec_alloc(spec->batch, sizeof *ec_frame.sizes);
	ec_frame.hits = ec_alloc(((uint64_t)spec->batch + 31) / 32, sizeof *ec_frame.hits);
	ec_frame.victims = ec_alloc((uint64_t)spec->most + spec->batch, sizeof *ec_frame.victims);
	ec_state = ec_alloc(spec->objects, sizeof *ec_state);
	if (ec_sized) ec_sizes = ec_alloc(spec->objects, sizeof *ec_sizes);
	return ec_memory.said == 0;
}

// ec_end is what ec_policy_init returns.
EC_ONCE const void *ec_end(bool good) {
	if (good && ec_all_asked()) return &ec_frame;
	if (ec_memory.said == 0) ec_refuse("init returned false");
	__builtin_memcpy(ec_memory.call, ec_memory.why, ec_memory.said);
	ec_memory.call[ec_memory.said] = 0;
	return NULL;
}

#endif
