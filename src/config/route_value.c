/*
 * What the values of a route look like.  Pure.
 */

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/pattern.h"
#include "base/strlist.h"
#include "base/text.h"

#include "config/route_value.h"
#include "config/values.h"

/* Postmark: at most 20 characters of a key and 80 of a value. */
#define MOST_KEY_UNITS   20
#define MOST_VALUE_UNITS 80

#define MOST_ADDRESS_BYTES 256 /* RFC 5321 4.5.3.1: a path */
#define MOST_LOCAL_BYTES   64
#define MOST_FROM_BYTES    500
#define MOST_ALIAS_BYTES   255
#define MOST_NAME_BYTES    100  /* of a header field, of a name in a model */
#define MOST_RULE_BYTES    4000 /* with its pattern */

static bool
is_letter_or_digit(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool
all_of(const char *text, size_t len, const char *others)
{
	for (size_t i = 0; i < len; i++)
		if (!is_letter_or_digit(text[i]) && strchr(others, text[i]) == NULL)
			return false;
	return len > 0;
}

static bool
same_word(const char *text, size_t len, const char *word)
{
	return strlen(word) == len && memcmp(text, word, len) == 0;
}

/* ---- conditions -------------------------------------------------------------------------- */

bool
route_value_is_client(const char *value, size_t len)
{
	return same_word(value, len, "unix") || value_is_network(value, len);
}

bool
route_value_is_glob(const char *value, size_t len)
{
	if (len == 0 || len > MOST_ADDRESS_BYTES)
		return false;
	/* What can never hold is a mistake: an address without a domain, and bytes that a
	 * canonical address does not have. */
	for (size_t i = 0; i < len; i++)
		if (value[i] <= ' ' || value[i] > '~' || strchr("<>()[]\\,;:\"", value[i]) != NULL)
			return false;
	return strchr(value, '@') != NULL || strchr(value, '*') != NULL;
}

void
route_value_explain_glob(const char *value, size_t len, struct buf *out)
{
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)value[i] >= 0x80) {
			buf_adds(out, "a domain stands as in DNS, like xn--bcher-kva.example");
			return;
		}
	}
	if (value_is_hostname(value, len) && len > 0)
		buf_addf(out, "@%s holds for a whole domain", value);
}

bool
route_value_is_sender(const char *value, size_t len)
{
	return same_word(value, len, "<>") || route_value_is_glob(value, len);
}

bool
route_value_is_address(const char *value, size_t len)
{
	const char *at = len == 0 ? NULL : memchr(value, '@', len);
	size_t local = at == NULL ? 0 : (size_t)(at - value), domain = len - local - 1;

	if (at == NULL || len > MOST_ADDRESS_BYTES || local > MOST_LOCAL_BYTES)
		return false;
	/* Postmark "Email API": no quoted local part; RFC 5321 4.1.2: dots stand between atoms. */
	if (!all_of(value, local, ".!#$%&'`*+-/=^_{}|~?") || value[0] == '.' || at[-1] == '.' ||
	    memmem(value, local, "..", 2) != NULL)
		return false;
	return all_of(at + 1, domain, "-.") && at[1] != '.' && at[1] != '-' &&
	       value[len - 1] != '.' && value[len - 1] != '-' &&
	       memmem(at + 1, domain, "..", 2) == NULL;
}

/* RFC 5322 2.2; 0: there is none. */
static size_t
field_name_len(const char *text)
{
	size_t len = 0;

	while (text[len] > ' ' && text[len] <= '~' && text[len] != ':')
		len++;
	return len > MOST_NAME_BYTES ? 0 : len;
}

bool
route_value_split_header(const char *value, size_t *name_len_r, const char **pattern_r)
{
	size_t len = field_name_len(value);

	*name_len_r = len;
	*pattern_r = value + len;
	if (len == 0 || value[len] != ':')
		return false;
	*pattern_r += 1 + strspn(value + len + 1, " ");
	return true;
}

/* Whether a pattern compiles; what is wrong with it goes to why. */
static bool
compiles(const char *text, char *why, size_t why_size)
{
	struct pattern *p = pattern_new(text, strlen(text), true, why, why_size);
	bool right = p != NULL;

	pattern_free(&p);
	return right;
}

