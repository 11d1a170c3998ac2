#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/base64.h"
#include "base/buf.h"
#include "base/text.h"
#include "base/ulid.h"

#include "mail/dsn.h"
#include "mail/value.h"

#define LINE_BYTES    76  /* where a line is folded if it can be */
#define MOST_RUN      900 /* where one is broken that cannot: RFC 5322 2.1.1 has 998 */
#define MOST_VALUE    2000
#define ENCODED_BYTES 45 /* of UTF-8 in one encoded word, which has at most 75 (RFC 2047 2) */
#define DATE_SIZE     40
#define CRLF          "\r\n"

/* --- status codes ------------------------------------------------------------------------- */

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* "5.1.1" and nothing longer, as an address of a host would be.  Its length, or 0. */
static size_t
code_len(const char *text)
{
	size_t len = 1, run;

	if ((text[0] != '4' && text[0] != '5') || text[1] != '.')
		return 0;
	for (int part = 0; part < 2; part++) {
		if (text[len] != '.')
			return 0;
		for (run = 0; is_digit(text[len + 1 + run]); run++)
			;
		if (run < 1 || run > 3)
			return 0;
		len += 1 + run;
	}
	return text[len] == '.' && is_digit(text[len + 1]) ? 0 : len;
}

static const char *
find_code(const char *detail, size_t *len_r)
{
	for (const char *at = detail; *at != '\0'; at++) {
		bool begins = at == detail || (!is_digit(at[-1]) && at[-1] != '.');

		if (begins && (*len_r = code_len(at)) > 0)
			return at;
	}
	return NULL;
}

/* The reply code that stands first: "smtp;550 no such user". */
static unsigned
reply_code(const char *detail)
{
	if (text_starts(detail, "smtp;"))
		detail += 5;
	while (*detail == ' ')
		detail++;
	if (!is_digit(detail[0]) || !is_digit(detail[1]) || !is_digit(detail[2]) ||
	    is_digit(detail[3]) || detail[3] == '.')
		return 0;
	return (unsigned)atoi(detail);
}

char *
dsn_status(char out[DSN_STATUS_SIZE], enum dsn_action action, const char *type, const char *detail)
{
	static const struct {
		const char *type, *status;
	} types[] = {
		{ "HardBounce", "5.1.1" },
		{ "Transient", "4.0.0" },
		{ "DnsError", "5.4.4" },
		{ "SpamNotification", "5.7.1" },
		{ "SoftBounce", "5.2.0" },
		{ "VirusNotification", "5.7.1" },
		{ "BadEmailAddress", "5.1.3" },
		{ "SpamComplaint", "5.7.1" },
		{ "ManuallyDeactivated", "5.2.1" },
		{ "Unconfirmed", "5.7.1" },
		{ "Blocked", "5.7.1" },
		{ "SMTPApiError", "5.3.0" },
		{ "InboundError", "5.3.0" },
		{ "DMARCPolicy", "5.7.1" },
		{ "TemplateRenderingFailed", "5.6.0" },
		/* Postmark's error codes, of mails that it refused itself. */
		{ "300", "5.6.0" },
		{ "400", "5.7.1" },
		{ "401", "5.7.1" },
		{ "402", "5.6.0" },
		{ "403", "5.6.0" },
		{ "406", "5.1.1" },
		{ "411", "5.7.1" },
	};
	const char *status = action == DSN_DELAYED ? "4.0.0" : "5.0.0", *code;
	unsigned reply = reply_code(detail);
	size_t len;

	if ((code = find_code(detail, &len)) != NULL) {
		snprintf(out, DSN_STATUS_SIZE, "%.*s", (int)len, code);
		return out;
	}
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (text_same(types[i].type, type))
			status = types[i].status;
	if (reply == 552) /* RFC 5321 4.2.3: exceeded storage allocation */
		status = "5.2.2";
	else if (reply == 553) /* mailbox name not allowed */
		status = "5.1.3";
	snprintf(out, DSN_STATUS_SIZE, "%s", status);
	return out;
}

