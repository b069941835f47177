// The conformance guest: it does what keys ask for. ../../README.md says what that is.
#include "edgecache.h"

// With WITHOUT_GRANTS it does without what an operator must grant.
#ifdef WITHOUT_GRANTS
EC_MODULE("basic.json")
#else
EC_MODULE("manifest.json")
#endif
EC_EVENTS(events)

enum {
	SMALL = 4096,   // the call buffer that calls begin with
	LARGE = 65600,  // and the one that they get which need more
	OUT = 1 << 17,  // room for what is made
	CONFIG = 1024,  // bytes that are kept of the configuration
	CHUNK = 4096,   // bytes that are read of values and entries
	PAIRS = 32,     // rows of statistics
};

static const uint64_t COOKIE = 0x0123456789abcdef;

// The areas stand behind each other, since an action's offset counts from the call buffer.
static struct {
	_Alignas(8) uint8_t small[SMALL];
	_Alignas(8) uint8_t large[LARGE];
	uint8_t out[OUT];
} area;

static ec_call *call = (ec_call *)area.small;

EC_EXPORT("ec_buf") ec_call *ec_buf(uint32_t min_size) {
	if (min_size > LARGE) return NULL;
	if (min_size > SMALL) call = (ec_call *)area.large;
	return call;
}

// Texts: a part of the key, or what is made in area.out.

typedef struct {
	const uint8_t *p;
	uint32_t n;
} text;

static bool is(text t, const char *word) {
	uint32_t i = 0;
	while (i < t.n && word[i] != 0 && t.p[i] == (uint8_t)word[i]) i++;
	return i == t.n && word[i] == 0;
}

// cut takes off what stands before the first c, or all of it, and the c with it.
static text cut(text *t, uint8_t c) {
	uint32_t n = 0;
	while (n < t->n && t->p[n] != c) n++;
	text head = {t->p, n};
	uint32_t gone = n < t->n ? n + 1 : n;
	*t = (text){t->p + gone, t->n - gone};
	return head;
}

// number reads a decimal number that takes all of the text.
static bool number(text t, int64_t *v) {
	bool minus = t.n > 0 && t.p[0] == '-';
	uint64_t u = 0;
	if (t.n == minus) return false;
	for (uint32_t i = minus; i < t.n; i++) {
		if (t.p[i] < '0' || t.p[i] > '9') return false;
		u = u * 10 + (t.p[i] - '0');
	}
	*v = (int64_t)(minus ? -u : u);
	return true;
}

// count reads a number from 0 to most.
static bool count(text t, uint32_t most, uint32_t *v) {
	int64_t n;
	if (!number(t, &n) || n < 0 || n > most) return false;
	*v = (uint32_t)n;
	return true;
}

// hex reads 16 hexadecimal digits.
static bool hex(text t, uint64_t *v) {
	*v = 0;
	if (t.n < 16) return false;
	for (uint32_t i = 0; i < 16; i++) {
		uint8_t c = t.p[i];
		if (c >= '0' && c <= '9') *v = *v << 4 | (c - '0');
		else if (c >= 'a' && c <= 'f') *v = *v << 4 | (c - 'a' + 10);
		else return false;
	}
	return true;
}

static uint32_t made; // bytes of area.out

static void put(text t) {
	if (t.n > OUT - made) __builtin_trap();
	__builtin_memcpy(area.out + made, t.p, t.n);
	made += t.n;
}

static void put_word(const char *word) {
	while (*word != 0) area.out[made++] = *word++;
}

static void put_number(int64_t v) {
	uint8_t digits[20];
	uint32_t i = sizeof digits;
	uint64_t u = v < 0 ? -(uint64_t)v : (uint64_t)v;
	do digits[--i] = '0' + u % 10;
	while ((u /= 10) > 0);
	if (v < 0) put_word("-");
	put((text){digits + i, sizeof digits - i});
}

static void put_hex(uint64_t v) {
	for (uint32_t shift = 64; shift > 0; shift -= 4) area.out[made++] = "0123456789abcdef"[v >> (shift - 4) & 15];
}

