/*
 * MIME.  GMime 3.2 parses: it splits header fields and parts and reads content types, dispositions
 * and their parameters.  Here its tree is turned into struct mime.  The bytes of a body are not
 * copied: the bounds of a part's content within what GMime has read say where its body is.
 *
 * What GMime is helped with, each at its place:
 *   - it has no limits on parts, header fields and parameters, fails on a malformed or unfinished
 *     header, and looks into messages within: tree.c,
 *   - it decodes neither lying charsets nor all encoded words: charset.c, and part_describe(),
 *   - it lets any letter be in a field name: fields_make(),
 *   - base64 ends for it at padding, while real parts are sometimes joined pieces: charset.c.
 */

#include <gmime/gmime.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"
#include "mail/mime.h"
#include "mail/tree.h"

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

/* The raw value of a field, as GMime has it. */
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

static void
fields_make(struct mime *mime, GMimeHeaderList *list)
{
	int count = g_mime_header_list_get_count(list);

	mime->fields = mem_resize(NULL, (size_t)count + 1, sizeof(*mime->fields));
	for (int i = 0; i < count; i++) {
		struct mime_field field = field_make(g_mime_header_list_get_header_at(list, i));
		size_t n = 0;

		/* GMime lets any letter be in a name. */
		while (n < field.name_len && field.name[n] > 0x20 && field.name[n] < 0x7F)
			n++;
		if (n > 0 && n == field.name_len)
			mime->fields[mime->field_count++] = field;
	}
}

/* Content fields of a part, raw.  Of several the last, which is the one that GMime goes by. */
struct content_fields {
	struct mime_field type, encoding, disposition, id;
};

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
			fields->disposition = field_make(header);
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

/* type/subtype in lower case; false: the field does not say. */
static bool
type_read(struct mime_part *part)
{
	const char *type = g_mime_content_type_get_media_type(part->content_type);
	const char *subtype = g_mime_content_type_get_media_subtype(part->content_type);

	int len;

	if (type == NULL || subtype == NULL || !is_token(type) || !is_token(subtype))
		return false;
	len = snprintf(part->type, sizeof(part->type), "%s/%s", type, subtype);
	if (len < 0 || (size_t)len >= sizeof(part->type))
		return false;
	text_lower(part->type);
	return true;
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
	const char *p = field->value;
	size_t len = field->value_len;

	while (len > 0 && (unsigned char)*p <= ' ') {
		p++;
		len--;
	}
	for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
		size_t n = strlen(names[i].name);
		if (len >= n && text_same_n(p, names[i].name, n) &&
		    (len == n || (unsigned char)p[n] <= ' ' || p[n] == ';' || p[n] == '('))
			return names[i].encoding;
	}
	return MIME_IDENTITY;
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

/* A mask is kept only where it holds words. */
static struct mime_mask *
mask_keep(struct mime_mask *mask)
{
	struct mime_mask *kept = NULL;

	if (mask->word_count > 0) {
		kept = mem_new(sizeof(*kept));
		*kept = *mask;
	} else {
		mime_mask_free(mask);
	}
	return kept;
}

static void
mask_drop(struct mime_mask *mask)
{
	if (mask != NULL)
		mime_mask_free(mask);
	free(mask);
}

/* Fills in what the header of a part says. */
static void
part_describe(struct mime_part *part, GMimeObject *object)
{
	struct content_fields fields = { 0 };
	struct mime_mask mask;

	content_fields_find(&fields, g_mime_object_get_header_list(object));
	if (mime_value_is_plain(fields.type.value, fields.type.value_len)) {
		part->content_type = g_object_ref(g_mime_object_get_content_type(object));
	} else {
		mime_mask_init(&mask, fields.type.value, fields.type.value_len);
		part->content_type = g_mime_content_type_parse(parser_options, mask.text);
		part->type_mask = mask_keep(&mask);
	}
	if (part->content_type == NULL || !type_read(part))
		snprintf(part->type, sizeof(part->type), "text/plain");
	if (fields.disposition.name != NULL) {
		GMimeContentDisposition *disposition =
		    g_mime_object_get_content_disposition(object);

		if (!mime_value_is_plain(fields.disposition.value, fields.disposition.value_len)) {
			mime_mask_init(
			    &mask, fields.disposition.value, fields.disposition.value_len);
			part->disposition =
			    g_mime_content_disposition_parse(parser_options, mask.text);
			part->disposition_mask = mask_keep(&mask);
		} else if (disposition != NULL) {
			part->disposition = g_object_ref(disposition);
		}
	}
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

static void
body_find(struct mime_part *part, GMimePart *object, const struct tree *tree)
{
	GMimeDataWrapper *content = g_mime_part_get_content(object);
	const GMimeStream *stream;

	part->body = tree->end;
	if (content == NULL)
		return; /* a header, and then the next delimiter at once */
	stream = g_mime_data_wrapper_get_stream(content);
	if (stream->bound_end <= stream->bound_start)
		return;
	part->body = tree_place(tree, stream->bound_start);
	part->body_len = (size_t)(tree_place(tree, stream->bound_end) - part->body);
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
	mime->root = tree_make(&r, parser_options, &whole);
	if (mime->root != NULL)
		fields_make(mime, g_mime_object_get_header_list(mime->root));
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

		if (part->content_type != NULL)
			g_object_unref(part->content_type);
		if (part->disposition != NULL)
			g_object_unref(part->disposition);
		free(part->content_id);
		mask_drop(part->type_mask);
		mask_drop(part->disposition_mask);
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
	return part->disposition != NULL &&
	       g_mime_content_disposition_get_disposition(part->disposition) != NULL &&
	       text_same(g_mime_content_disposition_get_disposition(part->disposition), name);
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

static char *
parameter_decode(const struct mime_mask *mask, const char *value)
{
	if (value == NULL)
		return NULL;
	return mask != NULL ? mime_mask_decode(mask, value) : mime_clean(value, strlen(value));
}

char *
mime_part_parameter(const struct mime_part *part, const char *name)
{
	if (part->content_type == NULL)
		return NULL;
	return parameter_decode(
	    part->type_mask, g_mime_content_type_get_parameter(part->content_type, name));
}

char *
mime_part_file_name(const struct mime_part *part)
{
	char *name = NULL;

	if (part->disposition != NULL)
		name = parameter_decode(part->disposition_mask,
		    g_mime_content_disposition_get_parameter(part->disposition, "filename"));
	if (name != NULL && name[0] == '\0') {
		free(name);
		name = NULL;
	}
	if (name == NULL)
		name = mime_part_parameter(part, "name");
	return name;
}

static void
add_quoted_printable(struct buf *out, const char *text, size_t len)
{
	GMimeEncoding state;
	char *to;

	g_mime_encoding_init_decode(&state, GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE);
	to = buf_reserve(out, g_mime_encoding_outlen(&state, len));
	if (to != NULL)
		buf_grown(out, g_mime_encoding_flush(&state, text, len, to));
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
		mime_add_base64(out, part->body, part->body_len);
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
		replaced = mime_convert(out, charset, bytes.data, bytes.len);
		buf_free(&bytes);
	}
	text_settle(out, start);
	free(charset);
	return replaced;
}
