/*
 * MIME.  GMime 3.2 parses: it splits header fields and parts and reads content types, dispositions
 * and their parameters.  Here its tree is turned into struct mime.  The bytes of a body are not
 * copied: GMime reads the content through a stream of our own (struct source), and the bounds of a
 * part's content within that stream say where its body is.
 *
 * What GMime is helped with, each at its place:
 *   - it has no limits on parts, header fields and parameters: the stream ends when they pass what
 *     it would take memory or time for (struct source, parameters_cut),
 *   - it gives no message at all when the first header line is malformed, has no body when the
 *     empty line after the header is missing, and gives up at the line of a part's header that is
 *     too long for its buffer (header_look, tree_make),
 *   - it would parse the messages within, which are wanted as they came (mime_setup),
 *   - encoded words and charsets: charset.c.
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

/* GMime allocates about 40 times what a hostile list of parameters measures. */
#define MOST_PARAMETER_BYTES 16384

/* A field name as long as GMime's buffer ends its reading; a line of RFC 5322 2.1.1 is shorter. */
#define MOST_NAME 998

/* Up to this size GMime can do no harm, and its header fields are not counted as it reads. */
#define HARMLESS_BYTES 65536

/* GMime recurses for each level, at 1,200 bytes of stack, and compares each line that starts with
 * two hyphens with the boundary of each. */
#define MOST_MULTIPARTS  1000
#define FEW_MULTIPARTS   16
#define MOST_COMPARISONS 20000000

/* GMime's field object takes about 400 bytes; 8 fields for each part are plenty. */
#define FIELDS_PER_PART 8

/* How often GMime is helped over a line at which it gives up. */
#define MOST_REPAIRS 8

void __lsan_disable(void) __attribute__((weak));
void __lsan_enable(void) __attribute__((weak));

static GMimeParserOptions *parser_options;
static GType source_type;

/* --- what GMime reads ----------------------------------------------------- */

/* Bytes of the content that GMime does not see; or, where from is to, an empty line that only it
 * sees. */
struct edit {
	const char *from, *to;
};

struct piece {
	const char *bytes;
	size_t len;
	size_t at;          /* in the stream */
	const char *origin; /* in the content; bytes, unless it is an empty line put in */
};

struct reading {
	const char *content, *end;
	struct edit *edits;
	size_t edit_count, edit_room;
	struct piece *pieces;
	size_t piece_count;
	size_t piece; /* that was read from last */

	const struct mime_limits *limits;
	size_t leaves, multiparts, fields; /* seen by GMime so far */
	size_t comparisons;
	enum mime_end stopped; /* MIME_DONE: not so; GMime then sees the end of the content */
};

static void
edit_add(struct reading *r, const char *from, const char *to)
{
	if (r->edit_count == r->edit_room) {
		r->edit_room = r->edit_room == 0 ? 4 : r->edit_room * 2;
		r->edits = mem_resize(r->edits, r->edit_room, sizeof(*r->edits));
	}
	r->edits[r->edit_count++] = (struct edit){ from, to };
}

static int
edit_compare(const void *a, const void *b)
{
	const struct edit *x = a, *y = b;

	return x->from < y->from ? -1 : x->from > y->from;
}

static void
piece_add(struct reading *r, const char *bytes, size_t len, const char *origin)
{
	struct piece *last = r->piece_count == 0 ? NULL : &r->pieces[r->piece_count - 1];
	size_t at = last == NULL ? 0 : last->at + last->len;

	if (len > 0)
		r->pieces[r->piece_count++] = (struct piece){ bytes, len, at, origin };
}

/* The content with its edits. */
static void
pieces_make(struct reading *r)
{
	const char *p = r->content;

	if (r->edit_count > 1)
		qsort(r->edits, r->edit_count, sizeof(*r->edits), edit_compare);
	r->pieces = mem_resize(r->pieces, r->edit_count * 2 + 1, sizeof(*r->pieces));
	r->piece_count = r->piece = 0;
	for (size_t i = 0; i < r->edit_count; i++) {
		const struct edit *edit = &r->edits[i];

		if (edit->from < p)
			continue;
		piece_add(r, p, (size_t)(edit->from - p), p);
		p = edit->to;
		if (edit->from == edit->to)
			piece_add(r, "\n", 1, p);
	}
	piece_add(r, p, (size_t)(r->end - p), p);
}

/* The piece that has this place of the stream, or the last. */
static size_t
piece_find(const struct reading *r, size_t at)
{
	size_t low = 0, high = r->piece_count;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (r->pieces[middle].at <= at)
			low = middle;
		else
			high = middle;
	}
	return low;
}

