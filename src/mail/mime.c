/*
 * MIME.  GMime 3.2 parses: it splits the content into parts and their header fields.  Here its
 * tree is turned into struct mime.  The bytes of a body are not copied: the bounds of a part's
 * content within what GMime has read say where its body is.
 *
 * What GMime is helped with, each at its place:
 *   - it has no limits on parts, header fields and parameters, fails on a malformed or unfinished
 *     header, lets any letter be in a field name, and looks into messages within: tree.c,
 *   - it decodes neither lying charsets (charset.c) nor all encoded words (value.c),
 *   - it prefers the poorer of two parameters: parameter.c,
 *   - base64 ends for it at padding, while real parts are sometimes joined pieces: value.c,
 *   - it is off by a byte where line ends differ: body_end_settle().
 */

#include <gmime/gmime.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"
#include "mail/mime.h"
#include "mail/parameter.h"
#include "mail/tree.h"

#define BYTE_ORDER_MARK "\xEF\xBB\xBF"

static GMimeParserOptions *parser_options;

void
mime_setup(void)
{
	if (parser_options != NULL)
		return;
	tree_setup();
	parser_options = g_mime_parser_options_new();
	charset_setup();
}

struct _GMimeParserOptions *
mime_parser_options(void)
{
	return parser_options;
}

bool
mime_field_is(const struct mime_field *field, const char *name)
{
	return strlen(name) == field->name_len && text_same_n(field->name, name, field->name_len);
}

/* --- the tree ------------------------------------------------------------- */

struct walk {
	struct mime *mime;
	const struct mime_limits *limits;
	const struct tree *tree;
	size_t part_room;
};

/* The raw value of a part's field, as GMime has it. */
static struct mime_field
field_make(GMimeHeader *header)
{
	struct mime_field field = { .name = g_mime_header_get_name(header),
		.value = g_mime_header_get_raw_value(header) };

	field.name_len = strlen(field.name);
	field.value_len = field.value == NULL ? 0 : strlen(field.value);
	if (field.value_len > 0 && field.value[field.value_len - 1] == '\n')
		field.value_len--;
	if (field.value_len > 0 && field.value[field.value_len - 1] == '\r')
		field.value_len--;
	return field;
}

static bool
names_file(const struct mime_field *field)
{
	char *value = mime_plain_value(field->value, field->value_len);
	char *name = parameter_find(value, "filename", false);
	bool named = name != NULL && name[0] != '\0';

	free(name);
	free(value);
	return named;
}

/* Content fields of a part, raw.  Of several the last, which is the one that GMime goes by. */
struct content_fields {
	struct mime_field type, encoding, disposition, id;
};

static void
disposition_choose(struct content_fields *fields, struct mime_field field)
{
	/* Of several the last one that names a file. */
	if (fields->disposition.name == NULL || names_file(&field) ||
	    !names_file(&fields->disposition))
		fields->disposition = field;
}

static void
content_fields_find(struct content_fields *fields, GMimeHeaderList *list)
{
	int count = g_mime_header_list_get_count(list);

	for (int i = 0; i < count; i++) {
		GMimeHeader *header = g_mime_header_list_get_header_at(list, i);
		const char *name = g_mime_header_get_name(header);

		if (!text_same_n(name, "Content-", 8))
			continue;
		if (text_same(name + 8, "Type"))
			fields->type = field_make(header);
		else if (text_same(name + 8, "Transfer-Encoding"))
			fields->encoding = field_make(header);
		else if (text_same(name + 8, "Disposition"))
			disposition_choose(fields, field_make(header));
		else if (text_same(name + 8, "ID"))
			fields->id = field_make(header);
	}
}

static bool
is_token(const char *text)
{
	for (const char *c = text; *c != '\0'; c++)
		if (*c <= 0x20 || *c >= 0x7F || strchr("()<>@,;:\\\"/[]?=", *c) != NULL)
			return false;
	return text[0] != '\0';
}

/* What a part is without a word on it: text, and in a digest a message (RFC 2046 5.1.5). */
static void
type_default(struct mime_part *part, GMimeObject *object)
{
	GMimeContentType *type = g_mime_object_get_content_type(object);
	bool message = type != NULL && g_mime_content_type_is_type(type, "message", "rfc822");

	snprintf(part->type, sizeof(part->type), message ? "message/rfc822" : "text/plain");
}