static void put_field(const char *name, int64_t v) {
	put_word(name);
	put_number(v);
}

static void put_times(uint8_t c, uint32_t n) {
	__builtin_memset(area.out + made, c, n);
	made += n;
}

// done returns an action with what was made.
static uint64_t done(uint32_t action) { return ec_action(action, call, area.out, made); }

static uint64_t tell(int64_t v) {
	put_number(v);
	return done(EC_ACTION_RESPOND);
}

// What ec_init left.

static uint8_t config[CONFIG];
static uint32_t config_len;
static uint64_t features;

static bool begins(text t, const char *word) {
	uint32_t i = 0;
	while (i < t.n && word[i] != 0 && t.p[i] == (uint8_t)word[i]) i++;
	return word[i] == 0;
}

static text after(text t, uint32_t n) { return (text){t.p + n, t.n - n}; }

#ifndef WITHOUT_GRANTS
static int32_t calls, level, times;
static uint32_t defined;

static int32_t define(uint32_t kind, const void *name, uint32_t n) {
	int32_t metric = ec_metric_define(kind, name, n);
	defined += metric >= 0;
	return metric;
}

// define_metrics defines those of the table, and as many more as the configuration says.
static void define_metrics(text conf) {
	calls = define(EC_METRIC_COUNTER, "calls", 5);
	level = define(EC_METRIC_GAUGE, "level", 5);
	times = define(EC_METRIC_HISTOGRAM, "times", 5);
	uint32_t more = 0;
	if (begins(conf, "{\"metrics\":")) {
		text rest = after(conf, 11);
		if (!count(cut(&rest, '}'), 1000, &more)) return;
	}
	for (uint32_t i = 0; i < more; i++) {
		made = 0;
		put_field("extra-", i);
		define(EC_METRIC_COUNTER, area.out, made);
	}
}
#endif

EC_EXPORT("ec_init") uint32_t ec_init(uint32_t len, uint64_t with) {
	text conf = {call->key, len};
	if (begins(conf, "{\"refuse\":\"")) {
		text rest = after(conf, 11);
		text why = cut(&rest, '"');
		for (uint32_t i = 0; i < why.n; i++) call->key[i] = why.p[i];
		return why.n;
	}
	if (begins(conf, "{\"trap\":")) __builtin_trap();
	features = with;
	config_len = len < CONFIG ? len : CONFIG;
	__builtin_memcpy(config, call->key, config_len);
#ifndef WITHOUT_GRANTS
	define_metrics(conf);
#endif
	return 0;
}

// Statistics: the columns of the manifest, in their order.

typedef struct {
	uint64_t label;
	uint64_t before, after, events, continued, hits, bytes, hashed, ttl, tier, time, shortest;
	uint64_t elapsed[EC_HISTOGRAM_SLOTS];
} row;

static row rows[PAIRS + 1]; // the last takes what has no row, and is not reported
static uint32_t row_count, idles;

static row *row_of(uint32_t op, uint32_t namespace_id) {
	uint64_t label = ec_label(op, namespace_id);
	uint32_t i = 0;
	while (i < row_count && rows[i].label != label) i++;
	if (i == row_count) {
		rows[i] = (row){.label = label, .shortest = UINT64_MAX};
		if (row_count < PAIRS) row_count++;
	}
	return &rows[i];
}

static void raise(uint64_t *most, uint64_t v) {
	if (v > *most) *most = v;
}

EC_EXPORT("ec_observe") void ec_observe(uint32_t n) {
	for (const ec_event *e = events; e < events + n; e++) {
		row *r = row_of(e->op & ~EC_EVENT_CONTINUED, e->namespace_id);
		r->events++;
		r->continued += (e->op & EC_EVENT_CONTINUED) != 0;
		r->hits += ec_outcome(e->result) == EC_OUTCOME_HIT;
		r->bytes += e->value_size;
		r->hashed += e->key_hash != 0;
		raise(&r->ttl, e->ttl);
		raise(&r->tier, ec_tier(e->result));
		raise(&r->time, e->time);
		r->elapsed[63 - __builtin_clzll((uint64_t)e->elapsed << 1 | 1)]++; // the bit length, also of 0
	}
}

