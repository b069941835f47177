// httpkey makes one key of URLs that differ in tracking parameters and in the order of the others. See ../README.md.
#define MAX_CONFIG 4096
#include "json.h"

#include "edgecache_http.h"

enum { MAX_PATTERNS = 128, MAX_PARAMS = 128 };

EC_HTTP_MODULE("manifest.json")
EC_HTTP_BUFFERS(frame, verdict, EC_MAX_HTTP_TARGET + 64)

// A pattern is a name, or with a star at its end what names begin with.
typedef struct {
	bytes name;
	bool prefix;
} pattern;

static pattern patterns[MAX_PATTERNS];
static uint32_t pattern_count;
static bool keep_order, hide;

static void add_pattern(bytes name) {
	bool prefix = name.n > 0 && name.p[name.n - 1] == '*';
	patterns[pattern_count++] = (pattern){{name.p, name.n - prefix}, prefix};
}

// add_defaults adds what is dropped unless the configuration has a list of its own.
static void add_defaults(void) {
	static const char *const names[] = {
		"utm_*", "gclid", "gclsrc", "dclid", "gbraid", "wbraid", "fbclid", "msclkid", "mc_cid", "mc_eid", "igshid", "twclid",
		"ttclid", "yclid", "_ga", "_gl",
	};
	for (uint32_t i = 0; i < sizeof names / sizeof *names; i++) add_pattern(c_string(names[i]));
}

static void read_patterns(json *j) {
	uint32_t n = 0;
	json_open_array(j);
	while (json_more(j, ']', &n)) {
		if (pattern_count == MAX_PATTERNS) json_fail_plain(j, j->at, "more than 128 names");
		else add_pattern(json_string(j));
	}
}

EC_EXPORT("ec_init") uint32_t ec_init(uint32_t config_len, uint64_t features) {
	(void)features;
	enum { DROP, SORT, HIDE, FIELDS };
	static const char *const fields[FIELDS] = {"drop", "sort", "hide"};
	static json j;
	uint32_t n = 0, seen = 0;
	bool sort = true;
	if (json_begin(&j, (bytes){ec_http_call(frame)->key, config_len})) {
		while (json_more(&j, '}', &n)) {
			switch (json_field(&j, fields, FIELDS, &seen, ": want drop, sort or hide")) {
			case DROP: read_patterns(&j); break;
			case SORT: sort = json_bool(&j); break;
			case HIDE: hide = json_bool(&j); break;
			}
		}
		json_end(&j);
	}
	keep_order = !sort;
	if (!(seen & 1 << DROP)) add_defaults();
	return json_report(&j, ec_http_call(frame));
}

static bool dropped(bytes name) {
	for (uint32_t i = 0; i < pattern_count; i++) {
		const pattern *p = &patterns[i];
		if (p->prefix ? starts_with(name, p->name) : equal(name, p->name)) return true;
	}
	return false;
}

// A parameter of the query, with the part of it that is its name.
typedef struct {
	bytes all, name;
} param;

static param params[MAX_PARAMS];

// before reports whether a's name stands before b's, byte by byte.
static bool before(bytes a, bytes b) {
	for (uint32_t i = 0; i < a.n && i < b.n; i++) {
		if (a.p[i] != b.p[i]) return a.p[i] < b.p[i];
	}
	return a.n < b.n;
}

// insert puts a parameter into its place among n: behind those of the same name, which keep their order.
static void insert(param p, uint32_t n) {
	for (; n > 0 && !keep_order && before(p.name, params[n - 1].name); n--) params[n] = params[n - 1];
	params[n] = p;
}

// split takes a query apart and returns how many parameters are left, or MAX_PARAMS + 1 for too many.
static uint32_t split(bytes query) {
	uint32_t n = 0;
	for (uint32_t at = 0; at <= query.n;) {
		uint32_t end = find_byte(query, at, '&');
		bytes all = slice(query, at, end), name = slice(all, 0, find_byte(all, 0, '='));
		at = end + 1;
		if (all.n == 0 || dropped(name)) continue;
		if (n == MAX_PARAMS) return n + 1;
		insert((param){all, name}, n++);
	}
	return n;
}

EC_EXPORT("ec_http") uint64_t ec_http(uint32_t phase, uint32_t len) {
	(void)phase, (void)len;
	ec_bytes t = ec_http_text(frame, frame->target);
	bytes target = {t.p, t.n};
	uint32_t mark = find_byte(target, 0, '?');
	if (mark == target.n || target.n > EC_MAX_HTTP_TARGET) return 0;
	uint32_t n = split(slice(target, mark + 1, target.n));
	if (n > MAX_PARAMS) return 0;
	static uint8_t out[EC_MAX_HTTP_TARGET];
	uint32_t size = append(out, 0, slice(target, 0, mark));
	for (uint32_t i = 0; i < n; i++) {
		out[size++] = i ? '&' : '?';
		size = append(out, size, params[i].all);
	}
	if (equal((bytes){out, size}, target)) return 0;
	ec_http_bytes(verdict, EC_HTTP_FIELD_TARGET, out, size);
	if (hide) ec_http_bytes(verdict, EC_HTTP_FIELD_HIDE, out, 0);
	return ec_http_done(verdict);
}
