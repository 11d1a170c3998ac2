#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/buf.h"

static void
adds_up(void **state)
{
	struct buf buf;

	(void)state;
	buf_init(&buf, 1000);
	assert_int_equal(buf.len, 0);
	buf_adds(&buf, "ab");
	buf_addc(&buf, 'c');
	buf_add(&buf, "d\0e", 3);
	buf_add(&buf, NULL, 0);
	buf_addf(&buf, "%03d", 7);
	assert_int_equal(buf.len, 9);
	assert_memory_equal(buf.data, "abcd\0e007\0", 10);
	buf_consume(&buf, 4);
	assert_memory_equal(buf.data, "\0e007\0", 6);
	buf_consume(&buf, 100);
	assert_int_equal(buf.len, 0);
	assert_false(buf.over);
	buf_free(&buf);
	buf_free(&buf);
}

static void
long_format(void **state)
{
	struct buf buf;
	char text[1000];

	(void)state;
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	buf_init(&buf, 5000);
	buf_addf(&buf, "<%s>", text);
	assert_int_equal(buf.len, 1001);
	assert_int_equal(buf.data[1000], '>');
	assert_int_equal(buf.data[1001], '\0');
	buf_free(&buf);
}

static void
ceiling(void **state)
{
	struct buf buf;

	(void)state;
	buf_init(&buf, 5);
	buf_adds(&buf, "1234");
	buf_adds(&buf, "56");
	assert_true(buf.over);
	assert_string_equal(buf.data, "1234");
	buf_adds(&buf, "5");
	assert_string_equal(buf.data, "12345");
	assert_true(buf.over);
	assert_null(buf_reserve(&buf, 1));
	assert_null(buf_reserve(&buf, SIZE_MAX));
	buf_clear(&buf);
	assert_false(buf.over);
	assert_int_equal(buf.len, 0);
	assert_non_null(buf_reserve(&buf, 5));
	buf_addf(&buf, "%300d", 1);
	assert_true(buf.over);
	assert_int_equal(buf.len, 0);
	buf_free(&buf);

	buf_init(&buf, 0);
	buf_addc(&buf, 'x');
	assert_true(buf.over);
	assert_null(buf.data);
	buf_free(&buf);

	buf_init(&buf, SIZE_MAX);
	assert_null(buf_reserve(&buf, SIZE_MAX - 1));
	buf_adds(&buf, "fits");
	assert_string_equal(buf.data, "fits");
	buf_free(&buf);
}

static void
zeroed_struct_is_freed(void **state)
{
	struct buf buf;

	(void)state;
	/* Its fd of 0 is not a memfd: descriptor 0 stays open. */
	if (fcntl(0, F_GETFD) < 0)
		assert_int_equal(open("/dev/null", O_RDONLY), 0);
	memset(&buf, 0, sizeof(buf));
	buf_free(&buf);
	buf_free(&buf);
	assert_true(fcntl(0, F_GETFD) >= 0);
}

static void
taken(void **state)
{
	struct buf buf;
	size_t len;
	char *text;

	(void)state;
	buf_init(&buf, 1 << 20);
	text = buf_take(&buf, &len);
	assert_string_equal(text, "");
	assert_int_equal(len, 0);
	free(text);
	for (int i = 0; i < 5000; i++)
		buf_addc(&buf, (char)('a' + i % 26));
	text = buf_take(&buf, &len);
	assert_int_equal(len, 5000);
	assert_int_equal(strlen(text), 5000);
	for (int i = 0; i < 5000; i++)
		assert_int_equal(text[i], 'a' + i % 26);
	free(text);
	assert_int_equal(buf.len, 0);
	buf_adds(&buf, "again");
	text = buf_take(&buf, NULL);
	assert_string_equal(text, "again");
	free(text);
	buf_free(&buf);
}

