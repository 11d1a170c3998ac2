#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/secret.h"

static void
holds_a_copy(void **state)
{
	char text[] = "POSTMARK_API_TEST";
	struct secret *secret = secret_new(text, 8);
	struct secret *copy = secret_copy(secret);

	(void)state;
	text[0] = 'x';
	assert_string_equal(secret_text(secret), "POSTMARK");
	assert_int_equal(secret_len(secret), 8);
	secret_free(&secret);
	assert_null(secret);
	secret_free(&secret);
	assert_string_equal(secret_text(copy), "POSTMARK");
	assert_true(secret_same(copy, "POSTMARK", 8));
	assert_false(secret_same(copy, "POSTMARX", 8));
	assert_false(secret_same(copy, "POSTMAR", 7));
	assert_false(secret_same(copy, "", 0));
	secret_free(&copy);
	assert_null(secret_copy(NULL));
	secret = secret_new("", 0);
	assert_string_equal(secret_text(secret), "");
	secret_free(&secret);
}

static void
larger_than_a_page(void **state)
{
	char *text = malloc(10000);
	struct secret *secret;

	(void)state;
	memset(text, 's', 10000);
	secret = secret_new(text, 10000);
	assert_true(secret_same(secret, text, 10000));
	assert_int_equal(strlen(secret_text(secret)), 10000);
	secret_free(&secret);
	free(text);
}

static void
files(void **state)
{
	static const struct {
		const char *reason;
		const char *content;
		size_t len;
		const char *expected;
		int failure;
	} cases[] = {
		{ "a line", "token\n", 6, "token", 0 },
		{ "no line end", "token", 5, "token", 0 },
		{ "CR LF", "token\r\n", 7, "token", 0 },
		{ "the first of two", "token\nother\n", 12, "token", 0 },
		{ "spaces stay", " to ken \n", 9, " to ken ", 0 },
		{ "empty", "", 0, NULL, EINVAL },
		{ "empty line", "\ntoken\n", 7, NULL, EINVAL },
		{ "CR LF alone", "\r\n", 2, NULL, EINVAL },
		{ "NUL inside", "to\0ken\n", 7, NULL, EINVAL },
	};
	char path[] = "/tmp/secret_test.XXXXXX";
	struct secret *secret;
	char *line = malloc(5000);
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		print_message("%s\n", cases[i].reason);
		assert_int_equal(ftruncate(fd, 0), 0);
		assert_int_equal(
		    pwrite(fd, cases[i].content, cases[i].len, 0), (ssize_t)cases[i].len);
		errno = 0;
		secret = secret_read_file(path);
		if (cases[i].expected == NULL) {
			assert_null(secret);
			assert_int_equal(errno, cases[i].failure);
		} else {
			assert_non_null(secret);
			assert_string_equal(secret_text(secret), cases[i].expected);
		}
		secret_free(&secret);
	}
	memset(line, 'x', 5000);
	for (ssize_t len = 4096; len <= 4099; len++) {
		assert_int_equal(ftruncate(fd, 0), 0);
		assert_int_equal(pwrite(fd, line, (size_t)len, 0), len);
		errno = 0;
		secret = secret_read_file(path);
		assert_int_equal(secret != NULL, len <= 4096);
		assert_int_equal(errno, len <= 4096 ? 0 : EFBIG);
		secret_free(&secret);
	}
	close(fd);
	unlink(path);
	free(line);
	assert_null(secret_read_file(path));
	assert_int_equal(errno, ENOENT);
	assert_null(secret_read_file("/"));
	assert_int_equal(errno, EISDIR);
}

static void
wiped(void **state)
{
	char text[] = "secret";

	(void)state;
	secret_wipe(text, sizeof(text));
	for (size_t i = 0; i < sizeof(text); i++)
		assert_int_equal(text[i], 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(holds_a_copy),
		cmocka_unit_test(larger_than_a_page),
		cmocka_unit_test(files),
		cmocka_unit_test(wiped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