/* type/subtype in lower case; false: the field does not say. */
static bool
type_read(struct mime_part *part)
{
	char *head = parameter_head(part->content_type), *slash = strchr(head, '/');
	bool good = false;

	if (slash != NULL && strlen(head) < sizeof(part->type)) {
		*slash = '\0';
		good = is_token(head) && is_token(slash + 1);
		*slash = '/';
	}
	if (good)
		memcpy(part->type, head, strlen(head) + 1);
	free(head);
	return good;
}

static enum mime_encoding
encoding_read(const struct mime_field *field)
{
	static const struct {
		const char *name;
		enum mime_encoding encoding;
	} names[] = {
		{ "base64", MIME_BASE64 },
		{ "quoted-printable", MIME_QUOTED_PRINTABLE },
		{ "x-uuencode", MIME_UUENCODE },
		{ "uuencode", MIME_UUENCODE },
		{ "x-uue", MIME_UUENCODE },
	};
	char *value = mime_plain_value(field->value, field->value_len);
	/* Some put it in quotes, or a comment, a semicolon or more after it. */
	char *name = parameter_head(value);
	enum mime_encoding encoding = MIME_IDENTITY;

	for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
		if (strcmp(name, names[i].name) == 0)
			encoding = names[i].encoding;
	free(name);
	free(value);
	return encoding;
}

static char *
content_id_read(const struct mime_field *field)
{
	char *id = mime_plain_value(field->value, field->value_len);
	char *start = strchr(id, '<');
	char *end = strrchr(id, '>');
	size_t n = 0;

	if (start != NULL && end != NULL && end > start) {
		*end = '\0';
		start++;
	} else {
		start = id;
	}
	for (char *c = start; *c != '\0'; c++)
		if (*c != ' ' && *c != '<' && *c != '>' && *c != '"')
			id[n++] = *c;
	id[n] = '\0';
	if (n == 0) {
		free(id);
		return NULL;
	}
	return id;
}

static bool
is_file(const struct mime_part *part)
{
	char *name = mime_part_file_name(part);
	bool named = name != NULL && name[0] != '\0';

	free(name);
	return named || mime_part_is_attachment(part);
}

/* Fills in what the header of a part says. */
static void
part_describe(struct mime_part *part, GMimeObject *object)
{
	struct content_fields fields = { 0 };

	content_fields_find(&fields, g_mime_object_get_header_list(object));
	if (fields.disposition.name != NULL)
		part->disposition =
		    mime_plain_value(fields.disposition.value, fields.disposition.value_len);
	if (fields.type.name != NULL)
		part->content_type = mime_plain_value(fields.type.value, fields.type.value_len);
	if (part->content_type == NULL)
		type_default(part, object);
	else if (!type_read(part))
		/* RFC 2045 5.2 says text, which would put the line ends of a file in danger. */
		snprintf(part->type, sizeof(part->type), "%s",
		    is_file(part) ? "application/octet-stream" : "text/plain");
	if (fields.encoding.name != NULL)
		part->encoding = encoding_read(&fields.encoding);
	if (fields.id.name != NULL)
		part->content_id = content_id_read(&fields.id);
}

static bool
is_message(const char *type)
{
	return strcmp(type, "message/rfc822") == 0 || strcmp(type, "message/global") == 0 ||
	       strcmp(type, "message/news") == 0;
}

/*
 * Where the body ends whose end GMime has at end: before the line end that belongs to the delimiter
 * (RFC 2046 5.1.1).  GMime takes it to be as long as the delimiter's own, and is off by a byte
 * where the two differ.
 */
static const char *
body_end_settle(const char *body, const char *end, const char *last)
{
	for (const char *p = end; p < end + 3 && last - p >= 2; p++) {
		if (p[0] != '-' || p[1] != '-' || p == body || p[-1] != '\n')
			continue;
		p--;
		if (p > body && p[-1] == '\r')
			p--;
		return p;
	}
	return end;
}

static void
body_find(struct mime_part *part, GMimePart *object, const struct tree *tree)
{
	GMimeDataWrapper *content = g_mime_part_get_content(object);
	const GMimeStream *stream;
	const char *end;

	part->body = tree->end;
	if (content == NULL)
		return; /* a header, and then the next delimiter at once */
	stream = g_mime_data_wrapper_get_stream(content);
	part->body = tree_place(tree, stream->bound_start);
	if (stream->bound_end < stream->bound_start)
		return;
	end = body_end_settle(part->body, tree_place(tree, stream->bound_end), tree->end);
	part->body_len = (size_t)(end - part->body);
}