EC_EXPORT("ec_idle") void ec_idle(void) { idles++; }

EC_EXPORT("ec_stats") uint64_t ec_stats(void) { return ec_block(rows, row_count); }

// ec_before.

static void put_call(uint32_t key_len) {
	put_word(" ns=");
	put((text){call->key + key_len, call->namespace_len});
	put_field(" batch=", call->batch_index);
	put_field("/", call->batch_len);
}

static uint64_t tell_args(uint32_t op, uint32_t key_len, uint32_t value_len, int64_t ttl_ms, uint32_t flags) {
	put_field("args op=", op);
	put_field(" key=", key_len);
	put_field(" value=", value_len);
	put_field(" ttl=", ttl_ms);
	put_field(" flags=", flags);
	put_call(key_len);
	return done(EC_ACTION_KEY);
}

static uint64_t upper(uint32_t key_len) {
	for (uint32_t i = 0; i < key_len; i++) {
		if (call->key[i] >= 'a' && call->key[i] <= 'z') call->key[i] -= 'a' - 'A';
	}
	return ec_action(EC_ACTION_KEY, call, call->key, key_len);
}

// here is an action with bytes of the call buffer.
static uint64_t here(uint32_t action, text t) { return ec_action(action, call, t.p, t.n); }

static uint64_t ext(uint8_t *end) { return ec_action(EC_ACTION_EXT, call, area.out, end - area.out); }

static uint64_t ext_all(text key) {
	uint8_t *p = ec_patch(area.out, EC_FIELD_KEY, key.p, key.n);
	p = ec_patch_ttl(p, 90000);
	return ext(ec_patch(p, EC_FIELD_NAMESPACE, "ext", 3));
}

static uint64_t clock(void) {
	put_number(ec_now_ns());
	put_field(" ", ec_mono_ns());
	put_field(" ", ec_mono_ns());
	return done(EC_ACTION_RESPOND);
}

static uint64_t say(text arg) {
	uint32_t level;
	if (count(cut(&arg, ','), EC_LOG_ERROR, &level)) ec_log(level, arg.p, arg.n);
	return EC_ACTION_NONE;
}

#ifndef WITHOUT_GRANTS

static uint64_t value_at(text arg) {
	uint32_t offset, n;
	if (!count(cut(&arg, ','), UINT32_MAX, &offset) || !count(arg, CHUNK, &n)) return EC_ACTION_NONE;
	made = ec_value_read(offset, area.out, n);
	return done(EC_ACTION_KEY);
}

static uint64_t value_add(text arg) {
	made = ec_value_read(0, area.out, CHUNK);
	put(arg);
	ec_value_write(area.out, made);
	return EC_ACTION_NONE;
}

static uint64_t value_reverse(void) {
	uint32_t n = ec_value_read(0, area.out, CHUNK);
	for (uint32_t i = 0; i < n / 2; i++) {
		uint8_t c = area.out[i];
		area.out[i] = area.out[n - 1 - i];
		area.out[n - 1 - i] = c;
	}
	ec_value_write(area.out, n);
	return EC_ACTION_NONE;
}

static uint64_t kv_get(text key, text arg) {
	static uint8_t entry[CHUNK];
	uint32_t room;
	if (!count(arg, CHUNK, &room)) return EC_ACTION_NONE;
	int64_t n = ec_kv_get(key.p, key.n, entry, room);
	put_number(n);
	put_word("=");
	if (n > 0) put((text){entry, n < room ? (uint32_t)n : room});
	return done(EC_ACTION_RESPOND);
}

static uint64_t kv_set(text key, text arg) {
	text value = cut(&arg, ',');
	int64_t ttl;
	return number(arg, &ttl) ? tell(ec_kv_set(key.p, key.n, value.p, value.n, ttl)) : EC_ACTION_NONE;
}