/* The place in the content of a place in the stream. */
static const char *
place(const struct reading *r, gint64 offset)
{
	size_t at = offset < 0 ? 0 : (size_t)offset;
	const struct piece *piece = &r->pieces[piece_find(r, at)];
	size_t within = at - piece->at;

	if (piece->bytes != piece->origin)
		return piece->origin;
	return piece->bytes + (within < piece->len ? within : piece->len);
}

struct source {
	GMimeStream stream;
	struct reading *reading;
};

/* Lines that GMime compares with each boundary. */
static size_t
count_hyphen_lines(const char *bytes, size_t len)
{
	const char *end = bytes + len, *p = bytes;
	size_t count = 0;

	while (p < end && (p = memchr(p, '-', (size_t)(end - p))) != NULL) {
		count += p > bytes && p[-1] == '\n';
		p++;
	}
	return count;
}

static ssize_t
source_read(GMimeStream *stream, char *buf, size_t len)
{
	struct reading *r = ((struct source *)(void *)stream)->reading;
	size_t at = (size_t)stream->position, done = 0;

	if (r->stopped != MIME_DONE || r->piece_count == 0)
		return 0;
	if (at < r->pieces[r->piece].at)
		r->piece = piece_find(r, at);
	while (done < len && r->piece < r->piece_count) {
		const struct piece *piece = &r->pieces[r->piece];
		size_t within = at - piece->at;
		size_t left = within < piece->len ? piece->len - within : 0;
		size_t n = left < len - done ? left : len - done;

		memcpy(buf + done, piece->bytes + within, n);
		done += n;
		at += n;
		if (n == left) {
			if (r->piece + 1 == r->piece_count)
				break;
			r->piece++;
		}
	}
	stream->position = (gint64)at;
	if (r->multiparts > FEW_MULTIPARTS) {
		r->comparisons += count_hyphen_lines(buf, done) * r->multiparts;
		if (r->comparisons > MOST_COMPARISONS)
			r->stopped = MIME_TOO_DEEP;
	}
	return (ssize_t)done;
}

static gboolean
source_eos(GMimeStream *stream)
{
	const struct reading *r = ((struct source *)(void *)stream)->reading;

	if (r->stopped != MIME_DONE || r->piece_count == 0)
		return TRUE;
	const struct piece *last = &r->pieces[r->piece_count - 1];
	return (size_t)stream->position >= last->at + last->len;
}

static gint64
source_tell(GMimeStream *stream)
{
	return stream->position;
}

static GMimeStream *
source_new(struct reading *reading, gint64 start, gint64 end)
{
	struct source *source = g_object_new(source_type, NULL);

	source->reading = reading;
	g_mime_stream_construct(&source->stream, start, end);
	return &source->stream;
}

static void
parts_count(struct reading *r)
{
	if (r->stopped == MIME_DONE && r->leaves + r->multiparts > r->limits->parts)
		r->stopped = MIME_TOO_MANY_PARTS;
}

/* GMime takes one for the content of each leaf, so leaves are counted here. */
static GMimeStream *
source_substream(GMimeStream *stream, gint64 start, gint64 end)
{
	struct reading *r = ((struct source *)(void *)stream)->reading;

	r->leaves++;
	parts_count(r);
	return source_new(r, start, end);
}

static void
source_class_init(gpointer class, gpointer ctx)
{
	GMimeStreamClass *methods = class;

	(void)ctx;
	methods->read = source_read;
	methods->eos = source_eos;
	methods->tell = source_tell;
	methods->substream = source_substream;
}

/* GMime has read a field: of the top header, or of a part. */
static void
field_seen(GMimeParser *parser, const char *name, const char *value, gint64 offset, gpointer ctx)
{
	struct reading *r = ctx;
	size_t most = (size_t)r->limits->fields + (size_t)r->limits->parts * FIELDS_PER_PART;

	(void)parser;
	(void)offset;
	r->fields++;
	if (r->stopped == MIME_DONE && r->fields > most)
		r->stopped = MIME_TOO_MANY_FIELDS;
	if (text_same(name, "Content-Type") && strcasestr(value, "multipart") != NULL) {
		r->multiparts++;
		if (r->stopped == MIME_DONE && r->multiparts > MOST_MULTIPARTS)
			r->stopped = MIME_TOO_DEEP;
		parts_count(r);
	}
}

void
mime_setup(void)
{
	static const char *const messages[] = { "rfc822", "rfc2822", "global", "news" };

	if (parser_options != NULL)
		return;
	if (__lsan_disable != NULL)
		__lsan_disable();
	g_mime_init();
	/* A message within is a part like another: as it came, in bounds known to the byte, and
	 * without a parse of what it has within.  GMime forgets to free the entries that these
	 * replace, which the leak sanitizer, where there is one, need not tell. */
	for (size_t i = 0; i < G_N_ELEMENTS(messages); i++)
		g_mime_object_register_type("message", messages[i], GMIME_TYPE_PART);
	if (__lsan_enable != NULL)
		__lsan_enable();
	source_type = g_type_register_static_simple(GMIME_TYPE_STREAM, "PmrelaySource",
	    sizeof(GMimeStreamClass), source_class_init, sizeof(struct source), NULL, 0);
	parser_options = g_mime_parser_options_new();
	charset_setup();
}

