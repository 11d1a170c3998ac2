/*
 * The guard.  Written against the header's contract alone; it uses neither mail/address.c nor
 * convert/recipients.c, nor GMime, so that a mistake there is not repeated here.
 */

#include <glib.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mail/mail.h"
#include "convert/guard.h"

struct guard {
	GHashTable *wanted; /* address of the envelope → times it was found in an item */
	GHashTable *named;  /* addresses that To and Cc fields of the header hold */
	char *why;
	size_t why_size;
};

static bool refuse(struct guard *g, const char *format, ...) __attribute__((format(printf, 2, 3)));

static bool
refuse(struct guard *g, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(g->why, g->why_size, format, args);
	va_end(args);
	return false;
}

/* Domain in lower case, and as A-labels when it has other letters.  g_free() it.  NULL: not one. */
static char *
normal_form(const char *address, size_t len)
{
	char *copy = g_strndup(address, len);
	char *at = strrchr(copy, '@');

	if (at == NULL || at == copy || at[1] == '\0') {
		g_free(copy);
		return NULL;
	}
	for (char *c = at + 1; *c != '\0'; c++)
		*c = g_ascii_tolower(*c);
	if (g_hostname_is_non_ascii(at + 1)) {
		char *ascii =
		    g_utf8_validate(at + 1, -1, NULL) ? g_hostname_to_ascii(at + 1) : NULL;
		char *whole = NULL;

		if (ascii != NULL)
			whole = g_strdup_printf("%.*s@%s", (int)(at - copy), copy, ascii);
		g_free(ascii);
		g_free(copy);
		return whole;
	}
	return copy;
}

/* --- what the header names ------------------------------------------------ */

static bool
is_local_byte(char c)
{
	return c != '\0' && (unsigned char)c > 0x20 && strchr(",;:<>()[]\"\\@", c) == NULL;
}

static bool
is_domain_byte(char c)
{
	return g_ascii_isalnum(c) || c == '-' || c == '.' || (unsigned char)c >= 0x80;
}

/* Every address that can be made out around an '@' of text. */
static void
collect(struct guard *g, const char *text)
{
	for (const char *at = strchr(text, '@'); at != NULL; at = strchr(at + 1, '@')) {
		const char *start = at, *end = at + 1;
		GString *address = g_string_new(NULL);

		if (start > text && start[-1] == '"') {
			/* A quoted local part, without its quotes and escapes. */
			for (start -= 1; start > text && start[-1] != '"';)
				start--;
			for (const char *c = start; c < at - 1; c++)
				if (*c != '\\')
					g_string_append_c(address, *c);
		} else {
			while (start > text && is_local_byte(start[-1]))
				start--;
			g_string_append_len(address, start, at - start);
		}
		while (is_domain_byte(*end))
			end++;
		/* The root's dot, or the end of a sentence. */
		while (end[-1] == '.')
			end--;
		g_string_append_len(address, at, end - at);
		char *normal = normal_form(address->str, address->len);
		if (normal != NULL)
			g_hash_table_add(g->named, normal);
		g_string_free(address, TRUE);
	}
}

/*
 * Comments go, and the white space around '@' and '.' that RFC 5322 4.4 allows.  Without quotes or
 * comments these are characters like others, for a header where they do not match.
 */
static char *
squeeze(const char *text, bool quotes, bool comments)
{
	GString *out = g_string_new(NULL);
	bool quoted = false, space = false;
	int depth = 0;

	for (; *text != '\0'; text++) {
		char c = *text;

		if (c == '\n') { /* the next field */
			quoted = false;
			depth = 0;
		}
		if (c == '\\' && text[1] != '\0' && (quoted || depth > 0)) {
			text++;
			if (depth == 0) {
				g_string_append_c(out, c);
				g_string_append_c(out, *text);
			}
			continue;
		}
		if (c == '"' && depth == 0 && quotes)
			quoted = !quoted;
		if (comments && !quoted && (c == '(' || (c == ')' && depth > 0))) {
			depth += c == '(' ? 1 : -1;
			space = true;
			continue;
		}
		if (depth > 0)
			continue;
		if (!quoted && (c == ' ' || c == '\t')) {
			space = true;
			continue;
		}
		if (space && out->len > 0 && c != '@' && c != '.' &&
		    out->str[out->len - 1] != '@' && out->str[out->len - 1] != '.')
			g_string_append_c(out, ' ');
		space = false;
		g_string_append_c(out, c);
	}
	return g_string_free(out, FALSE);
}

/* Behind an escape sequence of ISO 2022 at line[i]: bytes of 0x20 to 0x2F and one more. */
static size_t
escape_end(const char *line, size_t len, size_t i)
{
	for (i++; i < len && line[i] >= 0x20 && line[i] < 0x30;)
		i++;
	return i < len && line[i] >= 0x30 && line[i] < 0x7F ? i + 1 : i;
}

/*
 * Control characters are spaces to a reader: ASCII's, U+0080 to U+009F, and U+2028, U+2029.
 * escapes: those of ISO 2022 are nothing, in a header of raw ISO-2022-JP.
 */
