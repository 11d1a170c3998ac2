#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/ulid.h"

static void
form(void **state)
{
	static const struct {
		const char *reason;
		int64_t wall_ms;
		const char *expected;
	} cases[] = {
		{ "epoch", 0, "0000000000" },
		{ "the example of the specification", 1469918176385, "01ARYZ6S41" },
		{ "the last one", (INT64_C(1) << 48) - 1, "7ZZZZZZZZZ" },
	};
	char id[ULID_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		print_message("%s\n", cases[i].reason);
		ulid_make(id, cases[i].wall_ms);
		assert_int_equal(strlen(id), ULID_LEN);
		assert_memory_equal(id, cases[i].expected, 10);
		assert_true(ulid_ok(id));
	}
}

static void
judges(void **state)
{
	(void)state;
	assert_true(ulid_ok("01ARYZ6S41TSV4RRFFQ69G5FAV"));
	assert_false(ulid_ok(""));
	assert_false(ulid_ok("01ARYZ6S41TSV4RRFFQ69G5FA"));
	assert_false(ulid_ok("01ARYZ6S41TSV4RRFFQ69G5FAVX"));
	assert_false(ulid_ok("01ARYZ6S41TSV4RRFFQ69G5FAU")); /* no I, L, O, U */
	assert_false(ulid_ok("01aryz6s41tsv4rrffq69g5fav"));
	assert_false(ulid_ok("01ARYZ6S41TSV4RRFFQ69G5FA\n"));
}

static int
compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void
never_twice(void **state)
{
	enum { MANY = 50000 };
	char(*ids)[ULID_SIZE] = malloc(sizeof(*ids) * MANY);
	unsigned used[32] = { 0 };

	(void)state;
	for (size_t i = 0; i < MANY; i++) {
		ulid_make(ids[i], 1469918176385);
		for (int at = 10; at < ULID_LEN; at++)
			used[strcspn(
			    "0123456789ABCDEFGHJKMNPQRSTVWXYZ", (char[]){ ids[i][at], 0 })]++;
	}
	qsort(ids, MANY, sizeof(*ids), compare);
	for (size_t i = 1; i < MANY; i++)
		assert_string_not_equal(ids[i - 1], ids[i]);
	/* 25,000 of each character are expected; the deviation is some 160. */
	for (size_t i = 0; i < 32; i++)
		assert_in_range(used[i], 24000, 26000);
	free(ids);
}

static void
not_even_in_a_child(void **state)
{
	char mine[ULID_SIZE], theirs[ULID_SIZE];
	int ends[2], status;
	pid_t child;

	(void)state;
	ulid_make(mine, 0);
	assert_int_equal(pipe(ends), 0);
	child = fork();
	if (child == 0) {
		ulid_make(theirs, 0);
		_exit(write(ends[1], theirs, ULID_SIZE) == ULID_SIZE ? 0 : 1);
	}
	assert_true(child > 0);
	ulid_make(mine, 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(read(ends[0], theirs, ULID_SIZE), ULID_SIZE);
	assert_string_not_equal(mine, theirs);
	close(ends[0]);
	close(ends[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(form),
		cmocka_unit_test(judges),
		cmocka_unit_test(never_twice),
		cmocka_unit_test(not_even_in_a_child),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