/* --- fields ------------------------------------------------------------------------------- */

static char *
date_text(char out[DATE_SIZE], int64_t wall_ms)
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	time_t seconds = (time_t)(wall_ms / 1000);
	struct tm tm;

	/* Years have four digits (RFC 5322 3.3). */
	if (wall_ms < 0 || wall_ms > INT64_C(253402300799000) || gmtime_r(&seconds, &tm) == NULL) {
		seconds = 0;
		gmtime_r(&seconds, &tm);
	}
	snprintf(out, DATE_SIZE, "%.3s, %d %.3s %d %02d:%02d:%02d +0000", days + 3 * tm.tm_wday,
	    tm.tm_mday, months + 3 * tm.tm_mon, tm.tm_year + 1900, tm.tm_hour, tm.tm_min,
	    tm.tm_sec);
	return out;
}

/*
 * ASCII appended, folded before a space where the line would get too long, and anywhere where it
 * cannot be.  *column: where in the line it stands.
 */
static void
add_folded(struct buf *out, const char *text, size_t len, size_t *column)
{
	while (len > 0) {
		size_t spaces = 0, word;

		while (spaces < len && text[spaces] == ' ')
			spaces++;
		for (word = spaces; word < len && text[word] != ' '; word++)
			;
		if (word == spaces) /* at the end, where they say nothing */
			return;
		if (*column + word > LINE_BYTES && *column > 1 && spaces > 0) {
			buf_adds(out, CRLF);
			*column = 0;
			/* One is enough, and a line of nothing else would be none. */
			text += spaces - 1;
			len -= spaces - 1;
			word -= spaces - 1;
		}
		while (word > 0) {
			size_t part = word < MOST_RUN ? word : MOST_RUN;

			if (*column + part > MOST_RUN) {
				buf_adds(out, CRLF " ");
				*column = 1;
			}
			if (*column + part > MOST_RUN)
				part = MOST_RUN - *column;
			buf_add(out, text, part);
			*column += part;
			text += part;
			len -= part;
			word -= part;
		}
	}
}

/* Cleaned, and no longer than any value need be. */
static char *
clean(const char *text, size_t *len_r)
{
	char *value = mime_clean(text, strlen(text));
	size_t len = strlen(value);

	if (len > MOST_VALUE) {
		len = MOST_VALUE;
		while (len > 0 && ((unsigned char)value[len] & 0xC0) == 0x80)
			len--;
		value[len] = '\0';
	}
	*len_r = len;
	return value;
}

/* A value as ASCII: what is not becomes a question mark. */
static void
add_ascii(struct buf *out, const char *text, size_t *column)
{
	size_t len, used = 0;
	char *value = clean(text, &len);

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)value[i];

		if (c < 0x80)
			value[used++] = value[i];
		else if (c >= 0xC0)
			value[used++] = '?';
	}
	add_folded(out, value, used, column);
	free(value);
}

/* Encoded words (RFC 2047), each of whole characters. */
static void
add_words(struct buf *out, const char *text, size_t len, size_t *column)
{
	while (len > 0) {
		/* The first stands behind the field's name: nothing but a name is no line. */
		size_t room =
		    *column + 40 < LINE_BYTES ? (LINE_BYTES - 13 - *column) / 4 * 3 : ENCODED_BYTES;
		size_t part = room < ENCODED_BYTES ? room : ENCODED_BYTES;
		struct buf word;

		if (part > len)
			part = len;

		while (part < len && ((unsigned char)text[part] & 0xC0) == 0x80)
			part--;
		buf_init(&word, 200);
		buf_adds(&word, " =?utf-8?B?");
		base64_add(&word, text, part);
		buf_adds(&word, "?=");
		/* The space before it folds; between two words it is none (RFC 2047 6.2). */
		add_folded(out, word.data, word.len, column);
		buf_free(&word);
		text += part;
		len -= part;
	}
}