static void
line_add(GString *area, const char *line, size_t len, bool escapes)
{
	for (size_t i = 0; i < len; i++) {
		if (escapes && line[i] == 0x1B) {
			i = escape_end(line, len, i) - 1;
			continue;
		}
		unsigned char c = (unsigned char)line[i];
		unsigned char next = i + 1 < len ? (unsigned char)line[i + 1] : 0;
		unsigned char last = i + 2 < len ? (unsigned char)line[i + 2] : 0;

		if (c == 0xC2 && next >= 0x80 && next < 0xA0) {
			i += 1;
			c = ' ';
		} else if (c == 0xE2 && next == 0x80 && (last == 0xA8 || last == 0xA9)) {
			i += 2;
			c = ' ';
		}
		g_string_append_c(area, c < 0x20 || c == 0x7F ? ' ' : (char)c);
	}
}

/* The values of all To and Cc fields, unfolded, a line each. */
static char *
named_area(const char *header, size_t len, bool escapes)
{
	GString *area = g_string_new(NULL);
	bool within = false;
	size_t at = 0;

	while (at < len) {
		size_t stop = at;

		while (stop < len && header[stop] != '\n')
			stop++;
		size_t line_len = stop - at;
		const char *line = header + at;
		at = stop + 1;
		while (line_len > 0 && (line[line_len - 1] == '\r' || line[line_len - 1] == '\n'))
			line_len--;
		if (line_len == 0)
			continue;
		if (line[0] != ' ' && line[0] != '\t') {
			size_t name = 2;

			within = line_len > 2 && (g_ascii_strncasecmp(line, "to", 2) == 0 ||
						     g_ascii_strncasecmp(line, "cc", 2) == 0);
			while (
			    within && name < line_len && (line[name] == ' ' || line[name] == '\t'))
				name++;
			within = within && name < line_len && line[name] == ':';
			if (!within)
				continue;
			g_string_append_c(area, '\n');
			line += name + 1;
			line_len -= name + 1;
		}
		if (within)
			line_add(area, line, line_len, escapes);
	}
	return g_string_free(area, FALSE);
}

static void
area_read(struct guard *g, char *area)
{
	char *readings[] = { squeeze(area, true, true), squeeze(area, false, true),
		squeeze(area, false, false) };

	collect(g, area);
	for (size_t i = 0; i < G_N_ELEMENTS(readings); i++) {
		collect(g, readings[i]);
		g_free(readings[i]);
	}
	g_free(area);
}

static void
header_read(struct guard *g, const char *header, size_t len)
{
	area_read(g, named_area(header, len, false));
	if (len > 0 && memchr(header, 0x1B, len) != NULL)
		area_read(g, named_area(header, len, true));
}

/* --- what an item says ---------------------------------------------------- */

/*
 * One entry of a list: an optional quoted name and an address in angle brackets, or an address.
 * Returns where the next entry starts, or NULL when this is something else.  *address_r: lent.
 */
static const char *
entry_read(const char *p, const char **address_r, size_t *len_r)
{
	bool angle = false;

	if (*p == '"') {
		for (p++; *p != '"'; p++) {
			if (*p == '\\')
				p++;
			if ((unsigned char)*p < 0x20 || *p == 0x7F)
				return NULL;
		}
		if (strncmp(p, "\" <", 3) != 0)
			return NULL;
		p += 3;
		angle = true;
	}
	*address_r = p;
	while ((unsigned char)*p > 0x20 && (unsigned char)*p < 0x7F &&
	       strchr(",;:<>()[]\"\\", *p) == NULL)
		p++;
	*len_r = (size_t)(p - *address_r);
	if (*len_r == 0)
		return NULL;
	if (angle && *p++ != '>')
		return NULL;
	if (*p == '\0')
		return p;
	return strncmp(p, ", ", 2) == 0 && p[2] != '\0' ? p + 2 : NULL;
}

/* field: for the log.  shown: everybody who gets the item can read it there. */
static bool
list_check(struct guard *g, const char *field, const char *list, bool shown, size_t *count_r)
{
	while (*list != '\0') {
		const char *address;
		size_t len;
		gpointer key, found;

		list = entry_read(list, &address, &len);
		if (list == NULL)
			return refuse(g, "%s is not a list that the guard can read", field);
		char *normal = normal_form(address, len);
		if (normal == NULL)
			return refuse(g, "%s has something that is not an address", field);
		if (!g_hash_table_lookup_extended(g->wanted, normal, &key, &found)) {
			refuse(g, "%s has %s, which is not in the envelope", field, normal);
			g_free(normal);
			return false;
		}
		if (GPOINTER_TO_INT(found) != 0) {
			refuse(g, "%s has %s, which got the mail already", field, normal);
			g_free(normal);
			return false;
		}
		if (shown && !g_hash_table_contains(g->named, normal)) {
			refuse(g, "%s shows %s, which stood in no To or Cc field", field, normal);
			g_free(normal);
			return false;
		}
		/* The key stays the envelope's. */
		g_hash_table_insert(g->wanted, g_strdup(key), GINT_TO_POINTER(1));
		g_free(normal);
		(*count_r)++;
	}
	return true;
}

