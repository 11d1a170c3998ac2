/*
 * The structure is written here and not by GMime, which would decode each attachment to encode it
 * again; GMime encodes what stands in fields, and texts.
 */

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gmime/gmime.h>
#include <jansson.h>

#include "base/base64.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"
#include "mail/address.h"
#include "mail/mime.h"
#include "mail/value.h"
#include "convert/field.h"
#include "convert/headers.h"
#include "convert/rebuilt.h"

#define BASE64_LINE   76U /* RFC 2045 6.8 */
#define TEXT_PIECE    16384U
#define LINE_WANTED   78U  /* RFC 5322 2.1.1 */
#define LINE_MOST     990U /* and what no line may reach, with some room */
#define MOST_NAME     255U /* of a file, in bytes */
#define MOST_ID_BYTES 200U

static const char *
text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text != NULL ? text : "";
}

/* With NUL characters in it, should the JSON have had some. */
static size_t
bytes_of(const json_t *object, const char *name, const char **bytes_r)
{
	const json_t *value = json_object_get(object, name);

	*bytes_r = json_string_value(value);
	if (*bytes_r != NULL)
		return json_string_length(value);
	*bytes_r = "";
	return 0;
}

/* --- fields ------------------------------------------------------------------------------- */

/*
 * A value that GMime made, folded in its way: whatever is in it, each of its lines ends with CRLF
 * and each but the first begins with a space.
 */
static void
add_made(struct buf *out, const char *name, const char *value)
{
	value += strspn(value, " \t\r\n");
	buf_addf(out, "%s: ", name);
	while (*value != '\0') {
		size_t len = strcspn(value, "\r\n");

		buf_add(out, value, len);
		value += len;
		value += strspn(value, "\r\n");
		if (*value == '\0')
			break;
		buf_adds(out, *value == ' ' || *value == '\t' ? "\r\n" : "\r\n ");
	}
	buf_adds(out, "\r\n");
}

/* Seven bits and clean: folded at its spaces.  False: no line may be that long, and nothing is
 * added. */
static bool
add_folded(struct buf *out, const char *name, const char *value)
{
	size_t column = strlen(name) + 1, len = strlen(value), word;

	for (const char *at = value; *at != '\0'; at += word) {
		word = strspn(at, " ");
		word += strcspn(at + word, " ");
		if (word > LINE_MOST || (at == value && column + word > LINE_MOST))
			return false;
	}
	buf_addf(out, "%s:", name);
	if (len > 0)
		buf_addc(out, ' ');
	column++;
	for (const char *at = value; *at != '\0'; at += word) {
		size_t spaces = strspn(at, " ");

		word = spaces + strcspn(at + spaces, " ");
		/* A line of nothing but spaces is none (RFC 5322 3.2.2), so they go before a word.
		 */
		if (spaces > 0 && at[spaces] != '\0' && column + word > LINE_WANTED) {
			buf_adds(out, "\r\n");
			column = 0;
		}
		buf_add(out, at, word);
		column += word;
	}
	buf_adds(out, "\r\n");
	return true;
}

static bool
is_one_of(const char *name, const char *const *names)
{
	for (; *names != NULL; names++) {
		if (text_same(name, *names))
			return true;
	}
	return false;
}

/* A list of addresses with names that are no ASCII. */
static bool
add_addresses(struct buf *out, const char *name, const char *value)
{
	InternetAddressList *list = internet_address_list_parse(mime_parser_options(), value);
	char *text;

	if (list == NULL)
		return false;
	text = internet_address_list_to_string(list, NULL, TRUE);
	g_object_unref(list);
	if (text == NULL || !text_is_ascii(text, strlen(text))) {
		g_free(text);
		return false;
	}
	add_made(out, name, text);
	g_free(text);
	return true;
}