bool
route_value_is_header(const char *value, size_t len)
{
	const char *pattern;
	char why[200];
	size_t name_len;

	return len <= MOST_RULE_BYTES && route_value_split_header(value, &name_len, &pattern) &&
	       compiles(pattern, why, sizeof(why));
}

void
route_value_explain_header(const char *value, size_t len, struct buf *out)
{
	const char *pattern;
	char why[200];
	size_t name_len;

	if (len > MOST_RULE_BYTES)
		buf_addf(out, "at most %d bytes", MOST_RULE_BYTES);
	else if (route_value_split_header(value, &name_len, &pattern) &&
		 !compiles(pattern, why, sizeof(why)))
		buf_adds(out, why);
}

/* ---- what becomes of a mail -------------------------------------------------------------- */

bool
route_value_is_metadata(const char *value, size_t len)
{
	const char *equals = len == 0 ? NULL : memchr(value, '=', len);
	size_t key = equals == NULL ? 0 : (size_t)(equals - value);

	return key > 0 && key <= MOST_KEY_UNITS && all_of(value, key, "_-.") &&
	       !(key == 8 && text_same_n(value, "relay-id", key)) &&
	       text_utf16_units(equals + 1, len - key - 1) <= MOST_VALUE_UNITS;
}

void
route_value_explain_metadata(const char *value, size_t len, struct buf *out)
{
	const char *equals = len == 0 ? NULL : memchr(value, '=', len);
	size_t key = equals == NULL ? 0 : (size_t)(equals - value), units;

	if (key == 0)
		return;
	units = text_utf16_units(equals + 1, len - key - 1);
	if (key > MOST_KEY_UNITS)
		buf_addf(out, "the key has %zu characters, Postmark takes %d", key, MOST_KEY_UNITS);
	else if (units > MOST_VALUE_UNITS)
		buf_addf(out, "the value has %zu characters, Postmark takes %d", units,
		    MOST_VALUE_UNITS);
	else if (key == 8 && text_same_n(value, "relay-id", key))
		buf_adds(out, "relay-id is the relay's own");
}

