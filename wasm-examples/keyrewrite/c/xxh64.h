// XXH64 by Yann Collet, with seed 0: https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md
// The host's hash64 is the same, but a call of it costs more than hashing a usual key does here.
#ifndef XXH64_H
#define XXH64_H

#include "bytes.h"

static const uint64_t prime1 = 0x9e3779b185ebca87, prime2 = 0xc2b2ae3d27d4eb4f, prime3 = 0x165667b19e3779f9,
					  prime4 = 0x85ebca77c2b2ae63, prime5 = 0x27d4eb2f165667c5;

static uint64_t rotate(uint64_t x, uint32_t by) { return x << by | x >> (64 - by); }

static uint64_t load64(const uint8_t *p) {
	uint64_t v;
	__builtin_memcpy(&v, p, sizeof v);
	return v;
}

static uint64_t load32(const uint8_t *p) {
	uint32_t v;
	__builtin_memcpy(&v, p, sizeof v);
	return v;
}

static uint64_t round64(uint64_t acc, uint64_t input) { return rotate(acc + input * prime2, 31) * prime1; }

static uint64_t merge(uint64_t hash, uint64_t lane) { return (hash ^ round64(0, lane)) * prime1 + prime4; }

static uint64_t xxh64(bytes s) {
	const uint8_t *p = s.p, *end = s.p + s.n;
	uint64_t hash = prime5;
	if (s.n >= 32) {
		uint64_t a = prime1 + prime2, b = prime2, c = 0, d = -prime1;
		for (; end - p >= 32; p += 32) {
			a = round64(a, load64(p));
			b = round64(b, load64(p + 8));
			c = round64(c, load64(p + 16));
			d = round64(d, load64(p + 24));
		}
		hash = rotate(a, 1) + rotate(b, 7) + rotate(c, 12) + rotate(d, 18);
		hash = merge(merge(merge(merge(hash, a), b), c), d);
	}
	hash += s.n;
	for (; end - p >= 8; p += 8) hash = rotate(hash ^ round64(0, load64(p)), 27) * prime1 + prime4;
	for (; end - p >= 4; p += 4) hash = rotate(hash ^ load32(p) * prime1, 23) * prime2 + prime3;
	for (; p < end; p++) hash = rotate(hash ^ *p * prime5, 11) * prime1;
	hash = (hash ^ hash >> 33) * prime2;
	hash = (hash ^ hash >> 29) * prime3;
	return hash ^ hash >> 32;
}

#endif