static uint64_t kv_cas(text key, text arg) {
	text old = cut(&arg, ','), value = cut(&arg, ',');
	int32_t old_len = is(old, "-") ? EC_KV_NONE : (int32_t)old.n;
	int64_t ttl;
	return number(arg, &ttl) ? tell(ec_kv_cas(key.p, key.n, old.p, old_len, value.p, value.n, ttl)) : EC_ACTION_NONE;
}

static uint64_t kv_add(text key, text arg) {
	int64_t delta, ttl;
	if (!number(cut(&arg, ','), &delta) || !number(arg, &ttl)) return EC_ACTION_NONE;
	return tell(ec_kv_add(key.p, key.n, delta, ttl));
}

static uint64_t kv_fill(text arg) {
	uint32_t key_len, value_len;
	if (!count(cut(&arg, ','), EC_MAX_KV_KEY + 1, &key_len) || !count(arg, EC_MAX_KV_VALUE + 1, &value_len)) return EC_ACTION_NONE;
	put_times('k', key_len);
	put_times('v', value_len);
	int32_t result = ec_kv_set(area.out, key_len, area.out + key_len, value_len, 0);
	made = 0;
	return tell(result);
}

// granted does what verbs ask for that need a capability which an operator must grant.
static uint64_t granted(text verb, text arg) {
	int64_t v;
	if (is(verb, "value-at")) return value_at(arg);
	if (is(verb, "value-put")) {
		put_number(ec_value_write(arg.p, arg.n));
		return done(EC_ACTION_KEY);
	}
	if (is(verb, "value-add")) return value_add(arg);
	if (is(verb, "kv-fill")) return kv_fill(arg);
	if (is(verb, "kv-delete")) return tell(ec_kv_delete(arg.p, arg.n));
	if (begins(verb, "kv-")) {
		text key = cut(&arg, ',');
		if (is(verb, "kv-get")) return kv_get(key, arg);
		if (is(verb, "kv-set")) return kv_set(key, arg);
		if (is(verb, "kv-cas")) return kv_cas(key, arg);
		if (is(verb, "kv-add")) return kv_add(key, arg);
	}
	if (is(verb, "metrics")) return tell(defined);
	if (is(verb, "metric-again")) return tell(ec_metric_define(EC_METRIC_COUNTER, "calls", 5) == calls);
	if (is(verb, "count") && number(arg, &v)) ec_counter_add(calls, v);
	if (is(verb, "gauge") && number(arg, &v)) ec_gauge_set(level, v);
	if (is(verb, "hist") && number(arg, &v)) ec_hist_record(times, v);
	if (is(verb, "span")) {
		text key = cut(&arg, ',');
		ec_span_attr(key.p, key.n, arg.p, arg.n);
	}
	return EC_ACTION_NONE;
}

#else

static uint64_t granted(text verb, text arg) {
	(void)verb, (void)arg;
	return EC_ACTION_NONE;
}

#endif

// asked does what verbs ask for that need what everyone gets.
static uint64_t asked(text verb, text arg) {
	uint32_t n;
	uint64_t v;
	if (is(verb, "raw")) return hex(arg, &v) ? v : EC_ACTION_NONE;
	if (is(verb, "trap")) __builtin_trap();
	if (is(verb, "config")) return put((text){config, config_len}), done(EC_ACTION_RESPOND);
	if (is(verb, "features")) return tell((int64_t)features);
	if (is(verb, "idle")) return tell(idles);
	if (is(verb, "hash")) return put_hex(ec_hash64(arg.p, arg.n)), done(EC_ACTION_RESPOND);
	if (is(verb, "clock")) return clock();
	if (is(verb, "random") && count(arg, EC_MAX_RANDOM, &n)) {
		ec_random(area.out, made = n);
		return done(EC_ACTION_RESPOND);
	}
	if (is(verb, "log")) return say(arg);
	if (is(verb, "log-enabled") && count(arg, EC_LOG_ERROR, &n)) return tell(ec_log_enabled(n));
	return granted(verb, arg);
}

