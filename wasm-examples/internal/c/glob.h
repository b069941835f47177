// Patterns in which * stands for any run of bytes, and the texts that captures are put into.
#ifndef GLOB_H
#define GLOB_H

#include "json.h"

enum { MAX_STARS = 9 };

// A glob is what stands between the stars: n parts have n-1 stars between them.
typedef struct {
	const bytes *parts;
	uint32_t n;
} glob;

// A piece of a replacement is bytes, or where p is NULL the capture number n.
typedef struct {
	const bytes *pieces;
	uint32_t n;
} replacement;

RUN_ONCE_BEGIN

// glob_parse takes the pattern apart, in place: a backslash takes a star's or a backslash's meaning away. at is where
// the pattern stands in the configuration.
static glob glob_parse(json *j, bytes pattern, uint32_t at) {
	bytes *parts = arena_take(0);
	uint8_t *out = (uint8_t *)pattern.p, *start = out;
	uint32_t n = 0;
	for (uint32_t i = 0; i < pattern.n; i++) {
		uint8_t c = pattern.p[i];
		if (c == '*') {
			if (n == MAX_STARS) json_fail_plain(j, at, "more than 9 stars in a pattern");
			if (j->failed) break;
			parts[n++] = (bytes){start, out - start};
			start = out;
			continue;
		}
		if (c == '\\') {
			c = ++i < pattern.n ? pattern.p[i] : 0;
			if (c != '*' && c != '\\') json_fail_plain(j, at, "backslash before neither * nor \\ in a pattern");
		}
		*out++ = c;
	}
	parts[n++] = (bytes){start, out - start};
	return (glob){arena_take(n * sizeof(bytes)), n};
}

// replacement_parse takes with apart: $1 to $9 are what the pattern's stars took, $$ is a dollar. at is where with stands
// in the configuration.
static replacement replacement_parse(json *j, bytes with, uint32_t stars, uint32_t at) {
	bytes *pieces = arena_take(0);
	uint32_t n = 0, start = 0;
	for (uint32_t i = 0; i < with.n; i++) {
		if (with.p[i] != '$') continue;
		uint8_t c = i + 1 < with.n ? with.p[i + 1] : 0;
		if (c != '$' && (c < '1' || c > '9')) json_fail_plain(j, at, "$ before neither 1 to 9 nor $ in a replacement");
		else if (c != '$' && c - '0' > (int)stars) json_fail(j, at, "no star in the pattern for ", slice(with, i, i + 2), "");
		if (j->failed) break;
		uint32_t end = c == '$' ? i + 1 : i; // the first dollar of two stays
		if (end > start) pieces[n++] = slice(with, start, end);
		if (c != '$') pieces[n++] = (bytes){NULL, c - '1'};
		start = ++i + 1;
	}
	if (start < with.n) pieces[n++] = slice(with, start, with.n);
	return (replacement){arena_take(n * sizeof(bytes)), n};
}

RUN_ONCE_END

// glob_match reports whether g matches all of s. Every star takes as few bytes as it can, the first star first; what
// they took is put into captures.
static bool glob_match(glob g, bytes s, bytes captures[MAX_STARS]) {
	bytes first = g.parts[0], last = g.parts[g.n - 1];
	if (g.n == 1) return equal(s, first);
	if (s.n < first.n + last.n || !starts_with(s, first) || !ends_with(s, last)) return false;
	bytes middle = slice(s, 0, s.n - last.n);
	uint32_t at = first.n;
	for (uint32_t i = 1; i < g.n - 1; i++) {
		uint32_t found = find(middle, at, g.parts[i]);
		if (found == NOT_FOUND) return false;
		captures[i - 1] = slice(s, at, found);
		at = found + g.parts[i].n;
	}
	captures[g.n - 2] = slice(s, at, middle.n);
	return true;
}

#endif