/* A multipart that could not be split: better shown as it came than lost. */
static void
unsplit_show(struct mime_part *part, GMimeMultipart *multipart)
{
	const char *text = g_mime_multipart_get_prologue(multipart);

	if (text == NULL)
		text = g_mime_multipart_get_epilogue(multipart);
	part->kind = MIME_LEAF;
	part->encoding = MIME_IDENTITY;
	snprintf(part->type, sizeof(part->type), "text/plain");
	part->body = text == NULL ? "" : text;
	part->body_len = strlen(part->body);
}

static enum mime_end
part_new(struct walk *w, unsigned depth, size_t *index_r)
{
	struct mime *mime = w->mime;

	if (mime->part_count == w->limits->parts)
		return MIME_TOO_MANY_PARTS;
	if (mime->part_count == w->part_room) {
		w->part_room = w->part_room == 0 ? 8 : w->part_room * 2;
		mime->parts = mem_resize(mime->parts, w->part_room, sizeof(*mime->parts));
	}
	*index_r = mime->part_count++;
	mime->parts[*index_r] =
	    (struct mime_part){ .depth = depth, .end = mime->part_count, .body = "" };
	return MIME_DONE;
}

static enum mime_end
part_add(struct walk *w, GMimeObject *object, unsigned depth)
{
	size_t index;
	enum mime_end result = part_new(w, depth, &index);

	if (result != MIME_DONE)
		return result;
	struct mime_part *part = &w->mime->parts[index];
	part_describe(part, object);
	bool says_multipart = strncmp(part->type, "multipart/", 10) == 0;

	if (GMIME_IS_MULTIPART(object)) {
		GMimeMultipart *multipart = (GMimeMultipart *)(void *)object;
		int count = g_mime_multipart_get_count(multipart);

		if (count == 0) {
			unsplit_show(part, multipart);
			return MIME_DONE;
		}
		if (depth >= w->limits->depth)
			return MIME_TOO_DEEP;
		part->kind = MIME_MULTIPART;
		if (!says_multipart)
			snprintf(part->type, sizeof(part->type), "multipart/mixed");
		for (int i = 0; i < count && result == MIME_DONE; i++)
			result = part_add(w, g_mime_multipart_get_part(multipart, i), depth + 1);
		w->mime->parts[index].end = w->mime->part_count;
		return result;
	}
	if (is_message(part->type))
		part->kind = MIME_MESSAGE;
	else if (says_multipart)
		snprintf(part->type, sizeof(part->type), "text/plain");
	if (GMIME_IS_PART(object))
		body_find(part, (GMimePart *)(void *)object, w->tree);
	return MIME_DONE;
}

/* What GMime could not be brought to read: the body, as text. */
static enum mime_end
text_add(struct walk *w, const char *body, const char *end)
{
	size_t index;
	enum mime_end result = part_new(w, 0, &index);

	if (result != MIME_DONE)
		return result;
	struct mime_part *part = &w->mime->parts[index];
	snprintf(part->type, sizeof(part->type), "text/plain");
	part->body = body;
	part->body_len = (size_t)(end - body);
	return MIME_DONE;
}

enum mime_end
mime_parse(struct mime *mime, const char *content, size_t len, const struct mime_limits *limits,
    size_t *figure_r)
{
	struct tree r = { .content = content, .end = content + len, .limits = limits };
	struct walk w = { .mime = mime, .limits = limits, .tree = &r };
	enum mime_end result;
	struct tree_top top;
	bool whole;

	*mime = (struct mime){ 0 };
	tree_header(&r, &top);
	mime->header = content;
	mime->header_len = (size_t)(top.header_end - content);
	*figure_r = top.fields;
	if (top.fields > limits->fields) {
		result = MIME_TOO_MANY_FIELDS;
		goto done;
	}
	mime->fields = mem_resize(NULL, top.fields + 1, sizeof(*mime->fields));
	mime->field_count = tree_fields(&r, &top, mime->fields);
	mime->root = tree_make(&r, parser_options, &whole);
	result = whole ? part_add(&w, mime->root, 0) : text_add(&w, top.body, r.end);
	/* What stopped GMime is told where the tree, as far as it was made, is within the limits.
	 */
	if (result == MIME_DONE)
		result = r.stopped;
	*figure_r = result == MIME_TOO_MANY_FIELDS ? r.fields : mime->part_count;
done:
	tree_deinit(&r);
	return result;
}

