/*
 * Any bytes as what is known of a mail and of its bounce: the notice has CRLF lines of ASCII alone,
 * none too long, and at its top no field but those of a notice, each once.
 */

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"
#include "mail/dsn.h"

#define TEXTS 12

static void
must(bool right)
{
	if (!right)
		abort();
}

static void
must_be_lines(const char *text, size_t len)
{
	size_t column = 0;

	for (size_t i = 0; i < len; i++) {
		if (text[i] == '\r' || text[i] == '\n') {
			must(text[i] == '\r' && i + 1 < len && text[i + 1] == '\n');
			i++;
			column = 0;
			continue;
		}
		must(text[i] >= ' ' && text[i] <= '~' && ++column <= 998);
	}
	must(column == 0);
}

/* Until the empty line.  Returns what comes after it. */
static const char *
must_be_fields(const char *text, const char *const *names)
{
	unsigned seen = 0;

	while (strncmp(text, "\r\n", 2) != 0) {
		const char *colon = strchr(text, ':'), *end = strstr(text, "\r\n");
		size_t i;

		must(end != NULL && colon != NULL && colon < end);
		for (i = 0; names[i] != NULL; i++)
			if (strlen(names[i]) == (size_t)(colon - text) &&
			    memcmp(names[i], text, strlen(names[i])) == 0)
				break;
		must(names[i] != NULL && (seen & 1U << i) == 0);
		seen |= 1U << i;
		while (end[2] == ' ') {
			end = strstr(end + 2, "\r\n");
			must(end != NULL);
		}
		text = end + 2;
	}
	return text + 2;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const fields[] = { "Date", "From", "To", "Subject", "Message-ID",
		"In-Reply-To", "References", "Auto-Submitted", "MIME-Version", "Content-Type",
		NULL };
	static const char *const of_mail[] = { "From", "To", "Subject", "Message-ID", "Date",
		NULL };
	char *texts[TEXTS], *all = mem_bytes(data, size), *at = all, *end = all + size;
	struct buf out;

	/* Apart by NULs; what is left over is in the last. */
	for (size_t i = 0; i < TEXTS; i++) {
		texts[i] = at;
		at += strlen(at);
		if (at < end)
			at++;
	}
	const char *const recipients[] = { texts[0], texts[1] };
	struct dsn dsn = { .hostname = texts[2],
		.id = texts[3],
		.from = texts[4],
		.to = texts[5],
		.made_ms = (int64_t)size * 1000000007,
		.action = size % 2 == 0 ? DSN_FAILED : DSN_DELAYED,
		.recipients = recipients,
		.recipient_count = size % 3,
		.type = texts[6],
		.detail = texts[7],
		.at_ms = -(int64_t)size,
		.accepted_ms = INT64_MAX - (int64_t)size,
		.item = texts[8],
		.postmark_id = texts[8],
		.mail_from = texts[9],
		.mail_subject = texts[10],
		.mail_message_id = texts[11],
		.mail_recipients = recipients,
		.mail_recipient_count = 2 };

	buf_init(&out, (size_t)64 * 1024 * 1024);
	dsn_add_mail(&out, &dsn);
	must(!out.over);
	must_be_lines(out.data, out.len);
	must_be_fields(out.data, fields);
	buf_clear(&out);
	dsn_add_headers(&out, &dsn);
	buf_adds(&out, "\r\n");
	must(*must_be_fields(out.data, of_mail) == '\0');
	buf_clear(&out);
	dsn_add_subject(&out, &dsn);
	must(text_is_utf8(out.data, out.len) && strpbrk(out.data, "\r\n") == NULL);
	buf_free(&out);
	free(all);
	return 0;
}
