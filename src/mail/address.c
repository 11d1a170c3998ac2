/*
 * Addresses.  What leaves address_canonical() holds no quote, space, comma, bracket or control
 * character, so that it can stand in a list of Postmark's without any escaping.
 */

#include <glib.h>
#include <gmime/gmime.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"
#include "mail/mime.h"
#include "mail/address.h"

/* RFC 5321 4.5.3.1; the path of 256 octets includes its angle brackets. */
#define MOST_LOCAL  64
#define MOST_DOMAIN 255
#define MOST_PATH   254
#define MOST_LABEL  63 /* RFC 1035 2.3.4 */

/* Of a header: twice the longest line of RFC 5322 2.1.1. */
#define MOST_ENTRY 2000

const char *
address_fault_text(enum address_fault fault)
{
	switch (fault) {
	case ADDRESS_OK:
		return "the address is fine";
	case ADDRESS_SYNTAX:
		return "this is not a mail address";
	case ADDRESS_LOCAL_QUOTED:
		return "Postmark takes no local part that needs quotes, and of signs only "
		       ".!#$%&'`*+-/=^_{}|~";
	case ADDRESS_LOCAL_UTF8:
		return "Postmark takes no local part outside ASCII";
	case ADDRESS_DOMAIN:
		return "the domain is missing, an address literal or not a valid domain name";
	case ADDRESS_LENGTH:
		return "longer than 64 characters before the @ or 254 in all";
	}
	return "";
}

static bool
is_alnum(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* A character that Postmark takes in a local part; the dot has rules of its own. */
static bool
is_local_char(unsigned char c)
{
	return is_alnum(c) || (c != '\0' && strchr("!#$%&'`*+-/=^_{}|~", c) != NULL);
}

/* RFC 5321 4.1.2, Dot-string, of characters that Postmark takes. */
static bool
is_dot_string(const char *text, size_t len)
{
	bool dot_allowed = false;

	for (size_t i = 0; i < len; i++) {
		if (text[i] == '.') {
			if (!dot_allowed)
				return false;
			dot_allowed = false;
		} else if (is_local_char((unsigned char)text[i])) {
			dot_allowed = true;
		} else {
			return false;
		}
	}
	return dot_allowed;
}

/* Letters, digits and hyphens in labels of 1 to 63 (RFC 1035 2.3.1). */
static bool
is_host_name(const char *text, size_t len)
{
	size_t label = 0;

	for (size_t i = 0; i <= len; i++) {
		if (i == len || text[i] == '.') {
			if (label == 0 || label > MOST_LABEL || text[i - 1] == '-')
				return false;
			label = 0;
			continue;
		}
		if (!is_alnum((unsigned char)text[i]) && (text[i] != '-' || label == 0))
			return false;
		label++;
	}
	return len > 0;
}

/*
 * Characters that IDNA 2003, which GLib speaks, maps to other letters or to nothing, while
 * IDNA 2008 registers them (RFC 5894 7.2): mail to one domain must not reach another.  Whoever
 * means such a domain can write its A-label.
 */
static bool
has_deviation(const char *text)
{
	static const char *const deviations[] = {
		"\xC3\x9F",     /* sharp s */
		"\xE1\xBA\x9E", /* capital sharp s */
		"\xCF\x82",     /* final sigma */
		"\xE2\x80\x8C", /* zero width non-joiner */
		"\xE2\x80\x8D", /* zero width joiner */
	};

	for (size_t i = 0; i < G_N_ELEMENTS(deviations); i++)
		if (strstr(text, deviations[i]) != NULL)
			return true;
	return false;
}

/* The A-label form in lower case; out has ADDRESS_SIZE bytes. */
static enum address_fault
domain_canonical(const char *text, size_t len, char *out)
{
	bool ascii = true;
	char copy[4 * MOST_DOMAIN + 1];

	if (len == 0 || text[0] == '[')
		return ADDRESS_DOMAIN;
	if (len >= sizeof(copy))
		return ADDRESS_LENGTH;
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] >= 0x80)
			ascii = false;
	memcpy(copy, text, len);
	copy[len] = '\0';

	if (!ascii) {
		if (memchr(text, '\0', len) != NULL || has_deviation(copy))
			return ADDRESS_DOMAIN;
		char *converted = g_hostname_to_ascii(copy);
		if (converted == NULL)
			return ADDRESS_DOMAIN;
		len = strlen(converted);
		if (len <= MOST_DOMAIN)
			memcpy(copy, converted, len + 1);
		g_free(converted);
	}
	if (len > MOST_DOMAIN)
		return ADDRESS_LENGTH;
	/* After the conversion: compatibility mapping can make any ASCII out of other characters.
	 */
	if (!is_host_name(copy, len))
		return ADDRESS_DOMAIN;
	text_lower(copy);
	memcpy(out, copy, len + 1);
	return ADDRESS_OK;
}