/* A value that came: foreign, perhaps with line ends. */
static void
add_field(struct buf *out, const char *name, const char *value)
{
	static const char *const of_addresses[] = { "From", "Sender", "Reply-To", "To", "Cc", "Bcc",
		"Resent-From", "Resent-Sender", "Resent-To", "Resent-Cc", NULL };
	char *clean = mime_clean(value, strlen(value));

	if (text_is_ascii(clean, strlen(clean))) {
		if (!add_folded(out, name, clean))
			field_add(out, name, clean);
	} else if (!is_one_of(name, of_addresses) || !add_addresses(out, name, clean)) {
		field_add(out, name, clean);
	}
	free(clean);
}

/* What of Headers says how the body is to be read, which is another one now; and blind copies. */
static bool
is_left_out(const char *name)
{
	static const char *const names[] = { "MIME-Version", "Return-Path", "Bcc", "Resent-Bcc",
		"Lines", "Status", "X-UIDL", NULL };

	return text_starts(name, "Content-") || is_one_of(name, names);
}

/* RFC 5322 3.6: at most one of each; a reader that takes the last sees the same as all others. */
static const char *const once[] = { "From", "Sender", "Reply-To", "To", "Cc", "Message-ID",
	"In-Reply-To", "References", "Subject", "Date", NULL };

/* seen: a bit for each of once. */
static void
add_headers(struct buf *out, const json_t *post, unsigned *seen)
{
	const json_t *list = json_object_get(post, "Headers"), *one;
	size_t i;

	json_array_foreach(list, i, one)
	{
		const char *name = text_of(one, "Name");
		size_t len = strlen(name), k = 0;

		if (len > HEADERS_MOST_NAME || !headers_name_is_good(name, len) ||
		    is_left_out(name))
			continue;
		while (once[k] != NULL && !text_same(name, once[k]))
			k++;
		if (once[k] != NULL && (*seen & 1U << k))
			continue;
		*seen |= once[k] != NULL ? 1U << k : 0;
		add_field(out, name, text_of(one, "Value"));
	}
}

static bool
was_seen(unsigned seen, const char *name)
{
	size_t k = 0;

	while (once[k] != NULL && !text_same(name, once[k]))
		k++;
	return (seen >> k & 1U) != 0;
}

/* "Name <address>" of {"Email", "Name"}.  False: there is no address. */
static bool
person_print(struct buf *list, const json_t *person)
{
	char address[ADDRESS_SIZE], *name;
	const char *email = text_of(person, "Email");
	struct mailbox box = { .address = address };
	struct buf one;

	if (address_canonical(email, strlen(email), address) != ADDRESS_OK)
		return false;
	name = mime_clean(text_of(person, "Name"), strlen(text_of(person, "Name")));
	box.name = name[0] != '\0' ? name : NULL;
	buf_init(&one, SIZE_MAX / 4);
	mailbox_print(&one, &box);
	if (list->len > 0)
		buf_adds(list, ", ");
	buf_add(list, one.data, one.len);
	buf_free(&one);
	free(name);
	return true;
}

/* full: an object or a list of them; plain: the same as one text. */
static void
add_people(struct buf *out, const json_t *post, const char *name, const char *full_name,
    const char *plain_name)
{
	const json_t *full = json_object_get(post, full_name), *one;
	struct buf list;
	size_t i;

	buf_init(&list, SIZE_MAX / 4);
	if (json_is_object(full))
		person_print(&list, full);
	json_array_foreach(full, i, one) person_print(&list, one);
	if (list.len > 0)
		add_field(out, name, list.data);
	else if (text_of(post, plain_name)[0] != '\0')
		add_field(out, name, text_of(post, plain_name));
	buf_free(&list);
}

static void
add_date(struct buf *out, const json_t *post, int64_t now_ms)
{
	GDateTime *date;
	char *text;

	if (text_of(post, "Date")[0] != '\0') {
		add_field(out, "Date", text_of(post, "Date"));
		return;
	}
	date = g_date_time_new_from_unix_utc(now_ms / 1000);
	text = g_mime_utils_header_format_date(date);
	add_made(out, "Date", text);
	g_free(text);
	g_date_time_unref(date);
}