bool
route_value_is_control(const char *value, size_t len)
{
	static const char *const words[] = { "tag", "message-stream", "metadata", "track-opens",
		"track-links", "template" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (same_word(value, len, words[i]))
			return true;
	return false;
}

/* A display name (RFC 5322 3.2.5): words, or one quoted string. */
static bool
is_display_name(const char *name, size_t len)
{
	if (len >= 2 && name[0] == '"') {
		for (size_t i = 1; i + 1 < len; i++) {
			if (name[i] == '"')
				return false;
			if (name[i] == '\\' && ++i + 1 >= len)
				return false;
		}
		return name[len - 1] == '"';
	}
	for (size_t i = 0; i < len; i++)
		if (strchr("<>()[]:;@\\,\"", name[i]) != NULL)
			return false;
	return true;
}

bool
route_value_is_from(const char *value, size_t len)
{
	const char *open = len == 0 ? NULL : memrchr(value, '<', len);
	size_t name;

	if (len == 0)
		return true;
	if (len > MOST_FROM_BYTES)
		return false;
	if (open == NULL || value[len - 1] != '>')
		return route_value_is_address(value, len);
	for (name = (size_t)(open - value); name > 0 && value[name - 1] == ' ';)
		name--;
	return is_display_name(value, name) &&
	       route_value_is_address(open + 1, len - (size_t)(open - value) - 2);
}

/* ---- templates --------------------------------------------------------------------------- */

bool
route_value_is_template(const char *value, size_t len)
{
	uint64_t id;

	if (len == 0 || text_number(value, len, 1, INT64_MAX, &id) == 0)
		return true;
	return len <= MOST_ALIAS_BYTES && all_of(value, len, "_-.") && all_of(value, 1, "") &&
	       (value[0] < '0' || value[0] > '9');
}

/* A name in a model; dots part those of objects within objects. */
static bool
is_model_name(const char *name, size_t len)
{
	return len <= MOST_NAME_BYTES && all_of(name, len, "_-.") && name[0] != '.' &&
	       name[len - 1] != '.' && memmem(name, len, "..", 2) == NULL;
}

/* The length of a SOURCE that text begins with (convert/template.h); 0: there is none. */
static size_t
source_len(const char *text)
{
	static const char *const words[] = { "subject", "from", "from-name", "from-address", "to",
		"cc", "reply-to", "date", "message-id", "text", "html" };
	size_t len = strcspn(text, ":"), name;

	if (same_word(text, len, "header") && text[len] == ':') {
		name = field_name_len(text + len + 1);
		return name == 0 ? 0 : len + 1 + name;
	}
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (same_word(text, len, words[i]))
			return len;
	return 0;
}

/* "each NAME: SOURCE: pattern", or without each. */
struct match {
	const char *each; /* NULL: without */
	size_t each_len;
	const char *pattern;
};

/* NULL, or what is wrong. */
static const char *
read_match(const char *value, struct match *match_r)
{
	size_t len;

	*match_r = (struct match){ .each = NULL };
	if (strncmp(value, "each ", 5) == 0) {
		value += 5 + strspn(value + 5, " ");
		len = strcspn(value, ":");
		if (value[len] != ':' || !is_model_name(value, len))
			return "each needs a name of letters, digits, '_', '-' and '.'";
		match_r->each = value;
		match_r->each_len = len;
		value += len + 1;
		value += strspn(value, " ");
	}
	len = source_len(value);
	if (len == 0 || value[len] != ':')
		return "a SOURCE is subject, from, from-name, from-address, to, cc, reply-to, "
		       "date, message-id, text, html or header:NAME";
	value += len + 1;
	match_r->pattern = value + strspn(value, " ");
	return match_r->pattern[0] == '\0' ? "there is no pattern" : NULL;
}

/* Empty, or what is wrong. */
static void
check_match(const char *value, size_t len, char *why, size_t why_size)
{
	struct match match;
	struct pattern *pattern;
	const char *wrong;

	why[0] = '\0';
	if (len > MOST_RULE_BYTES) {
		snprintf(why, why_size, "at most %d bytes", MOST_RULE_BYTES);
		return;
	}
	wrong = read_match(value, &match);
	if (wrong != NULL) {
		snprintf(why, why_size, "%s", wrong);
		return;
	}
	pattern = pattern_new(match.pattern, strlen(match.pattern), true, why, why_size);
	if (pattern != NULL && match.each != NULL && pattern_name_count(pattern) == 0)
		snprintf(why, why_size, "each needs a pattern with a named group, (?<name>...)");
	pattern_free(&pattern);
}

bool
route_value_is_match(const char *value, size_t len)
{
	char why[300];

	check_match(value, len, why, sizeof(why));
	return why[0] == '\0';
}

void
route_value_explain_match(const char *value, size_t len, struct buf *out)
{
	char why[300];

	check_match(value, len, why, sizeof(why));
	buf_adds(out, why);
}

void
route_value_match_names(const char *value, struct strlist *lists, struct strlist *texts)
{
	struct match match;
	struct pattern *pattern;
	char why[200];

	if (read_match(value, &match) != NULL)
		return;
	if (match.each != NULL) {
		strlist_add_bytes(lists, match.each, match.each_len);
		return;
	}
	pattern = pattern_new(match.pattern, strlen(match.pattern), true, why, sizeof(why));
	for (size_t i = 0; pattern != NULL && i < pattern_name_count(pattern); i++)
		strlist_add(texts, pattern_name(pattern, i));
	pattern_free(&pattern);
}

bool
route_value_is_model(const char *value, size_t len)
{
	const char *equals = len == 0 ? NULL : memchr(value, '=', len);

	if (equals == NULL || len > MOST_RULE_BYTES ||
	    !is_model_name(value, (size_t)(equals - value)))
		return false;
	equals++;
	if (strncmp(equals, "literal:", 8) == 0)
		return true;
	return source_len(equals) > 0 && equals[source_len(equals)] == '\0';
}
