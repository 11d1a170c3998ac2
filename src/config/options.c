/*
 * The sections of the settings and where the values of each lie.  The rows of a section are in a
 * file of its own; what concerns several options together is in config.c.
 */

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/text.h"

#include "config/options.h"
#include "config/rows.h"
#include "config/values.h"

#define OPTION_SECTION_ENTRY(name) &options_##name,
const struct option_section *const option_sections[OPTION_SECTION_COUNT + 1] = {
	OPTION_SECTIONS(OPTION_SECTION_ENTRY) NULL,
};
#undef OPTION_SECTION_ENTRY

const struct option_section *
option_section_find(const char *name)
{
	for (size_t i = 0; i < OPTION_SECTION_COUNT; i++)
		if (strcmp(option_sections[i]->name, name) == 0)
			return option_sections[i];
	return NULL;
}

/* ---- places ------------------------------------------------------------------------------ */

static size_t
place_count(const struct config *config, const struct option_section *s)
{
	if (!s->titled)
		return 1;
	return *(const size_t *)((const char *)config + s->count_at);
}

/* The place as such may be changed by those alone who may change the settings. */
static void
place_at(const struct config *config, size_t index, size_t item, struct option_place *place_r)
{
	const struct option_section *s = option_sections[index];
	char *items, *title;

	*place_r = (struct option_place){
		.section = s, .index = index, .item = item, .base = (void *)config
	};
	if (s->titled) {
		memcpy(&items, (const char *)config + s->items_at, sizeof(items));
		items += item * s->item_bytes;
		memcpy(&title, items + s->title_at, sizeof(title));
		place_r->base = items;
		place_r->title = title;
	}
}

bool
option_place_next(const struct config *config, struct option_place *place)
{
	size_t index = place->index, item = place->section == NULL ? 0 : place->item + 1;

	for (; index < OPTION_SECTION_COUNT; index++, item = 0) {
		if (item < place_count(config, option_sections[index])) {
			place_at(config, index, item, place);
			return true;
		}
	}
	return false;
}

bool
option_place_find(const struct config *config, const char *section, const char *title,
    struct option_place *place_r)
{
	size_t index = 0;

	while (index < OPTION_SECTION_COUNT && strcmp(option_sections[index]->name, section) != 0)
		index++;
	if (index == OPTION_SECTION_COUNT)
		return false;
	if (!option_sections[index]->titled) {
		place_at(config, index, 0, place_r);
		return true;
	}
	for (size_t i = 0; title != NULL && i < place_count(config, option_sections[index]); i++) {
		place_at(config, index, i, place_r);
		if (text_same(place_r->title, title))
			return true;
	}
	return false;
}

bool
option_place_add(struct config *config, const struct option_section *s, const char *title,
    struct option_place *place_r)
{
	size_t count = place_count(config, s), index = 0;
	char *items, *item, *copy;

	if (count >= s->most)
		return false;
	memcpy(&items, (char *)config + s->items_at, sizeof(items));
	items = mem_resize(items, count + 1, s->item_bytes);
	memcpy((char *)config + s->items_at, &items, sizeof(items));
	*(size_t *)((char *)config + s->count_at) = count + 1;

	item = items + count * s->item_bytes;
	memset(item, 0, s->item_bytes);
	copy = mem_string(title);
	memcpy(item + s->title_at, &copy, sizeof(copy));
	while (option_sections[index] != s)
		index++;
	place_at(config, index, count, place_r);
	for (const struct option_row *o = s->rows; o->section != NULL; o++)
		option_set_preset(o, item);
	return true;
}

void
option_places_free(struct config *config)
{
	struct option_place place = { 0 };

	while (option_place_next(config, &place)) {
		for (const struct option_row *o = place.section->rows; o->section != NULL; o++)
			option_free(o, place.base);
		if (place.section->titled)
			free((char *)place.title);
	}
	for (size_t i = 0; i < OPTION_SECTION_COUNT; i++) {
		const struct option_section *s = option_sections[i];
		void *items;

		if (!s->titled)
			continue;
		memcpy(&items, (char *)config + s->items_at, sizeof(items));
		free(items);
	}
}

