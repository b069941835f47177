// actor is a guest of the http-wasm handler ABI for tests: the first segment of the path says what it does.
#include <stddef.h>
#include <stdint.h>

#define IMPORT(name) __attribute__((import_module("http_handler"), import_name(name)))
#define EXPORT(name) __attribute__((export_name(name)))

IMPORT("enable_features") uint32_t enable_features(uint32_t features);
IMPORT("get_config") uint32_t get_config(void *buf, uint32_t limit);
IMPORT("log_enabled") uint32_t log_enabled(int32_t level);
IMPORT("log") void host_log(int32_t level, const void *text, uint32_t len);
IMPORT("get_method") uint32_t get_method(void *buf, uint32_t limit);
IMPORT("set_method") void set_method(const void *method, uint32_t len);
IMPORT("get_uri") uint32_t get_uri(void *buf, uint32_t limit);
IMPORT("set_uri") void set_uri(const void *uri, uint32_t len);
IMPORT("get_source_addr") uint32_t get_source_addr(void *buf, uint32_t limit);
IMPORT("get_header_names") uint64_t get_header_names(uint32_t kind, void *buf, uint32_t limit);
IMPORT("get_header_values") uint64_t get_header_values(uint32_t kind, const void *name, uint32_t len, void *buf, uint32_t limit);
IMPORT("set_header_value") void set_header_value(uint32_t kind, const void *name, uint32_t n, const void *value, uint32_t v);
IMPORT("add_header_value") void add_header_value(uint32_t kind, const void *name, uint32_t n, const void *value, uint32_t v);
IMPORT("remove_header") void remove_header(uint32_t kind, const void *name, uint32_t n);
IMPORT("read_body") uint64_t read_body(uint32_t kind, void *buf, uint32_t limit);
IMPORT("write_body") void write_body(uint32_t kind, const void *body, uint32_t len);
IMPORT("get_status_code") uint32_t get_status_code(void);
IMPORT("set_status_code") void set_status_code(uint32_t status);

enum { REQUEST, RESPONSE, REQUEST_TRAILERS, RESPONSE_TRAILERS };
enum { BUFFER_REQUEST = 1, BUFFER_RESPONSE = 2, TRAILERS = 4 };

static char uri[256], buf[4096], config[16];
static uint32_t calls;

// does reports whether the path begins with /name.
static int does(const char *name) {
	const char *p = uri + 1;
	while (*name && *p == *name) p++, name++;
	return !*name && (!*p || *p == '/' || *p == '?');
}

static uint32_t length(const char *s) {
	uint32_t n = 0;
	while (s[n]) n++;
	return n;
}

static void set(uint32_t kind, const char *name, const char *value) {
	set_header_value(kind, name, length(name), value, length(value));
}

static void echo(uint64_t count_len) { write_body(RESPONSE, buf, (uint32_t)count_len); }

// Asked for while an instance is set up: the features that the configuration names.
EXPORT("_initialize") void initialize(void) {
	if (get_config(config, sizeof config) == 1) enable_features(config[0] - '0');
}

// The state that a request carries to its response.
static uint64_t next(void) { return (uint64_t)(++calls) << 32 | 1; }

static uint64_t answers(void) {
	if (does("deny")) {
		set_status_code(403);
		set(RESPONSE, "Content-Type", "text/plain");
		write_body(RESPONSE, "not ", 4);
		write_body(RESPONSE, "for you", 7);
		return 0;
	}
	if (does("names")) return echo(get_header_names(REQUEST, buf, sizeof buf)), 0;
	if (does("values")) return echo(get_header_values(REQUEST, "X-Many", 6, buf, sizeof buf)), 0;
	if (does("host")) return echo(get_header_values(REQUEST, "host", 4, buf, sizeof buf)), 0;
	if (does("short")) {
		buf[0] = '!'; // too little room: nothing is written
		get_header_names(REQUEST, buf, 3);
		return write_body(RESPONSE, buf, 1), 0;
	}
	if (does("address")) return write_body(RESPONSE, buf, get_source_addr(buf, sizeof buf)), 0;
	if (does("method")) return write_body(RESPONSE, buf, get_method(buf, sizeof buf)), 0;
	return 2;
}

static void changes(void) {
	if (does("rewrite")) {
		set_uri("/rewritten?by=guest", 19);
		set_method("PUT", 3);
		set(REQUEST, "host", "other.example");
		set(REQUEST, "X-Set", "1");
		add_header_value(REQUEST, "X-Set", 5, "2", 1);
		remove_header(REQUEST, "X-Many", 6);
	} else if (does("replace")) {
		write_body(REQUEST, "a body ", 7);
		write_body(REQUEST, "of mine", 7);
	} else if (does("peek")) {
		enable_features(BUFFER_REQUEST);
		read_body(REQUEST, buf, 4);
	} else if (does("eat")) {
		read_body(REQUEST, buf, 4);
	} else if (does("redact") || does("look") || does("trapafter") || does("trailer")) {
		enable_features(BUFFER_RESPONSE | TRAILERS);
	} else if (does("log")) {
		for (int i = 0; i < 100; i++) host_log(0, "line", 4);
	}
}

static void misbehaves(void) {
	if (does("trap")) __builtin_trap();
	if (does("loop")) for (volatile int i = 0;; i++) {}
	if (does("calls")) for (;;) log_enabled(0);
	if (does("outside")) get_uri((void *)0x7fffff00, 4096);
	if (does("split")) set(RESPONSE, "X-Split", "a\r\nSet-Cookie: b=c");
	if (does("splitname")) set(RESPONSE, "X Split", "a");
	if (does("status")) set_status_code(99);
	if (does("baduri")) set_uri("http://elsewhere/", 17);
	if (does("badmethod")) set_method("G T", 3);
	if (does("badkind")) set(7, "X-Kind", "a");
	if (does("noroom")) read_body(REQUEST, buf, 0);
	if (does("endless")) for (;;) write_body(RESPONSE, buf, sizeof buf);
}

EXPORT("handle_request") uint64_t handle_request(void) {
	uint32_t n = get_uri(uri, sizeof uri - 1);
	uri[n < sizeof uri ? n : 0] = 0;
	misbehaves();
	uint64_t answer = answers();
	if (answer != 2) return answer;
	changes();
	return next();
}

EXPORT("handle_response") void handle_response(uint32_t state, uint32_t is_error) {
	if (state != calls) __builtin_trap(); // an instance has one request at a time
	if (does("late")) set(REQUEST, "X-Late", "1");
	if (does("unbuffered")) get_status_code();
	if (does("trapafter")) {
		set(RESPONSE, "X-Half", "done");
		__builtin_trap();
	}
	if (does("look")) {
		set(RESPONSE, "X-Status", get_status_code() == 418 ? "teapot" : "other");
		set(RESPONSE, "X-Error", is_error ? "yes" : "no");
	}
	if (does("trailer")) set(RESPONSE_TRAILERS, "X-Sum", "42");
	if (does("redact")) {
		uint64_t n = read_body(RESPONSE, buf, sizeof buf);
		for (uint32_t i = 0; i < (uint32_t)n; i++)
			if (buf[i] >= '0' && buf[i] <= '9') buf[i] = '*';
		set_status_code(200);
		write_body(RESPONSE, buf, (uint32_t)n);
	}
}
