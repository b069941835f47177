// The configuration: a list of rules.
#ifndef RULES_H
#define RULES_H

#include "glob.h"

enum {
	MAX_RULES = 64,
	MAX_KEY = 1 << 16, // bytes of a key, also between two rules
	HASH_TAIL = 17,    // what stands behind the head of a hashed key: # and 16 digits
};

// The fields of a rule; all but the first are actions.
enum { IF_PREFIX, LOWERCASE, PREFIX, STRIP_QUERY, REPLACE, HASH_LONGER_THAN, RULE_FIELDS };

static const char *const rule_fields[RULE_FIELDS] = {
	"if_prefix", "lowercase", "prefix", "strip_query", "replace", "hash_longer_than",
};

// A name is one of a list of query parameters.
typedef struct name {
	glob pattern;
	struct name *next;
} name;

typedef struct {
	uint32_t action;
	bytes if_prefix;
	bytes prefix;
	name *names;
	glob pattern;
	replacement with;
	uint32_t longest;
} rule;

typedef struct {
	rule rules[MAX_RULES];
	uint32_t n;
} config;

RUN_ONCE_BEGIN

static void parse_names(json *j, rule *r) {
	name **end = &r->names;
	uint32_t n = 0;
	json_open_array(j);
	while (json_more(j, ']', &n)) {
		json_peek(j);
		uint32_t at = j->at;
		glob pattern = glob_parse(j, json_string(j), at);
		name *next = arena_take(sizeof(name));
		*next = (name){pattern, NULL};
		*end = next;
		end = &next->next;
	}
}

static void parse_replace(json *j, rule *r) {
	enum { PATTERN, WITH, FIELDS };
	static const char *const fields[FIELDS] = {"pattern", "with"};
	bytes text[FIELDS] = {{0}, {0}};
	uint32_t at[FIELDS], n = 0, seen = 0, start = (json_peek(j), j->at);
	json_open_object(j);
	while (json_more(j, '}', &n)) {
		uint32_t field = json_field(j, fields, FIELDS, &seen, ": want pattern and with");
		if (field == FIELDS) return;
		json_peek(j);
		at[field] = j->at;
		text[field] = json_string(j);
	}
	if (seen != (1 << PATTERN | 1 << WITH)) json_fail_plain(j, start, "replace needs pattern and with");
	if (j->failed) return;
	r->pattern = glob_parse(j, text[PATTERN], at[PATTERN]);
	r->with = replacement_parse(j, text[WITH], r->pattern.n - 1, at[WITH]);
}

static void parse_action(json *j, rule *r, uint32_t action) {
	if (r->action != 0) json_fail_plain(j, j->field_at, "a second action in a rule: make it a rule of its own");
	r->action = action;
	switch (action) {
	case LOWERCASE:
		json_true(j);
		break;
	case PREFIX:
		r->prefix = json_string(j);
		break;
	case STRIP_QUERY:
		parse_names(j, r);
		break;
	case REPLACE:
		parse_replace(j, r);
		break;
	case HASH_LONGER_THAN:
		r->longest = json_number(j, HASH_TAIL, MAX_KEY, "a number from 17 to 65536");
		break;
	}
}

static void parse_rule(json *j, rule *r) {
	uint32_t n = 0, seen = 0, start = (json_peek(j), j->at);
	json_open_object(j);
	while (json_more(j, '}', &n)) {
		uint32_t field = json_field(j, rule_fields, RULE_FIELDS, &seen,
			": want if_prefix, lowercase, prefix, strip_query, replace or hash_longer_than");
		if (field == RULE_FIELDS) return;
		if (field == IF_PREFIX) r->if_prefix = json_string(j);
		else parse_action(j, r, field);
	}
	if (r->action == 0) json_fail_plain(j, start, "rule without an action");
}

static void parse_rules(json *j, config *c) {
	json_open_array(j);
	while (json_more(j, ']', &c->n)) {
		json_peek(j);
		if (c->n > MAX_RULES) json_fail_plain(j, j->at, "more than 64 rules");
		else parse_rule(j, &c->rules[c->n - 1]);
	}
}

// parse_config reads a configuration.
static void parse_config(json *j, bytes text, config *c) {
	static const char *const fields[] = {"rules"};
	uint32_t n = 0, seen = 0;
	if (!json_begin(j, text)) return;
	while (json_more(j, '}', &n)) {
		if (json_field(j, fields, 1, &seen, ": want rules") == 0) parse_rules(j, c);
	}
	json_end(j);
}

RUN_ONCE_END

#endif
