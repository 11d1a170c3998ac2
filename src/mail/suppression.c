/*
 * The table: a head, rows of one size in their order, and the texts that they point to.  It is
 * made and read on one machine, so numbers are as the machine has them.
 */

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"

#include "mail/suppression.h"

#define MAGIC      "PMRSUP1"
#define MOST_KINDS 32U /* of reasons and origins, that are written once */

struct head {
	char magic[8];
	uint32_t count, text_bytes;
};

struct row {
	int64_t at_ms;
	/* Where each begins among the texts. */
	uint32_t connection, stream, address, reason, origin;
	uint32_t unused;
};

char *
suppression_address(const char *address)
{
	char *small = mem_string(address);

	text_lower(small);
	return small;
}

/* --- making --------------------------------------------------------------------------------- */

int
suppression_compare(const struct suppression *a, const struct suppression *b)
{
	int order = strcmp(a->connection, b->connection);

	if (order == 0)
		order = strcmp(a->stream, b->stream);
	return order != 0 ? order : strcmp(a->address, b->address);
}

bool
suppression_replaces(const struct suppression *comes, const struct suppression *is_there)
{
	return comes->at_ms >= is_there->at_ms;
}

static int
compare_pointers(const void *a, const void *b)
{
	const struct suppression *const *left = a, *const *right = b;

	return suppression_compare(*left, *right);
}

struct maker {
	struct buf texts;
	struct {
		const char *text;
		uint32_t at;
	} kinds[MOST_KINDS];
	size_t kind_count;
};

static uint32_t
add_text(struct maker *maker, const char *text)
{
	uint32_t at = (uint32_t)maker->texts.len;

	buf_add(&maker->texts, text, strlen(text) + 1);
	return at;
}

/* There are few of these, and each is said many times. */
static uint32_t
add_kind(struct maker *maker, const char *text)
{
	uint32_t at;

	for (size_t i = 0; i < maker->kind_count; i++)
		if (strcmp(maker->kinds[i].text, text) == 0)
			return maker->kinds[i].at;
	at = add_text(maker, text);
	if (maker->kind_count < MOST_KINDS) {
		maker->kinds[maker->kind_count].text = text;
		maker->kinds[maker->kind_count++].at = at;
	}
	return at;
}

void
suppression_table_make(struct buf *out, const struct suppression *list, size_t count)
{
	const struct suppression **sorted = mem_array(count + 1, sizeof(*sorted));
	struct head head = { .magic = MAGIC };
	struct maker maker = { .kind_count = 0 };
	const struct suppression *before = NULL;
	bool in_order = true;
	struct row row = { 0 };
	size_t rows = 0;

	buf_init(&maker.texts, UINT32_MAX / 2);
	for (size_t i = 0; i < count; i++) {
		if (list[i].lifted)
			continue;
		sorted[rows++] = &list[i];
		in_order =
		    in_order && (rows == 1 || suppression_compare(sorted[rows - 2], &list[i]) < 0);
	}
	if (!in_order)
		qsort(sorted, rows, sizeof(*sorted), compare_pointers);
	head.count = (uint32_t)rows;
	buf_add(out, &head, sizeof(head)); /* written over at the end */
	for (size_t i = 0; i < rows; i++) {
		const struct suppression *each = sorted[i];
		bool same_connection =
		    before != NULL && strcmp(before->connection, each->connection) == 0;

		/* Neighbours share what they have in common. */
		if (!same_connection)
			row.connection = add_text(&maker, each->connection);
		if (!same_connection || strcmp(before->stream, each->stream) != 0)
			row.stream = add_text(&maker, each->stream);
		row.address = add_text(&maker, each->address);
		row.reason = add_kind(&maker, each->reason);
		row.origin = add_kind(&maker, each->origin);
		row.at_ms = each->at_ms;
		buf_add(out, &row, sizeof(row));
		before = each;
	}
	buf_addc(&maker.texts, '\0'); /* never empty, and always ended */
	head.text_bytes = (uint32_t)maker.texts.len;
	if (out->data != NULL && out->len >= sizeof(head))
		memcpy(out->data, &head, sizeof(head));
	buf_add(out, maker.texts.data, maker.texts.len);
	if (maker.texts.over)
		out->over = true;
	buf_free(&maker.texts);
	free(sorted);
}

/* --- reading -------------------------------------------------------------------------------- */

static const char *
row_at(const void *table, size_t index, struct row *row_r)
{
	struct head head;
	const char *rows = (const char *)table + sizeof(head);

	memcpy(&head, table, sizeof(head));
	memcpy(row_r, rows + index * sizeof(*row_r), sizeof(*row_r));
	return rows + (size_t)head.count * sizeof(*row_r);
}

int
suppression_table_check(const void *table, size_t len)
{
	struct head head;
	size_t rest;

	if (len < sizeof(head))
		return -1;
	memcpy(&head, table, sizeof(head));
	rest = len - sizeof(head);
	if (memcmp(head.magic, MAGIC, sizeof(head.magic)) != 0 || head.text_bytes == 0 ||
	    rest / sizeof(struct row) < head.count ||
	    rest - (size_t)head.count * sizeof(struct row) != head.text_bytes ||
	    ((const char *)table)[len - 1] != '\0')
		return -1;
	for (size_t i = 0; i < head.count; i++) {
		struct row row;

		row_at(table, i, &row);
		if (row.connection >= head.text_bytes || row.stream >= head.text_bytes ||
		    row.address >= head.text_bytes || row.reason >= head.text_bytes ||
		    row.origin >= head.text_bytes)
			return -1;
	}
	return 0;
}

int
suppression_table_find(const void *table, size_t len, const char *connection, const char *stream,
    const char *address, struct suppression_found *found_r)
{
	struct head head;
	size_t low = 0, high;
	char *small;
	int rc = -1;

	if (table == NULL || len < sizeof(head))
		return -1;
	memcpy(&head, table, sizeof(head));
	small = suppression_address(address);
	for (high = head.count; low < high;) {
		size_t middle = low + (high - low) / 2;
		struct row row;
		const char *texts = row_at(table, middle, &row);
		int order = strcmp(connection, texts + row.connection);

		if (order == 0)
			order = strcmp(stream, texts + row.stream);
		if (order == 0)
			order = strcmp(small, texts + row.address);
		if (order == 0) {
			*found_r = (struct suppression_found){ .reason = texts + row.reason,
				.origin = texts + row.origin,
				.at_ms = row.at_ms };
			rc = 0;
			break;
		}
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	free(small);
	return rc;
}

/* --- lists ---------------------------------------------------------------------------------- */

void
suppression_copy(struct suppression *to, const struct suppression *from)
{
	*to = (struct suppression){ .connection = mem_string(from->connection),
		.stream = mem_string(from->stream),
		.address = suppression_address(from->address),
		.reason = mem_string(from->reason != NULL ? from->reason : ""),
		.origin = mem_string(from->origin != NULL ? from->origin : ""),
		.at_ms = from->at_ms,
		.lifted = from->lifted };
}

void
suppression_deinit(struct suppression *suppression)
{
	free(suppression->connection);
	free(suppression->stream);
	free(suppression->address);
	free(suppression->reason);
	free(suppression->origin);
	*suppression = (struct suppression){ 0 };
}

void
suppression_list_free(struct suppression *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		suppression_deinit(&list[i]);
	free(list);
}
