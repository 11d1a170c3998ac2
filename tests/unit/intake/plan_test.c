/* What becomes of a transaction of several routes, and what it may cost. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/pattern.h"
#include "config/config.h"
#include "mail/envelope.h"
#include "mail/mail.h"
#include "mail/refusal.h"
#include "convert/convert.h"
#include "intake/plan.h"
#include "intake/rules.h"

/* Rules and a mail to r0@x.example and on. */
struct fixture {
	struct config *config;
	struct rules *rules;
	struct envelope envelope;
	struct origin origin;
	struct plan_input input;
	struct plan plan;
	struct refusal refusal;
};

static char sender[] = "a@b.example";

static void
fixture_init(struct fixture *f, const char *settings, unsigned recipients, const char *content)
{
	struct buf about;
	char why[400], address[40];

	*f = (struct fixture){
		.origin = { .listener = "", .client = "192.0.2.1", .helo = "", .user = "" }
	};
	buf_init(&about, 10000);
	f->config = config_parse(settings, strlen(settings), "test.conf", &about);
	if (f->config == NULL)
		fail_msg("%s", about.data);
	buf_free(&about);
	f->rules = rules_new(f->config, why, sizeof(why));
	if (f->rules == NULL)
		fail_msg("%s", why);
	f->envelope.reverse_path = sender;
	for (unsigned i = 0; i < recipients; i++) {
		snprintf(address, sizeof(address), "r%u@x.example", i);
		strlist_add(&f->envelope.recipients, address);
	}
	f->input = (struct plan_input){ .envelope = &f->envelope,
		.origin = &f->origin,
		.content = content,
		.content_len = strlen(content) };
}

static void
fixture_free(struct fixture *f)
{
	plan_free(&f->plan);
	strlist_free(&f->envelope.recipients);
	rules_free(&f->rules);
	config_free(&f->config);
}

static void
make_id(char out[ULID_SIZE], int64_t at_ms)
{
	(void)at_ms;
	memcpy(out, "01J8ZZZZZZZZZZZZZZZZZZZZZZ", ULID_SIZE);
}

static void
add_routes(struct buf *settings, unsigned count, const char *more)
{
	for (unsigned i = 0; i < count; i++)
		buf_addf(
		    settings, "route r%u { envelope-to = \"r%u@x.example\"\n%s }\n", i, i, more);
}

/* One budget for the templates of all groups. */
static void
test_patterns(void **state)
{
	struct fixture f;
	struct buf settings;
	struct mail *mail;
	size_t count = 0;

	(void)state;
	buf_init(&settings, 100000);
	add_routes(
	    &settings, 60, "template = welcome\ntemplate-match = \"header:X-A: (?<a>(a+)+)$\"");
	fixture_init(&f, settings.data, 60,
	    "From: a@b.example\r\nX-A: "
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab\r\n\r\nx\r\n");
	assert_int_equal(plan_make(&f.plan, f.rules, &f.input, &f.refusal), 0);
	assert_int_equal(f.plan.group_count, 60);
	assert_int_equal(f.plan.patterns->steps, PATTERN_STEPS_OF_MAIL);
	assert_int_equal(plan_convert(&f.plan, &f.input, 0, make_id, &mail, &f.refusal), 0);
	/* Sixty would have taken five times as much. */
	assert_int_equal(f.plan.patterns->steps, 0);
	for (const struct mail *each = mail; each != NULL; each = each->next, count++)
		assert_non_null(strstr(each->ledger, "no-template"));
	assert_int_equal(count, 60);
	mail_free(&mail);
	fixture_free(&f);
	buf_free(&settings);
}

static int
setup(void **state)
{
	(void)state;
	convert_setup();
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_patterns),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
