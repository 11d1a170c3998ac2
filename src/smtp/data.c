/*
 * The way through a mail is memchr() for the next LF and for a CR before it; whole lines are
 * copied together for as long as nothing in them needs a decision.  The bytes that do (a dot at
 * the start of a line, a CR or LF without the other) pass the states below one at a time.
 */

#include <string.h>

#include "base/buf.h"
#include "smtp/data.h"

enum {
	AT_LINE,      /* after CRLF, or at the very start: a dot here may be the end */
	AT_BARE_LINE, /* after a bare LF, normalised: a dot here is stuffing at most */
	IN_TEXT,
	AFTER_CR,       /* a CR that is not in the content yet */
	AFTER_DOT,      /* CRLF . */
	AFTER_DOT_CR,   /* CRLF . CR: LF ends the mail */
	AFTER_LOST_DOT, /* a dot alone so far, after a bare line end */
	AFTER_LOST_DOT_CR,
	ENDED,
};

void
smtp_data_init(struct smtp_data *data, bool normalize, uint64_t most_bytes)
{
	*data = (struct smtp_data){
		.normalize = normalize,
		.most_bytes = most_bytes,
		.state = AT_LINE,
	};
}

bool
smtp_data_clean(const struct smtp_data *data)
{
	return !data->over && !data->nul && (data->normalize || !data->bare_line_end);
}

static void
add(struct smtp_data *data, struct buf *out, const char *bytes, size_t len)
{
	data->total_bytes += len;
	if (data->total_bytes > data->most_bytes)
		data->over = true;
	if (out != NULL && smtp_data_clean(data))
		buf_add(out, bytes, len);
}

static void
add_text(struct smtp_data *data, struct buf *out, const char *text)
{
	add(data, out, text, strlen(text));
}

/* A reader of one block.  lf is the first LF at or behind p, or end: it is searched once and kept
 * until p has passed it, so that no order of CR and LF makes the work more than linear. */
struct reader {
	const char *p;
	const char *end;
	const char *lf;
};

static void
find_lf(struct reader *reader)
{
	reader->lf = memchr(reader->p, '\n', (size_t)(reader->end - reader->p));
	if (reader->lf == NULL)
		reader->lf = reader->end;
}

static const char *
next_lf(struct reader *reader)
{
	if (reader->lf < reader->p)
		find_lf(reader);
	return reader->lf;
}

/* p stands at the start of a line.  Takes all whole, clean lines up to one that begins with a dot,
 * and leaves p at the start of the first that needs a closer look. */
static void
take_lines(struct smtp_data *data, struct buf *out, struct reader *reader)
{
	const char *from = reader->p;

	while (reader->p < reader->end && *reader->p != '.') {
		const char *lf = next_lf(reader);

		if (lf == reader->end || lf == reader->p || lf[-1] != '\r' ||
		    memchr(reader->p, '\r', (size_t)(lf - reader->p)) != lf - 1)
			break;
		reader->p = lf + 1;
	}
	if (reader->p > from) {
		add(data, out, from, (size_t)(reader->p - from));
		data->state = AT_LINE;
	}
}

/* p stands within a line.  Takes it up to the next CR or LF. */
static void
take_text(struct smtp_data *data, struct buf *out, struct reader *reader)
{
	const char *lf = next_lf(reader);
	const char *cr = memchr(reader->p, '\r', (size_t)(lf - reader->p));
	const char *stop = cr != NULL ? cr : lf;

	if (stop > reader->p)
		add(data, out, reader->p, (size_t)(stop - reader->p));
	reader->p = stop;
	if (cr != NULL) {
		reader->p++;
		data->state = AFTER_CR;
	} else if (lf < reader->end) {
		reader->p++;
		data->bare_line_end = true;
		add_text(data, out, data->normalize ? "\r\n" : "\n");
		data->state = data->normalize ? AT_BARE_LINE : IN_TEXT;
	} else
		data->state = IN_TEXT;
}

