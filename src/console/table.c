/*
 * Tables and lists of names and values, out of any JSON.
 */

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"
#include "operations/operation.h"

#include "console/paint.h"
#include "console/table.h"

#define MOST_COLUMNS 24
#define MOST_CELL    (64U * 1024U) /* bytes of one cell that are looked at */
#define MOST_DEPTH   8
/* A column is not made narrower than this to fit the terminal. */
#define LEAST_COLUMN 8
#define GAP          2

/* --- values ------------------------------------------------------------------------------- */

const json_t *
table_member(const json_t *object, const char *path, size_t path_len)
{
	while (path_len > 0 && object != NULL) {
		const char *dot = memchr(path, '.', path_len);
		size_t len = dot != NULL ? (size_t)(dot - path) : path_len;
		char *name = mem_bytes(path, len);

		object = json_object_get(object, name);
		free(name);
		path += len + (dot != NULL);
		path_len -= len + (dot != NULL);
	}
	return object;
}

/* Figures of bytes are called so. */
static bool
is_size(const char *path, size_t len)
{
	static const char *const names[] = { "bytes", "_bytes", "ContentLength", "RawSize" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		size_t name_len = strlen(names[i]);

		if (len >= name_len && memcmp(path + len - name_len, names[i], name_len) == 0)
			return true;
	}
	return false;
}

/* Whether a value of this name tells how something is. */
static bool
is_state(const char *path, size_t len)
{
	static const char *const names[] = { "state", "mode", "kind", "to", "Status" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (len == strlen(names[i]) && memcmp(path, names[i], len) == 0)
			return true;
	return false;
}

static void
add_compact(struct buf *out, const json_t *value, size_t most_columns)
{
	char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);

	if (text != NULL)
		paint_safe(out, text, strlen(text), most_columns);
	free(text);
}

/* One value on one line. */
static void
add_value(
    const struct paint *p, struct buf *out, const char *path, size_t path_len, const json_t *value)
{
	const json_t *each;
	size_t index;
	int64_t wall_ms;

	switch (value != NULL ? json_typeof(value) : JSON_NULL) {
	case JSON_NULL:
		buf_adds(out, "-");
		break;
	case JSON_TRUE:
		buf_adds(out, "yes");
		break;
	case JSON_FALSE:
		buf_adds(out, "no");
		break;
	case JSON_INTEGER:
		if (is_size(path, path_len) && json_integer_value(value) >= 0)
			paint_add_size(p, out, (uint64_t)json_integer_value(value));
		else
			buf_addf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
		break;
	case JSON_REAL:
		buf_addf(out, "%.6g", json_real_value(value));
		break;
	case JSON_STRING:
		if (paint_parse_time(json_string_value(value), &wall_ms) == 0)
			paint_add_time(out, wall_ms);
		else
			paint_safe(out, json_string_value(value), json_string_length(value), 0);
		break;
	case JSON_ARRAY:
		if (json_array_size(value) == 0)
			buf_adds(out, "-");
		json_array_foreach(value, index, each)
		{
			if (index > 0)
				buf_adds(out, ", ");
			if (json_is_object(each) || json_is_array(each))
				add_compact(out, each, 0);
			else
				add_value(p, out, path, path_len, each);
		}
		break;
	case JSON_OBJECT:
		add_compact(out, value, 0);
		break;
	}
}

/* --- tables ------------------------------------------------------------------------------- */

struct column {
	const char *path, *heading;
	size_t path_len, heading_len;
	size_t width;
	bool right; /* numbers */
	bool fixed; /* an id, a number or a time: of no use when it is cut */
	bool state;
};

struct cell {
	char *text;
	size_t len, width;
};

static size_t
read_columns(const char *spec, struct column columns[MOST_COLUMNS])
{
	size_t count = 0;

	while (*spec != '\0' && count < MOST_COLUMNS) {
		struct column *c = &columns[count++];
		size_t len = strcspn(spec, ",");
		const char *equals = memchr(spec, '=', len);

		memset(c, 0, sizeof(*c));
		c->path = spec;
		c->path_len = equals != NULL ? (size_t)(equals - spec) : len;
		c->heading = equals != NULL ? equals + 1 : spec;
		c->heading_len = equals != NULL ? len - c->path_len - 1 : len;
		c->state = is_state(c->path, c->path_len);
		spec += len;
		if (*spec == ',')
			spec++;
	}
	return count;
}

static void
make_cell(const struct paint *p, struct cell *cell, const struct column *c, const json_t *row)
{
	struct buf text;

	buf_init(&text, MOST_CELL);
	add_value(p, &text, c->path, c->path_len, table_member(row, c->path, c->path_len));
	cell->text = text.data != NULL ? buf_take(&text, &cell->len) : mem_string("");
	cell->len = strlen(cell->text);
	cell->width = paint_width(cell->text, cell->len);
}

