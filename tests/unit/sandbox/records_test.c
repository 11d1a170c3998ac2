#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "sandbox/records.h"

#define ID "6f0f3a52-0d8b-4f3e-9a52-3b6f1c1d7e10"

static struct record *
add(struct records *records, int64_t server, const char *message)
{
	return records_add(records, server, message, json_pack("{s:i}", "n", 1), mem_string("raw"));
}

static void
finds(void **state)
{
	struct records *records = records_new(1000, UINT64_MAX, 9000000001u);

	(void)state;
	assert_null(records_at(records, 0));
	assert_null(records_find(records, 1, 9000000001u));
	assert_int_equal(add(records, 1, ID)->number, 9000000001u);
	for (int i = 0; i < 200; i++)
		add(records, 2, NULL);
	assert_int_equal(records_count(records), 201);
	assert_int_equal(records_find(records, 2, 9000000201u)->number, 9000000201u);
	assert_null(records_find(records, 2, 9000000202u));
	assert_null(records_find(records, 2, 0));
	/* Another server's is none. */
	assert_non_null(records_find(records, 1, 9000000001u));
	assert_null(records_find(records, 2, 9000000001u));
	assert_non_null(records_by_message(records, 1, "6F0F3A52-0d8b-4f3e-9a52-3b6f1c1d7e10"));
	assert_null(records_by_message(records, 2, ID));
	assert_null(records_by_message(records, 1, ""));
	records_clear(records);
	assert_int_equal(records_count(records), 0);
	/* Numbers never come again. */
	assert_int_equal(add(records, 1, NULL)->number, 9000000202u);
	records_free(&records);
	assert_null(records);
	records_free(&records);
}

static void
forgets_the_oldest(void **state)
{
	struct records *records = records_new(10, UINT64_MAX, 1);

	(void)state;
	for (int i = 0; i < 1000; i++)
		add(records, 1, NULL);
	assert_int_equal(records_count(records), 10);
	assert_int_equal(records_at(records, 0)->number, 991);
	assert_null(records_find(records, 1, 990));
	assert_int_equal(records_find(records, 1, 1000)->number, 1000);
	records_free(&records);
}

static void
forgets_by_size(void **state)
{
	struct records *records = records_new(1000, 4000, 1);
	char *large;

	(void)state;
	for (int i = 0; i < 100; i++)
		add(records, 1, NULL);
	assert_in_range(records_count(records), 2, 20);
	/* One that is too large by itself stays alone. */
	large = mem_new(10001);
	for (int i = 0; i < 10000; i++)
		large[i] = 'x';
	records_add(records, 1, NULL, json_object(), large);
	assert_int_equal(records_count(records), 1);
	records_free(&records);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds),
		cmocka_unit_test(forgets_the_oldest),
		cmocka_unit_test(forgets_by_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
