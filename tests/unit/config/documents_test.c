/*
 * The sample file and the OPTIONS of pmrelay.conf(5) are what the table says.  With --write they
 * are written from it ("make documents").
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"

#include "config/config.h"

static const char begin_mark[] = ".\\\" Options, from the table:\n";
static const char end_mark[] = ".\\\" End of the options.\n";

static char *
source_path(const char *name)
{
	const char *folder = getenv("top_srcdir");

	return mem_format("%s/%s", folder != NULL ? folder : ".", name);
}

static void
read_file(const char *name, struct buf *text)
{
	char *path = source_path(name), piece[4096];
	FILE *file = fopen(path, "r");
	size_t got;

	if (file == NULL)
		fail_msg("%s: cannot be read", path);
	buf_init(text, 1 << 20);
	while ((got = fread(piece, 1, sizeof(piece), file)) > 0)
		buf_add(text, piece, got);
	fclose(file);
	free(path);
}

static void
write_file(const char *name, const struct buf *text)
{
	char *path = source_path(name);
	FILE *file = fopen(path, "w");

	if (file == NULL || fwrite(text->data, 1, text->len, file) != text->len ||
	    fclose(file) != 0)
		fail_msg("%s: cannot be written", path);
	free(path);
}

/* The documents in the tree name the folders of a build with --localstatedir=/var. */
static void
name_usual_folders(struct buf *text, const char *folder)
{
	size_t len = strlen(folder), text_len;
	char *old = buf_take(text, &text_len);

	buf_init(text, 1 << 20);
	for (const char *at = old; *at != '\0';) {
		if (strncmp(at, folder, len) == 0 && at[len] == '/') {
			buf_adds(text, "/var");
			at += len;
		} else {
			buf_addc(text, *at++);
		}
	}
	free(old);
}

static void
make_sample(struct buf *text)
{
	buf_init(text, 1 << 20);
	config_sample(text);
	name_usual_folders(text, LOCALSTATEDIR);
}

static void
make_page(const struct buf *page, struct buf *text)
{
	const char *from = strstr(page->data, begin_mark), *to = strstr(page->data, end_mark);
	struct buf options;
	char *folder;
	size_t len = 0;

	if (from == NULL || to == NULL || to < from)
		fail_msg("doc/pmrelay.conf.5: the marks around the options are gone");
	from += strlen(begin_mark);

	/* A hyphen is \- in roff. */
	folder = mem_new(2 * sizeof(LOCALSTATEDIR) + 2);
	for (const char *c = LOCALSTATEDIR; *c != '\0'; c++) {
		if (*c == '-')
			folder[len++] = '\\';
		folder[len++] = *c;
	}
	buf_init(&options, 1 << 20);
	config_manual(&options);
	name_usual_folders(&options, folder);
	free(folder);

	buf_init(text, 1 << 20);
	buf_add(text, page->data, (size_t)(from - page->data));
	buf_add(text, options.data, options.len);
	buf_adds(text, to);
	buf_free(&options);
}

/* The first line that differs says more than two whole files. */
static void
assert_same_lines(const char *name, const struct buf *found, const struct buf *wanted)
{
	const char *a = found->data, *b = wanted->data;

	for (unsigned line = 1; *a != '\0' || *b != '\0'; line++) {
		size_t a_len = strcspn(a, "\n"), b_len = strcspn(b, "\n");

		if (a_len != b_len || memcmp(a, b, a_len) != 0)
			fail_msg(
			    "%s:%u: found \"%.*s\", the table says \"%.*s\"; run make documents",
			    name, line, (int)a_len, a, (int)b_len, b);
		a += a_len + (a[a_len] == '\n');
		b += b_len + (b[b_len] == '\n');
	}
}

static void
test_sample(void **state)
{
	struct buf found, wanted;

	(void)state;
	read_file("etc/pmrelay.conf", &found);
	make_sample(&wanted);
	assert_same_lines("etc/pmrelay.conf", &found, &wanted);
	buf_free(&found);
	buf_free(&wanted);
}

static void
test_page(void **state)
{
	struct buf found, wanted;

	(void)state;
	read_file("doc/pmrelay.conf.5", &found);
	make_page(&found, &wanted);
	assert_same_lines("doc/pmrelay.conf.5", &found, &wanted);
	buf_free(&found);
	buf_free(&wanted);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sample),
		cmocka_unit_test(test_page),
	};

	if (argc == 2 && strcmp(argv[1], "--write") == 0) {
		struct buf page, text;

		make_sample(&text);
		write_file("etc/pmrelay.conf", &text);
		buf_free(&text);
		read_file("doc/pmrelay.conf.5", &page);
		make_page(&page, &text);
		write_file("doc/pmrelay.conf.5", &text);
		buf_free(&page);
		buf_free(&text);
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
