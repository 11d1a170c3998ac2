/*
 * GMime's parser, kept within limits and helped over what it stumbles on.  It reads the content
 * through a stream of our own (struct source), and
 *   - has no limits on parts, header fields and parameters: the stream ends when they pass what it
 *     would take memory, time or stack for (field_seen, source_substream), and too many parameters
 *     are cut off before (parameters_cut),
 *   - gives no message at all when the first header line is malformed, and has no body when the
 *     empty line after the header is missing (tree_header),
 *   - gives up at the line of a header that is too long for its buffer (tree_header, tree_make),
 *   - takes lines right after a delimiter for a header, and drops them when they are none
 *     (strays_help),
 *   - takes the white space at the end of a boundary to be a part of it (boundary_trim),
 *   - ends the value of a field at a NUL (tree_fields),
 *   - copies and looks at each line of an attachment, which costs more than all of the rest
 *     (bodies_scan),
 *   - parses the messages within, which are wanted as they came (tree_setup).
 */

#include <gmime/gmime.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "mail/mime.h"
#include "mail/tree.h"

/* GMime allocates about 40 times what a hostile list of parameters measures. */
#define MOST_PARAMETER_BYTES 16384

/* A field name as long as GMime's buffer ends its reading; a line of RFC 5322 2.1.1 is shorter. */
#define MOST_NAME 998

/* Up to this size GMime can do no harm, and its header fields are not counted as it reads. */
#define HARMLESS_BYTES 65536

/* GMime recurses for each level, at some 100 bytes of stack, and compares each line that starts
 * with two hyphens with the boundary of each. */
#define MOST_MULTIPARTS  1000
#define FEW_MULTIPARTS   16
#define MOST_COMPARISONS 20000000

/* GMime's field object takes about 400 bytes; 8 fields for each part are plenty. */
#define FIELDS_PER_PART 8

/* Of a body of this size GMime sees only this much at either end. */
#define LARGE_BODY   16384
#define SEEN_OF_BODY 512

#define MOST_STRAYS 1000
#define MOST_TRIMS  1000

/* Lines of a header without a field. */
#define MOST_LOOKED_AT 20

/* How often GMime is helped over a line at which it gives up. */
#define MOST_REPAIRS 8

void __lsan_disable(void) __attribute__((weak));
void __lsan_enable(void) __attribute__((weak));

static GType source_type;

/* --- the stream ----------------------------------------------------------- */

static void
edit_add(struct tree *r, const char *from, const char *to)
{
	if (r->edit_count == r->edit_room) {
		r->edit_room = r->edit_room == 0 ? 4 : r->edit_room * 2;
		r->edits = mem_resize(r->edits, r->edit_room, sizeof(*r->edits));
	}
	r->edits[r->edit_count++] = (struct edit){ .from = from, .to = to, .inserted = "\n" };
}

static int
edit_compare(const void *a, const void *b)
{
	const struct edit *x = a, *y = b;

	return x->from < y->from ? -1 : x->from > y->from;
}

static void
piece_add(struct tree *r, const char *bytes, size_t len, const char *origin)
{
	struct piece *last = r->piece_count == 0 ? NULL : &r->pieces[r->piece_count - 1];
	size_t at = last == NULL ? 0 : last->at + last->len;

	if (len > 0)
		r->pieces[r->piece_count++] = (struct piece){ bytes, len, at, origin };
}

/* The content with its edits. */
static void
pieces_make(struct tree *r)
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
			piece_add(r, edit->inserted, strlen(edit->inserted), p);
	}
	piece_add(r, p, (size_t)(r->end - p), p);
}

/* The piece that has this place of the stream, or the last. */
static size_t
piece_find(const struct tree *r, size_t at)
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
const char *
tree_place(const struct tree *r, gint64 offset)
{
	size_t at = offset < 0 ? 0 : (size_t)offset, within;
	const struct piece *piece;

	if (r->piece_count == 0)
		return r->end;
	piece = &r->pieces[piece_find(r, at)];
	within = at - piece->at;

	if (piece->bytes != piece->origin)
		return piece->origin;
	return piece->bytes + (within < piece->len ? within : piece->len);
}