void
mime_free(struct mime *mime)
{
	for (size_t i = 0; i < mime->part_count; i++) {
		struct mime_part *part = &mime->parts[i];

		free(part->content_type);
		free(part->disposition);
		free(part->content_id);
	}
	free(mime->parts);
	free(mime->fields);
	if (mime->root != NULL)
		g_object_unref(mime->root);
	*mime = (struct mime){ 0 };
}

/* --- what a part holds ---------------------------------------------------- */

static bool
disposition_is(const struct mime_part *part, const char *name)
{
	char *head;
	bool is;

	if (part->disposition == NULL)
		return false;
	head = parameter_head(part->disposition);
	is = strcmp(head, name) == 0;
	free(head);
	return is;
}

bool
mime_part_is_attachment(const struct mime_part *part)
{
	return disposition_is(part, "attachment");
}

bool
mime_part_is_inline(const struct mime_part *part)
{
	return disposition_is(part, "inline");
}

char *
mime_part_parameter(const struct mime_part *part, const char *name)
{
	return part->content_type == NULL ? NULL : parameter_find(part->content_type, name, true);
}

char *
mime_part_file_name(const struct mime_part *part)
{
	char *name = NULL;

	if (part->disposition != NULL)
		name = parameter_find(part->disposition, "filename", false);
	if (name != NULL && name[0] == '\0') {
		free(name);
		name = NULL;
	}
	if (name == NULL && part->content_type != NULL)
		name = parameter_find(part->content_type, "name", false);
	return name;
}

/* RFC 2045 6.7.  An equals sign that means nothing stays. */
static void
add_quoted_printable(struct buf *out, const char *text, size_t len)
{
	const char *end = text + len;
	char *to = buf_reserve(out, len);
	size_t n = 0;

	if (to == NULL)
		return;
	while (text < end) {
		const char *stop = memchr(text, '=', (size_t)(end - text)), *c;
		size_t run = (size_t)((stop == NULL ? end : stop) - text);

		memcpy(to + n, text, run);
		n += run;
		if (stop == NULL)
			break;
		text = c = stop + 1;
		if (end - c >= 2 && text_hex_digit(c[0]) >= 0 && text_hex_digit(c[1]) >= 0) {
			to[n++] = (char)(text_hex_digit(c[0]) << 4 | text_hex_digit(c[1]));
			text += 2;
			continue;
		}
		while (c < end && (*c == ' ' || *c == '\t' || *c == '\r'))
			c++;
		if (c == end || *c == '\n')
			text = c == end ? end : c + 1;
		else
			to[n++] = '=';
	}
	buf_grown(out, n);
}

/* GMime wants the line that begins the file to be read already. */
static void
add_uuencoded(struct buf *out, const char *text, size_t len)
{
	const char *end = text + len, *next = text;
	GMimeEncoding state;
	char *to;

	for (; text < end; text = next) {
		const char *nl = memchr(text, '\n', (size_t)(end - text));

		next = nl == NULL ? end : nl + 1;
		if (next - text > 6 && strncmp(text, "begin ", 6) == 0)
			break;
	}
	if (text == end)
		return;
	g_mime_encoding_init_decode(&state, GMIME_CONTENT_ENCODING_UUENCODE);
	state.state |= GMIME_UUDECODE_STATE_BEGIN;
	len = (size_t)(end - next);
	to = buf_reserve(out, g_mime_encoding_outlen(&state, len));
	if (to != NULL)
		buf_grown(out, g_mime_encoding_flush(&state, next, len, to));
}

/*
 * How much of a base64 body is base64: servers put a footer below without a look at the encoding.
 * Pieces that were joined go on after padding, but have no characters besides the alphabet's.
 */
static size_t
base64_len(const struct mime_part *part)
{
	const char *end = part->body + part->body_len;
	const char *padding = memchr(part->body, '=', part->body_len), *after, *p;

	if (padding == NULL)
		return part->body_len;
	for (after = padding; after < end && *after == '=';)
		after++;
	for (p = after; p < end; p++)
		if (base64_digit(*p) < 0 && *p != '=' && (unsigned char)*p > ' ')
			return (size_t)(after - part->body);
	return part->body_len;
}

void
mime_part_decode(const struct mime_part *part, struct buf *out)
{
	if (part->body_len == 0)
		return;
	switch (part->encoding) {
	case MIME_IDENTITY:
		buf_add(out, part->body, part->body_len);
		break;
	case MIME_BASE64:
		mime_add_base64(out, part->body, base64_len(part));
		break;
	case MIME_QUOTED_PRINTABLE:
		add_quoted_printable(out, part->body, part->body_len);
		break;
	case MIME_UUENCODE:
		add_uuencoded(out, part->body, part->body_len);
		break;
	}
}

