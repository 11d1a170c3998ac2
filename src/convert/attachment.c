/* What an attachment is called, what type it has, and its bytes in base64. */

#include <glib.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"
#include "mail/mime.h"
#include "mail/refusal.h"
#include "convert/attachment.h"

#define MOST_NAME_BYTES 200

/* So much of an attachment is kept in memory as it is written. */
#define SPILL_BYTES ((ptrdiff_t)64 * 1024)

/* --- name and type -------------------------------------------------------- */

static const struct {
	const char *type;
	const char *name;
} made_up_names[] = {
	{ "application/pgp-signature", "signature.asc" },
	{ "application/pgp-encrypted", "version.txt" },
	{ "application/pgp-keys", "key.asc" },
	{ "application/pkcs7-signature", "smime.p7s" },
	{ "application/x-pkcs7-signature", "smime.p7s" },
	{ "application/pkcs7-mime", "smime.p7m" },
	{ "application/x-pkcs7-mime", "smime.p7m" },
	{ "application/ms-tnef", "winmail.dat" },
	{ "application/vnd.ms-tnef", "winmail.dat" },
	{ "message/delivery-status", "delivery-status.txt" },
	{ "message/global-delivery-status", "delivery-status.txt" },
	{ "message/disposition-notification", "disposition-notification.txt" },
	{ "message/feedback-report", "feedback-report.txt" },
	{ "message/external-body", "external-body.txt" },
	{ "message/partial", "partial.eml" },
	{ "message/global-headers", "headers.txt" },
	{ "text/rfc822-headers", "headers.txt" },
	{ "text/calendar", "invite.ics" },
};

static const struct {
	const char *type;
	const char *extension;
} extensions[] = {
	{ "text/plain", "txt" },
	{ "text/html", "html" },
	{ "text/csv", "csv" },
	{ "text/xml", "xml" },
	{ "text/css", "css" },
	{ "text/vcard", "vcf" },
	{ "text/x-vcard", "vcf" },
	{ "text/directory", "vcf" },
	{ "text/markdown", "md" },
	{ "text/rtf", "rtf" },
	{ "text/enriched", "txt" },
	{ "application/rtf", "rtf" },
	{ "application/pdf", "pdf" },
	{ "application/json", "json" },
	{ "application/xml", "xml" },
	{ "application/zip", "zip" },
	{ "application/x-zip-compressed", "zip" },
	{ "application/gzip", "gz" },
	{ "application/x-gzip", "gz" },
	{ "application/x-tar", "tar" },
	{ "application/x-7z-compressed", "7z" },
	{ "application/postscript", "ps" },
	{ "application/msword", "doc" },
	{ "application/vnd.ms-excel", "xls" },
	{ "application/vnd.ms-powerpoint", "ppt" },
	{ "application/vnd.openxmlformats-officedocument.wordprocessingml.document", "docx" },
	{ "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xlsx" },
	{ "application/vnd.openxmlformats-officedocument.presentationml.presentation", "pptx" },
	{ "application/vnd.oasis.opendocument.text", "odt" },
	{ "application/vnd.oasis.opendocument.spreadsheet", "ods" },
	{ "image/png", "png" },
	{ "image/jpeg", "jpg" },
	{ "image/jpg", "jpg" },
	{ "image/gif", "gif" },
	{ "image/webp", "webp" },
	{ "image/bmp", "bmp" },
	{ "image/tiff", "tif" },
	{ "image/heic", "heic" },
	{ "image/svg+xml", "svg" },
	{ "image/x-icon", "ico" },
	{ "audio/mpeg", "mp3" },
	{ "audio/wav", "wav" },
	{ "audio/x-wav", "wav" },
	{ "audio/ogg", "ogg" },
	{ "audio/mp4", "m4a" },
	{ "audio/amr", "amr" },
	{ "video/mp4", "mp4" },
	{ "video/mpeg", "mpg" },
	{ "video/quicktime", "mov" },
	{ "video/webm", "webm" },
};

/* Postmark "Attachments", ErrorCode 411. */
static const char *const forbidden[] = { "vbs", "exe", "bin", "bat", "chm", "com", "cpl", "crt",
	"hlp", "hta", "inf", "ins", "isp", "jse", "lnk", "mdb", "pcd", "pif", "reg", "scr", "sct",
	"shs", "vbe", "vba", "wsf", "wsh", "wsl", "msc", "msi", "msp", "mst" };

