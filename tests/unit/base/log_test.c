#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include <jansson.h>

#include "base/clock.h"
#include "base/log.h"

static int ends[2];

static int
setup(void **state)
{
	(void)state;
	clock_fake(1795415365123, 0);
	if (pipe(ends) != 0 || fcntl(ends[0], F_SETFL, O_NONBLOCK) != 0)
		return -1;
	log_setup("core", LOG_LEVEL_INFO, LOG_FORMAT_TEXT, ends[1]);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	log_setup("test", LOG_LEVEL_INFO, LOG_FORMAT_TEXT, STDERR_FILENO);
	clock_restore();
	close(ends[0]);
	close(ends[1]);
	return 0;
}

/* What was logged since the last call. */
static const char *
logged(void)
{
	static char text[65536];
	ssize_t len = read(ends[0], text, sizeof(text) - 1);

	text[len < 0 ? 0 : len] = '\0';
	return text;
}

static void
text_lines(void **state)
{
	(void)state;
	log_warning("waiting", log_str("item", "01J8"), log_num("try", 3),
	    log_str("why", "http 503"), log_str("none", NULL));
	assert_string_equal(logged(), "time=2026-11-23T06:29:25.123Z level=warning process=core "
				      "event=waiting item=01J8 try=3 why=\"http 503\"\n");
	log_info("quoting", log_str("a", ""), log_str("b", "x=y"), log_str("c", "say \"x\\\""),
	    log_bytes("d", "l1\nl2\0", 6), log_num("e", INT64_MIN));
	assert_string_equal(logged(),
	    "time=2026-11-23T06:29:25.123Z level=info process=core event=quoting a=\"\" b=\"x=y\" "
	    "c=\"say \\\"x\\\\\\\"\" d=\"l1\\\\x0Al2\\\\x00\" e=-9223372036854775808\n");
	log_error("bare");
	assert_string_equal(
	    logged(), "time=2026-11-23T06:29:25.123Z level=error process=core event=bare\n");
}

static void
json_lines(void **state)
{
	json_t *line;

	(void)state;
	log_setup("core", LOG_LEVEL_INFO, LOG_FORMAT_JSON, ends[1]);
	log_info("quoting", log_str("a", "x\"\\y"), log_bytes("b", "\x1b\xff", 2), log_num("n", -7),
	    log_str("none", NULL));
	line = json_loads(logged(), JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(line);
	assert_string_equal(
	    json_string_value(json_object_get(line, "time")), "2026-11-23T06:29:25.123Z");
	assert_string_equal(json_string_value(json_object_get(line, "event")), "quoting");
	assert_string_equal(json_string_value(json_object_get(line, "a")), "x\"\\y");
	assert_string_equal(json_string_value(json_object_get(line, "b")), "\\x1B\\xFF");
	assert_int_equal(json_integer_value(json_object_get(line, "n")), -7);
	assert_null(json_object_get(line, "none"));
	json_decref(line);
}

static void
long_lines_are_cut(void **state)
{
	char text[3000];
	json_t *line;

	(void)state;
	/* Every byte of it doubles when it is quoted. */
	memset(text, '"', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	for (int json = 0; json < 2; json++) {
		const char *out;
		size_t len;

		log_setup(
		    "core", LOG_LEVEL_INFO, json ? LOG_FORMAT_JSON : LOG_FORMAT_TEXT, ends[1]);
		log_info("long", log_str("a", text), log_str("b", text), log_str("c", text),
		    log_str("d", "short"));
		out = logged();
		len = strlen(out);
		assert_true(len > 1024 && len <= 4096);
		assert_int_equal(out[len - 1], '\n');
		assert_ptr_equal(strchr(out, '\n'), out + len - 1);
		if (!json) {
			assert_string_equal(out + len - 7, " cut=1\n");
			continue;
		}
		line = json_loads(out, 0, NULL);
		assert_non_null(line);
		assert_int_equal(json_integer_value(json_object_get(line, "cut")), 1);
		json_decref(line);
	}
}

static int evaluated;

static const char *
evaluate(void)
{
	evaluated++;
	return "x";
}

static void
levels(void **state)
{
	enum log_level level;

	(void)state;
	assert_true(log_enabled(LOG_LEVEL_INFO));
	assert_false(log_enabled(LOG_LEVEL_DEBUG));
	log_debug("quiet", log_str("a", evaluate()));
	assert_string_equal(logged(), "");
	assert_int_equal(evaluated, 0);
	log_set_level(LOG_LEVEL_DEBUG);
	log_debug("loud", log_str("a", evaluate()));
	assert_non_null(strstr(logged(), "level=debug"));
	assert_int_equal(evaluated, 1);
	log_set_level(LOG_LEVEL_ERROR);
	log_warning("quiet");
	assert_string_equal(logged(), "");

	assert_int_equal(log_level_parse("Warning", &level), 0);
	assert_int_equal(level, LOG_LEVEL_WARNING);
	assert_int_equal(log_level_parse("debug", &level), 0);
	assert_int_equal(level, LOG_LEVEL_DEBUG);
	assert_int_equal(log_level_parse("loud", &level), -1);
	assert_int_equal(log_level_parse("", &level), -1);
}

static void
errno_survives(void **state)
{
	(void)state;
	log_setup("core", LOG_LEVEL_INFO, LOG_FORMAT_TEXT, -1);
	errno = ENOSPC;
	log_error("nowhere");
	assert_int_equal(errno, ENOSPC);
}

static void *
log_many(void *ctx)
{
	for (int i = 0; i < 100; i++)
		log_info("thread", log_num("n", i), log_str("who", ctx));
	return NULL;
}

static void
threads_do_not_mix(void **state)
{
	pthread_t threads[4];
	int lines = 0;

	(void)state;
	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, log_many, (void *)(uintptr_t) "somebody");
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	for (const char *line = logged(); *line != '\0'; line = strchr(line, '\n') + 1) {
		assert_memory_equal(line, "time=2026", 9);
		assert_memory_equal(strchr(line, '\n') - 12, "who=somebody", 12);
		lines++;
	}
	assert_int_equal(lines, 400);
}

static void
gate(void **state)
{
	struct log_gate door = { 0 };
	int64_t left_out = -1;

	(void)state;
	assert_true(log_gate_pass(&door, 1000, &left_out));
	assert_int_equal(left_out, 0);
	assert_false(log_gate_pass(&door, 1000, &left_out));
	clock_fake_advance(999);
	assert_false(log_gate_pass(&door, 1000, &left_out));
	clock_fake_advance(1);
	assert_true(log_gate_pass(&door, 1000, &left_out));
	assert_int_equal(left_out, 2);
}

#define log_unit_test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		log_unit_test(text_lines),
		log_unit_test(json_lines),
		log_unit_test(long_lines_are_cut),
		log_unit_test(levels),
		log_unit_test(errno_survives),
		log_unit_test(threads_do_not_mix),
		log_unit_test(gate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
