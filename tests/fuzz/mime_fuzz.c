/*
 * A content to its parts.
 *
 * Holds for whatever comes out: parts are in order, within the limits and within each other; bodies
 * lie in the content, one after the other; texts are valid UTF-8.  And the inside of a body has no
 * influence on the tree: when a body is made larger, so large that GMime does not see its inside
 * any more, all is as before, and that body longer.
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/text.h"
#include "mail/mime.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define must(condition)                                                                            \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);    \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

#define FILLING 20000

static const struct mime_limits limits = { .depth = 8, .parts = 64, .fields = 128 };

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	mime_setup();
	return 0;
}

/* A multipart without parts is shown as GMime has it. */
static bool
is_within(const struct mime_part *part, const char *content, size_t len)
{
	return part->kind != MIME_MULTIPART && part->body_len > 0 && part->body >= content &&
	       part->body < content + len;
}

static void
check_clean(char *text)
{
	must(text == NULL || text_is_utf8(text, strlen(text)));
	for (const char *c = text; c != NULL && *c != '\0'; c++)
		must((unsigned char)*c >= 0x20 && *c != 0x7F);
	free(text);
}

static void
check(const struct mime *mime, const char *content, size_t len)
{
	const char *last = content;

	must(mime->part_count >= 1 && mime->part_count <= limits.parts);
	must(mime->field_count <= limits.fields);
	for (size_t i = 0; i < mime->field_count; i++) {
		const struct mime_field *field = &mime->fields[i];

		must(field->name >= content && field->value > field->name);
		must(field->value + field->value_len <= mime->header + mime->header_len);
		check_clean(mime_decode_value(field->value, field->value_len));
	}
	for (size_t i = 0; i < mime->part_count; i++) {
		const struct mime_part *part = &mime->parts[i];
		struct buf text;

		must(part->depth <= limits.depth);
		must(part->end > i && part->end <= mime->part_count);
		must((part->kind == MIME_MULTIPART) == (part->end > i + 1));
		must(strchr(part->type, '/') != NULL);
		check_clean(mime_part_file_name(part));
		check_clean(mime_part_parameter(part, "charset"));
		if (is_within(part, content, len)) {
			must(part->body >= last);
			last = part->body + part->body_len;
			must(last <= content + len);
		}
		buf_init(&text, SIZE_MAX / 4);
		mime_part_text(part, &text);
		must(text.len == 0 || text_is_utf8(text.data, text.len));
		must(text.len == 0 || memchr(text.data, '\r', text.len) == NULL);
		must(text.len == 0 || memchr(text.data, '\0', text.len) == NULL);
		buf_free(&text);
	}
}

/* Without one before it, what the first lines of a body look like decides whether they are one. */
static bool
has_empty_line_before(const struct mime_part *part, const char *content)
{
	const char *body = part->body;

	if (body - content < 3 || body[-1] != '\n')
		return false;
	return body[-2] == '\n' || (body[-2] == '\r' && body[-3] == '\n');
}

/* A place in the middle of a line of some body.  NULL: there is none. */
static const char *
place_find(const struct mime *mime, const char *content, size_t len, size_t *index_r)
{
	for (size_t i = 0; i < mime->part_count; i++) {
		const struct mime_part *part = &mime->parts[i];

		if (!is_within(part, content, len) || !has_empty_line_before(part, content))
			continue;
		for (size_t at = part->body_len / 2 + 1; at < part->body_len; at++)
			if (part->body[at - 1] > ' ' && part->body[at] > ' ') {
				*index_r = i;
				return part->body + at;
			}
	}
	return NULL;
}

static void
compare(const struct mime *mime, const char *content, size_t len, const struct mime *larger,
    const struct buf *larger_content, size_t index)
{
	must(larger->part_count == mime->part_count);
	must(larger->field_count == mime->field_count);
	for (size_t i = 0; i < mime->part_count; i++) {
		const struct mime_part *one = &mime->parts[i], *two = &larger->parts[i];

		must(one->kind == two->kind && one->end == two->end && one->depth == two->depth);
		must(one->encoding == two->encoding && strcmp(one->type, two->type) == 0);
		if (!is_within(one, content, len))
			continue;
		must(two->body_len == one->body_len + (i == index ? FILLING : 0));
		must(two->body - larger_content->data ==
		     one->body - content + (i > index ? FILLING : 0));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const char *content = (const char *)data, *place;
	struct mime mime, larger;
	size_t figure, index;
	struct buf filled;

	if (mime_parse(&mime, content, len, &limits, &figure) != MIME_DONE) {
		must(figure > 0);
		goto free_mime;
	}
	check(&mime, content, len);
	place = place_find(&mime, content, len, &index);
	if (place == NULL)
		goto free_mime;
	buf_init(&filled, SIZE_MAX / 4);
	buf_add(&filled, content, (size_t)(place - content));
	for (int i = 0; i < FILLING; i++)
		buf_addc(&filled, 'x');
	buf_add(&filled, place, len - (size_t)(place - content));
	must(mime_parse(&larger, filled.data, filled.len, &limits, &figure) == MIME_DONE);
	compare(&mime, content, len, &larger, &filled, index);
	mime_free(&larger);
	buf_free(&filled);
free_mime:
	mime_free(&mime);
	return 0;
}