/* The Unicode controls that make "gpj.exe" look like "exe.jpg", and characters of no width. */
static bool
is_hidden(const char *c)
{
	static const char *const hidden[] = { "\xE2\x80\x8B", "\xE2\x80\x8E", "\xE2\x80\x8F",
		"\xE2\x80\xAA", "\xE2\x80\xAB", "\xE2\x80\xAC", "\xE2\x80\xAD", "\xE2\x80\xAE",
		"\xE2\x81\xA6", "\xE2\x81\xA7", "\xE2\x81\xA8", "\xE2\x81\xA9", "\xEF\xBB\xBF" };

	for (size_t i = 0; i < G_N_ELEMENTS(hidden); i++)
		if (strncmp(c, hidden[i], 3) == 0)
			return true;
	return false;
}

/* Shortens a name that no file system would take; its extension stays. */
static void
name_cut(char *name)
{
	size_t len = strlen(name), cut = MOST_NAME_BYTES;
	const char *dot = strrchr(name, '.');
	size_t tail = dot == NULL || strlen(dot) > 20 ? 0 : strlen(dot);

	if (len <= MOST_NAME_BYTES)
		return;
	cut -= tail;
	while (cut > 0 && ((unsigned char)name[cut] & 0xC0) == 0x80)
		cut--;
	memmove(name + cut, name + len - tail, tail);
	name[cut + tail] = '\0';
}

/* The last component of a path, without what no file name should have.  NULL: nothing is left.
 * Takes name. */
static char *
name_settle(char *name)
{
	char *start = name;
	size_t n = 0;

	if (name == NULL)
		return NULL;
	for (char *c = name; *c != '\0'; c++)
		if (*c == '/' || *c == '\\')
			start = c + 1;
	for (char *c = start; *c != '\0'; c++) {
		if ((unsigned char)*c == 0xE2 || (unsigned char)*c == 0xEF) {
			if (is_hidden(c)) {
				c += 2;
				continue;
			}
		}
		/* A colon starts a second name for a file on some systems. */
		name[n++] =
		    *c == ':' || *c == '"' || *c == '<' || *c == '>' || *c == '|' ? '_' : *c;
	}
	name[n] = '\0';
	name_cut(name);
	/* Windows takes trailing dots and spaces off, and finds another extension. */
	n = strlen(name);
	while (n > 0 && (name[n - 1] == '.' || name[n - 1] == ' '))
		n--;
	name[n] = '\0';
	size_t spaces = strspn(name, " ");
	memmove(name, name + spaces, n - spaces + 1);
	if (name[0] == '\0') {
		free(name);
		return NULL;
	}
	return name;
}

static char *
name_make(const struct mime_part *part, size_t number)
{
	/* "bin" is what octets are called elsewhere, and Postmark forbids it. */
	const char *extension = "dat";

	for (size_t i = 0; i < G_N_ELEMENTS(made_up_names); i++)
		if (strcmp(part->type, made_up_names[i].type) == 0)
			return mem_string(made_up_names[i].name);
	for (size_t i = 0; i < G_N_ELEMENTS(extensions); i++)
		if (strcmp(part->type, extensions[i].type) == 0)
			extension = extensions[i].extension;
	return mem_format("attachment-%zu.%s", number, extension);
}

char *
attachment_name(const struct mime_part *part, size_t number, bool *made_up_r)
{
	char *name = name_settle(mime_part_file_name(part));
	char *with_extension;
	size_t len = name == NULL ? 0 : strlen(name);

	*made_up_r = name == NULL && part->kind != MIME_MESSAGE;
	if (part->kind != MIME_MESSAGE)
		return name != NULL ? name : name_make(part, number);
	if (name == NULL)
		return mem_string("message.eml");
	if (len > 4 && text_same(name + len - 4, ".eml"))
		return name;
	with_extension = mem_format("%s.eml", name);
	free(name);
	return with_extension;
}

int
attachment_name_check(const char *name, struct refusal *refusal_r)
{
	const char *dot = strrchr(name, '.');
	char printable[80];
	size_t n = 0;

	if (dot == NULL)
		return 0;
	for (size_t i = 0; i < G_N_ELEMENTS(forbidden); i++) {
		if (!text_same(dot + 1, forbidden[i]))
			continue;
		for (const char *c = name; *c != '\0' && n < sizeof(printable) - 1; c++)
			printable[n++] = *c >= 0x20 && *c < 0x7F ? *c : '?';
		printable[n] = '\0';
		refusal_set(refusal_r, 554, "5.7.1",
		    "attachment %s: Postmark does not take files with the extension .%s", printable,
		    forbidden[i]);
		return -1;
	}
	return 0;
}