/* After a CR that stood in text. */
static void
take_after_cr(struct smtp_data *data, struct buf *out, struct reader *reader)
{
	if (*reader->p == '\n') {
		reader->p++;
		add_text(data, out, "\r\n");
		data->state = AT_LINE;
		return;
	}
	data->bare_line_end = true;
	if (!data->normalize)
		add_text(data, out, "\r");
	if (*reader->p == '\r')
		reader->p++;
	else
		data->state = IN_TEXT;
}

/*
 * After CRLF and a dot.  The dot is dropped whatever follows (RFC 5321 4.5.2), but for a line of
 * the dot alone that does not end the mail: no client stuffed that one.
 */
static void
take_after_dot(struct smtp_data *data, struct buf *out, struct reader *reader)
{
	if (*reader->p == '\r') {
		reader->p++;
		data->state = AFTER_DOT_CR;
	} else if (*reader->p == '\n' && data->normalize) {
		reader->p++;
		data->bare_line_end = true;
		add_text(data, out, ".\r\n");
		data->state = AT_BARE_LINE;
	} else
		data->state = IN_TEXT;
}

static void
take_after_dot_cr(struct smtp_data *data, struct reader *reader)
{
	if (*reader->p == '\n') {
		reader->p++;
		data->state = ENDED;
		return;
	}
	data->bare_line_end = true;
	if (*reader->p != '\r')
		data->state = IN_TEXT;
	else {
		reader->p++;
		data->state = data->normalize ? AFTER_LOST_DOT_CR : AFTER_CR;
	}
}

/* Only when normalising: a dot at the start of a line that came to be by a bare line end. */
static void
take_after_lost_dot(struct smtp_data *data, struct buf *out, struct reader *reader)
{
	if (*reader->p == '\r') {
		reader->p++;
		data->state = AFTER_LOST_DOT_CR;
	} else if (*reader->p == '\n') {
		reader->p++;
		data->bare_line_end = true;
		add_text(data, out, ".\r\n");
		data->state = AT_BARE_LINE;
	} else
		data->state = IN_TEXT;
}

static void
take_after_lost_dot_cr(struct smtp_data *data, struct buf *out, struct reader *reader)
{
	if (*reader->p == '\n') {
		reader->p++;
		add_text(data, out, ".\r\n");
		data->state = AT_LINE;
	} else {
		data->bare_line_end = true;
		if (*reader->p == '\r')
			reader->p++;
		else
			data->state = IN_TEXT;
	}
}

enum smtp_data_end
smtp_data_feed(
    struct smtp_data *data, const char *bytes, size_t len, struct buf *out, size_t *used_r)
{
	struct reader reader = { .p = bytes, .end = bytes + len };

	*used_r = 0;
	if (len == 0)
		return data->state == ENDED ? SMTP_DATA_DONE : SMTP_DATA_MORE;
	find_lf(&reader);
	while (reader.p < reader.end && data->state != ENDED) {
		switch (data->state) {
		case AT_LINE:
		case AT_BARE_LINE:
			if (*reader.p != '.')
				take_lines(data, out, &reader);
			if (reader.p == reader.end)
				break;
			if (*reader.p == '.') {
				reader.p++;
				data->state = data->state == AT_LINE ? AFTER_DOT : AFTER_LOST_DOT;
			} else
				take_text(data, out, &reader);
			break;
		case IN_TEXT:
			take_text(data, out, &reader);
			break;
		case AFTER_CR:
			take_after_cr(data, out, &reader);
			break;
		case AFTER_DOT:
			take_after_dot(data, out, &reader);
			break;
		case AFTER_DOT_CR:
			take_after_dot_cr(data, &reader);
			break;
		case AFTER_LOST_DOT:
			take_after_lost_dot(data, out, &reader);
			break;
		case AFTER_LOST_DOT_CR:
			take_after_lost_dot_cr(data, out, &reader);
			break;
		}
	}
	*used_r = (size_t)(reader.p - bytes);
	if (memchr(bytes, '\0', *used_r) != NULL)
		data->nul = true;
	return data->state == ENDED ? SMTP_DATA_DONE : SMTP_DATA_MORE;
}
