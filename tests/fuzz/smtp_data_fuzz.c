/*
 * The content after DATA.  The first byte chooses how line ends are taken, and with the second how
 * the bytes are split.  Property: the end, the verdict and the content are those that a plain
 * search for CRLF.CRLF and a second, simpler reading of the lines find, however it was split.
 */

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "smtp/data.h"

#define MOST_BYTES 300

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
must(int held)
{
	if (!held)
		abort();
}

struct reading {
	bool done;
	size_t used;
	bool bare, nul, over;
	uint64_t total_bytes;
	struct buf content;
};

static struct reading
read_split(const char *bytes, size_t len, bool normalize, unsigned seed)
{
	struct reading reading = { .done = false };
	struct smtp_data data;

	smtp_data_init(&data, normalize, MOST_BYTES);
	buf_init(&reading.content, MOST_BYTES);
	while (reading.used < len && !reading.done) {
		size_t piece = len - reading.used, used;

		if (seed != 0) {
			seed = seed * 1103515245U + 12345U;
			if (piece > 1 + (seed >> 16) % 7)
				piece = 1 + (seed >> 16) % 7;
		}
		reading.done = smtp_data_feed(&data, bytes + reading.used, piece, &reading.content,
				   &used) == SMTP_DATA_DONE;
		must(reading.done ? used > 0 && used <= piece : used == piece);
		reading.used += used;
	}
	reading.bare = data.bare_line_end;
	reading.nul = data.nul;
	reading.over = data.over;
	reading.total_bytes = data.total_bytes;
	must(smtp_data_clean(&data) ==
	     (!reading.nul && !reading.over && (normalize || !reading.bare)));
	return reading;
}

/* The content of one line without its end, after its dots. */
static void
add_line(struct buf *out, const char *line, size_t len, bool normalize)
{
	struct buf text;

	if (!normalize) {
		size_t dot = len > 0 && line[0] == '.' ? 1 : 0;

		buf_add(out, line + dot, len - dot);
		return;
	}
	buf_init(&text, SIZE_MAX);
	for (size_t i = 0; i < len; i++)
		if (line[i] != '\r')
			buf_addc(&text, line[i]);
	if (len > 0 && line[0] == '.' && text.len > 1)
		buf_consume(&text, 1);
	if (text.len > 0)
		buf_add(out, text.data, text.len);
	buf_free(&text);
}

/* The mail in bytes, whose end is known to be there. */
static void
check_content(const struct reading *reading, const char *bytes, size_t len, bool normalize)
{
	struct buf out;
	bool bare = false;

	buf_init(&out, SIZE_MAX);
	while (len > 0) {
		const char *lf = memchr(bytes, '\n', len);
		size_t line_len = (size_t)(lf - bytes);
		bool crlf = line_len > 0 && lf[-1] == '\r';

		if (!crlf || memchr(bytes, '\r', line_len) != lf - 1)
			bare = true;
		add_line(&out, bytes, line_len - (crlf ? 1 : 0), normalize);
		buf_adds(&out, "\r\n");
		bytes += line_len + 1;
		len -= line_len + 1;
	}
	if (normalize || !bare) {
		must(reading->total_bytes == out.len);
		must(reading->over == (out.len > MOST_BYTES));
		if (!reading->over && !reading->nul) {
			must(reading->content.len == out.len);
			must(out.len == 0 || memcmp(reading->content.data, out.data, out.len) == 0);
		}
	}
	must(reading->bare == bare);
	buf_free(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct reading whole, split;
	struct buf framed;
	bool normalize;
	const char *bytes, *end;
	unsigned seed;

	if (len < 2)
		return 0;
	normalize = (data[0] & 1) != 0;
	seed = 1U + data[0] / 2U + data[1] * 128U;
	bytes = (const char *)data + 2;
	len -= 2;

	whole = read_split(bytes, len, normalize, 0);
	split = read_split(bytes, len, normalize, seed);
	must(whole.done == split.done && whole.used == split.used);
	must(whole.bare == split.bare && whole.nul == split.nul && whole.over == split.over);
	must(whole.total_bytes == split.total_bytes);

	/* The CRLF of the DATA command counts as the first half of the end. */
	buf_init(&framed, SIZE_MAX);
	buf_adds(&framed, "\r\n");
	buf_add(&framed, bytes, len);
	end = memmem(framed.data, framed.len, "\r\n.\r\n", 5);
	must(whole.done == (end != NULL));
	must(whole.used == (end != NULL ? (size_t)(end - framed.data) + 3 : len));
	must(whole.nul == (whole.used > 0 && memchr(bytes, '\0', whole.used) != NULL));
	if (whole.done) {
		check_content(&whole, bytes, whole.used - 3, normalize);
		check_content(&split, bytes, whole.used - 3, normalize);
	}
	buf_free(&framed);
	buf_free(&whole.content);
	buf_free(&split.content);
	return 0;
}
