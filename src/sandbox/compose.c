/*
 * Texts go as base64, so that neither lines nor charsets are a matter (RFC 2045 6.8); header values
 * that are not ASCII become encoded words (RFC 2047).
 */
#include <stdbool.h>
#include <string.h>

#include "base/base64.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"

#include "sandbox/fields.h"
#include "sandbox/rules.h"
#include "sandbox/compose.h"

#define MOST_BYTES ((size_t)128 * 1024 * 1024)
#define LINE       76
/* What an encoded word of 75 characters holds besides "=?utf-8?B??=" (RFC 2047 2). */
#define WORD 45

/* ---- the header ---- */

/* Control characters would end the line. */
static void
add_plain(struct buf *out, const char *text)
{
	for (; *text != '\0'; text++)
		buf_addc(out, (unsigned char)*text < ' ' ? ' ' : *text);
}

static void
add_words(struct buf *out, const char *text)
{
	size_t len = strlen(text);

	while (len > 0) {
		size_t n = 0, one;

		while (n < len && (one = text_utf8_len(text + n, len - n)) > 0 && n + one <= WORD)
			n += one;
		if (n == 0)
			return;
		buf_adds(out, "=?utf-8?B?");
		base64_add(out, text, n);
		buf_adds(out, "?=");
		text += n;
		len -= n;
		if (len > 0)
			buf_adds(out, "\r\n ");
	}
}

static void
add_value(struct buf *out, const char *text)
{
	if (text_is_ascii(text, strlen(text)))
		add_plain(out, text);
	else
		add_words(out, text);
}

static void
add_field(struct buf *out, const char *name, const char *value)
{
	buf_adds(out, name);
	buf_adds(out, ": ");
	add_value(out, value);
	buf_adds(out, "\r\n");
}

/* A quoted string, or encoded words. */
static void
add_phrase(struct buf *out, const char *name)
{
	if (!text_is_ascii(name, strlen(name))) {
		add_words(out, name);
		return;
	}
	buf_addc(out, '"');
	for (; *name != '\0'; name++) {
		if (*name == '"' || *name == '\\')
			buf_addc(out, '\\');
		buf_addc(out, (unsigned char)*name < ' ' ? ' ' : *name);
	}
	buf_addc(out, '"');
}

/* name NULL: those of the list count. */
static void
add_mailboxes(struct buf *out, const char *field, const char *list, const char *name)
{
	struct rules_mailboxes boxes;
	struct rules_refusal refusal;

	if (list == NULL)
		return;
	if (rules_mailboxes_parse(field, list, &boxes, &refusal) != 0) {
		rules_refusal_deinit(&refusal);
		add_field(out, field, list);
		return;
	}
	if (boxes.addresses.count > 0)
		buf_addf(out, "%s: ", field);
	for (size_t i = 0; i < boxes.addresses.count; i++) {
		const char *shown = name != NULL ? name : boxes.names.items[i];

		if (i > 0)
			buf_adds(out, ",\r\n ");
		if (shown[0] != '\0') {
			add_phrase(out, shown);
			buf_addc(out, ' ');
		}
		buf_addf(out, "<%s>", boxes.addresses.items[i]);
	}
	if (boxes.addresses.count > 0)
		buf_adds(out, "\r\n");
	rules_mailboxes_deinit(&boxes);
}

static bool
is_written(const char *name)
{
	static const char *const written[] = { "From", "To", "Cc", "Bcc", "Reply-To", "Subject",
		"Date", "MIME-Version" };

	for (size_t i = 0; i < sizeof(written) / sizeof(written[0]); i++) {
		if (text_same(name, written[i]))
			return true;
	}
	return text_starts(name, "Content-") || name[strcspn(name, " :\t\r\n")] != '\0';
}

static void
add_header(struct buf *out, const json_t *mail)
{
	static const struct {
		const char *key;
		const char *field;
	} texts[] = { { "Subject", "Subject" }, { "Date", "Date" } };
	size_t i;
	json_t *one;

	json_array_foreach(json_object_get(mail, "Headers"), i, one)
	{
		const char *name = fields_text(one, "Name");

		if (name != NULL && !is_written(name))
			add_field(out, name,
			    fields_text(one, "Value") != NULL ? fields_text(one, "Value") : "");
	}
	add_mailboxes(out, "From", fields_text(mail, "From"), fields_text(mail, "FromName"));
	add_mailboxes(out, "To", fields_text(mail, "To"), NULL);
	add_mailboxes(out, "Cc", fields_text(mail, "Cc"), NULL);
	add_mailboxes(out, "Reply-To", fields_text(mail, "ReplyTo"), NULL);
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (fields_text(mail, texts[i].key) != NULL)
			add_field(out, texts[i].field, fields_text(mail, texts[i].key));
	}
	buf_adds(out, "MIME-Version: 1.0\r\n");
}