/* Takes the quotes off where none are needed.  *used_r: bytes of text with both quotes. */
static enum address_fault
unquote_local(
    const char *text, size_t len, char out[MOST_LOCAL + 1], size_t *out_len_r, size_t *used_r)
{
	size_t n = 0, i;
	bool utf8 = false, fits = true;

	for (i = 1; i < len && text[i] != '"'; i++) {
		if (text[i] == '\\' && ++i == len)
			return ADDRESS_SYNTAX;
		unsigned char c = (unsigned char)text[i];
		if (c < 0x20 || c == 0x7F)
			return ADDRESS_SYNTAX;
		if (c >= 0x80)
			utf8 = true;
		if (n < MOST_LOCAL)
			out[n++] = text[i];
		else
			fits = false;
	}
	if (i >= len)
		return ADDRESS_SYNTAX;
	*used_r = i + 1;
	*out_len_r = n;
	if (utf8)
		return ADDRESS_LOCAL_UTF8;
	if (!fits)
		return ADDRESS_LENGTH;
	return is_dot_string(out, n) ? ADDRESS_OK : ADDRESS_LOCAL_QUOTED;
}

static enum address_fault
plain_local(const char *text, size_t len)
{
	bool other_sign = false, utf8 = false, dot_allowed = false;

	if (len == 0)
		return ADDRESS_SYNTAX;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];
		if (c == '.') {
			if (!dot_allowed)
				return ADDRESS_SYNTAX;
			dot_allowed = false;
			continue;
		}
		dot_allowed = true;
		if (c >= 0x80)
			utf8 = true;
		else if (c == '?')
			other_sign = true; /* atext (RFC 5322 3.2.3), but not among Postmark's */
		else if (!is_local_char(c))
			return ADDRESS_SYNTAX;
	}
	if (!dot_allowed)
		return ADDRESS_SYNTAX;
	if (utf8)
		return ADDRESS_LOCAL_UTF8;
	return other_sign ? ADDRESS_LOCAL_QUOTED : ADDRESS_OK;
}

enum address_fault
address_canonical(const char *text, size_t len, char out[ADDRESS_SIZE])
{
	char unquoted[MOST_LOCAL + 1];
	const char *local = text;
	size_t local_len, used;
	enum address_fault fault, domain_fault;

	out[0] = '\0';
	if (len == 0 || !text_is_utf8(text, len))
		return ADDRESS_SYNTAX;
	if (text[0] == '"') {
		fault = unquote_local(text, len, unquoted, &local_len, &used);
		local = unquoted;
	} else {
		const char *at = memchr(text, '@', len);
		used = local_len = at == NULL ? len : (size_t)(at - text);
		fault = plain_local(text, local_len);
	}
	if (fault == ADDRESS_SYNTAX)
		return fault;
	if (used == len)
		return ADDRESS_DOMAIN;
	if (text[used] != '@' || memchr(text + used + 1, '@', len - used - 1) != NULL)
		return ADDRESS_SYNTAX;
	if (fault == ADDRESS_OK && local_len > MOST_LOCAL)
		fault = ADDRESS_LENGTH;

	domain_fault = domain_canonical(text + used + 1, len - used - 1, out);
	if (fault == ADDRESS_OK)
		fault = domain_fault;
	if (fault != ADDRESS_OK) {
		out[0] = '\0';
		return fault;
	}
	size_t domain_len = strlen(out);
	if (local_len + 1 + domain_len > MOST_PATH) {
		out[0] = '\0';
		return ADDRESS_LENGTH;
	}
	memmove(out + local_len + 1, out, domain_len + 1);
	memcpy(out, local, local_len);
	out[local_len] = '@';
	return ADDRESS_OK;
}

