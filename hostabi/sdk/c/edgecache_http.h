// edgecache_http.h is all that a guest with hooks of HTTP needs in C: it is called at phases of an exchange, finds a frame in
// the call buffer and returns a verdict. docs/ABI.md explains both. It is compiled as edgecache.h says.
//
//   EC_HTTP_MODULE("manifest.json")
//   EC_HTTP_BUFFERS(frame, verdict, 4096)
//
//   EC_EXPORT("ec_http") uint64_t ec_http(uint32_t phase, uint32_t len) {
//       ec_bytes agent;
//       if (ec_http_header(frame, 0, &agent)) ...
//       ec_http_action(verdict, EC_HTTP_ACTION_DENY, 403);
//       return ec_http_done(verdict);
//   }
#ifndef EDGECACHE_HTTP_H
#define EDGECACHE_HTTP_H

#include "edgecache.h"

// ec_http_string is a string within the frame: see ec_http_text.
typedef struct {
	uint32_t at, len;
} ec_http_string;

// ec_http_line is a line of a header.
typedef struct {
	uint16_t name, reserved; // index in the manifest's headers or response_headers
	ec_http_string value;
} ec_http_line;

// ec_http_lines are the lines of a header.
typedef struct {
	uint32_t at, n;
} ec_http_lines;

// ec_http_frame is what the host shows. Times are in milliseconds.
typedef struct {
	uint32_t length;
	uint8_t phase, method_number, scheme, flags; // EC_HTTP_PHASE_, EC_HTTP_METHOD_, 0 http 1 https, EC_HTTP_FLAG_
	uint16_t status;
	uint8_t outcome, family; // EC_HTTP_OUTCOME_; 4, 6 or 0: of client
	uint32_t reserved;
	ec_http_string method, host, target;
	ec_http_lines request, response;
	uint8_t client[16];
	int64_t age, ttl, swr, sie;
	int64_t body; // bytes, -1 if not known
	uint64_t key_hash;
	uint32_t frequency, reserved2;
} ec_http_frame;

// ec_http_event is an exchange that has ended.
typedef struct {
	uint64_t key_hash;
	uint64_t time;    // unix nanoseconds
	uint32_t elapsed; // microseconds
	uint32_t size;    // bytes
	uint32_t age;     // seconds
	uint16_t status;
	uint8_t method, outcome;
} ec_http_event;

_Static_assert(sizeof(ec_http_line) == EC_HTTP_LINE_SIZE, "layout of ec_http_line");
_Static_assert(offsetof(ec_http_line, value) == EC_HTTP_LINE_OFFSET, "layout of ec_http_line");
_Static_assert(offsetof(ec_http_frame, status) == EC_HTTP_FRAME_STATUS, "layout of ec_http_frame");
_Static_assert(offsetof(ec_http_frame, method) == EC_HTTP_FRAME_METHOD, "layout of ec_http_frame");
_Static_assert(offsetof(ec_http_frame, request) == EC_HTTP_FRAME_REQUEST_LINES, "layout of ec_http_frame");
_Static_assert(offsetof(ec_http_frame, client) == EC_HTTP_FRAME_CLIENT, "layout of ec_http_frame");
_Static_assert(offsetof(ec_http_frame, age) == EC_HTTP_FRAME_AGE, "layout of ec_http_frame");
_Static_assert(offsetof(ec_http_frame, frequency) == EC_HTTP_FRAME_FREQUENCY, "layout of ec_http_frame");
_Static_assert(sizeof(ec_http_frame) == EC_HTTP_FRAME_STRINGS, "layout of ec_http_frame");
_Static_assert(sizeof(ec_http_event) == EC_EVENT_SIZE, "layout of ec_http_event");

// EC_HTTP_MODULE marks the module as a guest of HTTP and embeds the manifest, as EC_MODULE does. Once in a module.
#define EC_HTTP_MODULE(manifest)                                                                     \
	__asm__(".section .custom_section.edgecache.manifest,\"\",@\n.incbin \"" manifest "\"\n.text\n"); \
	EC_EXPORT("edgecache_abi_http_1") void ec_marker(void) {}

// ec_verdict is a verdict under construction. A field that does not fit traps: the room is the author's to choose.
typedef struct {
	uint8_t *p;
	uint32_t n, room;
} ec_verdict;

// EC_HTTP_BUFFERS defines the call buffer, as long as a frame can be, with ec_buf, and a verdict with room for so many bytes. In
// ec_init the configuration is at ec_http_call(frame)->key.
#define EC_HTTP_BUFFERS(frame, verdict, room)                                     \
	static _Alignas(8) uint8_t frame##_memory[EC_MAX_HTTP_FRAME];                 \
	static uint8_t verdict##_memory[room];                                        \
	static ec_http_frame *const frame = (ec_http_frame *)frame##_memory;          \
	static ec_verdict verdict##_made = {verdict##_memory, 0, room};               \
	static ec_verdict *const verdict = &verdict##_made;                           \
	EC_EXPORT("ec_buf") ec_http_frame *ec_buf(uint32_t min_size) {                \
		return min_size <= EC_MAX_HTTP_FRAME ? frame : NULL;                      \
	}

