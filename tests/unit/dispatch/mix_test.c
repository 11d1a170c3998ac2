#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "dispatch/mix.h"

static const char letters_of[MIX_KINDS] = { 'e', 't', 's' };

static enum item_kind
kind_of(char letter)
{
	return letter == 's'                    ? ITEM_SMTP
	       : letter == 't' || letter == 'T' ? ITEM_TEMPLATE
						: ITEM_EMAIL;
}

/* A claim, one letter an item: e, t and s of ten bytes, E and T of a hundred. */
static void
claim(struct mix *mix, const char *letters, int64_t *key)
{
	size_t count = strlen(letters);
	struct store_item *items = mem_array(count, sizeof(*items));

	for (size_t i = 0; i < count; i++) {
		bool large = letters[i] == 'E' || letters[i] == 'T';

		items[i].key = ++*key;
		items[i].kind = kind_of(letters[i]);
		payload_init(&items[i].payload);
		payload_init(&items[i].shared);
		items[i].payload.len = large ? 60 : 6;
		items[i].shared.len = large ? 40 : 4;
	}
	mix_add(mix, items, count);
}

/* All requests that leave, as "eee tt", and their items in their order. */
static void
leave(struct mix *mix, size_t most_items, uint64_t most_bytes, bool all, char *out)
{
	struct store_item *items;
	size_t count;

	while (mix_next(mix, most_items, most_bytes, all, &items, &count)) {
		assert_true(count > 0 && count <= most_items);
		assert_true(mix_is_one_request(items, count));
		if (*out != '\0')
			strcat(out, " ");
		for (size_t i = 0; i < count; i++) {
			assert_true(i == 0 || items[i].key > items[i - 1].key);
			strncat(out, &letters_of[items[i].kind], 1);
		}
		free(items);
	}
}

static void
requests_of_one_kind(void **state)
{
	static const struct {
		const char *reason;
		const char *claims[7];
		size_t most_items;
		uint64_t most_bytes;
		bool all; /* after the last claim */
		const char *leaves;
	} cases[] = {
		{ "full ones leave", { "eteteete" }, 5, 1000, false, "eeeee" },
		{ "the rest of a short queue leaves", { "eteteete" }, 5, 1000, true, "eeeee ttt" },
		{ "both wait for the next claim", { "ete", "ete" }, 4, 1000, false, "eeee" },
		{ "a rare kind waits for some claims", { "teee", "eeee", "eeee", "eeee" }, 4, 1000,
		    false, "eeee eeee eeee" },
		{ "but not for more", { "teee", "eeee", "eeee", "eeee", "eeee" }, 4, 1000, false,
		    "eeee eeee eeee eeee t" },
		{ "a rare kind gathers", { "teee", "teee", "eeee", "teee", "eeee" }, 4, 1000, false,
		    "eeee eeee eeee eeee ttt" },
		{ "bytes fill as well", { "eteete" }, 100, 25, true, "ee ee tt" },
		{ "what may still grow waits", { "eteete" }, 100, 25, false, "ee" },
		{ "one that is larger goes alone", { "Et" }, 100, 25, true, "e t" },
		{ "with what is small before it", { "eEe" }, 100, 25, true, "e e e" },
		{ "by SMTP one goes at a time, and waits for nobody", { "sesets" }, 5, 1000, false,
		    "s s s" },
		{ "whatever else there is", { "sesets" }, 5, 1000, true, "ee t s s s" },
		{ "nothing", { "" }, 5, 1000, true, "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct mix mix = { 0 };
		char out[256] = "";
		int64_t key = 0;

		for (size_t j = 0; cases[i].claims[j] != NULL; j++) {
			bool last = cases[i].claims[j + 1] == NULL;

			claim(&mix, cases[i].claims[j], &key);
			leave(&mix, cases[i].most_items, cases[i].most_bytes, cases[i].all && last,
			    out);
		}
		if (strcmp(out, cases[i].leaves) != 0)
			fail_msg("%s: %s", cases[i].reason, out);
		assert_true(!cases[i].all || mix_is_empty(&mix));
		out[0] = '\0';
		leave(&mix, 1000, UINT64_MAX, true, out);
		assert_true(mix_is_empty(&mix));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_of_one_kind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
