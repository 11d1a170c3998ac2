/*
 * The JSON of a mail that came in, to that mail.
 *
 * Holds for whatever comes out: every line ends with CRLF and there is no NUL; on top stand our
 * fields with our values and nothing between them; GMime reads it, and finds as many parts as a
 * mail can have of this payload; each recipient is one that the core lets in; a mail that was built
 * again has in its top header no field that is neither one of Headers nor one that is made of
 * another member, each line of it is a field or goes on with one, and no field that may stand once
 * stands twice.  And what is refused is refused with a status after which Postmark comes again.
 */

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/strlist.h"
#include "base/text.h"
#include "mail/mail.h"
#include "mail/mime.h"
#include "convert/convert.h"
#include "convert/inbound.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define must(condition)                                                                            \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);    \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

static struct strlist mappings;

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	convert_setup();
	strlist_add(&mappings, "hash+*=${hash}@x.example");
	strlist_add(&mappings, "two@*=a@x.example,b@x.example");
	return 0;
}

static void
lines_check(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		must(text[i] != '\0');
		must(text[i] != '\n' || (i > 0 && text[i - 1] == '\r'));
		must(text[i] != '\r' || (i + 1 < len && text[i + 1] == '\n'));
	}
	must(len >= 2 && text[len - 1] == '\n');
}

/* As channel/frame.c wants it. */
static void
recipient_check(const char *recipient)
{
	const char *at = strchr(recipient, '@');

	must(at != NULL && at != recipient && at[1] != '\0' && strchr(at + 1, '@') == NULL);
	must(strpbrk(recipient, " \t\",;:<>()[]\\") == NULL);
	must(text_is_ascii(recipient, strlen(recipient)));
}

/* The fields that we put on top.  What is behind them. */
static const char *
top_check(const char *text, const char *recipient)
{
	char *wanted = mem_format("Delivered-To: %s\r\n", recipient);

	must(text_starts(text, wanted));
	text += strlen(wanted);
	free(wanted);
	if (text_starts(text, "X-Original-To: "))
		text = strchr(text, '\n') + 1;
	must(text_starts(text, "X-Pmrelay-Inbound: relay.example; "));
	text = strchr(text, '\n') + 1;
	must(text_starts(text, "Received: from inbound.postmarkapp.com by relay.example"));
	text = strchr(text, '\n') + 1;
	must(text_starts(text, "\twith HTTP id "));
	return strchr(text, '\n') + 1;
}

static bool
in_headers(const json_t *post, const char *name, size_t len)
{
	const json_t *one;
	size_t i;

	json_array_foreach(json_object_get(post, "Headers"), i, one)
	{
		const char *known = json_string_value(json_object_get(one, "Name"));

		if (known != NULL && strlen(known) == len && text_same_n(known, name, len))
			return true;
	}
	return false;
}

static void
header_check(const json_t *post, const char *at)
{
	static const char *const made[] = { "From", "To", "Cc", "Reply-To", "Subject", "Date",
		"Message-ID", "MIME-Version", "Content-Type", "Content-Transfer-Encoding", NULL };
	unsigned seen = 0;

	for (; strncmp(at, "\r\n", 2) != 0; at = strchr(at, '\n') + 1) {
		const char *colon = strchr(at, ':');
		size_t k = 0;

		must(strchr(at, '\n') - at < 2000);
		if (*at == ' ' || *at == '\t')
			continue;
		must(colon != NULL && colon < strchr(at, '\r'));
		for (; made[k] != NULL; k++) {
			if (strlen(made[k]) == (size_t)(colon - at) &&
			    text_same_n(made[k], at, strlen(made[k])))
				break;
		}
		must(made[k] != NULL || in_headers(post, at, (size_t)(colon - at)));
		must(made[k] == NULL || !(seen & 1U << k));
		seen |= made[k] != NULL ? 1U << k : 0;
	}
}

static void
parts_check(const json_t *post, const char *text, size_t len)
{
	const struct mime_limits limits = { .depth = 8, .parts = 100000, .fields = 1000000 };
	struct mime mime;
	size_t figure, leaves = 0, attachments, most;

	must(mime_parse(&mime, text, len, &limits, &figure) == MIME_DONE);
	for (size_t i = 0; i < mime.part_count; i++)
		leaves += mime.parts[i].kind != MIME_MULTIPART;
	attachments = json_array_size(json_object_get(post, "Attachments"));
	most = attachments + 2;
	must(leaves <= most && leaves >= (attachments > 0 ? attachments : 1));
	mime_free(&mime);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const struct inbound_options options = { .hostname = "relay.example",
		.connection = "default",
		.recipients = &mappings,
		.most_hops = 20,
		.most_bytes = 1 << 22 };
	json_t *post = json_loadb((const char *)data, len, JSON_ALLOW_NUL, NULL);
	char why[200] = "";
	struct mail *mail;
	const char *raw;
	int status = 0;

	if (post == NULL)
		return 0;
	if (inbound_make(&options, post, 1788730000000, &mail, &status, why, sizeof(why)) != 0) {
		must(mail == NULL && status >= 400 && status < 600 && status != 403);
		must(why[0] != '\0' && text_is_ascii(why, strlen(why)));
		json_decref(post);
		return 0;
	}
	raw = json_string_value(json_object_get(post, "RawEmail"));
	must(ulid_ok(mail->id) && mail->item_count >= 1);
	for (size_t i = 0; i < mail->item_count; i++) {
		const char *rest;
		struct buf out;

		buf_init(&out, SIZE_MAX / 4);
		must(payload_read(&mail->items[i].payload, &out) == 0);
		must(payload_read(&mail->shared, &out) == 0);
		lines_check(out.data, out.len);
		must(mail->items[i].recipients.count == 1);
		recipient_check(mail->items[i].recipients.items[0]);
		rest = top_check(out.data, mail->items[i].recipients.items[0]);
		if (raw == NULL || raw[0] == '\0') {
			header_check(post, rest);
			parts_check(post, out.data, out.len);
		}
		buf_free(&out);
	}
	mail_free(&mail);
	json_decref(post);
	return 0;
}
