// A reader of JSON that is told what to expect. The caller walks the text with the functions below, in the order of its
// own structure, so depth is bounded by the caller. The first error sticks: from then on every function returns false
// or nothing, and json_more ends every loop.
#ifndef JSON_H
#define JSON_H

#include "bytes.h"

// A configuration is read once: inlining would only make it big. RUN_ONCE_BEGIN and RUN_ONCE_END enclose such functions.
#define RUN_ONCE_BEGIN _Pragma("clang attribute push(__attribute__((noinline)), apply_to = function)")
#define RUN_ONCE_END _Pragma("clang attribute pop")

RUN_ONCE_BEGIN

enum { MAX_ERROR = 256, MAX_QUOTED = 40 };

typedef struct {
	bytes text;
	uint32_t at;       // the next byte to read
	uint32_t field_at; // where the name of the last field stands
	bool failed;
	uint32_t error_at; // the byte that the error is about
	uint8_t error[MAX_ERROR];
	uint32_t error_len;
} json;

static void json_say(json *j, bytes s) {
	if (j->error_len + s.n <= MAX_ERROR) j->error_len = append(j->error, j->error_len, s);
}

static void json_say_quoted(json *j, bytes s) {
	uint8_t word[MAX_QUOTED + 2];
	uint32_t n = 0;
	word[n++] = '"';
	for (uint32_t i = 0; i < s.n && i < MAX_QUOTED; i++) {
		uint8_t c = s.p[i];
		word[n++] = c < ' ' || c > '~' || c == '"' || c == '\\' ? '?' : c;
	}
	word[n++] = '"';
	json_say(j, (bytes){word, n});
}

// json_fail makes `before "word" after` the error, about the byte at; a word without bytes is left out.
static void json_fail(json *j, uint32_t at, const char *before, bytes word, const char *after) {
	if (j->failed) return;
	j->failed = true;
	j->error_at = at;
	json_say(j, c_string(before));
	if (word.p != NULL) json_say_quoted(j, word);
	json_say(j, c_string(after));
}

static void json_fail_plain(json *j, uint32_t at, const char *what) { json_fail(j, at, what, (bytes){0}, ""); }

// json_peek steps over white space and returns the next byte without taking it, or 0 at the end.
static uint8_t json_peek(json *j) {
	while (j->at < j->text.n) {
		uint8_t c = j->text.p[j->at];
		if (c != ' ' && c != '\t' && c != '\n' && c != '\r') return c;
		j->at++;
	}
	return 0;
}

// json_want fails because something else than what stands here.
static void json_want(json *j, const char *what) {
	json_peek(j);
	if (j->failed) return;
	json_fail(j, j->at, "want ", (bytes){0}, what);
	json_say(j, c_string(", found "));
	if (j->at < j->text.n) {
		json_say_quoted(j, slice(j->text, j->at, j->at + 1));
	} else {
		json_say(j, c_string("the end"));
	}
}

// json_take takes the next byte if it is c.
static bool json_take(json *j, uint8_t c) {
	if (j->failed || json_peek(j) != c) return false;
	j->at++;
	return true;
}

static void json_open_object(json *j) {
	if (!json_take(j, '{')) json_want(j, "an object");
}

static void json_open_array(json *j) {
	if (!json_take(j, '[')) json_want(j, "an array");
}

// json_more reports whether another element follows in the object or array that ends with close, and steps to it. n
// counts the elements and begins at 0.
static bool json_more(json *j, uint8_t close, uint32_t *n) {
	if (json_take(j, close)) return false;
	if (*n > 0 && !json_take(j, ',')) {
		json_want(j, close == '}' ? "a comma or the end of the object" : "a comma or the end of the array");
	}
	(*n)++;
	return !j->failed;
}

// json_hex reads four hexadecimal digits, or returns UINT32_MAX.
static uint32_t json_hex(json *j) {
	uint32_t v = 0;
	for (uint32_t i = 0; i < 4; i++, j->at++) {
		uint8_t c = j->at < j->text.n ? j->text.p[j->at] : 0;
		if (c >= '0' && c <= '9') v = v << 4 | (c - '0');
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f') v = v << 4 | ((c | 0x20) - 'a' + 10);
		else return UINT32_MAX;
	}
	return v;
}

// json_rune reads what follows \u, with the second half of a surrogate pair, or returns UINT32_MAX.
static uint32_t json_rune(json *j) {
	uint32_t high = json_hex(j);
	if (high < 0xd800 || high > 0xdfff) return high;
	if (high > 0xdbff || j->at + 2 > j->text.n || j->text.p[j->at] != '\\' || j->text.p[j->at + 1] != 'u') return UINT32_MAX;
	j->at += 2;
	uint32_t low = json_hex(j);
	if (low < 0xdc00 || low > 0xdfff) return UINT32_MAX;
	return 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
}