static void
add_missing(struct buf *out, const struct rebuilt_input *in, unsigned seen)
{
	const json_t *post = in->post;

	if (!was_seen(seen, "From"))
		add_people(out, post, "From", "FromFull", "From");
	if (!was_seen(seen, "To"))
		add_people(out, post, "To", "ToFull", "To");
	if (!was_seen(seen, "Cc"))
		add_people(out, post, "Cc", "CcFull", "Cc");
	if (!was_seen(seen, "Reply-To") && text_of(post, "ReplyTo")[0] != '\0')
		add_field(out, "Reply-To", text_of(post, "ReplyTo"));
	if (!was_seen(seen, "Subject"))
		add_field(out, "Subject", text_of(post, "Subject"));
	if (!was_seen(seen, "Date"))
		add_date(out, post, in->now_ms);
	if (!was_seen(seen, "Message-ID")) {
		char *made = mem_format("<%s@%s>", text_of(post, "MessageID"), in->hostname);

		add_field(out, "Message-ID", made);
		free(made);
	}
	buf_adds(out, "MIME-Version: 1.0\r\n");
}

/* --- bodies ------------------------------------------------------------------------------- */

/* LF becomes CRLF. */
static void
add_lines(struct buf *out, const char *text, size_t len)
{
	const char *end = text + len;

	while (text < end) {
		const char *lf = memchr(text, '\n', (size_t)(end - text));

		if (lf == NULL) {
			buf_add(out, text, (size_t)(end - text));
			return;
		}
		buf_add(out, text, (size_t)(lf - text));
		buf_adds(out, "\r\n");
		text = lf + 1;
	}
}

struct encoder {
	struct buf *out;
	GMimeEncoding state;
	char in[TEXT_PIECE];
	size_t in_len;
	char *made;
};

static void
encoder_flush(struct encoder *e)
{
	size_t len = g_mime_encoding_step(&e->state, e->in, e->in_len, e->made);

	e->in_len = 0;
	add_lines(e->out, e->made, len);
}

static void
encoder_put(struct encoder *e, char c)
{
	e->in[e->in_len++] = c;
	if (e->in_len == sizeof(e->in))
		encoder_flush(e);
}

/* As quoted-printable; CRLF and a CR alone are line ends as LF is, and NUL is nothing. */
static void
add_quoted(struct buf *out, const char *text, size_t len)
{
	struct encoder *e = mem_new(sizeof(*e));

	e->out = out;
	g_mime_encoding_init_encode(&e->state, GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE);
	e->made = mem_new(g_mime_encoding_outlen(&e->state, sizeof(e->in)) + 16);
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '\r' && i + 1 < len && text[i + 1] == '\n')
			continue;
		if (text[i] != '\0')
			encoder_put(e, text[i] == '\r' ? '\n' : text[i]);
	}
	len = g_mime_encoding_flush(&e->state, e->in, e->in_len, e->made);
	add_lines(out, e->made, len);
	free(e->made);
	free(e);
}

/* The text, with the fields of its part.  Before a boundary its last line end is the boundary's
 * (RFC 2046 5.1.1), so it gets another. */
static void
add_text(struct buf *out, const char *type, const char *text, size_t len, bool within)
{
	buf_addf(out,
	    "Content-Type: text/%s; charset=utf-8\r\n"
	    "Content-Transfer-Encoding: quoted-printable\r\n\r\n",
	    type);
	add_quoted(out, text, len);
	if (within || out->len < 2 || memcmp(out->data + out->len - 2, "\r\n", 2) != 0)
		buf_adds(out, "\r\n");
}

/* --- attachments -------------------------------------------------------------------------- */

static GMimeFormatOptions *
format_new(void)
{
	GMimeFormatOptions *format = g_mime_format_options_new();

	g_mime_format_options_set_param_encoding_method(
	    format, GMIME_PARAM_ENCODING_METHOD_RFC2231);
	return format;
}