static bool
needs_words(const char *text, size_t len)
{
	size_t run = 0;

	if (!text_is_ascii(text, len) || strstr(text, "=?") != NULL)
		return true;
	for (size_t i = 0; i < len; i++) {
		run = text[i] == ' ' ? 0 : run + 1;
		if (run > LINE_BYTES)
			return true;
	}
	return false;
}

static size_t
begin_field(struct buf *out, const char *name)
{
	buf_addf(out, "%s:", name);
	return strlen(name) + 1;
}

/* What people write: any text. */
static void
add_unstructured(struct buf *out, const char *name, const char *text)
{
	size_t len, column;
	char *value = clean(text, &len);

	if (len > 0) {
		column = begin_field(out, name);
		if (needs_words(value, len)) {
			add_words(out, value, len, &column);
		} else {
			buf_addc(out, ' ');
			column++;
			add_folded(out, value, len, &column);
		}
		buf_adds(out, CRLF);
	}
	free(value);
}

/* What programs write: ASCII, prefix included. */
static void
add_field(struct buf *out, const char *name, const char *prefix, const char *text)
{
	size_t column, len;
	char *value = clean(text, &len);

	if (len > 0) {
		column = begin_field(out, name);
		buf_addf(out, " %s", prefix);
		column += 1 + strlen(prefix);
		add_ascii(out, value, &column);
		buf_adds(out, CRLF);
	}
	free(value);
}

static void
add_date(struct buf *out, const char *name, int64_t wall_ms)
{
	char date[DATE_SIZE];

	buf_addf(out, "%s: %s" CRLF, name, date_text(date, wall_ms));
}

/* The name of a mailbox without the quotes around it and the backslashes within. */
static size_t
unquote(char *name, size_t len)
{
	size_t used = 0;

	while (len > 0 && name[len - 1] == ' ')
		len--;
	if (len < 2 || name[0] != '"' || name[len - 1] != '"')
		return len;
	for (size_t i = 1; i + 1 < len; i++) {
		if (name[i] == '\\' && i + 2 < len)
			i++;
		name[used++] = name[i];
	}
	return used;
}

/* `Name <address>`: the name by encoded words where it is not ASCII. */
static void
add_mailbox(struct buf *out, const char *name, const char *mailbox)
{
	size_t len, column, name_len;
	char *value = clean(mailbox, &len), *address;

	if (len == 0)
		goto free_value;
	column = begin_field(out, name);
	address = strrchr(value, '<');
	if (address != NULL && !text_is_ascii(value, (size_t)(address - value))) {
		name_len = unquote(value, (size_t)(address - value));
		add_words(out, value, name_len, &column);
		if (strlen(address) < MOST_RUN)
			buf_addc(out, ' ');
		column++;
		add_ascii(out, address, &column);
	} else {
		buf_addc(out, ' ');
		column++;
		add_ascii(out, value, &column);
	}
	buf_adds(out, CRLF);

free_value:
	free(value);
}

/* --- what stands in it -------------------------------------------------------------------- */

static size_t
most(size_t count)
{
	return count < DSN_MOST_RECIPIENTS ? count : DSN_MOST_RECIPIENTS;
}

void
dsn_add_subject(struct buf *out, const struct dsn *dsn)
{
	size_t len;
	char *subject = clean(dsn->mail_subject, &len);

	buf_adds(out, dsn->action == DSN_DELAYED ? "Delayed: " : "Undelivered: ");
	buf_adds(out, len == 0 ? "your mail" : subject);
	free(subject);
}

/* A line for people. */
static void
add_line(struct buf *out, const char *before, const char *text)
{
	size_t len;
	char *value = clean(text, &len);

	if (len > 0)
		buf_addf(out, "%s%s\n", before, value);
	free(value);
}