struct _GMimeParserOptions *
mime_parser_options(void)
{
	return parser_options;
}

/* --- before GMime --------------------------------------------------------- */

bool
mime_field_is(const struct mime_field *field, const char *name)
{
	return strlen(name) == field->name_len && text_same_n(field->name, name, field->name_len);
}

/* A line without its end.  Returns where the next one starts. */
static const char *
line_read(const char *p, const char *end, size_t *len_r)
{
	const char *nl = memchr(p, '\n', (size_t)(end - p));
	const char *next = nl == NULL ? end : nl + 1;
	size_t len = (size_t)((nl == NULL ? end : nl) - p);

	if (len > 0 && p[len - 1] == '\r')
		len--;
	*len_r = len;
	return next;
}

/* RFC 5322 3.6.8, with the white space before the colon of 4.5.8.  0: no field starts here. */
static size_t
field_name_len(const char *line, size_t len)
{
	size_t name_len, i = 0;

	while (i < len && line[i] > 0x20 && line[i] < 0x7F && line[i] != ':')
		i++;
	name_len = i;
	while (i < len && (line[i] == ' ' || line[i] == '\t'))
		i++;
	return i < len && line[i] == ':' && name_len <= MOST_NAME ? name_len : 0;
}

static bool
is_known_field(const char *name, size_t len)
{
	static const char *const known[] = { "From", "To", "Cc", "Bcc", "Subject", "Date", "Sender",
		"Reply-To", "Message-ID", "MIME-Version", "Content-Type",
		"Content-Transfer-Encoding", "Content-Disposition", "Received", "Return-Path",
		"Resent-Bcc", "X-Mailer" };
	const struct mime_field field = { .name = name, .name_len = len };

	for (size_t i = 0; i < G_N_ELEMENTS(known); i++)
		if (mime_field_is(&field, known[i]))
			return true;
	return false;
}

struct top {
	const char *header_end;
	const char *body;
	size_t fields;
};

/*
 * The top header, for what GMime would stumble over.  A malformed line begins the body when no
 * field comes after it that every mail has; else it is left out, for giving up at the first would
 * show the rest of the header, a Bcc perhaps, to every reader.
 */
static void
header_look(struct reading *r, struct top *top)
{
	const char *p, *next = r->end, *malformed = NULL, *first = NULL;
	size_t len = 0;

	*top = (struct top){ 0 };
	for (p = r->content; p < r->end; p = next) {
		next = line_read(p, r->end, &len);
		if (len == 0)
			break;
		if (p[0] == ' ' || p[0] == '\t')
			continue;
		size_t name_len = field_name_len(p, len);
		if (name_len > 0) {
			top->fields++;
			if (first == NULL)
				first = p;
			if (malformed != NULL && is_known_field(p, name_len))
				malformed = NULL;
			continue;
		}
		const char *colon = memchr(p, ':', len);
		if (colon != NULL && (size_t)(colon - p) > MOST_NAME)
			colon = NULL;
		/* With a colon it is a field all the same, of a name with letters that it must not
		 * have. */
		if (colon > p && memchr(p, ' ', (size_t)(colon - p)) == NULL)
			top->fields++;
		else if (malformed == NULL)
			malformed = p;
		if (colon == NULL && len > MOST_NAME && first != NULL)
			edit_add(r, p, next);
	}
	top->header_end = malformed != NULL ? malformed : p;
	top->body = malformed != NULL ? malformed : next;
	if (first == NULL || first > top->header_end)
		first = top->header_end;
	if (first > r->content)
		edit_add(r, r->content, first);
	if (malformed != NULL) {
		while (r->edit_count > 0 && r->edits[r->edit_count - 1].from >= malformed)
			r->edit_count--;
		edit_add(r, malformed, malformed);
	}
	/* A header that ends with the content, in the middle of a name, is not a part for GMime. */
	if (r->end == r->content || r->end[-1] != '\n')
		edit_add(r, r->end, r->end);
}

static bool
is_parameter_field(const char *content, const char *colon)
{
	static const char *const names[] = { "Content-Type", "Content-Disposition" };
	const char *end = colon;

	while (end > content && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
		size_t len = strlen(names[i]);

		if ((size_t)(end - content) >= len && text_same_n(end - len, names[i], len) &&
		    (end - len == content || end[-(ptrdiff_t)len - 1] == '\n'))
			return true;
	}
	return false;
}