char *
attachment_type(const struct mime_part *part)
{
	static const char *const useful[] = { "charset", "method", "component", "smime-type" };
	struct buf out;

	buf_init(&out, 4096);
	buf_adds(&out, part->type);
	for (size_t i = 0; i < G_N_ELEMENTS(useful); i++) {
		char *value = mime_part_parameter(part, useful[i]);
		size_t len = value == NULL ? 0 : strlen(value);
		bool token = len > 0 && len <= 100;

		for (size_t j = 0; j < len && token; j++)
			token = value[j] > 0x20 && value[j] < 0x7F &&
				strchr("()<>@,;:\\\"/[]?=", value[j]) == NULL;
		if (token)
			buf_addf(&out, "; %s=%s", useful[i], value);
		free(value);
	}
	return buf_take(&out, NULL);
}

/* --- base64 --------------------------------------------------------------- */

/* The next line of encoded text, without its end.  Returns where the one after it starts. */
static const char *
encoded_line(const char *text, const char *end, size_t *len_r)
{
	const char *nl = memchr(text, '\n', (size_t)(end - text));
	const char *next = nl == NULL ? end : nl + 1;
	size_t len = (size_t)((nl == NULL ? end : nl) - text);

	while (len > 0 && (unsigned char)text[len - 1] <= ' ')
		len--;
	*len_r = len;
	return next;
}

/* Encoded text that has been looked at: nearly always lines of one length. */
struct encoded {
	const char *text, *end;
	const char *uneven; /* up to here all lines are as long as the first */
	size_t line;        /* so long, without its end */
	size_t step;        /* and with it */
};

/* Lines like the first, of which nothing but the digits has to be looked at. */
static const char *
even_lines(struct encoded *e)
{
	const char *text = encoded_line(e->text, e->end, &e->line), *line_end;

	e->step = (size_t)(text - e->text);
	line_end = e->text + e->line;
	text = e->text;
	while (e->line > 0 && e->step <= SPILL_BYTES && (size_t)(e->end - text) >= e->step &&
	       memcmp(text + e->line, line_end, e->step - e->line) == 0 &&
	       base64_is_digits(text, e->line))
		text += e->step;
	e->uneven = text;
	return text;
}

/* No foreign characters, no wrong or early padding, nothing missing at the end. */
static bool
encoded_read(struct encoded *e, const char *text, size_t len)
{
	bool padded = false;
	size_t total;

	*e = (struct encoded){ .text = text, .end = text + len };
	text = even_lines(e);
	total = e->step == 0 ? 0 : (size_t)(text - e->text) / e->step * e->line;
	while (text < e->end) {
		size_t line, data;
		const char *next = encoded_line(text, e->end, &line);

		for (data = line; data > 0 && line - data < 2 && text[data - 1] == '=';)
			data--;
		if (line > 0 && (padded || !base64_is_digits(text, data)))
			return false;
		padded = padded || data < line;
		total += line;
		text = next;
	}
	return total % 4 == 0;
}

/* Encoded text as it came, without its line ends: far cheaper than decoding it and encoding it
 * again. */
static void
add_encoded(struct buf *out, const struct encoded *e)
{
	const char *text = e->text;
	bool large = e->end - text >= SPILL_BYTES;

	while (text < e->end) {
		const char *stop = e->end - text > SPILL_BYTES ? text + SPILL_BYTES : e->end;
		char *start = buf_reserve(out, SPILL_BYTES), *to = start;

		if (start == NULL)
			return; /* over, and the caller will see it */
		for (; text < e->uneven && (size_t)(stop - text) >= e->step; text += e->step) {
			memcpy(to, text, e->line);
			to += e->line;
		}
		while (text < stop && text >= e->uneven) {
			size_t line;
			const char *next = encoded_line(text, stop, &line);

			memcpy(to, text, line);
			to += line;
			text = next;
		}
		buf_grown(out, (size_t)(to - start));
		if (large)
			buf_spill(out);
	}
}

/* Whole groups of three at a time. */
static void
add_as_base64(struct buf *out, const char *bytes, size_t len)
{
	const size_t most = SPILL_BYTES / 4 * 3 / 3 * 3;

	while (len > most) {
		base64_add(out, bytes, most);
		buf_spill(out);
		bytes += most;
		len -= most;
	}
	base64_add(out, bytes, len);
}

void
attachment_add_base64(const struct attachment *attachment, struct buf *out)
{
	const struct mime_part *part = attachment->part;
	struct encoded encoded;
	struct buf decoded;

	if (part->body_len == 0)
		return;
	switch (part->encoding) {
	case MIME_IDENTITY:
		add_as_base64(out, part->body, part->body_len);
		return;
	case MIME_BASE64:
		if (encoded_read(&encoded, part->body, part->body_len)) {
			add_encoded(out, &encoded);
			return;
		}
		break;
	case MIME_QUOTED_PRINTABLE:
	case MIME_UUENCODE:
		break;
	}
	buf_init(&decoded, SIZE_MAX / 4);
	mime_part_decode(part, &decoded);
	add_as_base64(out, decoded.data, decoded.len);
	buf_free(&decoded);
}