static void
shared(void **state)
{
	/* On the heap to the end, moved to the memfd on the way, and there from the beginning. */
	static const struct {
		size_t expected_bytes;
		int lines;
	} cases[] = {
		{ 0, 0 },
		{ 0, 20000 },
		{ 120000, 20000 },
		{ 1 << 20, 20000 },
		{ 5 << 20, 0 },
		{ 5 << 20, 20000 },
		{ 0, 3000000 },
		{ 5 << 20, 3000000 },
		{ 19 << 20, 3000000 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t expected_len = (size_t)cases[i].lines * 6;
		struct stat facts;
		struct buf buf;
		size_t len;
		char *map;
		int fd;

		buf_init_shared(&buf, 20 << 20, cases[i].expected_bytes);
		for (int n = 0; n < cases[i].lines; n++) {
			char line[7] = "00000 ";

			for (int digit = 4, rest = n; digit >= 0; digit--, rest /= 10)
				line[digit] = (char)('0' + rest % 10);
			buf_add(&buf, line, 6);
		}
		assert_false(buf.over);
		assert_int_equal(buf.len, expected_len);
		if (buf.len > 0)
			assert_int_equal(buf.data[buf.len], '\0');
		fd = buf_take_fd(&buf, &len);
		assert_true(fd >= 0);
		assert_int_equal(len, expected_len);
		assert_int_equal(fstat(fd, &facts), 0);
		assert_int_equal(facts.st_size, expected_len);
		assert_int_equal(fcntl(fd, F_GET_SEALS),
		    F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
		assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
		assert_int_equal(pwrite(fd, "x", 1, 0), -1);
		assert_int_equal(ftruncate(fd, 1), -1);
		if (len > 0) {
			map = mmap(NULL, len, PROT_READ, MAP_PRIVATE, fd, 0);
			assert_true(map != MAP_FAILED);
			for (size_t at = 0; at < len; at += 6) {
				/* Not in the map: strtol() may look for an end that it does not
				 * have. */
				char line[7] = "";

				memcpy(line, map + at, 6);
				assert_int_equal(strtol(line, NULL, 10), at / 6 % 100000);
			}
			munmap(map, len);
		}
		close(fd);
		/* It can be used again. */
		buf_adds(&buf, "again");
		fd = buf_take_fd(&buf, NULL);
		assert_true(fd >= 0);
		close(fd);
		buf_free(&buf);
	}
}

static void
shared_ceiling(void **state)
{
	struct buf buf;
	size_t len;
	int fd;

	(void)state;
	buf_init_shared(&buf, 10, 1 << 30);
	buf_adds(&buf, "0123456789");
	assert_false(buf.over);
	buf_addc(&buf, 'x');
	assert_true(buf.over);
	assert_string_equal(buf.data, "0123456789");
	buf_free(&buf);
	buf_free(&buf);

	buf_init_shared(&buf, 10, 0);
	fd = buf_take_fd(&buf, &len);
	assert_true(fd > 0);
	assert_int_equal(len, 0);
	close(fd);
}

static void
shared_without_descriptors(void **state)
{
	struct rlimit old, none;
	struct buf buf;
	int fd;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	none = old;
	none.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	buf_init_shared(&buf, 10 << 20, 100);
	buf_adds(&buf, "some");
	assert_int_equal(buf_take_fd(&buf, NULL), -1);
	assert_int_equal(errno, EMFILE);
	assert_int_equal(buf.len, 0);
	/* A large one does without the mapping, too. */
	for (int i = 0; i < 10 << 20; i++)
		buf_addc(&buf, 'x');
	assert_false(buf.over);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	fd = buf_take_fd(&buf, NULL);
	assert_true(fd >= 0);
	assert_int_equal(lseek(fd, 0, SEEK_END), 10 << 20);
	close(fd);
	buf_free(&buf);
}

/* What is spilled counts, is in the descriptor, and nothing of it stays when it is given up. */
static void
shared_spilled(void **state)
{
	char text[16] = "";
	struct buf buf;
	size_t len;
	int fd;

	(void)state;
	buf_init_shared(&buf, 20, 4);
	buf_spill(&buf);
	assert_int_equal(buf.fd, -1);
	buf_adds(&buf, "01234");
	buf_spill(&buf);
	buf_adds(&buf, "56");
	buf_spill(&buf);
	assert_int_equal(buf.len, 0);
	assert_string_equal(buf.data, "");
	buf_adds(&buf, "789");
	assert_int_equal(buf_total(&buf), 10);
	buf_adds(&buf, "past the ceiling");
	assert_true(buf.over);
	fd = buf_take_fd(&buf, &len);
	assert_int_equal(len, 10);
	assert_int_equal(pread(fd, text, sizeof(text), 0), 10);
	assert_memory_equal(text, "0123456789", 10);
	assert_int_equal(pwrite(fd, "x", 1, 0), -1);
	close(fd);

	buf_init_shared(&buf, 20, 4);
	buf_adds(&buf, "0123456789");
	buf_spill(&buf);
	buf_clear(&buf);
	assert_int_equal(buf_total(&buf), 0);
	buf_adds(&buf, "again");
	buf_spill(&buf);
	fd = buf.fd;
	buf_free(&buf);
	assert_int_equal(fcntl(fd, F_GETFD), -1);

	buf_init(&buf, 20);
	buf_adds(&buf, "no memfd");
	buf_spill(&buf);
	assert_string_equal(buf.data, "no memfd");
	buf_free(&buf);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(adds_up),
		cmocka_unit_test(long_format),
		cmocka_unit_test(ceiling),
		cmocka_unit_test(zeroed_struct_is_freed),
		cmocka_unit_test(taken),
		cmocka_unit_test(shared),
		cmocka_unit_test(shared_ceiling),
		cmocka_unit_test(shared_without_descriptors),
		cmocka_unit_test(shared_spilled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