/* What looks like a field with too long a list of parameters is shortened.  Text that only looks
 * so is not harmed, for bodies are read from the content itself. */
static void
parameters_cut(struct reading *r)
{
	const char *colon = r->content, *end = r->end;

	while (colon < end && (colon = memchr(colon, ':', (size_t)(end - colon))) != NULL) {
		const char *value = ++colon, *cut, *stop = colon;

		if (!is_parameter_field(r->content, value - 1))
			continue;
		do {
			stop = memchr(stop, '\n', (size_t)(end - stop));
			stop = stop == NULL ? end : stop + 1;
		} while (stop < end && (*stop == ' ' || *stop == '\t'));
		if (stop - value <= MOST_PARAMETER_BYTES)
			continue;
		/* Not after a line end: with the one that stays it would be an empty line. */
		cut = value + MOST_PARAMETER_BYTES;
		while (cut > value && (unsigned char)cut[-1] <= ' ')
			cut--;
		colon = stop;
		if (stop[-1] == '\n')
			stop--;
		if (cut < stop)
			edit_add(r, cut, stop);
	}
}

/* --- the tree ------------------------------------------------------------- */

/*
 * GMime's tree, or NULL.  *whole_r: of all of the content.  GMime gives up at the line of a part's
 * header that has no colon within its buffer; such a line begins the body, so an empty line is put
 * before it.
 */
static GMimeObject *
tree_make(struct reading *r, bool *whole_r)
{
	GMimeObject *root;

	for (int repairs = 0;; repairs++) {
		GMimeStream *stream;
		GMimeParser *parser;
		gint64 at;

		pieces_make(r);
		r->leaves = r->multiparts = r->fields = r->comparisons = 0;
		stream = source_new(r, 0, -1);
		parser = g_mime_parser_new_with_stream(stream);
		if (r->end - r->content > HARMLESS_BYTES)
			g_mime_parser_set_header_regex(parser, "", field_seen, r);
		/* As a part, for then GMime keeps all fields in one list, in their order, and does
		 * not parse the addresses. */
		root = g_mime_parser_construct_part(parser, parser_options);
		*whole_r = r->stopped != MIME_DONE || (root != NULL && g_mime_parser_eos(parser));
		at = g_mime_parser_tell(parser);
		g_object_unref(parser);
		g_object_unref(stream);
		if (*whole_r || repairs == MOST_REPAIRS)
			return root;
		edit_add(r, place(r, at), place(r, at));
		if (root != NULL)
			g_object_unref(root);
	}
}

struct walk {
	struct mime *mime;
	const struct mime_limits *limits;
	const struct reading *reading;
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
body_find(struct mime_part *part, GMimePart *object, const struct reading *reading)
{
	GMimeDataWrapper *content = g_mime_part_get_content(object);
	const GMimeStream *stream;

	part->body = reading->end;
	if (content == NULL)
		return; /* a header, and then the next delimiter at once */
	stream = g_mime_data_wrapper_get_stream(content);
	if (stream->bound_end <= stream->bound_start)
		return;
	part->body = place(reading, stream->bound_start);
	part->body_len = (size_t)(place(reading, stream->bound_end) - part->body);
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
		body_find(part, (GMimePart *)(void *)object, w->reading);
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
	struct reading r = { .content = content, .end = content + len, .limits = limits };
	struct walk w = { .mime = mime, .limits = limits, .reading = &r };
	enum mime_end result;
	struct top top;
	bool whole;

	*mime = (struct mime){ 0 };
	header_look(&r, &top);
	mime->header = content;
	mime->header_len = (size_t)(top.header_end - content);
	*figure_r = top.fields;
	if (top.fields > limits->fields) {
		result = MIME_TOO_MANY_FIELDS;
		goto done;
	}
	if (len > MOST_PARAMETER_BYTES)
		parameters_cut(&r);
	mime->root = tree_make(&r, &whole);
	if (mime->root != NULL)
		fields_make(mime, g_mime_object_get_header_list(mime->root));
	result = whole ? part_add(&w, mime->root, 0) : text_add(&w, top.body, r.end);
	/* What stopped GMime is told where the tree, as far as it was made, is within the limits.
	 */
	if (result == MIME_DONE)
		result = r.stopped;
	*figure_r = result == MIME_TOO_MANY_FIELDS ? r.fields : mime->part_count;
done:
	free(r.edits);
	free(r.pieces);
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
	size_t line_len;
	char *to;

	for (; text < end; text = next) {
		next = line_read(text, end, &line_len);
		if (line_len > 6 && strncmp(text, "begin ", 6) == 0)
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