struct list_reading {
	struct mailbox_list *list;
	size_t room;
	struct mime_mask mask;
	bool utf8;         /* as it came */
	char a_label_mark; /* stands for the n of "xn--", or 0 */
};

/*
 * GMime turns A-labels into U-labels, and the way back does not always lead to the same domain
 * (IDNA 2003 against 2008), so it must not see them: another letter stands for the n of "xn--".
 */
static void
a_labels_replace(char *text, char from, char to)
{
	if (from == '\0' || to == '\0')
		return;
	while ((text = (char *)text_find_same(text, (const char[]){ 'x', from, '-', '-', '\0' }))) {
		text[1] = text[1] >= 'a' ? to : (char)(to - 'a' + 'A');
		text += 4;
	}
}

static char
a_label_mark_choose(const char *text)
{
	static const char letters[] = "qzjwkvy";

	if (text_find_same(text, "xn--") == NULL)
		return '\0';
	for (const char *c = letters; *c != '\0'; c++)
		if (text_find_same(text, (const char[]){ 'x', *c, '-', '-', '\0' }) == NULL)
			return *c;
	return '\0';
}

static void
list_add(struct list_reading *reading, InternetAddress *entry)
{
	struct mailbox_list *list = reading->list;
	const char *found = NULL, *name;
	char *address = NULL, *raw_name;
	char canonical[ADDRESS_SIZE];

	if (INTERNET_ADDRESS_IS_MAILBOX(entry))
		found = internet_address_mailbox_get_addr(INTERNET_ADDRESS_MAILBOX(entry));
	if (found != NULL) {
		address = mem_string(found);
		a_labels_replace(address, reading->a_label_mark, 'n');
	}
	/*
	 * An encoded word is no part of an address (RFC 2047 5), a guessed charset neither, and a
	 * group holds no groups (RFC 5322 3.4).
	 */
	if (address == NULL || mime_mask_in(&reading->mask, address) ||
	    (!reading->utf8 && !text_is_ascii(address, strlen(address))) ||
	    address_canonical(address, strlen(address), canonical) != ADDRESS_OK) {
		list->unusable++;
		free(address);
		return;
	}
	free(address);
	if (list->count == reading->room) {
		reading->room = reading->room == 0 ? 4 : reading->room * 2;
		list->boxes = mem_resize(list->boxes, reading->room, sizeof(*list->boxes));
	}
	struct mailbox *box = &list->boxes[list->count++];
	box->address = mem_string(canonical);
	box->name = NULL;
	name = internet_address_get_name(entry);
	if (name != NULL && name[0] != '\0') {
		raw_name = mem_string(name);
		a_labels_replace(raw_name, reading->a_label_mark, 'n');
		box->name = mime_mask_decode(&reading->mask, raw_name);
		free(raw_name);
		if (box->name[0] == '\0') {
			free(box->name);
			box->name = NULL;
		}
	}
}

/* One entry for GMime; more than one address may still come of a malformed one. */
static void
entry_read(struct list_reading *reading, char *text, size_t len)
{
	InternetAddressList *parsed = NULL;
	char kept = text[len];

	if (len > MOST_ENTRY) {
		reading->list->unusable++;
		return;
	}
	text[len] = '\0';
	if (text[strspn(text, " \t")] != '\0') {
		parsed = internet_address_list_parse(mime_parser_options(), text);
		if (parsed == NULL)
			reading->list->unusable++;
	}
	for (int i = 0; parsed != NULL && i < internet_address_list_length(parsed); i++)
		list_add(reading, internet_address_list_get_address(parsed, i));
	if (parsed != NULL)
		g_object_unref(parsed);
	text[len] = kept;
}