void
dsn_add_text(struct buf *out, const struct dsn *dsn)
{
	char date[DATE_SIZE], status[DSN_STATUS_SIZE];

	buf_adds(out, "This is the mail relay at ");
	add_line(out, "", dsn->hostname);
	buf_adds(out, dsn->action == DSN_DELAYED
			  ? "\nYour mail could not be delivered yet to:\n\n"
			  : "\nYour mail was not delivered, and will not be, to:\n\n");
	for (size_t i = 0; i < most(dsn->recipient_count); i++)
		add_line(out, "  ", dsn->recipients[i]);
	if (dsn->recipient_count > DSN_MOST_RECIPIENTS)
		buf_addf(out, "  and %zu others\n", dsn->recipient_count - DSN_MOST_RECIPIENTS);
	if (dsn->detail[0] != '\0') {
		buf_adds(out, "\nThis is what was said about it:\n\n");
		add_line(out, "  ", dsn->detail);
	}
	buf_adds(out, "\n");
	add_line(out, "Kind:      ", dsn->type);
	buf_addf(out, "Status:    %s\n", dsn_status(status, dsn->action, dsn->type, dsn->detail));
	buf_addf(out, "When:      %s\n", date_text(date, dsn->at_ms));
	buf_adds(out, "\nThe mail was:\n\n");
	add_line(out, "  From:       ", dsn->mail_from);
	for (size_t i = 0; i < most(dsn->mail_recipient_count); i++)
		add_line(out, "  To:         ", dsn->mail_recipients[i]);
	add_line(out, "  Subject:    ", dsn->mail_subject);
	buf_addf(out, "  Accepted:   %s\n", date_text(date, dsn->accepted_ms));
	add_line(out, "  Message-ID: ", dsn->mail_message_id);
	add_line(out, "  Here:       ", dsn->item);
	add_line(out, "  Postmark:   ", dsn->postmark_id);
}

void
dsn_add_report(struct buf *out, const struct dsn *dsn)
{
	char status[DSN_STATUS_SIZE];
	const char *detail = text_starts(dsn->detail, "smtp;") ? dsn->detail + 5 : dsn->detail;

	/* Original-Envelope-Id is absent: listeners offer no ENVID. */
	add_field(out, "Reporting-MTA", "dns; ", dsn->hostname);
	add_date(out, "Arrival-Date", dsn->accepted_ms);
	add_field(out, "X-Pmrelay-Item", "", dsn->item);
	add_field(out, "X-Postmark-MessageID", "", dsn->postmark_id);
	add_field(out, is_digit(dsn->type[0]) ? "X-Postmark-ErrorCode" : "X-Postmark-Type", "",
	    dsn->type);
	for (size_t i = 0; i < most(dsn->recipient_count); i++) {
		buf_adds(out, CRLF);
		add_field(out, "Final-Recipient", "rfc822; ", dsn->recipients[i]);
		buf_addf(out, "Action: %s" CRLF, dsn->action == DSN_DELAYED ? "delayed" : "failed");
		buf_addf(out, "Status: %s" CRLF,
		    dsn_status(status, dsn->action, dsn->type, dsn->detail));
		/* RFC 3464 2.3.6: the type says whose words they are. */
		add_field(out, "Diagnostic-Code",
		    reply_code(dsn->detail) > 0 ? "smtp; " : "X-Postmark; ", detail);
		add_date(out, "Last-Attempt-Date", dsn->at_ms);
	}
}

void
dsn_add_headers(struct buf *out, const struct dsn *dsn)
{
	size_t column;

	add_mailbox(out, "From", dsn->mail_from);
	if (dsn->mail_recipient_count > 0) {
		column = begin_field(out, "To");
		for (size_t i = 0; i < most(dsn->mail_recipient_count); i++) {
			size_t len;
			char *address = clean(dsn->mail_recipients[i], &len);

			if (column + len > LINE_BYTES && column > 3) {
				buf_adds(out, CRLF);
				column = 0;
			}
			buf_addc(out, ' ');
			column++;
			add_ascii(out, address, &column);
			if (i + 1 < most(dsn->mail_recipient_count)) {
				buf_addc(out, ',');
				column++;
			}
			free(address);
		}
		buf_adds(out, CRLF);
	}
	add_unstructured(out, "Subject", dsn->mail_subject);
	add_field(out, "Message-ID", "", dsn->mail_message_id);
	add_date(out, "Date", dsn->accepted_ms);
}

