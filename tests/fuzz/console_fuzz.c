/*
 * The daemon hands on what strangers wrote: subjects, answers, names.  The first two bytes choose
 * an operation, the rest is its answer.  Whatever it is, a terminal gets nothing that it would
 * obey, lines keep within it where they must, and JSON that was made safe is the same JSON.
 */

#include <locale.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/buf.h"
#include "base/text.h"
#include "operations/operation.h"
#include "console/paint.h"
#include "console/report.h"
#include "console/table.h"
#include "console/top.h"

#define COLUMNS 80
#define ROWS    24

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
must(int held)
{
	if (!held)
		abort();
}

/* Text of lines, without a control character or one that turns the direction of writing. */
static void
check_harmless(const struct buf *out)
{
	for (size_t at = 0; at < out->len;) {
		const unsigned char *c = (const unsigned char *)out->data + at;
		size_t n = text_utf8_len(out->data + at, out->len - at);

		must(n > 0);
		must(n > 1 || *c == '\n' || (*c >= 0x20 && *c != 0x7f));
		must(n != 2 || *c != 0xc2 || c[1] >= 0xa0);
		must(n != 3 || memcmp(c, "\xe2\x80\xae", 3) != 0);
		at += n;
	}
}

static void
check_fits(const struct buf *out)
{
	const char *at = out->data;
	size_t lines = 0;

	while (at != NULL && *at != '\0') {
		size_t len = strcspn(at, "\n");

		must(paint_width(at, len) <= COLUMNS);
		at += len + (at[len] == '\n');
		lines++;
	}
	must(lines <= ROWS);
}

static void
check_json(const char *bytes, size_t len, const json_t *answer)
{
	struct buf out;
	json_t *again;

	buf_init(&out, SIZE_MAX);
	paint_safe_json(&out, bytes, len);
	again = json_loadb(out.data, out.len, JSON_DECODE_ANY, NULL);
	must(json_equal(answer, again));
	json_decref(again);
	buf_free(&out);
}

static void
check_text(const char *bytes, size_t len, size_t most)
{
	struct buf out;
	size_t columns;

	buf_init(&out, SIZE_MAX);
	columns = paint_safe(&out, bytes, len, most);
	must(most == 0 || columns <= most);
	must(columns == paint_width(out.data, out.len));
	check_harmless(&out);
	buf_clear(&out);
	paint_safe_lines(&out, bytes, len, 3);
	check_harmless(&out);
	buf_free(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const struct paint pipe = { 0 }, screen = { .terminal = true, .columns = COLUMNS };
	const struct operation *o;
	const char *bytes = (const char *)data + 2;
	struct buf out;
	json_t *answer;

	if (len < 3)
		return 0;
	setlocale(LC_CTYPE, "C.UTF-8");
	len -= 2;
	check_text(bytes, len, data[1] % 100);
	/* jansson takes a NUL for the end. */
	answer =
	    memchr(bytes, '\0', len) != NULL ? NULL : json_loadb(bytes, len, JSON_DECODE_ANY, NULL);
	if (answer == NULL)
		return 0;
	check_json(bytes, len, answer);
	o = &operation_table[data[0] % operation_count()];
	buf_init(&out, SIZE_MAX);
	report_add(&pipe, &out, o, answer, 1795415365123);
	check_harmless(&out);
	buf_clear(&out);
	report_add(&screen, &out, o, answer, 1795415365123);
	check_harmless(&out);
	buf_clear(&out);
	table_add_ids(&out, o, answer);
	report_add_error(&pipe, &out, answer);
	report_add_event(&pipe, &out, answer);
	check_harmless(&out);
	buf_clear(&out);
	top_draw(&screen, &out, ROWS, answer, answer);
	check_harmless(&out);
	check_fits(&out);
	report_is_failure(o, answer);
	buf_free(&out);
	json_decref(answer);
	return 0;
}
