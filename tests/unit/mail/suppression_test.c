/* The table of suppressed addresses: what is made is found, and what is no table finds nothing. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"

#include "mail/suppression.h"

#define MANY 5000

/* Not in order, as they come. */
static const struct suppression list[] = {
	{ "default", "outbound", "zoe@x.example", "SpamComplaint", "Recipient", 30, false },
	{ "default", "broadcast", "ann@x.example", "ManualSuppression", "Recipient", 20, false },
	{ "shop", "outbound", "bo@x.example", "HardBounce", "Recipient", 40, false },
	{ "default", "outbound", "ann@x.example", "HardBounce", "Recipient", 10, false },
	{ "default", "outbound", "bo@y.example", "", "", 0, false },
};

static void
make(struct buf *out, const struct suppression *what, size_t count)
{
	buf_init(out, SIZE_MAX / 4);
	suppression_table_make(out, what, count);
	assert_false(out->over);
	assert_int_equal(suppression_table_check(out->data, out->len), 0);
}

static void
test_find(void **state)
{
	static const struct {
		const char *reason, *connection, *stream, *address;
		int64_t at_ms; /* -1: not found */
		const char *why;
	} cases[] = {
		{ "the first", "default", "outbound", "ann@x.example", 10, "HardBounce" },
		{ "in other letters", "default", "outbound", "Ann@X.Example", 10, "HardBounce" },
		{ "the last", "shop", "outbound", "bo@x.example", 40, "HardBounce" },
		{ "another stream", "default", "broadcast", "ann@x.example", 20,
		    "ManualSuppression" },
		{ "nothing is known of why", "default", "outbound", "bo@y.example", 0, "" },
		{ "not on that stream", "default", "broadcast", "zoe@x.example", -1, NULL },
		{ "not on that server", "shop", "outbound", "ann@x.example", -1, NULL },
		{ "no such stream", "default", "none", "ann@x.example", -1, NULL },
		{ "an address that one begins with", "default", "outbound", "ann@x.exampl", -1,
		    NULL },
		{ "nothing", "", "", "", -1, NULL },
	};
	struct suppression_found found;
	struct buf table;

	(void)state;
	make(&table, list, sizeof(list) / sizeof(list[0]));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int rc = suppression_table_find(table.data, table.len, cases[i].connection,
		    cases[i].stream, cases[i].address, &found);

		if ((rc == 0) != (cases[i].at_ms >= 0))
			fail_msg("%s: %d", cases[i].reason, rc);
		if (rc == 0 &&
		    (found.at_ms != cases[i].at_ms || strcmp(found.reason, cases[i].why) != 0))
			fail_msg("%s: %s", cases[i].reason, found.reason);
	}
	buf_free(&table);
}

/* Facts of one address on one stream, in all orders. */
static void
test_replaces(void **state)
{
	static const struct {
		const char *why;
		int64_t is_there_ms, comes_ms;
		bool replaces;
	} cases[] = {
		{ "later", 10, 11, true },
		{ "posted again after something later", 11, 10, false },
		{ "of one moment: what comes last", 10, 10, true },
		{ "of an unknown moment", 10, 0, false },
		{ "nothing is known of either", 0, 0, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (int lifted = 0; lifted < 4; lifted++) {
			const struct suppression is_there = { .at_ms = cases[i].is_there_ms,
				.lifted = lifted & 1 };
			const struct suppression comes = { .at_ms = cases[i].comes_ms,
				.lifted = lifted & 2 };

			if (suppression_replaces(&comes, &is_there) != cases[i].replaces)
				fail_msg("%s", cases[i].why);
		}
}

static void
test_lifted(void **state)
{
	struct suppression some[3] = { list[0], list[1], list[2] };
	struct suppression_found found;
	struct suppression copy;
	struct buf table;

	(void)state;
	some[1].lifted = true;
	make(&table, some, 3);
	assert_int_equal(suppression_table_find(
			     table.data, table.len, "default", "outbound", "zoe@x.example", &found),
	    0);
	assert_int_equal(suppression_table_find(table.data, table.len, "default", "broadcast",
			     "ann@x.example", &found),
	    -1);
	assert_int_equal(suppression_table_find(
			     table.data, table.len, "shop", "outbound", "bo@x.example", &found),
	    0);
	buf_free(&table);
	suppression_copy(&copy, &some[1]);
	assert_true(copy.lifted);
	suppression_deinit(&copy);
}

static void
test_empty(void **state)
{
	struct suppression_found found;
	struct buf table;

	(void)state;
	make(&table, NULL, 0);
	assert_int_equal(suppression_table_find(
			     table.data, table.len, "default", "outbound", "ann@x.example", &found),
	    -1);
	buf_free(&table);
	assert_int_equal(
	    suppression_table_find(NULL, 0, "default", "outbound", "ann@x.example", &found), -1);
}

static void
test_many(void **state)
{
	struct suppression *many = mem_array(MANY, sizeof(*many));
	struct suppression_found found;
	struct buf table;

	(void)state;
	for (size_t i = 0; i < MANY; i++) {
		char address[64];
		struct suppression one = { "default", i % 2 ? "outbound" : "broadcast", address,
			i % 3 ? "HardBounce" : "SpamComplaint", "Recipient", (int64_t)i, false };

		snprintf(address, sizeof(address), "a%zu@x.example", i * 7919 % MANY);
		suppression_copy(&many[i], &one);
	}
	make(&table, many, MANY);
	/* Shared texts are there once: two dozen bytes of text a row at most. */
	assert_true(table.len < MANY * (32 + 24));
	for (size_t i = 0; i < MANY; i++) {
		assert_int_equal(suppression_table_find(table.data, table.len, "default",
				     many[i].stream, many[i].address, &found),
		    0);
		assert_int_equal(found.at_ms, i);
		assert_int_equal(suppression_table_find(table.data, table.len, "default",
				     i % 2 ? "broadcast" : "outbound", many[i].address, &found),
		    -1);
	}
	buf_free(&table);
	suppression_list_free(many, MANY);
}

/* Whatever bytes are cut or changed: either it is refused, or reading stays within. */
static void
test_broken(void **state)
{
	struct suppression_found found;
	struct buf table;
	char *copy;

	(void)state;
	make(&table, list, sizeof(list) / sizeof(list[0]));
	for (size_t len = 0; len < table.len; len++) {
		copy = mem_bytes(table.data, len); /* so that valgrind sees its end */
		assert_int_equal(suppression_table_check(copy, len), -1);
		free(copy);
	}
	for (size_t i = 0; i < table.len; i++) {
		for (int bit = 0; bit < 8; bit++) {
			copy = mem_bytes(table.data, table.len);
			copy[i] = (char)(copy[i] ^ (1 << bit));
			if (suppression_table_check(copy, table.len) == 0)
				(void)suppression_table_find(copy, table.len, "default", "outbound",
				    "zoe@x.example", &found);
			free(copy);
		}
	}
	buf_free(&table);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_replaces),
		cmocka_unit_test(test_lifted),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_broken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