/* A name and no path; cut at a character.  NULL: there is none. */
static char *
file_name(const json_t *attachment)
{
	const char *given = text_of(attachment, "Name");
	char *name = mime_clean(given, strlen(given)), *base = name, *result;
	size_t len;

	for (char *at = name; *at != '\0'; at++) {
		if (*at == '/' || *at == '\\')
			base = at + 1;
	}
	len = strlen(base);
	if (len > MOST_NAME) {
		len = MOST_NAME;
		while (len > 0 && ((unsigned char)base[len] & 0xC0) == 0x80)
			len--;
	}
	result = len > 0 ? mem_bytes(base, len) : NULL;
	free(name);
	return result;
}

/*
 * What a part may say it is.  One that is said to have parts, or to be a mail, cannot be base64
 * (RFC 2046 5.1, 5.2.1), and what it holds must not change: then it is bytes.
 */
static GMimeContentType *
content_type(const json_t *attachment)
{
	const char *given = text_of(attachment, "ContentType");
	char *clean = mime_clean(given, strlen(given));
	GMimeContentType *type = g_mime_content_type_parse(mime_parser_options(), clean);
	const char *media = type != NULL ? g_mime_content_type_get_media_type(type) : NULL;
	const char *sub = type != NULL ? g_mime_content_type_get_media_subtype(type) : NULL;

	free(clean);
	if (media == NULL || sub == NULL || strchr(given, '/') == NULL ||
	    !headers_name_is_good(media, strlen(media)) ||
	    !headers_name_is_good(sub, strlen(sub)) || strlen(media) + strlen(sub) > 120 ||
	    text_same(media, "multipart") || text_same(media, "message")) {
		if (type != NULL)
			g_object_unref(type);
		type = g_mime_content_type_new("application", "octet-stream");
	}
	return type;
}

/* "cid:a@b", "<a@b>" or "a@b" to what stands between the brackets.  NULL: it has none. */
static char *
content_id(const json_t *attachment)
{
	const char *given = text_of(attachment, "ContentID");
	char *clean = mime_clean(given, strlen(given)), *id = clean, *result = NULL;
	size_t len;

	if (text_starts(id, "cid:"))
		id += 4;
	if (*id == '<')
		id++;
	len = strcspn(id, "> ");
	if (len > 0 && len <= MOST_ID_BYTES && text_is_ascii(id, len) &&
	    (id[len] == '\0' || strcmp(id + len, ">") == 0) && memchr(id, '<', len) == NULL)
		result = mem_bytes(id, len);
	free(clean);
	return result;
}

/* GMime would look for a smaller charset that has all of its letters. */
static void
name_set(GMimeParamList *list, const char *parameter, const char *name)
{
	g_mime_param_list_set_parameter(list, parameter, name);
	g_mime_param_set_charset(g_mime_param_list_get_parameter(list, parameter), "utf-8");
}

static void
add_part_fields(struct buf *out, const json_t *attachment, bool related)
{
	GMimeFormatOptions *format = format_new();
	GMimeContentDisposition *disposition = g_mime_content_disposition_new();
	GMimeContentType *type = content_type(attachment);
	char *name = file_name(attachment), *id = content_id(attachment), *text;

	g_mime_content_disposition_set_disposition(disposition, related ? "inline" : "attachment");
	if (name != NULL) {
		name_set(g_mime_content_type_get_parameters(type), "name", name);
		name_set(g_mime_content_disposition_get_parameters(disposition), "filename", name);
	}
	text = g_mime_content_type_encode(type, format);
	add_made(out, "Content-Type", text);
	g_free(text);
	text = g_mime_content_disposition_encode(disposition, format);
	add_made(out, "Content-Disposition", text);
	g_free(text);
	if (id != NULL)
		buf_addf(out, "Content-ID: <%s>\r\n", id);
	buf_adds(out, "Content-Transfer-Encoding: base64\r\n\r\n");
	g_object_unref(type);
	g_object_unref(disposition);
	g_mime_format_options_free(format);
	free(name);
	free(id);
}

/* Digits without anything between them to lines.  False: they are no base64. */
static bool
add_digits(struct buf *out, const char *digits, size_t len)
{
	if (!base64_is_right(digits, len))
		return false;
	for (size_t at = 0; at < len; at += BASE64_LINE) {
		buf_add(out, digits + at, len - at < BASE64_LINE ? len - at : BASE64_LINE);
		buf_adds(out, "\r\n");
	}
	return true;
}