/* ---- the body ---- */

static void
add_lines(struct buf *out, const char *base64, size_t len)
{
	for (size_t n; len > 0; base64 += n, len -= n) {
		n = len < LINE ? len : LINE;
		buf_add(out, base64, n);
		buf_adds(out, "\r\n");
	}
}

static void
add_text(struct buf *out, const char *type, const char *text)
{
	struct buf base64;

	buf_init(&base64, MOST_BYTES);
	base64_add(&base64, text, strlen(text));
	buf_addf(out,
	    "Content-Type: %s; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n", type);
	add_lines(out, base64.data, base64.len);
	buf_free(&base64);
}

static void
add_bodies(struct buf *out, const json_t *mail, const char *boundary)
{
	const char *text = fields_text(mail, "TextBody"), *html = fields_text(mail, "HtmlBody");

	if (text == NULL || html == NULL) {
		add_text(out, html != NULL ? "text/html" : "text/plain",
		    html != NULL   ? html
		    : text != NULL ? text
				   : "");
		return;
	}
	buf_addf(out, "Content-Type: multipart/alternative; boundary=\"=_a%s\"\r\n\r\n", boundary);
	buf_addf(out, "--=_a%s\r\n", boundary);
	add_text(out, "text/plain", text);
	buf_addf(out, "--=_a%s\r\n", boundary);
	add_text(out, "text/html", html);
	buf_addf(out, "--=_a%s--\r\n", boundary);
}

/* A file name: what is not ASCII goes as RFC 2231 has it. */
static void
add_file_name(struct buf *out, const char *name)
{
	if (!text_is_ascii(name, strlen(name))) {
		buf_adds(out, "filename*=utf-8''");
		for (; *name != '\0'; name++)
			buf_addf(out, "%%%02X", (unsigned)(unsigned char)*name);
		return;
	}
	buf_adds(out, "filename=");
	add_phrase(out, name);
}

static void
add_attachment(struct buf *out, const json_t *one)
{
	const char *name = fields_text(one, "Name"), *content = fields_text(one, "Content");
	const char *type = fields_text(one, "ContentType"), *id = fields_text(one, "ContentID");

	/* What has parts of its own may not be base64 (RFC 2045 6.4). */
	if (type == NULL || text_starts(type, "message/") || text_starts(type, "multipart/"))
		type = "application/octet-stream";
	buf_adds(out, "Content-Type: ");
	add_plain(out, type);
	buf_adds(out, "\r\nContent-Transfer-Encoding: base64\r\n");
	if (id != NULL) {
		buf_adds(out, "Content-ID: <");
		add_plain(out, text_starts(id, "cid:") ? id + 4 : id);
		buf_adds(out, ">\r\n");
	}
	buf_addf(out, "Content-Disposition: %s; ", id != NULL ? "inline" : "attachment");
	add_file_name(out, name != NULL ? name : "attachment");
	buf_adds(out, "\r\n\r\n");
	if (content != NULL)
		add_lines(out, content, strlen(content));
}

char *
compose_mail(const json_t *mail, const char *boundary)
{
	const json_t *attachments = json_object_get(mail, "Attachments");
	struct buf out;
	size_t i;
	json_t *one;

	buf_init(&out, MOST_BYTES);
	add_header(&out, mail);
	if (json_array_size(attachments) == 0) {
		add_bodies(&out, mail, boundary);
		return buf_take(&out, &i);
	}
	buf_addf(&out, "Content-Type: multipart/mixed; boundary=\"=_m%s\"\r\n\r\n", boundary);
	buf_addf(&out, "--=_m%s\r\n", boundary);
	add_bodies(&out, mail, boundary);
	json_array_foreach(attachments, i, one)
	{
		buf_addf(&out, "--=_m%s\r\n", boundary);
		add_attachment(&out, one);
	}
	buf_addf(&out, "--=_m%s--\r\n", boundary);
	return buf_take(&out, &i);
}