struct source {
	GMimeStream stream;
	struct tree *reading;
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
	struct tree *r = ((struct source *)(void *)stream)->reading;
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
	const struct tree *r = ((struct source *)(void *)stream)->reading;

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
source_new(struct tree *reading, gint64 start, gint64 end)
{
	struct source *source = g_object_new(source_type, NULL);

	source->reading = reading;
	g_mime_stream_construct(&source->stream, start, end);
	return &source->stream;
}

static void
parts_count(struct tree *r)
{
	if (r->stopped == MIME_DONE && r->leaves + r->multiparts > r->limits->parts)
		r->stopped = MIME_TOO_MANY_PARTS;
}

/* GMime takes one for the content of each leaf, so leaves are counted here. */
static GMimeStream *
source_substream(GMimeStream *stream, gint64 start, gint64 end)
{
	struct tree *r = ((struct source *)(void *)stream)->reading;

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
	struct tree *r = ctx;
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
tree_setup(void)
{
	static const char *const messages[] = { "rfc822", "rfc2822", "global", "news" };

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
}

/* --- before GMime --------------------------------------------------------- */

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
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

/* A boundary that ends with white space, as RFC 2046 5.1.1 forbids: GMime would look for the space
 * in the delimiters, whose ends are white space that does not count. */
static void
boundary_trim(struct tree *r, const char *line, size_t len)
{
	static const char name[] = "boundary";
	const size_t name_len = sizeof(name) - 1;
	const char *end = line + len, *p, *from, *to;

	for (p = line; (p = memmem(p, (size_t)(end - p), "=\"", 2)) != NULL; p += 2)
		if ((size_t)(p - line) >= name_len && text_same_n(p - name_len, name, name_len))
			break;
	if (p == NULL)
		return;
	p += 2;
	from = to = memchr(p, '"', (size_t)(end - p));
	while (from != NULL && from > p && is_space(from[-1]))
		from--;
	if (from != to && from > p && r->trims++ < MOST_TRIMS)
		edit_add(r, from, to);
}

/* A malformed line becomes a field that nobody asks for: what GMime makes of one, and of what comes
 * after it, depends on where in its buffer it stands. */
static void
line_name(struct tree *r, const char *line)
{
	if (r->trims++ >= MOST_TRIMS)
		return;
	edit_add(r, line, line);
	r->edits[r->edit_count - 1].inserted = "X:";
}

/* Fields that are found in headers, and hardly at the begin of a line of a text.  All that tell who
 * got a mail are among them. */
static bool
is_known_field(const char *name, size_t len)
{
	static const char *const known[] = { "From", "To", "Cc", "Bcc", "Subject", "Date", "Sender",
		"Reply-To", "Message-ID", "In-Reply-To", "References", "MIME-Version",
		"Content-Type", "Content-Transfer-Encoding", "Content-Disposition", "Received",
		"Return-Path", "DKIM-Signature", "Authentication-Results", "X-Mailer", "X-Bcc",
		"Delivered-To", "X-Delivered-To", "X-Original-To", "Original-Recipient",
		"X-Original-Recipient", "Envelope-To", "X-Envelope-To", "Apparently-To",
		"X-Apparently-To", "Rcpt-To", "X-Rcpt-To", "X-RcptTo", "X-Real-To",
		"X-Forwarded-To", "X-Redirected-For", "X-MDRcpt-To", "X-MDaemon-Deliver-To" };
	static const char *const prefixes[] = { "X-PM-", "Resent-", "List-", "ARC-" };

	for (size_t i = 0; i < G_N_ELEMENTS(prefixes); i++)
		if (len > strlen(prefixes[i]) &&
		    text_same_n(name, prefixes[i], strlen(prefixes[i])))
			return true;
	for (size_t i = 0; i < G_N_ELEMENTS(known); i++)
		if (strlen(known[i]) == len && text_same_n(name, known[i], len))
			return true;
	return false;
}

/*
 * The top header, for what GMime would stumble over.  A malformed line begins the body when no
 * field comes after it that is known to be one; else it is left out, for giving up at the first
 * would show the rest of the header, a Bcc perhaps, to every reader.
 */
void
tree_header(struct tree *r, struct tree_top *top)
{
	const char *p, *next = r->end, *malformed = NULL, *first = NULL;
	size_t len = 0;

	*top = (struct tree_top){ 0 };
	for (p = r->content; p < r->end; p = next) {
		next = line_read(p, r->end, &len);
		if (len == 0)
			break;
		boundary_trim(r, p, len);
		if (p[0] == ' ' || p[0] == '\t')
			continue;
		size_t name_len = field_name_len(p, len);
		if (name_len > 0) {
			top->fields++;
			if (first == NULL)
				first = p;
			/* Of more fields than there may be, none is read. */
			if (malformed != NULL && top->fields <= r->limits->fields &&
			    is_known_field(p, name_len))
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
		else if (first != NULL)
			line_name(r, p);
	}
	top->header_end = malformed != NULL ? malformed : p;
	r->body = top->body = malformed != NULL ? malformed : next;
	if (malformed != NULL) {
		while (r->edit_count > 0 && r->edits[r->edit_count - 1].from >= malformed)
			r->edit_count--;
		edit_add(r, malformed, malformed);
	}
	if (first == NULL || first > top->header_end)
		first = top->header_end;
	if (first > r->content)
		edit_add(r, r->content, first);
	/* A header that ends with the content, in the middle of a name, is not a part for GMime. */
	if (r->end == r->content || r->end[-1] != '\n')
		edit_add(r, r->end, r->end);
}

/* As GMime has them, but for what it would let be in a name, and for what comes after a NUL. */
size_t
tree_fields(const struct tree *r, const struct tree_top *top, struct mime_field *out)
{
	const char *p, *next;
	size_t len, count = 0;
	bool open = false;

	for (p = r->content; p < top->header_end; p = next) {
		next = line_read(p, top->header_end, &len);
		if (p[0] == ' ' || p[0] == '\t') {
			if (open)
				out[count - 1].value_len = (size_t)(p + len - out[count - 1].value);
			continue;
		}
		size_t name_len = field_name_len(p, len);

		open = name_len > 0 && count < top->fields;
		if (open) {
			const char *value = (const char *)memchr(p, ':', len) + 1;

			out[count++] = (struct mime_field){ .name = p,
				.name_len = name_len,
				.value = value,
				.value_len = (size_t)(p + len - value) };
		}
	}
	return count;
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
parameters_cut_in(struct tree *r, const char *colon, const char *last)
{
	const char *end = r->end;

	while (colon < last && (colon = memchr(colon, ':', (size_t)(last - colon))) != NULL) {
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
		if (stop[-1] == '\r')
			stop--;
		/* In a body, its end is told by what GMime sees of its last line. */
		stop -= 2;
		if (cut < stop)
			edit_add(r, cut, stop);
	}
}

static void
parameters_cut(struct tree *r)
{
	const char *from = r->content;
	size_t count = r->edit_count;

	if (r->end - r->content <= MOST_PARAMETER_BYTES)
		return;
	for (size_t i = 0; i < count; i++) {
		const struct edit edit = r->edits[i];

		if (!edit.hides)
			continue;
		parameters_cut_in(r, from, edit.from);
		from = edit.to;
	}
	parameters_cut_in(r, from, r->end);
}

/* --- bodies --------------------------------------------------------------- */

static void
body_hide(struct tree *r, const char *body, const char *end)
{
	const char *from = body + SEEN_OF_BODY, *to = end - SEEN_OF_BODY;

	if (end - body < LARGE_BODY)
		return;
	/* No line starts at the seam: it could look like a delimiter. */
	while (from < to && from[-1] == '\n')
		from++;
	edit_add(r, from, to);
	r->edits[r->edit_count - 1].hides = r->hides = true;
}

static void
stray_add(struct tree *r, const char *line, const char *delimiter, size_t len)
{
	/* Which ones are delimiters is known after the parse; a text full of such lines has
	 * none. */
	if (r->stray_count == MOST_STRAYS)
		return;
	if (r->stray_count == r->stray_room) {
		r->stray_room = r->stray_room == 0 ? 4 : r->stray_room * 2;
		r->strays = mem_resize(r->strays, r->stray_room, sizeof(*r->strays));
	}
	while (len > 0 && is_space(delimiter[len - 1]))
		len--;
	r->strays[r->stray_count++] = (struct stray){ line, delimiter, len };
}

/* Where the next line that may be a delimiter starts, or the end. */
static const char *
hyphens_find(const char *p, const char *end)
{
	const char *start = p;

	while (p < end && (p = memchr(p, '-', (size_t)(end - p))) != NULL) {
		if (end - p > 1 && p[1] == '-' && (p == start || p[-1] == '\n'))
			return p;
		p++;
	}
	return end;
}

static bool
is_hyphens(const char *line, size_t len)
{
	return len >= 2 && line[0] == '-' && line[1] == '-';
}

static bool
is_header(const char *line, const char *end)
{
	const char *next;
	size_t len;

	for (int lines = 0; lines < MOST_LOOKED_AT && line < end; lines++, line = next) {
		next = line_read(line, end, &len);
		if (len == 0 || (lines > 0 && is_hyphens(line, len)))
			break;
		if (len > 8 && text_same_n(line, "Content-", 8) && field_name_len(line, len) > 0)
			return true;
	}
	return false;
}

enum header_line {
	LINE_GOOD,
	LINE_MALFORMED,
	LINE_OF_BODY,
};

/*
 * A malformed line in the header of a part begins its body, unless more of the header comes after
 * it, or it was meant to go on with the line before.
 */
static enum header_line
line_judge(const char *line, size_t len, const char *last, size_t last_len, const char *end)
{
	bool after_delimiter = is_hyphens(last, last_len);

	if (field_name_len(line, len) > 0)
		return LINE_GOOD;
	if (!after_delimiter && (line[0] == ' ' || line[0] == '\t'))
		return LINE_GOOD;
	if ((!after_delimiter && last[last_len - 1] == ';') || is_header(line, end))
		return LINE_MALFORMED;
	return LINE_OF_BODY;
}

/* From a line that may be a delimiter to where the body after it starts. */
static const char *
part_header_scan(struct tree *r, const char *line)
{
	const char *last = NULL, *delimiter = NULL;
	size_t len, last_len = 0, delimiter_len = 0;

	while (line < r->end) {
		const char *next = line_read(line, r->end, &len);
		enum header_line judged = LINE_GOOD;

		if (len == 0)
			return next;
		boundary_trim(r, line, len);
		if (delimiter != NULL)
			judged = line_judge(line, len, last, last_len, r->end);
		if (judged == LINE_OF_BODY) {
			stray_add(r, line, delimiter, delimiter_len);
			delimiter = NULL;
		}
		if (is_hyphens(line, len)) {
			delimiter = line + 2;
			delimiter_len = len - 2;
		} else if (judged == LINE_MALFORMED) {
			line_name(r, line);
		}
		last = line;
		last_len = len;
		line = next;
	}
	return line;
}

/*
 * Bodies are read from the content itself, so GMime need only see where they start and end: not
 * the inside of a run without a line that may be a delimiter.  What follows such a line is a
 * header for us up to its empty line, whether it is one or not.
 */
static void
bodies_scan(struct tree *r, const char *body)
{
	while (body < r->end) {
		const char *line = hyphens_find(body, r->end);

		body_hide(r, body, line);
		body = line == r->end ? line : part_header_scan(r, line);
	}
}

/* --- the parse ------------------------------------------------------------ */

static bool
is_boundary_of(const char *text, size_t len, GMimeObject *object)
{
	GMimeMultipart *multipart = (GMimeMultipart *)(void *)object;
	const char *boundary;
	int count;

	if (!GMIME_IS_MULTIPART(object))
		return false;
	boundary = g_mime_multipart_get_boundary(multipart);
	if (boundary != NULL && strlen(boundary) == len && memcmp(boundary, text, len) == 0)
		return true;
	count = g_mime_multipart_get_count(multipart);
	for (int i = 0; i < count; i++)
		if (is_boundary_of(text, len, g_mime_multipart_get_part(multipart, i)))
			return true;
	return false;
}

/* The line is the next delimiter, or the end: the part has neither header nor body. */
static bool
is_delimiter(const char *line, const char *end, GMimeObject *root)
{
	size_t len;

	line_read(line, end, &len);
	if (!is_hyphens(line, len))
		return false;
	while (is_space(line[len - 1]))
		len--;
	return is_boundary_of(line + 2, len - 2, root) ||
	       (len > 4 && is_hyphens(line + len - 2, 2) &&
		   is_boundary_of(line + 2, len - 4, root));
}

/* Text right after a delimiter: an empty line is put before it.  true: once more. */
static bool
strays_help(struct tree *r, GMimeObject *root)
{
	size_t before = r->edit_count, count = r->stray_count;

	r->stray_count = 0;
	if (root == NULL || r->stopped != MIME_DONE || r->multiparts > FEW_MULTIPARTS)
		return false;
	for (size_t i = 0; i < count; i++) {
		const struct stray *stray = &r->strays[i];

		if (is_boundary_of(stray->delimiter, stray->delimiter_len, root) &&
		    !is_delimiter(stray->line, r->end, root))
			edit_add(r, stray->line, stray->line);
	}
	return r->edit_count > before;
}

static bool
has_unsplit(GMimeObject *object)
{
	GMimeMultipart *multipart = (GMimeMultipart *)(void *)object;
	int count;

	if (!GMIME_IS_MULTIPART(object))
		return false;
	count = g_mime_multipart_get_count(multipart);
	for (int i = 0; i < count; i++)
		if (has_unsplit(g_mime_multipart_get_part(multipart, i)))
			return true;
	return count == 0;
}

/* A multipart without parts is shown as GMime has it: as a whole.  true: once more. */
static bool
hides_undo(struct tree *r, GMimeObject *root)
{
	size_t kept = 0;

	if (!r->hides || root == NULL || !has_unsplit(root))
		return false;
	for (size_t i = 0; i < r->edit_count; i++)
		if (!r->edits[i].hides)
			r->edits[kept++] = r->edits[i];
	r->edit_count = kept;
	r->hides = false;
	return true;
}

/* GMime gives up at the line of a part's header that has no colon within its buffer; such a line
 * begins the body, so an empty line is put before it. */
GMimeObject *
tree_make(struct tree *r, GMimeParserOptions *options, bool *whole_r)
{
	GMimeObject *root;

	bodies_scan(r, r->body);
	parameters_cut(r);
	for (int repairs = 0;;) {
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
		root = g_mime_parser_construct_part(parser, options);
		*whole_r = r->stopped != MIME_DONE || (root != NULL && g_mime_parser_eos(parser));
		at = g_mime_parser_tell(parser);
		g_object_unref(parser);
		g_object_unref(stream);
		if (*whole_r) {
			if (!strays_help(r, root) && !hides_undo(r, root))
				return root;
		} else {
			if (repairs++ == MOST_REPAIRS)
				return root;
			edit_add(r, tree_place(r, at), tree_place(r, at));
		}
		if (root != NULL)
			g_object_unref(root);
	}
}

void
tree_deinit(struct tree *r)
{
	free(r->edits);
	free(r->strays);
	free(r->pieces);
}