/* As add_digits(), of what has line ends and spaces already. */
static bool
add_spaced_digits(struct buf *out, const char *text, size_t len)
{
	char *digits = mem_new(len + 1);
	size_t count = 0;
	bool right;

	for (size_t i = 0; i < len; i++) {
		if (strchr(" \t\r\n", text[i]) == NULL || text[i] == '\0')
			digits[count++] = text[i];
	}
	right = add_digits(out, digits, count);
	free(digits);
	return right;
}

static bool
add_attachment(struct buf *out, const json_t *attachment, bool related)
{
	const char *digits;
	size_t len = bytes_of(attachment, "Content", &digits);

	add_part_fields(out, attachment, related);
	return add_digits(out, digits, len) || add_spaced_digits(out, digits, len);
}

/* --- structure ---------------------------------------------------------------------------- */

/* A Content-ID of an attachment. */
struct shown {
	char *id;
	bool is; /* the html has it */
};

struct building {
	struct buf *out;
	const struct rebuilt_input *in;
	const json_t *attachments;
	const char *html, *text;
	size_t html_len, text_len;
	struct shown *ids; /* in the order of strcmp() */
	size_t id_count;
	size_t related, others; /* attachments */
	bool failed;
	char *why;
	size_t why_size;
};

static int
shown_compare(const void *a, const void *b)
{
	return strcmp(((const struct shown *)a)->id, ((const struct shown *)b)->id);
}

static struct shown *
shown_find(const struct building *b, char *id)
{
	const struct shown key = { .id = id };

	if (b->id_count == 0)
		return NULL;
	return bsearch(&key, b->ids, b->id_count, sizeof(key), shown_compare);
}

static void
ids_collect(struct building *b)
{
	const json_t *one;
	size_t i;

	b->ids = mem_array(json_array_size(b->attachments) + 1, sizeof(*b->ids));
	json_array_foreach(b->attachments, i, one)
	{
		char *id = content_id(one);

		if (id != NULL)
			b->ids[b->id_count++].id = id;
	}
	qsort(b->ids, b->id_count, sizeof(*b->ids), shown_compare);
}

/* What a "cid:" is followed by (RFC 2392 2): the id as it is, or with %XX for some of it. */
static void
id_mark(const struct building *b, const char *text, size_t len)
{
	char id[3 * MOST_ID_BYTES + 1];
	struct shown *found;
	size_t made = 0;

	if (len >= sizeof(id))
		return;
	memcpy(id, text, len);
	id[len] = '\0';
	found = shown_find(b, id);
	if (found == NULL) {
		for (size_t i = 0; i < len; i++) {
			int high = i + 2 < len ? text_hex_digit(text[i + 1]) : -1;
			int low = high >= 0 ? text_hex_digit(text[i + 2]) : -1;

			id[made++] = text[i] == '%' && low >= 0 ? (char)(high << 4 | low) : text[i];
			if (text[i] == '%' && low >= 0)
				i += 2;
		}
		id[made] = '\0';
		found = shown_find(b, id);
	}
	if (found != NULL)
		found->is = true;
}

/* Wherever it stands: an attribute, a style, quoted by an entity or not at all. */
static void
ids_mark(const struct building *b)
{
	static const char ends[] = " \t\r\n\f\"'`<>()&;,\\";
	const char *at = b->html, *end = b->html + b->html_len;

	while (b->id_count > 0 && (at = memchr(at, ':', (size_t)(end - at))) != NULL) {
		const char *id = ++at;

		if (id - b->html < 4 || !text_same_n(id - 4, "cid:", 4))
			continue;
		while (at < end && strchr(ends, *at) == NULL)
			at++;
		id_mark(b, id, (size_t)(at - id));
	}
}

static void
ids_free(struct building *b)
{
	for (size_t i = 0; i < b->id_count; i++)
		free(b->ids[i].id);
	free(b->ids);
}

