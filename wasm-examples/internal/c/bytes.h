// Runs of bytes, and the memory that the configuration lives in.
#ifndef BYTES_H
#define BYTES_H

#include "edgecache.h"

typedef struct {
	const uint8_t *p;
	uint32_t n;
} bytes;

#define NOT_FOUND UINT32_MAX

static bool equal(bytes a, bytes b) { return a.n == b.n && ec_equal(a.p, b.p, a.n); }

static bool starts_with(bytes s, bytes prefix) { return s.n >= prefix.n && ec_equal(s.p, prefix.p, prefix.n); }

static bool ends_with(bytes s, bytes suffix) {
	return s.n >= suffix.n && ec_equal(s.p + s.n - suffix.n, suffix.p, suffix.n);
}

static bytes slice(bytes s, uint32_t from, uint32_t to) { return (bytes){s.p + from, to - from}; }

// find returns where in s, from the given place on, what first begins, or NOT_FOUND.
static uint32_t find(bytes s, uint32_t from, bytes what) {
	for (uint32_t i = from; i + what.n <= s.n; i++) {
		if (ec_equal(s.p + i, what.p, what.n)) return i;
	}
	return NOT_FOUND;
}

// find_byte returns where in s, from the given place on, c first stands, or the end of s.
static uint32_t find_byte(bytes s, uint32_t from, uint8_t c) {
	uint32_t i = from;
	while (i < s.n && s.p[i] != c) i++;
	return i;
}

static bytes c_string(const char *s) {
	uint32_t n = 0;
	while (s[n] != 0) n++;
	return (bytes){(const uint8_t *)s, n};
}

// append copies s to the end of an output of n bytes and returns its new length.
static uint32_t append(uint8_t *out, uint32_t n, bytes s) {
	ec_copy(out + n, s.p, s.n);
	return n + s.n;
}

static uint32_t append_number(uint8_t *out, uint32_t n, uint64_t number) {
	uint32_t digits = 1;
	for (uint64_t rest = number; rest >= 10; rest /= 10) digits++;
	for (uint32_t i = digits; i-- > 0; number /= 10) out[n + i] = '0' + number % 10;
	return n + digits;
}

// lower makes the ASCII capitals among eight bytes small: a byte is one if it has no high bit, and adding what is
// missing sets the high bit from 'A' on but not yet from 'Z'+1 on.
static uint64_t lower(uint64_t x) {
	const uint64_t ones = 0x0101010101010101, high = 0x80 * ones;
	uint64_t low = x & ~high;
	uint64_t capital = (low + (0x80 - 'A') * ones) & ~(low + (0x80 - 'Z' - 1) * ones) & ~x & high;
	return x | capital >> 2;
}

// A configuration of MAX_CONFIG bytes is read, 8192 if a plugin does not say otherwise before it includes this. What is
// made of it takes less than nine times its length: the worst is a name "*********" in a list, 12 bytes with its quotes
// and comma, of which a glob of ten parts is made.
#ifndef MAX_CONFIG
#define MAX_CONFIG 8192
#endif
enum { ARENA = 9 * MAX_CONFIG };

static _Alignas(8) uint8_t arena[ARENA];
static uint32_t arena_used;

// arena_take returns n bytes, aligned to 4, that stay for good.
static void *arena_take(uint32_t n) {
	void *p = arena + arena_used;
	arena_used += (n + 3) & ~3u;
	return p;
}

#endif
