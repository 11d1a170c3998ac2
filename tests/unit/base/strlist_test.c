#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "base/strlist.h"

static void
owns_its_strings(void **state)
{
	struct strlist list = { 0 };
	struct strlist copy;

	(void)state;
	assert_false(strlist_has(&list, "a"));
	strlist_add(&list, "a");
	strlist_add_bytes(&list, "bcd", 2);
	strlist_take(&list, mem_string("e"));
	for (int i = 0; i < 100; i++)
		strlist_take(&list, mem_format("%d", i));
	assert_int_equal(list.count, 103);
	assert_string_equal(list.items[1], "bc");
	assert_string_equal(list.items[102], "99");
	assert_true(strlist_has(&list, "bc"));
	assert_false(strlist_has(&list, "BC"));
	assert_false(strlist_has(&list, ""));
	strlist_copy(&copy, &list);
	strlist_free(&list);
	assert_int_equal(list.count, 0);
	assert_true(strlist_has(&copy, "99"));
	strlist_free(&copy);
	strlist_free(&copy);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(owns_its_strings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