/*
 * The html shows it.  What only has an id, as all that Gmail attaches, is an attachment like any
 * other: within the html's part a reader of plain text would not see that it is there.
 */
static bool
is_related(const struct building *b, const json_t *attachment)
{
	char *id = content_id(attachment);
	const struct shown *found = id != NULL ? shown_find(b, id) : NULL;

	free(id);
	return found != NULL && found->is;
}

/* '=' and '_' stand side by side in no line of base64, and in none of quoted-printable. */
static void
boundary_add(struct building *b, const char *kind, bool last)
{
	buf_addf(b->out, "--=_%s_%s%s\r\n", kind, b->in->id, last ? "--" : "");
}

static void
multipart_begin(struct building *b, const char *kind, const char *more)
{
	buf_addf(b->out, "Content-Type: multipart/%s;%s\r\n boundary=\"=_%s_%s\"\r\n\r\n", kind,
	    more, kind, b->in->id);
}

static void
add_attachments(struct building *b, const char *kind, bool related)
{
	const json_t *one;
	size_t i;

	json_array_foreach(b->attachments, i, one)
	{
		if (b->failed || is_related(b, one) != related)
			continue;
		boundary_add(b, kind, false);
		if (add_attachment(b->out, one, related))
			continue;
		snprintf(
		    b->why, b->why_size, "The content of attachment %zu is not base64.", i + 1);
		b->failed = true;
	}
}

static void
add_html(struct building *b)
{
	if (b->related == 0) {
		add_text(b->out, "html", b->html, b->html_len, b->others > 0 || b->text_len > 0);
		return;
	}
	multipart_begin(b, "related", " type=\"text/html\";");
	boundary_add(b, "related", false);
	add_text(b->out, "html", b->html, b->html_len, true);
	add_attachments(b, "related", true);
	boundary_add(b, "related", true);
}

static void
add_texts(struct building *b)
{
	if (b->html_len == 0) {
		add_text(b->out, "plain", b->text, b->text_len, b->others > 0);
		return;
	}
	if (b->text_len == 0) {
		add_html(b);
		return;
	}
	multipart_begin(b, "alternative", "");
	boundary_add(b, "alternative", false);
	add_text(b->out, "plain", b->text, b->text_len, true);
	boundary_add(b, "alternative", false);
	add_html(b);
	boundary_add(b, "alternative", true);
}

static void
add_all(struct building *b)
{
	if (b->others == 0) {
		add_texts(b);
		return;
	}
	multipart_begin(b, "mixed", "");
	if (b->html_len + b->text_len > 0) {
		boundary_add(b, "mixed", false);
		add_texts(b);
	}
	add_attachments(b, "mixed", false);
	boundary_add(b, "mixed", true);
}

size_t
rebuilt_expected(const json_t *post)
{
	const json_t *list = json_object_get(post, "Attachments"), *one;
	const char *bytes;
	size_t len = bytes_of(post, "TextBody", &bytes) + bytes_of(post, "HtmlBody", &bytes), i;

	len += len / 4 + 8192;
	json_array_foreach(list, i, one)
	{
		size_t digits = bytes_of(one, "Content", &bytes);

		len += digits + digits / (BASE64_LINE / 2) + 1024;
	}
	return len;
}

int
rebuilt_add(struct buf *out, const struct rebuilt_input *in, char *why, size_t why_size)
{
	struct building b = { .out = out,
		.in = in,
		.attachments = json_object_get(in->post, "Attachments"),
		.why = why,
		.why_size = why_size };
	const json_t *one;
	unsigned seen = 0;
	size_t i;

	b.html_len = bytes_of(in->post, "HtmlBody", &b.html);
	b.text_len = bytes_of(in->post, "TextBody", &b.text);
	ids_collect(&b);
	ids_mark(&b);
	json_array_foreach(b.attachments, i, one)
	{
		if (is_related(&b, one))
			b.related++;
		else
			b.others++;
	}
	add_headers(out, in->post, &seen);
	add_missing(out, in, seen);
	add_all(&b);
	ids_free(&b);
	return b.failed ? -1 : 0;
}
