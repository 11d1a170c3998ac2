#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/mem.h"

static void
new_is_zeroed(void **state)
{
	static const char zeros[64];
	char *one = mem_new(64);
	char *many = mem_array(8, 8);

	(void)state;
	assert_memory_equal(one, zeros, 64);
	assert_memory_equal(many, zeros, 64);
	free(one);
	free(many);
	free(mem_new(0));
	free(mem_array(0, 8));
	free(mem_resize(NULL, 0, 0));
}

static void
copies_end_in_nul(void **state)
{
	char *text = mem_string("abc");
	char *bytes = mem_bytes("a\0bcd", 4);
	char *none = mem_bytes(NULL, 0);
	char *made = mem_format("%s-%d", "x", 7);

	(void)state;
	assert_string_equal(text, "abc");
	assert_memory_equal(bytes, "a\0bc\0", 5);
	assert_string_equal(none, "");
	assert_string_equal(made, "x-7");
	made = mem_resize(made, 100, 2);
	assert_string_equal(made, "x-7");
	free(text);
	free(bytes);
	free(none);
	free(made);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(new_is_zeroed),
		cmocka_unit_test(copies_end_in_nul),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
