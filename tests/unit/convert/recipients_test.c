/* Who gets what: a table, and random envelopes against headers. */

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/strlist.h"
#include "mail/address.h"
#include "convert/guard.h"
#include "convert/recipients.h"

static void
words_to_list(struct strlist *list, const char *words)
{
	char *copy = mem_string(words), *rest = copy, *word;

	while ((word = strsep(&rest, " ")) != NULL)
		if (word[0] != '\0')
			strlist_add(list, word);
	free(copy);
}

static void
words_to_boxes(struct mailbox_list *boxes, const char *words)
{
	struct strlist list = { 0 };

	words_to_list(&list, words);
	boxes->boxes = mem_array(list.count, sizeof(*boxes->boxes));
	boxes->count = list.count;
	for (size_t i = 0; i < list.count; i++)
		boxes->boxes[i].address = mem_string(list.items[i]);
	strlist_free(&list);
}

static void
print_boxes(struct buf *out, const char *name, const struct mailbox **boxes, size_t count)
{
	if (count == 0)
		return;
	buf_addf(out, "%s%s", out->len == 0 || out->data[out->len - 1] == '|' ? "" : " ", name);
	for (size_t i = 0; i < count; i++)
		buf_addf(out, " %s", boxes[i]->address);
}

static const struct {
	const char *reason;
	const char *envelope;
	const char *to;
	const char *cc;
	size_t most;
	const char *items; /* "To a Cc b Bcc c|To d" */
	size_t dropped;
} cases[] = {
	{ "one", "a@x", "a@x", "", 50, "To a@x", 0 },
	{ "each kind", "c@x b@x a@x", "a@x", "b@x", 50, "To a@x Cc b@x Bcc c@x", 0 },
	{ "the header's order, the envelope's for the blind", "d@x c@x b@x a@x", "b@x a@x", "", 50,
	    "To b@x a@x Bcc d@x c@x", 0 },
	{ "nobody outside the envelope", "a@x", "b@x a@x c@x", "d@x", 50, "To a@x", 3 },
	{ "Cc for a missing To", "a@x b@x", "", "b@x", 50, "To b@x Bcc a@x", 0 },
	{ "Cc for a To outside the envelope", "a@x b@x", "z@x", "b@x", 50, "To b@x Bcc a@x", 1 },
	{ "blind only", "a@x b@x c@x", "", "", 50, "To a@x|To b@x|To c@x", 0 },
	{ "header of others only", "a@x b@x", "z@x", "y@x", 50, "To a@x|To b@x", 2 },
	{ "repeats", "a@x a@x b@x a@x b@x", "a@x a@x", "a@x", 50, "To a@x Bcc b@x", 0 },
	{ "local parts differ by case", "a@x A@x", "A@x", "", 50, "To A@x Bcc a@x", 0 },
	{ "exactly the limit", "a@x b@x c@x", "a@x", "b@x", 3, "To a@x Cc b@x Bcc c@x", 0 },
	{ "To over the limit", "a@x b@x c@x d@x e@x", "a@x b@x c@x d@x e@x", "", 2,
	    "To a@x b@x|To c@x d@x|To e@x", 0 },
	{ "Cc in the second item becomes To there", "a@x b@x c@x d@x", "a@x", "b@x c@x d@x", 2,
	    "To a@x Cc b@x|To c@x d@x", 0 },
	{ "the blind ride with the last that are shown", "a@x b@x c@x d@x e@x", "a@x b@x c@x", "",
	    2, "To a@x b@x|To c@x Bcc d@x|To e@x", 0 },
	{ "the blind that are left are alone", "a@x b@x c@x d@x", "a@x", "", 2,
	    "To a@x Bcc b@x|To c@x|To d@x", 0 },
	{ "a limit of one", "a@x b@x c@x", "a@x", "b@x", 1, "To a@x|To b@x|To c@x", 0 },
};

static void
test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct strlist envelope = { 0 };
		struct mailbox_list to = { 0 }, cc = { 0 };
		struct recipients_split split;
		struct buf out;

		words_to_list(&envelope, cases[i].envelope);
		words_to_boxes(&to, cases[i].to);
		words_to_boxes(&cc, cases[i].cc);
		recipients_split(&split, &envelope, &to, &cc, cases[i].most);
		buf_init(&out, 1 << 20);
		for (size_t j = 0; j < split.item_count; j++) {
			if (j > 0)
				buf_addc(&out, '|');
			print_boxes(&out, "To", split.items[j].to, split.items[j].to_count);
			print_boxes(&out, "Cc", split.items[j].cc, split.items[j].cc_count);
			print_boxes(&out, "Bcc", split.items[j].bcc, split.items[j].bcc_count);
		}
		if (strcmp(out.data, cases[i].items) != 0 ||
		    split.shown_dropped != cases[i].dropped)
			fail_msg(
			    "%s: %s (dropped %zu)", cases[i].reason, out.data, split.shown_dropped);
		buf_free(&out);
		recipients_free(&split);
		mailbox_list_free(&to);
		mailbox_list_free(&cc);
		strlist_free(&envelope);
	}
}