/* Takes columns from the widest that may be cut, until the line fits. */
static void
fit(struct column *columns, size_t count, size_t most)
{
	for (;;) {
		struct column *widest = NULL;
		size_t sum = 0;

		for (size_t i = 0; i < count; i++) {
			sum += columns[i].width + (i > 0 ? GAP : 0);
			if (!columns[i].fixed && columns[i].width > LEAST_COLUMN &&
			    columns[i].width > columns[i].heading_len &&
			    (widest == NULL || columns[i].width > widest->width))
				widest = &columns[i];
		}
		if (sum <= most || widest == NULL)
			return;
		widest->width--;
	}
}

/* A cell in its column, the last of a line without what would only be spaces. */
static void
add_cell(const struct paint *p, struct buf *out, const struct column *c, const struct cell *cell,
    enum paint_hue hue, bool last)
{
	size_t width = cell->width < c->width ? cell->width : c->width;

	if (c->right)
		paint_pad(out, c->width - width);
	buf_adds(out, paint_begin(p, hue));
	if (cell->width > c->width)
		width = paint_safe(out, cell->text, cell->len, c->width);
	else
		buf_add(out, cell->text, cell->len);
	buf_adds(out, paint_end(p, hue));
	if (!c->right && !last)
		paint_pad(out, c->width - width);
	if (!last)
		paint_pad(out, GAP);
}

static void
add_row(const struct paint *p, struct buf *out, const struct column *columns,
    const struct cell *cells, size_t count, bool heading)
{
	for (size_t i = 0; i < count; i++) {
		enum paint_hue hue = heading            ? HUE_BOLD
				     : columns[i].state ? paint_hue_of(cells[i].text)
							: HUE_NONE;

		add_cell(p, out, &columns[i], &cells[i], hue, i + 1 == count);
	}
	buf_addc(out, '\n');
}

/* A column of numbers stands to the right; one with ids, numbers or times is left whole. */
static void
judge_column(struct column *c, size_t index, const json_t *rows)
{
	const json_t *row;
	size_t i, numbers = 0, others = 0;
	int64_t wall_ms;

	c->fixed = index == 0 || c->state;
	json_array_foreach(rows, i, row)
	{
		const json_t *value = table_member(row, c->path, c->path_len);

		if (json_is_number(value))
			numbers++;
		else if (value != NULL && !json_is_null(value))
			others++;
		if (json_is_string(value) &&
		    paint_parse_time(json_string_value(value), &wall_ms) == 0)
			c->fixed = true;
	}
	c->right = numbers > 0 && others == 0;
	c->fixed = c->fixed || c->right;
}

static void
add_rows(const struct paint *p, struct buf *out, const char *spec, const json_t *rows)
{
	struct column columns[MOST_COLUMNS];
	size_t count = read_columns(spec, columns), row_count = json_array_size(rows), i;
	struct cell *cells = mem_array((row_count + 1) * count, sizeof(*cells));
	const json_t *row;

	for (size_t j = 0; j < count; j++) {
		struct column *c = &columns[j];

		judge_column(c, j, rows);
		cells[j].text = mem_bytes(c->heading, c->heading_len);
		cells[j].len = c->heading_len;
		cells[j].width = c->width = paint_width(c->heading, c->heading_len);
		json_array_foreach(rows, i, row)
		{
			struct cell *cell = &cells[(i + 1) * count + j];

			make_cell(p, cell, c, row);
			if (cell->width > c->width)
				c->width = cell->width;
		}
	}
	if (p->columns > 0)
		fit(columns, count, p->columns);
	for (i = 0; i <= row_count; i++)
		add_row(p, out, columns, &cells[i * count], count, i == 0);
	for (i = 0; i < (row_count + 1) * count; i++)
		free(cells[i].text);
	free(cells);
}

/* --- names and values --------------------------------------------------------------------- */

struct line {
	char *name;
	const json_t *value;
};

struct lines {
	struct line *items;
	size_t count, room;
};

static bool
is_flat(const json_t *array)
{
	const json_t *each;
	size_t index;

	json_array_foreach(
	    array, index, each) if (json_is_object(each) || json_is_array(each)) return false;
	return true;
}