bool
option_title_right(const struct config *config, const struct option_section *s, const char *title,
    size_t len, struct buf *why)
{
	char shown[100], name[VALUE_MOST_TITLE_BYTES + 1];
	struct option_place place;

	if (!value_is_title(title, len)) {
		buf_addf(why,
		    "found \"%s\", wanted a name of letters, digits and '-' that begins with a "
		    "letter, of at most %d",
		    text_safe(shown, sizeof(shown), title, len), VALUE_MOST_TITLE_BYTES);
		return false;
	}
	memcpy(name, title, len);
	name[len] = '\0';
	if (s->taken != NULL && text_same(name, s->taken)) {
		buf_addf(why, "found %s, which is what %s is called, wanted another name", name,
		    s->taken_by);
		return false;
	}
	if (option_place_find(config, s->name, name, &place)) {
		buf_addf(why, "found %s%s a second time, wanted each name once", name,
		    strcmp(name, place.title) == 0 ? "" : " (case makes no difference)");
		return false;
	}
	if (place_count(config, s) >= s->most) {
		buf_addf(why, "found more than %zu", s->most);
		return false;
	}
	return true;
}

/* ---- finding rows ------------------------------------------------------------------------ */

const struct option_row *
option_find(const char *section, const char *name)
{
	const struct option_section *s = option_section_find(section);

	for (const struct option_row *o = s == NULL ? NULL : s->rows; o != NULL && o->section; o++)
		if (strcmp(o->name, name) == 0)
			return o;
	return NULL;
}

/* Edits (insert, drop, replace, swap of neighbours) between two short names. */
static unsigned
distance(const char *a, const char *b)
{
	enum { MOST = 40 };
	unsigned rows[3][MOST + 1];
	size_t a_len = strlen(a), b_len = strlen(b);

	if (a_len > MOST || b_len > MOST)
		return UINT_MAX;
	for (size_t j = 0; j <= b_len; j++)
		rows[0][j] = (unsigned)j;
	for (size_t i = 1; i <= a_len; i++) {
		unsigned *row = rows[i % 3], *above = rows[(i - 1) % 3];

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= b_len; j++) {
			unsigned best = above[j - 1] + (a[i - 1] != b[j - 1]);

			if (above[j] + 1 < best)
				best = above[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    rows[(i - 2) % 3][j - 2] + 1 < best)
				best = rows[(i - 2) % 3][j - 2] + 1;
			row[j] = best;
		}
	}
	return rows[a_len % 3][b_len];
}

static bool
ends_in_word(const char *text, size_t len, const char *word, size_t word_len)
{
	return word_len > 0 && len > word_len && text[len - word_len - 1] == '-' &&
	       strcmp(text + len - word_len, word) == 0;
}

/* How far a row is from what was asked for; UINT_MAX: not near. */
static unsigned
row_distance(const struct option_row *o, const char *section, const char *name)
{
	bool here = section != NULL && strcmp(section, o->section) == 0;
	size_t name_len = strlen(name), o_len = strlen(o->name);
	unsigned away = distance(name, o->name);

	/* "stream" and "message-stream". */
	if (here && (ends_in_word(o->name, o_len, name, name_len) ||
			ends_in_word(name, name_len, o->name, o_len)))
		return 0;
	/* Another section only with a name that is very like it. */
	if (away > (here ? 1 + o_len / 3 : o_len / 6))
		return UINT_MAX;
	return 2 * away + !here;
}

const struct option_row *
option_nearest(const char *section, const char *name)
{
	const struct option_row *nearest = NULL;
	unsigned least = UINT_MAX;

	for (size_t i = 0; i < OPTION_SECTION_COUNT; i++) {
		for (const struct option_row *o = option_sections[i]->rows; o->section != NULL;
		     o++) {
			unsigned away = row_distance(o, section, name);

			if (away < least) {
				least = away;
				nearest = o;
			}
		}
	}
	return nearest;
}

void
option_print_preset(const struct option_section *s, const struct option_row *o, struct buf *out)
{
	void *base = mem_new(s->titled ? s->item_bytes : sizeof(struct config));

	option_set_preset(o, base);
	option_print(o, base, out);
	option_free(o, base);
	free(base);
}