static uint64_t cookie(uint64_t action) {
	call->cookie = COOKIE;
	return action | EC_ACTION_COOKIE;
}

EC_EXPORT("ec_before")
uint64_t ec_before(uint32_t op, uint32_t key_len, uint32_t value_len, int64_t ttl_ms, uint32_t flags) {
	text arg = {call->key, key_len}, verb = cut(&arg, ':');
	row *r = row_of(op, call->namespace_id & 0xffff);
	uint32_t n;
	int64_t v;
	r->before++;
	if (key_len < r->shortest) r->shortest = key_len;
	made = 0;
	if (is(verb, "pass")) return EC_ACTION_NONE;
	if (is(verb, "upper")) return upper(key_len);
	if (is(verb, "cut")) return here(EC_ACTION_KEY, arg);
	if (is(verb, "long") && count(arg, 65536, &n)) return put_times('x', n), done(EC_ACTION_KEY);
	if (is(verb, "args")) return tell_args(op, key_len, value_len, ttl_ms, flags);
	if (is(verb, "respond")) return here(EC_ACTION_RESPOND, arg);
	if (is(verb, "deny")) return here(EC_ACTION_DENY, arg);
	if (is(verb, "miss")) return (uint64_t)EC_ACTION_MISS << EC_ACTION_SHIFT;
	if (is(verb, "ttl") && number(arg, &v)) return ext(ec_patch_ttl(area.out, v));
	if (is(verb, "value")) return ext(ec_patch(area.out, EC_FIELD_VALUE, arg.p, arg.n));
	if (is(verb, "ns")) return ext(ec_patch(area.out, EC_FIELD_NAMESPACE, arg.p, arg.n));
	if (is(verb, "ext")) return ext_all(arg);
	if (is(verb, "last")) return ext(ec_patch(ec_patch(area.out, EC_FIELD_KEY, "first", 5), EC_FIELD_KEY, arg.p, arg.n));
	if (is(verb, "cookie")) return cookie(EC_ACTION_NONE);
	if (is(verb, "cookie-respond")) return cookie(here(EC_ACTION_RESPOND, arg));
	if (is(verb, "cookie-key")) return put_word("cookie:"), put(arg), cookie(done(EC_ACTION_KEY));
	return asked(verb, arg);
}

// ec_after.

static uint64_t tell_after(uint32_t op, uint32_t key_len, uint32_t result, uint32_t value_len) {
	put_field("after op=", op);
	put_word(" key=");
	put((text){call->key, key_len});
	put_field(" result=", result);
	put_field(" value=", value_len);
	put_word(" cookie=");
	put_hex(call->cookie);
	put_call(key_len);
	return done(EC_ACTION_RESPOND);
}

EC_EXPORT("ec_after")
uint64_t ec_after(uint32_t op, uint32_t key_len, uint32_t result, int64_t elapsed_ns, uint32_t value_len) {
	text arg = {call->key, key_len}, verb = cut(&arg, ':');
	uint64_t v;
	row_of(op, call->namespace_id & 0xffff)->after++;
	made = 0;
	if (is(verb, "after-raw")) return hex(arg, &v) ? v : EC_ACTION_NONE;
	if (is(verb, "after-trap")) __builtin_trap();
	if (ec_outcome(result) != EC_OUTCOME_HIT) return EC_ACTION_NONE;
	if (is(verb, "cookie") || is(verb, "cookie-respond") || is(verb, "tell")) return tell_after(op, key_len, result, value_len);
	if (is(verb, "after-respond")) return here(EC_ACTION_RESPOND, arg);
	if (is(verb, "after-elapsed")) return tell(elapsed_ns);
#ifndef WITHOUT_GRANTS
	if (is(verb, "after-reverse")) return value_reverse();
#endif
	return EC_ACTION_NONE;
}