/* Lines for what is in value, those of its members with their path. */
static void
flatten(struct lines *lines, const char *name, const json_t *value, unsigned depth)
{
	const json_t *each;
	const char *key;
	size_t index;

	if (depth < MOST_DEPTH && json_is_object(value) && json_object_size(value) > 0) {
		json_object_foreach((json_t *)(uintptr_t)value, key, each)
		{
			char *path =
			    name[0] != '\0' ? mem_format("%s.%s", name, key) : mem_string(key);

			flatten(lines, path, each, depth + 1);
			free(path);
		}
		return;
	}
	if (depth < MOST_DEPTH && json_is_array(value) && !is_flat(value)) {
		json_array_foreach(value, index, each)
		{
			char *path = mem_format("%s.%zu", name, index + 1);

			flatten(lines, path, each, depth + 1);
			free(path);
		}
		return;
	}
	if (lines->count == lines->room) {
		lines->room = lines->room * 2 + 16;
		lines->items = mem_resize(lines->items, lines->room, sizeof(*lines->items));
	}
	lines->items[lines->count].name = mem_string(name);
	lines->items[lines->count++].value = value;
}

static void
add_name(const struct paint *p, struct buf *out, const char *name, size_t columns)
{
	size_t width;

	buf_adds(out, paint_begin(p, HUE_DIM));
	width = paint_safe(out, name, strlen(name), 0);
	buf_adds(out, paint_end(p, HUE_DIM));
	paint_pad(out, columns > width ? columns - width : 0);
	paint_pad(out, GAP);
}

static void
add_line(const struct paint *p, struct buf *out, const struct line *line, size_t columns)
{
	const char *dot = strrchr(line->name, '.');
	const char *bare = dot != NULL ? dot + 1 : line->name;
	const json_t *value = line->value;
	enum paint_hue hue = HUE_NONE;
	int64_t wall_ms;

	add_name(p, out, line->name, columns);
	if (json_is_string(value) && is_state(bare, strlen(bare)))
		hue = paint_hue_of(json_string_value(value));
	buf_adds(out, paint_begin(p, hue));
	/* A body has lines; everything else has one. */
	if (json_is_string(value) && paint_parse_time(json_string_value(value), &wall_ms) != 0)
		paint_safe_lines(
		    out, json_string_value(value), json_string_length(value), columns + GAP);
	else
		add_value(p, out, bare, strlen(bare), value);
	buf_adds(out, paint_end(p, hue));
	buf_addc(out, '\n');
}

void
table_add_object(const struct paint *p, struct buf *out, const json_t *object)
{
	struct lines lines = { 0 };
	size_t columns = 0;

	flatten(&lines, "", object, 0);
	for (size_t i = 0; i < lines.count; i++) {
		size_t width = paint_width(lines.items[i].name, strlen(lines.items[i].name));

		/* One long name does not push all values away. */
		if (width > columns && width <= 40)
			columns = width;
	}
	for (size_t i = 0; i < lines.count; i++) {
		add_line(p, out, &lines.items[i], columns);
		free(lines.items[i].name);
	}
	free(lines.items);
}

void
table_add_pair(
    const struct paint *p, struct buf *out, const char *name, size_t columns, const char *value)
{
	add_name(p, out, name, columns);
	paint_safe_lines(out, value, strlen(value), columns + GAP);
	buf_addc(out, '\n');
}

/* --- answers ------------------------------------------------------------------------------- */

/* The array of rows; NULL: the answer has none. */
static const json_t *
rows_of(const struct operation *o, const json_t *answer)
{
	const json_t *rows = o->rows == NULL      ? NULL
			     : o->rows[0] == '\0' ? answer
						  : table_member(answer, o->rows, strlen(o->rows));

	return json_is_array(rows) && o->columns != NULL ? rows : NULL;
}

bool
table_add(const struct paint *p, struct buf *out, const struct operation *o, const json_t *answer)
{
	const json_t *rows = rows_of(o, answer);

	if (rows == NULL) {
		table_add_object(p, out, answer);
		return true;
	}
	if (json_array_size(rows) == 0)
		return false;
	add_rows(p, out, o->columns, rows);
	return true;
}

/* An id as it is typed in the next command: nothing in it is dressed up. */
static void
add_id(struct buf *out, const json_t *value)
{
	if (json_is_integer(value))
		buf_addf(out, "%" JSON_INTEGER_FORMAT "\n", json_integer_value(value));
	else if (json_is_string(value) && json_string_length(value) > 0) {
		paint_safe(out, json_string_value(value), json_string_length(value), 0);
		buf_addc(out, '\n');
	}
}

void
table_add_ids(struct buf *out, const struct operation *o, const json_t *answer)
{
	static const char *const names[] = { "id", "ID", "MessageID", "TemplateId" };
	const json_t *rows = rows_of(o, answer), *row;
	size_t index;

	if (rows != NULL) {
		json_array_foreach(rows, index, row)
		    add_id(out, table_member(row, o->columns, strcspn(o->columns, ",=")));
		return;
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const json_t *value = json_object_get(answer, names[i]);

		if (value != NULL && !json_is_null(value)) {
			add_id(out, value);
			return;
		}
	}
}
