/* The texts of refusals and of answers that tell of suppressed recipients. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

#include "sandbox/rules.h"
#include "sandbox/rules_inside.h"

/* Foreign text in a refusal is cut here: a refusal is no mirror for megabytes. */
#define ECHO_BYTES 256

int
rules_refuse(struct rules_refusal *refusal, int code, const char *format, ...)
{
	va_list args;

	refusal->code = code;
	va_start(args, format);
	if (vasprintf(&refusal->text, format, args) < 0)
		abort();
	va_end(args);
	return -1;
}

void
rules_refusal_deinit(struct rules_refusal *refusal)
{
	free(refusal->text);
	memset(refusal, 0, sizeof(*refusal));
}

char *
rules_echo(const char *text, size_t len)
{
	size_t used = 0;

	while (used < len) {
		size_t step = text_utf8_len(text + used, len - used);

		if (step == 0 || used + step > ECHO_BYTES)
			break;
		used += step;
	}
	return mem_bytes(text, used);
}

/* ---- suppressed recipients ---- */

/* Bare, lower case, joined as clients split them. */
static char *
join_addresses(const struct strlist *addresses)
{
	size_t len = 1;
	char *joined, *end;

	for (size_t i = 0; i < addresses->count; i++)
		len += strlen(addresses->items[i]) + strlen(RULES_INACTIVE_SEPARATOR);
	end = joined = mem_new(len);
	for (size_t i = 0; i < addresses->count; i++) {
		if (i > 0)
			end = stpcpy(end, RULES_INACTIVE_SEPARATOR);
		end = stpcpy(end, addresses->items[i]);
	}
	text_lower(joined);
	return joined;
}

char *
rules_inactive_text(const struct strlist *addresses, bool in_batch)
{
	char *joined = join_addresses(addresses);
	char *text = mem_format("You tried to send to %s been marked as inactive. Found inactive "
				"addresses: %s. Inactive recipients are ones that have generated a "
				"hard bounce, a spam complaint, or a manual suppression.%s",
	    in_batch ? "a recipient that has" : "recipient(s) that have", joined,
	    in_batch ? " " : "");

	free(joined);
	return text;
}

char *
rules_partial_text(const struct strlist *addresses)
{
	char *joined = join_addresses(addresses);
	char *text = mem_format("Message OK, but will not deliver to these inactive addresses: %s. "
				"Inactive recipients are ones that have generated a hard bounce or "
				"a spam complaint.",
	    joined);

	free(joined);
	return text;
}