static uint32_t append_utf8(uint8_t *out, uint32_t n, uint32_t r) {
	if (r < 0x80) {
		out[n++] = r;
		return n;
	}
	uint32_t more = r < 0x800 ? 1 : r < 0x10000 ? 2 : 3; // bytes after the first
	out[n++] = 0xff00 >> (more + 1) | r >> 6 * more; // as many ones as bytes
	while (more-- > 0) out[n++] = 0x80 | (r >> 6 * more & 0x3f);
	return n;
}

// json_escape reads what follows a backslash and appends what it means to out.
static uint32_t json_escape(json *j, uint8_t *out, uint32_t n) {
	static const uint8_t names[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
	uint32_t at = j->at - 1;
	uint8_t c = j->at < j->text.n ? j->text.p[j->at++] : 0;
	if (c == 'u') {
		uint32_t r = json_rune(j);
		if (r != UINT32_MAX) return append_utf8(out, n, r);
	}
	uint32_t i = find_byte((bytes){names, sizeof names - 1}, 0, c);
	if (i < sizeof names - 1) {
		out[n++] = meant[i];
	} else {
		json_fail_plain(j, at, "bad escape in a string");
	}
	return n;
}

// json_string reads a string into the arena. Its bytes need not be UTF-8.
static bytes json_string(json *j) {
	if (!json_take(j, '"')) {
		json_want(j, "a string");
		return (bytes){0};
	}
	uint32_t start = j->at - 1, n = 0;
	uint8_t *out = arena + arena_used;
	while (!j->failed) {
		if (j->at == j->text.n) {
			json_fail_plain(j, start, "string without an end");
			break;
		}
		uint8_t c = j->text.p[j->at++];
		if (c == '"') break;
		if (c < ' ') json_fail_plain(j, j->at - 1, "control character in a string");
		if (c == '\\') n = json_escape(j, out, n);
		else out[n++] = c;
	}
	return (bytes){arena_take(n), n};
}

// json_field reads the name of a field and its colon, and returns the name's place in names, or count on an error. A
// name that stands in the set seen already is an error.
static uint32_t json_field(json *j, const char *const *names, uint32_t count, uint32_t *seen, const char *want) {
	json_peek(j);
	j->field_at = j->at;
	bytes name = json_string(j);
	if (j->failed) return count;
	uint32_t i = 0;
	while (i < count && !equal(name, c_string(names[i]))) i++;
	if (i == count) json_fail(j, j->field_at, "unknown field ", name, want);
	else if (*seen >> i & 1) json_fail(j, j->field_at, "field ", name, " appears twice");
	else if (!json_take(j, ':')) json_want(j, "a colon");
	*seen |= 1u << i;
	return j->failed ? count : i;
}

static void json_true(json *j) {
	bytes word = c_string("true");
	json_peek(j);
	if (starts_with(slice(j->text, j->at, j->text.n), word)) j->at += word.n;
	else json_want(j, "true");
}

static bool json_bool(json *j) {
	bytes word = c_string("false");
	json_peek(j);
	bool no = starts_with(slice(j->text, j->at, j->text.n), word);
	if (no) j->at += word.n;
	else if (json_peek(j) == 't') json_true(j);
	else json_want(j, "true or false");
	return !no;
}

// json_number reads an integer from least to most; want says so.
static uint32_t json_number(json *j, uint32_t least, uint32_t most, const char *want) {
	uint64_t v = 0;
	json_peek(j);
	uint32_t start = j->at;
	for (; j->at < j->text.n && j->text.p[j->at] >= '0' && j->text.p[j->at] <= '9' && v <= most; j->at++) {
		v = v * 10 + (j->text.p[j->at] - '0');
	}
	bool padded = j->at > start + 1 && j->text.p[start] == '0';
	if (j->at == start || padded || v < least || v > most) {
		j->at = start;
		json_want(j, want);
	}
	return v;
}

// json_begin begins to read a configuration, which is an object. It returns false where there is nothing to read: no bytes
// at all are a configuration without fields.
static bool json_begin(json *j, bytes text) {
	j->text = text;
	if (text.n == 0) return false;
	if (text.n > MAX_CONFIG) {
		json_fail_plain(j, MAX_CONFIG, "configuration of more than ");
		uint8_t digits[20];
		json_say(j, (bytes){digits, append_number(digits, 0, MAX_CONFIG)});
		json_say(j, c_string(" bytes"));
		return false;
	}
	json_open_object(j);
	return true;
}

// json_end fails unless only white space is left.
static void json_end(json *j) {
	if (json_peek(j) != 0 || j->at < j->text.n) json_want(j, "nothing more");
}

// json_report returns what ec_init does: 0, or the length of the error that it leaves in the call buffer.
static uint32_t json_report(const json *j, ec_call *call) {
	if (!j->failed) return 0;
	uint32_t n = append(call->key, 0, c_string("config byte "));
	n = append_number(call->key, n, j->error_at);
	n = append(call->key, n, c_string(": "));
	return append(call->key, n, (bytes){j->error, j->error_len});
}

RUN_ONCE_END

#endif