static bool
item_check(struct guard *g, const struct guard_item *item)
{
	size_t count = 0;
	/* One recipient alone, without copies, sees nobody but themselves. */
	bool alone = item->cc[0] == '\0' && item->bcc[0] == '\0' && strchr(item->to, '@') != NULL &&
		     strchr(item->to, ',') == NULL &&
		     strchr(item->to, '@') == strrchr(item->to, '@');

	if (!list_check(g, "To", item->to, !alone, &count) ||
	    !list_check(g, "Cc", item->cc, true, &count) ||
	    !list_check(g, "Bcc", item->bcc, false, &count))
		return false;
	if (count == 0)
		return refuse(g, "an item has no recipient");
	return true;
}

/* --- the envelope --------------------------------------------------------- */

static bool
envelope_read(struct guard *g, char *const *envelope, size_t count)
{
	g->wanted = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g->named = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	for (size_t i = 0; i < count; i++) {
		char *normal = normal_form(envelope[i], strlen(envelope[i]));

		if (normal == NULL)
			return refuse(g, "the envelope has something that is not an address");
		g_hash_table_insert(g->wanted, normal, GINT_TO_POINTER(0));
	}
	return true;
}

static bool
all_found(struct guard *g)
{
	GHashTableIter iter;
	gpointer key, found;

	g_hash_table_iter_init(&iter, g->wanted);
	while (g_hash_table_iter_next(&iter, &key, &found))
		if (GPOINTER_TO_INT(found) == 0)
			return refuse(g, "no item has %s of the envelope", (const char *)key);
	return true;
}

static void
guard_end(struct guard *g)
{
	g_hash_table_destroy(g->wanted);
	g_hash_table_destroy(g->named);
}

bool
guard_check(const struct guard_item *items, size_t item_count, char *const *envelope,
    size_t envelope_count, const char *header, size_t header_len, char *why, size_t why_size)
{
	struct guard g = { .why = why, .why_size = why_size };
	bool good = envelope_read(&g, envelope, envelope_count);

	header_read(&g, header, header_len);
	for (size_t i = 0; i < item_count && good; i++)
		good = item_check(&g, &items[i]);
	good = good && all_found(&g);
	guard_end(&g);
	return good;
}

/* --- a mail that goes unchanged ------------------------------------------- */

static bool
recipients_check(struct guard *g, const struct item *item)
{
	for (size_t i = 0; i < item->recipients.count; i++) {
		const char *address = item->recipients.items[i];
		char *normal = normal_form(address, strlen(address));
		gpointer key, found;

		if (normal == NULL)
			return refuse(g, "an item has something that is not an address");
		if (!g_hash_table_lookup_extended(g->wanted, normal, &key, &found)) {
			refuse(g, "an item is for %s, which is not in the envelope", normal);
			g_free(normal);
			return false;
		}
		if (GPOINTER_TO_INT(found) != 0) {
			refuse(g, "an item is for %s, which got the mail already", normal);
			g_free(normal);
			return false;
		}
		/* The key stays the envelope's. */
		g_hash_table_insert(g->wanted, normal, GINT_TO_POINTER(1));
	}
	if (item->recipients.count == 0)
		return refuse(g, "an item has no recipient");
	return true;
}

static bool
is_blind_field(const char *line, size_t len)
{
	size_t at = 0;

	if (len > 7 && g_ascii_strncasecmp(line, "resent-", 7) == 0)
		at = 7;
	if (len - at < 4 || g_ascii_strncasecmp(line + at, "bcc", 3) != 0)
		return false;
	for (at += 3; at < len && (line[at] == ' ' || line[at] == '\t');)
		at++;
	return at < len && line[at] == ':';
}

/* A lone CR or LF ends a line to some readers, so it does here. */
static bool
top_check(struct guard *g, const char *top, size_t len)
{
	size_t at = 0;

	while (at < len) {
		size_t stop = at;

		while (stop < len && top[stop] != '\r' && top[stop] != '\n')
			stop++;
		if (stop == len)
			return refuse(g, "the header has a line without an end");
		if (stop == at)
			return true;
		if (is_blind_field(top + at, stop - at))
			return refuse(g, "the header has a Bcc field");
		at = stop + 1;
		if (top[stop] == '\r' && at < len && top[at] == '\n')
			at++;
	}
	return refuse(g, "the header has no end");
}

bool
guard_check_verbatim(const struct item *items, size_t item_count, char *const *envelope,
    size_t envelope_count, const char *top, size_t top_len, char *why, size_t why_size)
{
	struct guard g = { .why = why, .why_size = why_size };
	bool good = envelope_read(&g, envelope, envelope_count);

	for (size_t i = 0; i < item_count && good; i++)
		good = recipients_check(&g, &items[i]);
	good = good && all_found(&g) && top_check(&g, top, top_len);
	guard_end(&g);
	return good;
}
