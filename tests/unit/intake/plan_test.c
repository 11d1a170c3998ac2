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
	assert_int_equal(plan_convert(&f.plan, &f.input, 0, make_id, NULL, &mail, &f.refusal), 0);
	/* Sixty would have taken five times as much. */
	assert_int_equal(f.plan.patterns->steps, 0);
	for (const struct mail *each = mail; each != NULL; each = each->next, count++)
		assert_non_null(strstr(each->ledger, "no-template"));
	assert_int_equal(count, 60);
	mail_free(&mail);
	fixture_free(&f);
	buf_free(&settings);
}

/* A client that tries again would hear the same. */
static void
test_most_groups(void **state)
{
	struct fixture f;
	struct buf settings;

	(void)state;
	buf_init(&settings, 100000);
	add_routes(&settings, PLAN_MOST_GROUPS, "");
	for (unsigned over = 0; over < 2; over++) {
		fixture_init(
		    &f, settings.data, PLAN_MOST_GROUPS + over, "From: a@b.example\r\n\r\nx");
		assert_int_equal(
		    plan_make(&f.plan, f.rules, &f.input, &f.refusal), over == 0 ? 0 : -1);
		fixture_free(&f);
	}
	assert_int_equal(f.refusal.code, 554);
	assert_string_equal(f.refusal.enhanced, "5.5.3");
	buf_free(&settings);
}

struct purse {
	int64_t left, least;
};

static bool
take(void *ctx, int64_t bytes)
{
	struct purse *purse = ctx;

	if (bytes > purse->left)
		return false;
	purse->left -= bytes;
	if (purse->left < purse->least)
		purse->least = purse->left;
	return true;
}

/* Each mail but the first needs room, before it is made and as it is; and all is given back. */
static void
test_room(void **state)
{
	static const struct {
		const char *reason, *more;
	} cases[] = {
		{ "an attachment", "" },
		{ "the mail as it is", "on-date = smtp" },
	};
	struct buf content;

	(void)state;
	buf_init(&content, 200000);
	buf_adds(&content, "From: a@b.example\r\nDate: Mon, 1 Jan 2024 00:00:00 +0000\r\n"
			   "Content-Type: application/pdf; name=a.pdf\r\n"
			   "Content-Transfer-Encoding: base64\r\n\r\n");
	while (content.len < 100000)
		buf_adds(&content, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
				   "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct purse purse = { .left = 310000, .least = 310000 };
		struct plan_room room = { .take = take, .ctx = &purse };
		struct fixture f;
		struct buf settings;
		struct mail *mail;

		buf_init(&settings, 10000);
		add_routes(&settings, 4, cases[i].more);
		fixture_init(&f, settings.data, 4, content.data);
		assert_int_equal(plan_make(&f.plan, f.rules, &f.input, &f.refusal), 0);
		assert_int_equal(
		    plan_convert(&f.plan, &f.input, 0, make_id, &room, &mail, &f.refusal), 0);
		assert_int_equal(purse.left, 310000);
		assert_in_range(310000 - purse.least, 285000, 310000);
		mail_free(&mail);

		purse = (struct purse){ .left = 150000 };
		assert_int_equal(
		    plan_convert(&f.plan, &f.input, 0, make_id, &room, &mail, &f.refusal), -1);
		assert_null(mail);
		assert_int_equal(f.refusal.code, 452);
		assert_string_equal(f.refusal.enhanced, "4.3.1");
		assert_int_equal(purse.left, 150000);
		fixture_free(&f);
		buf_free(&settings);
	}
	buf_free(&content);
}

/* A mail that grows as it is made is found out then. */
static void
test_growth(void **state)
{
	struct purse purse = { .left = 5000 };
	struct plan_room room = { .take = take, .ctx = &purse };
	struct fixture f;
	struct buf settings, content;
	struct mail *mail;

	(void)state;
	buf_init(&settings, 10000);
	buf_init(&content, 10000);
	add_routes(&settings, 2, "");
	buf_adds(&content, "From: a@b.example\r\n\r\n");
	while (content.len < 4000)
		buf_addc(&content, '"');
	fixture_init(&f, settings.data, 2, content.data);
	assert_int_equal(plan_make(&f.plan, f.rules, &f.input, &f.refusal), 0);
	assert_int_equal(plan_convert(&f.plan, &f.input, 0, make_id, &room, &mail, &f.refusal), -1);
	assert_int_equal(f.refusal.code, 452);
	assert_int_equal(purse.left, 5000);
	fixture_free(&f);
	buf_free(&settings);
	buf_free(&content);
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
		cmocka_unit_test(test_most_groups),
		cmocka_unit_test(test_room),
		cmocka_unit_test(test_growth),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
