// actor does what the test asks for: the verdict is what the request's field x-verdict holds, and x-do has it misbehave; with {"trap": true}
// it traps. A pure one, which sees no fields, answers the target /X by /X/key and puts the length of the frame into the extra bytes.
#include "edgecache_http.h"

EC_HTTP_MODULE("actor.json")
EC_HTTP_BUFFERS(frame, verdict, 65536)
EC_HTTP_EVENTS(events)

enum { VERDICT, DO };

static uint64_t row[4]; // label, calls, events, bytes
static bool broken;

EC_EXPORT("ec_init") uint32_t ec_init(uint32_t config_len, uint64_t features) {
	(void)features;
	broken = config_len > 2 && ec_http_call(frame)->key[2] == 't'; // {"trap": true}
	row[0] = ec_label(0, EC_NAMESPACE_ALL);
	return 0;
}

EC_EXPORT("ec_stats") uint64_t ec_stats(void) { return ec_block(row, 1); }

static uint64_t pure(void) {
	ec_bytes t = ec_http_text(frame, frame->target);
	uint8_t *p = ec_http_field(verdict, EC_HTTP_FIELD_TARGET, t.n + 4);
	ec_copy(p, t.p, t.n);
	ec_copy(p + t.n, (const uint8_t *)"/key", 4);
	uint8_t digits[2] = {'0' + frame->request.n, '0' + frame->family};
	ec_http_bytes(verdict, EC_HTTP_FIELD_EXTRA, digits, 2);
	return ec_http_done(verdict);
}

static uint64_t misbehave(uint8_t how) {
	switch (how) {
	case 't': __builtin_trap();
	case 'l': for (volatile uint32_t i = 1; i; i |= 1) {}
		return 0;
	case 'w': return 0xfffffff0ull << 32 | 64; // outside of the memory
	case 'z': return 64ull << 32;              // no bytes
	case 'h': return 64ull << 32 | 0x7fffffff; // far too many
	case 'f': return (uint64_t)(uintptr_t)frame << 32 | frame->length; // the frame itself
	}
	return 0;
}

EC_EXPORT("ec_http") uint64_t ec_http(uint32_t phase, uint32_t len) {
	row[1]++;
	if (broken || frame->phase != phase || frame->length != len) __builtin_trap();
	ec_bytes b;
	if (ec_http_header(frame, DO, &b)) return misbehave(b.n ? *b.p : 0);
	if (ec_http_header(frame, VERDICT, &b)) return b.n ? (uint64_t)(uintptr_t)b.p << 32 | b.n : 0;
	if (phase == EC_HTTP_PHASE_KEY) return pure();
	return 0;
}

EC_EXPORT("ec_observe") void ec_observe(uint32_t n) {
	for (uint32_t i = 0; i < n; i++) {
		row[2]++;
		row[3] += events[i].size;
	}
}