// EC_HTTP_EVENTS defines the buffer of events that ec_observe(n) finds its n events in. Once in a plugin with phase event.
#define EC_HTTP_EVENTS(buffer)                                            \
	static ec_http_event buffer[EC_EVENT_BATCH];                          \
	EC_EXPORT("ec_events") ec_http_event *ec_events(uint32_t capacity) {  \
		return capacity <= EC_EVENT_BATCH ? buffer : NULL;                \
	}

// ec_http_call is the call buffer as ec_init finds it.
static inline ec_call *ec_http_call(ec_http_frame *frame) { return (ec_call *)frame; }

// ec_bytes are bytes that are not the guest's to change.
typedef struct {
	const uint8_t *p;
	uint32_t n;
} ec_bytes;

// ec_http_text returns a string of the frame.
static inline ec_bytes ec_http_text(const ec_http_frame *f, ec_http_string s) {
	return (ec_bytes){(const uint8_t *)f + s.at, s.len};
}

static inline bool ec_http_find(const ec_http_frame *f, ec_http_lines lines, uint32_t name, ec_bytes *value) {
	const ec_http_line *line = (const ec_http_line *)((const uint8_t *)f + lines.at);
	for (uint32_t i = 0; i < lines.n; i++) {
		if (line[i].name == name) {
			*value = ec_http_text(f, line[i].value);
			return true;
		}
	}
	return false;
}

// ec_http_header finds the first line of the request's field that is the name-th of the manifest's headers, from 0 on, and
// ec_http_response_header that of the response's.
static inline bool ec_http_header(const ec_http_frame *f, uint32_t name, ec_bytes *value) {
	return ec_http_find(f, f->request, name, value);
}
static inline bool ec_http_response_header(const ec_http_frame *f, uint32_t name, ec_bytes *value) {
	return ec_http_find(f, f->response, name, value);
}

// ec_http_field begins a field of len bytes and returns where they go.
static inline uint8_t *ec_http_field(ec_verdict *v, uint8_t field, uint32_t len) {
	if (len > v->room || v->n + EC_PATCH_HEADER + len > v->room) __builtin_trap();
	uint8_t *p = v->p + v->n;
	p[0] = field;
	__builtin_memcpy(p + 1, &len, sizeof len);
	v->n += EC_PATCH_HEADER + len;
	return p + EC_PATCH_HEADER;
}

// ec_http_bytes adds a field of bytes: EC_HTTP_FIELD_LOCATION, _BODY, _TARGET, _EXTRA, _TAG, or with none _HIDE and _REFUSE.
static inline void ec_http_bytes(ec_verdict *v, uint8_t field, const void *p, uint32_t len) {
	ec_copy(ec_http_field(v, field, len), p, len);
}

// ec_http_action says what becomes of a request: EC_HTTP_ACTION_, with the answer's status, or 0 where it goes on.
static inline void ec_http_action(ec_verdict *v, uint8_t action, uint16_t status) {
	uint8_t b[4] = {action, 0, (uint8_t)status, (uint8_t)(status >> 8)};
	__builtin_memcpy(ec_http_field(v, EC_HTTP_FIELD_ACTION, 4), b, 4);
}

// ec_http_ms sets a time in milliseconds: EC_HTTP_FIELD_TTL, _SWR or _SIE.
static inline void ec_http_ms(ec_verdict *v, uint8_t field, int64_t ms) {
	__builtin_memcpy(ec_http_field(v, field, 8), &ms, 8);
}

// ec_http_byte sets EC_HTTP_FIELD_LOOKUP or _STORE.
static inline void ec_http_byte(ec_verdict *v, uint8_t field, uint8_t value) { *ec_http_field(v, field, 1) = value; }

// ec_http_edit changes a header: EC_HTTP_FIELD_SET, _ADD or _VARY. ec_http_remove takes a field away.
static inline void ec_http_edit(ec_verdict *v, uint8_t field, const char *name, const void *value, uint32_t len) {
	uint16_t n = 0;
	while (name[n] != 0) n++;
	uint8_t *p = ec_http_field(v, field, 2 + n + len);
	__builtin_memcpy(p, &n, sizeof n);
	ec_copy(p + 2, (const uint8_t *)name, n);
	ec_copy(p + 2 + n, value, len);
}
static inline void ec_http_remove(ec_verdict *v, const char *name) {
	uint32_t n = 0;
	while (name[n] != 0) n++;
	ec_http_bytes(v, EC_HTTP_FIELD_REMOVE, name, n);
}

// ec_http_done returns what ec_http returns, 0 where nothing was said, and makes the verdict ready for the next call.
static inline uint64_t ec_http_done(ec_verdict *v) {
	uint32_t n = v->n;
	v->n = 0;
	return n ? (uint64_t)(uintptr_t)v->p << 32 | n : 0;
}

#endif