/*
 * Where the entry at text ends: at a comma, semicolon or colon of its own level, or at the end.  A
 * comment that never ends is cut off: after a domain literal GMime loses its memory.
 */
static char *
entry_end(char *text)
{
	bool quoted = false, angle = false;
	char *comment = NULL;
	unsigned comments = 0;

	for (; *text != '\0'; text++) {
		char c = *text;
		if (c == '\\' && (quoted || comments > 0)) {
			if (text[1] != '\0')
				text++;
		} else if (quoted) {
			quoted = c != '"';
		} else if (comments > 0) {
			comments += c == '(' ? 1U : 0U;
			comments -= c == ')' ? 1U : 0U;
		} else if (c == '"') {
			quoted = true;
		} else if (c == '(') {
			comments = 1;
			comment = text;
		} else if (c == '<' || c == '>') {
			angle = c == '<';
		} else if (!angle && (c == ',' || c == ';' || c == ':')) {
			break;
		}
	}
	if (comments > 0) {
		*comment = '\0';
		return comment;
	}
	return text;
}

/*
 * The list is cut into its entries here, and groups are taken apart, because GMime looks for the
 * end of a display name with bare commas through the whole rest of the list (a quadratic time:
 * minutes for 200 KB of "a,") and reads groups within groups by recursion without a limit (a
 * stack overflow for 200 KB of "a:").
 */
void
mailbox_list_parse(struct mailbox_list *list, const char *value, size_t len)
{
	/* Escape sequences are another charset, though seven bits (charset.c guesses it). */
	bool utf8 = text_is_utf8(value, len) && (len == 0 || memchr(value, 0x1B, len) == NULL);
	struct list_reading reading = { .list = list, .utf8 = utf8 };
	char *start, *end;

	*list = (struct mailbox_list){ 0 };
	mime_mask_init(&reading.mask, value, len);
	reading.a_label_mark = a_label_mark_choose(reading.mask.text);
	a_labels_replace(reading.mask.text, 'n', reading.a_label_mark);
	for (start = reading.mask.text;; start = end + 1) {
		end = entry_end(start);
		if (*end == ':') /* the name of a group */
			continue;
		/* "Smith, Ann <a@b>": a bare comma in a name, which GMime understands. */
		if (*end == ',' && memchr(start, '@', (size_t)(end - start)) == NULL) {
			char *next_end = entry_end(end + 1);
			if (*next_end != ':' && memchr(end, '<', (size_t)(next_end - end)) != NULL)
				end = next_end;
		}
		entry_read(&reading, start, (size_t)(end - start));
		if (*end == '\0')
			break;
	}
	mime_mask_free(&reading.mask);
}

void
mailbox_list_join(struct mailbox_list *list, struct mailbox_list *more)
{
	list->unusable += more->unusable;
	if (more->count > 0) {
		list->boxes =
		    mem_resize(list->boxes, list->count + more->count, sizeof(*list->boxes));
		memcpy(list->boxes + list->count, more->boxes, more->count * sizeof(*more->boxes));
		list->count += more->count;
	}
	free(more->boxes);
	*more = (struct mailbox_list){ 0 };
}

void
mailbox_list_free(struct mailbox_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		free(list->boxes[i].name);
		free(list->boxes[i].address);
	}
	free(list->boxes);
	*list = (struct mailbox_list){ 0 };
}

void
mailbox_print(struct buf *out, const struct mailbox *box)
{
	if (out->len > 0)
		buf_adds(out, ", ");
	if (box->name == NULL) {
		buf_adds(out, box->address);
		return;
	}
	buf_addc(out, '"');
	for (const char *c = box->name; *c != '\0'; c++) {
		if (*c == '"' || *c == '\\')
			buf_addc(out, '\\');
		buf_addc(out, *c);
	}
	buf_adds(out, "\" <");
	buf_adds(out, box->address);
	buf_addc(out, '>');
}
