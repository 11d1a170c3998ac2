/* Lists of mailboxes by the address patterns that Postmark has published. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#include "sandbox/rules.h"
#include "sandbox/rules_inside.h"

/* ---- addresses: code 300 ---- */

static bool
alphanumeric(unsigned char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* ^[a-z0-9\.!#\$%&'`\*\+\-\/=\^_\{\}\|~]+$ without regard to case */
static bool
local_part_ok(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (!alphanumeric((unsigned char)text[i]) &&
		    (text[i] == '\0' || strchr(".!#$%&'`*+-/=^_{}|~", text[i]) == NULL))
			return false;
	}
	return len > 0;
}

/* ^((\.)?[a-zA-Z0-9\-])+$: no two dots side by side, none at the end */
static bool
domain_ok(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '.' && (i + 1 == len || text[i + 1] == '.'))
			return false;
		if (text[i] != '.' && text[i] != '-' && !alphanumeric((unsigned char)text[i]))
			return false;
	}
	return len > 0;
}

static int
check_address(const char *field, const char *address, size_t len, struct rules_refusal *refusal)
{
	const char *at = memrchr(address, '@', len);
	char *shown = rules_echo(address, len);
	char *domain;
	int rc = 0;

	if (len == 0) {
		rc = rules_refuse(refusal, 300, "Invalid '%s' address: ''.", field);
	} else if (at == NULL) {
		rc = rules_refuse(refusal, 300,
		    "Error parsing '%s': Illegal email address '%s'. It must contain the '@' "
		    "symbol.",
		    field, shown);
	} else if (!local_part_ok(address, (size_t)(at - address))) {
		rc = rules_refuse(refusal, 300, "Invalid '%s' address: '%s'.", field, shown);
	} else if (!domain_ok(at + 1, len - 1 - (size_t)(at - address))) {
		domain = rules_echo(at + 1, len - 1 - (size_t)(at - address));
		rc = rules_refuse(refusal, 300,
		    "Error parsing '%s': Illegal email domain '%s' in address '%s'.", field, domain,
		    shown);
		free(domain);
	}
	free(shown);
	return rc;
}

static bool
blank(char c)
{
	return c == ' ' || c == '\t';
}

/*
 * The display name in front of '<': words and quoted strings.  Punctuation must be quoted, so a
 * bare word is what RFC 5322 calls an atom, or UTF-8.  name_r gets the text without its quotes.
 */
static bool
parse_name(const char *text, size_t len, char **name_r)
{
	char *name = mem_new(len + 1);
	size_t used = 0;
	bool quoted = false;

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c < ' ' && c != '\t')
			goto wrong;
		if (c == 0x7f)
			goto wrong;
		if (c == '"') {
			quoted = !quoted;
			continue;
		}
		if (quoted && c == '\\') {
			if (++i == len || (unsigned char)text[i] < ' ')
				goto wrong;
		} else if (!quoted && strchr("()<>[]:;@\\,.", (char)c) != NULL) {
			goto wrong;
		}
		name[used++] = text[i];
	}
	if (quoted)
		goto wrong;
	*name_r = name;
	return true;

wrong:
	free(name);
	return false;
}

static int
parse_mailbox(const char *field, const char *text, size_t len, struct rules_mailboxes *list,
    struct rules_refusal *refusal)
{
	const char *open;
	char *name, *shown;
	size_t name_len;
	bool quoted = false;
	int rc;

	while (len > 0 && blank(text[0]))
		text++, len--;
	while (len > 0 && blank(text[len - 1]))
		len--;
	for (open = text; open < text + len; open++) {
		if (*open == '\\' && quoted && open + 1 < text + len)
			open++;
		else if (*open == '"')
			quoted = !quoted;
		else if (*open == '<' && !quoted)
			break;
	}
	if (open == text + len) {
		rc = check_address(field, text, len, refusal);
		if (rc == 0) {
			strlist_add_bytes(&list->addresses, text, len);
			strlist_add(&list->names, "");
		}
		return rc;
	}

	name_len = (size_t)(open - text);
	while (name_len > 0 && blank(text[name_len - 1]))
		name_len--;
	if (text[len - 1] != '>' || !parse_name(text, name_len, &name)) {
		shown = rules_echo(text, len);
		rc = rules_refuse(refusal, 300, "Invalid '%s' address: '%s'.", field, shown);
		free(shown);
		return rc;
	}
	len -= (size_t)(open - text) + 2; /* what the angle brackets hold */
	rc = check_address(field, open + 1, len, refusal);
	if (rc == 0) {
		strlist_add_bytes(&list->addresses, open + 1, len);
		strlist_take(&list->names, name);
	} else {
		free(name);
	}
	return rc;
}

int
rules_mailboxes_parse(const char *field, const char *list, struct rules_mailboxes *list_r,
    struct rules_refusal *refusal)
{
	const char *at = list;
	const char *start = list;
	bool quoted = false;

	memset(list_r, 0, sizeof(*list_r));
	if (list[strspn(list, " \t")] == '\0')
		return 0;
	for (;; at++) {
		if (quoted && *at == '\\' && at[1] != '\0') {
			at++;
		} else if (*at == '"') {
			quoted = !quoted;
		} else if (*at == '\0' || (*at == ',' && !quoted)) {
			if (parse_mailbox(field, start, (size_t)(at - start), list_r, refusal) !=
			    0) {
				rules_mailboxes_deinit(list_r);
				return -1;
			}
			if (*at == '\0')
				return 0;
			start = at + 1;
		}
	}
}

void
rules_mailboxes_deinit(struct rules_mailboxes *list)
{
	strlist_free(&list->addresses);
	strlist_free(&list->names);
}