/* In place, from start on: line ends become LF, a NUL goes. */
static void
text_settle(struct buf *text, size_t start)
{
	char *from, *to, *end;

	if (text->len == start || text->over)
		return;
	from = to = text->data + start;
	end = text->data + text->len;
	while (from < end) {
		size_t left = (size_t)(end - from);
		char *stop = memchr(from, '\r', left);
		size_t run = stop == NULL ? left : (size_t)(stop - from);
		char *nul;

		while ((nul = memchr(from, '\0', run)) != NULL) {
			size_t clean = (size_t)(nul - from);
			memmove(to, from, clean);
			to += clean;
			from = nul + 1;
			run -= clean + 1;
		}
		if (to != from)
			memmove(to, from, run);
		to += run;
		from += run;
		if (stop == NULL)
			break;
		*to++ = '\n';
		from++;
		if (from < end && *from == '\n')
			from++;
	}
	text->len = (size_t)(to - text->data);
	buf_grown(text, 0);
}

/* RFC 3676 4.2: a line that ends with a space goes on in the next; but not "-- ". */
static bool
is_flowed(const char *line, size_t len)
{
	return len > 0 && line[len - 1] == ' ' && !(len == 3 && memcmp(line, "-- ", 3) == 0);
}

/*
 * In place, from start on: the lines of a paragraph put together and the stuffing taken out, for
 * what Postmark sends says nothing of a flow, and its readers would see both.
 */
static void
text_unflow(struct buf *text, size_t start, bool delete_spaces)
{
	const char *from = text->data + start, *end = text->data + text->len;
	char *to = text->data + start;
	size_t open_depth = 0;
	bool open = false; /* a paragraph that goes on */

	while (from < end) {
		const char *nl = memchr(from, '\n', (size_t)(end - from));
		const char *line = from, *line_end = nl == NULL ? end : nl;
		size_t depth = 0, len;

		while (line < line_end && *line == '>') {
			line++;
			depth++;
		}
		if (line < line_end && *line == ' ')
			line++;
		len = (size_t)(line_end - line);
		/* 4.5: a paragraph ends where the depth changes, and before a signature. */
		if (open && (depth != open_depth || (len == 3 && memcmp(line, "-- ", 3) == 0))) {
			*to++ = '\n';
			open = false;
		}
		if (!open && depth > 0) {
			memset(to, '>', depth);
			to += depth;
			/* The space that was the stuffing's, or room made by what went before. */
			if (len > 0 && line > from + depth)
				*to++ = ' ';
		}
		open = is_flowed(line, len) && nl != NULL;
		open_depth = depth;
		if (open && delete_spaces)
			len--;
		memmove(to, line, len);
		to += len;
		if (nl != NULL && !open)
			*to++ = '\n';
		from = nl == NULL ? end : nl + 1;
	}
	if (open)
		*to++ = '\n';
	text->len = (size_t)(to - text->data);
	buf_grown(text, 0);
}

static void
text_reflow(const struct mime_part *part, struct buf *text, size_t start)
{
	char *format = mime_part_parameter(part, "format");
	char *delsp = mime_part_parameter(part, "delsp");

	if (format != NULL && text_same(format, "flowed") && strcmp(part->type, "text/plain") == 0)
		text_unflow(text, start, delsp != NULL && text_same(delsp, "yes"));
	free(format);
	free(delsp);
}

size_t
mime_part_text(const struct mime_part *part, struct buf *out)
{
	char *charset = mime_part_parameter(part, "charset");
	size_t start = out->len, replaced;

	if (part->encoding == MIME_IDENTITY) {
		replaced = mime_convert(out, charset, part->body, part->body_len);
	} else {
		struct buf bytes;

		buf_init(&bytes, SIZE_MAX / 4);
		mime_part_decode(part, &bytes);
		if (part->encoding == MIME_BASE64) {
			size_t used = base64_len(part);

			buf_add(&bytes, part->body + used, part->body_len - used);
		}
		replaced = mime_convert(out, charset, bytes.data, bytes.len);
		buf_free(&bytes);
	}
	if (!out->over && out->len - start >= 3 &&
	    memcmp(out->data + start, BYTE_ORDER_MARK, 3) == 0) {
		memmove(out->data + start, out->data + start + 3, out->len - start - 3);
		out->len -= 3;
	}
	text_settle(out, start);
	if (!out->over && out->len > start)
		text_reflow(part, out, start);
	free(charset);
	return replaced;
}