/* --- properties ------------------------------------------------------------ */

static uint32_t seed = 20261123;

static uint32_t
random_below(uint32_t limit)
{
	seed = seed * 1664525u + 1013904223u;
	return (uint32_t)(((uint64_t)seed * limit) >> 32);
}

static void
random_boxes(struct mailbox_list *boxes, size_t count, uint32_t people)
{
	boxes->boxes = mem_array(count, sizeof(*boxes->boxes));
	boxes->count = count;
	for (size_t i = 0; i < count; i++)
		boxes->boxes[i].address = mem_format("p%u@x.example", random_below(people));
}

static char *
list_text(const struct mailbox **boxes, size_t count)
{
	struct buf out;

	buf_init(&out, SIZE_MAX / 4);
	for (size_t i = 0; i < count; i++)
		mailbox_print(&out, boxes[i]);
	return buf_take(&out, NULL);
}

static void
header_add(struct buf *header, const char *name, const struct mailbox_list *list)
{
	buf_adds(header, name);
	for (size_t i = 0; i < list->count; i++)
		buf_addf(header, "%s%s", i > 0 ? ",\r\n " : "", list->boxes[i].address);
	buf_adds(header, "\r\n");
}

/*
 * The split against the guard, which knows nothing of how it is made; and what the guard does not
 * judge: sizes, a To everywhere, blind recipients beside shown ones only.
 */
static void
check_properties(const struct strlist *envelope, const struct mailbox_list *to,
    const struct mailbox_list *cc, size_t most)
{
	struct recipients_split split;
	struct guard_item *written;
	struct buf header;
	char why[400] = "";

	recipients_split(&split, envelope, to, cc, most);
	written = mem_array(split.item_count, sizeof(*written));
	buf_init(&header, SIZE_MAX / 4);
	header_add(&header, "To: ", to);
	header_add(&header, "Cc: ", cc);
	for (size_t i = 0; i < split.item_count; i++) {
		const struct recipients *item = &split.items[i];

		assert_in_range(item->to_count + item->cc_count + item->bcc_count, 1, most);
		assert_true(item->to_count > 0);
		written[i].to = list_text(item->to, item->to_count);
		written[i].cc = list_text(item->cc, item->cc_count);
		written[i].bcc = list_text(item->bcc, item->bcc_count);
	}
	if (!guard_check(written, split.item_count, envelope->items, envelope->count, header.data,
		header.len, why, sizeof(why)))
		fail_msg("%s", why);
	for (size_t i = 0; i < split.item_count; i++) {
		free((char *)(uintptr_t)written[i].to);
		free((char *)(uintptr_t)written[i].cc);
		free((char *)(uintptr_t)written[i].bcc);
	}
	free(written);
	buf_free(&header);
	recipients_free(&split);
}

static void
test_random(void **state)
{
	(void)state;
	for (int round = 0; round < 3000; round++) {
		uint32_t people = 1 + random_below(40);
		struct strlist envelope = { 0 };
		struct mailbox_list to = { 0 }, cc = { 0 };
		size_t count = 1 + random_below(40);

		for (size_t i = 0; i < count; i++) {
			char *address = mem_format("p%u@x.example", random_below(people));

			strlist_take(&envelope, address);
		}
		random_boxes(&to, random_below(20), people);
		random_boxes(&cc, random_below(20), people);
		check_properties(&envelope, &to, &cc, 1 + random_below(12));
		mailbox_list_free(&to);
		mailbox_list_free(&cc);
		strlist_free(&envelope);
	}
}

/* The sizes that matter, with none, some and all of them shown. */
static void
test_sizes(void **state)
{
	static const size_t sizes[] = { 1, 2, 49, 50, 51, 100, 101, 120, 1000 };
	static const size_t shares[] = { 0, 1, 40, 100 };

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		for (size_t j = 0; j < sizeof(shares) / sizeof(shares[0]); j++) {
			size_t shown = (sizes[i] * shares[j] + 99) / 100, to_count = shown / 2;
			struct strlist envelope = { 0 };
			struct mailbox_list to = { 0 }, cc = { 0 };
			struct recipients_split split;

			for (size_t k = 0; k < sizes[i]; k++)
				strlist_take(&envelope, mem_format("p%zu@x.example", k));
			to.boxes = mem_array(shown, sizeof(*to.boxes));
			cc.boxes = mem_array(shown, sizeof(*cc.boxes));
			for (size_t k = 0; k < shown; k++) {
				struct mailbox_list *list = k < to_count ? &to : &cc;
				list->boxes[list->count++].address = mem_string(envelope.items[k]);
			}
			check_properties(&envelope, &to, &cc, 50);
			recipients_split(&split, &envelope, &to, &cc, 50);
			size_t with_shown = (shown + 49) / 50;
			size_t room = with_shown * 50;
			assert_int_equal(
			    split.item_count, with_shown + (sizes[i] > room ? sizes[i] - room : 0));
			recipients_free(&split);
			mailbox_list_free(&to);
			mailbox_list_free(&cc);
			strlist_free(&envelope);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_sizes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