/* One, and nothing besides: what programs go by. */
static bool
is_message_id(const char *text)
{
	size_t len = strlen(text);

	if (len < 3 || len > MOST_RUN || text[0] != '<' || text[len - 1] != '>')
		return false;
	for (size_t i = 1; i + 1 < len; i++)
		if (text[i] <= ' ' || text[i] > '~' || text[i] == '<' || text[i] == '>')
			return false;
	return true;
}

/* --- the mail ----------------------------------------------------------------------------- */

/* Quoted-printable (RFC 2045 6.7) of text with LF lines, in lines that end with CRLF. */
static void
add_quoted(struct buf *out, const char *text, size_t len)
{
	size_t column = 0;

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];
		bool ends = i + 1 == len || text[i + 1] == '\n';
		bool plain = (c > ' ' && c < 0x7F && c != '=') || (c == ' ' && !ends);

		if (c == '\n') {
			buf_adds(out, CRLF);
			column = 0;
			continue;
		}
		if (column + 3 > LINE_BYTES - 1) {
			buf_adds(out, "=" CRLF);
			column = 0;
		}
		/* A dot alone, and "From " at the begin of a line, are not for every program. */
		if (column == 0 && (c == '.' || c == 'F'))
			plain = false;
		if (plain)
			buf_addc(out, (char)c);
		else
			buf_addf(out, "=%02X", c);
		column += plain ? 1 : 3;
	}
}

static void
add_part(struct buf *out, const char *boundary, const char *fields)
{
	buf_addf(out, "--%s" CRLF "%s" CRLF, boundary, fields);
}

void
dsn_add_mail(struct buf *out, const struct dsn *dsn)
{
	char boundary[40];
	struct buf text;

	/* No body has a line that begins with it: none has "=_" behind two hyphens. */
	snprintf(boundary, sizeof(boundary), "=_%.*s", 30, ulid_ok(dsn->id) ? dsn->id : "report");
	buf_init(&text, (size_t)4 * 1024 * 1024);

	add_date(out, "Date", dsn->made_ms);
	add_mailbox(out, "From", dsn->from);
	add_field(out, "To", "", dsn->to);
	dsn_add_subject(&text, dsn);
	add_unstructured(out, "Subject", text.data);
	buf_clear(&text);
	buf_addf(&text, "<%s@%s>", dsn->id, dsn->hostname);
	add_field(out, "Message-ID", "", text.data);
	if (is_message_id(dsn->mail_message_id)) {
		add_field(out, "In-Reply-To", "", dsn->mail_message_id);
		add_field(out, "References", "", dsn->mail_message_id);
	}
	buf_adds(out, "Auto-Submitted: auto-replied" CRLF "MIME-Version: 1.0" CRLF);
	buf_addf(out,
	    "Content-Type: multipart/report; report-type=delivery-status;" CRLF
	    " boundary=\"%s\"" CRLF CRLF,
	    boundary);

	add_part(out, boundary,
	    "Content-Type: text/plain; charset=utf-8" CRLF
	    "Content-Transfer-Encoding: quoted-printable" CRLF);
	buf_clear(&text);
	dsn_add_text(&text, dsn);
	add_quoted(out, text.data, text.len);
	buf_adds(out, CRLF);
	add_part(out, boundary, "Content-Type: message/delivery-status" CRLF);
	dsn_add_report(out, dsn);
	buf_adds(out, CRLF);
	add_part(out, boundary, "Content-Type: text/rfc822-headers" CRLF);
	dsn_add_headers(out, dsn);
	buf_addf(out, CRLF "--%s--" CRLF, boundary);
	buf_free(&text);
}
