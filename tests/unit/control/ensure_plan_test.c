/* What ensure would do about webhooks as they may be found. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/strlist.h"
#include "mail/hook.h"

#include "control/ensure_plan.h"

#define OURS     "https://relay.example/hooks"
#define TRIGGERS "\"Triggers\":{\"Delivery\":{\"Enabled\":true},\"Bounce\":{\"Enabled\":true}}"
#define AUTH     "\"HttpAuth\":{\"Username\":\"pmrelay\",\"Password\":\"pw\"}"
#define WEBHOOK(id, url, stream, auth, triggers, status)                                           \
	"{\"ID\":" #id ",\"Url\":\"" url "\",\"MessageStream\":\"" stream "\"," auth "," triggers  \
	",\"Status\":\"" status "\"}"
#define STRAY OURS "/zzzzzzzz-ZZZZZZZZ_zzzzzzz0123456" /* secrets that nobody knows */
#define NOW   INT64_C(1800000000000)
#define RIGHT WEBHOOK(7, OURS "/aaaa", "outbound", AUTH, TRIGGERS, "verified")

/* "outbound" is in use; its hook "aaaa" has the webhook 7, unless another list is named. */
static struct hook usual[] = {
	{ "aaaa", "default", "outbound", "pmrelay", "pw", 7, 1, 0 },
	{ "old1", "default", "outbound", "pmrelay", "pw", 7, 1, 99 },
	{ "shop", "shop", "outbound", "pmrelay", "pw", 7, 1, 0 },
	{ "inbo", "default", "inbound", "pmrelay", "pw", 0, 1, 0 },
};
static struct hook unmade[] = { { "aaaa", "default", "outbound", "pmrelay", "pw", 0, 1, 0 } };
static struct hook two[] = {
	{ "aaaa", "default", "outbound", "pmrelay", "pw", 7, 1, 0 },
	{ "bbbb", "default", "outbound", "pmrelay", "pw", 8, 1, 0 },
};
static struct hook leftover[] = {
	{ "aaaa", "default", "outbound", "pmrelay", "pw", 7, 1, 0 },
	{ "bbbb", "default", "outbound", "pmrelay", "pw", 0, NOW - ENSURE_YOUNG_MS - 1, 0 },
};
static struct hook fresh[] = {
	{ "aaaa", "default", "outbound", "pmrelay", "pw", 7, 1, 0 },
	{ "bbbb", "default", "outbound", "pmrelay", "pw", 0, NOW - ENSURE_YOUNG_MS, 0 },
};
#define LIST(list) list, sizeof(list) / sizeof(list[0])

/* "what ID hook old: wrong", a line each; hooks by their path, "-" for none. */
static const struct {
	const char *reason, *webhooks;
	struct hook *hooks;
	size_t hook_count;
	bool rotate, partial;
	const char *plan;
} cases[] = {
	{ "all is well", RIGHT, LIST(usual), false, false, "fine 7 aaaa -: \n" },
	{ "deleted at Postmark: the same secrets again", "", LIST(usual), false, false,
	    "make 0 aaaa -: missing\n" },
	{ "nothing was ever made", "", NULL, 0, false, false, "make 0 - -: missing\n" },
	{ "kept and not made, after a crash", "", LIST(unmade), false, false,
	    "make 0 aaaa -: missing\n" },
	{ "made and not noted, after a crash", RIGHT, LIST(unmade), false, false,
	    "fine 7 aaaa -: \n" },
	{ "another public URL before",
	    WEBHOOK(7, "https://old.example/aaaa", "outbound", AUTH, TRIGGERS, "verified"),
	    LIST(usual), false, false, "mend 7 aaaa -: wrong URL\n" },
	{ "edited by hand to elsewhere",
	    WEBHOOK(7, "https://else.example/", "outbound", AUTH, TRIGGERS, "verified"),
	    LIST(usual), false, false, "mend 7 aaaa -: wrong URL\n" },
	{ "another path of ours", WEBHOOK(9, STRAY, "outbound", AUTH, TRIGGERS, "verified"), NULL,
	    0, false, false, "mend 9 - -: unknown secret\n" },
	{ "another password",
	    WEBHOOK(7, OURS "/aaaa", "outbound",
		"\"HttpAuth\":{\"Username\":\"pmrelay\",\"Password\":\"no\"}", TRIGGERS,
		"verified"),
	    LIST(usual), false, false, "mend 7 aaaa -: wrong secret\n" },
	{ "no password",
	    WEBHOOK(7, OURS "/aaaa", "outbound", "\"HttpAuth\":null", TRIGGERS, "verified"),
	    LIST(usual), false, false, "mend 7 aaaa -: wrong secret\n" },
	{ "a trigger is off",
	    WEBHOOK(7, OURS "/aaaa", "outbound", AUTH,
		"\"Triggers\":{\"Delivery\":{\"Enabled\":true},\"Bounce\":{\"Enabled\":false}}",
		"verified"),
	    LIST(usual), false, false, "mend 7 aaaa -: no trigger Bounce\n" },
	{ "more triggers than wanted stay",
	    WEBHOOK(7, OURS "/aaaa", "outbound", AUTH,
		"\"Triggers\":{\"Delivery\":{\"Enabled\":true},\"Bounce\":{\"Enabled\":true},"
		"\"Open\":{\"Enabled\":true}}",
		"verified"),
	    LIST(usual), false, false, "fine 7 aaaa -: \n" },
	{ "paused", WEBHOOK(7, OURS "/aaaa", "outbound", AUTH, TRIGGERS, "unverified"), LIST(usual),
	    false, false, "mend 7 aaaa -: paused\n" },
	{ "there twice", RIGHT "," WEBHOOK(8, STRAY, "outbound", AUTH, TRIGGERS, "verified"),
	    LIST(usual), false, false, "fine 7 aaaa -: \nremove 8 - -: one too many\n" },
	{ "there twice, and ours is the second",
	    WEBHOOK(6, STRAY, "outbound", AUTH, TRIGGERS, "verified") "," RIGHT, LIST(usual), false,
	    false, "fine 7 aaaa -: \nremove 6 - -: one too many\n" },
	{ "there twice, both ours",
	    RIGHT "," WEBHOOK(8, OURS "/bbbb", "outbound", AUTH, TRIGGERS, "verified"), LIST(two),
	    false, false, "fine 7 aaaa -: \nremove 8 - bbbb: one too many\n" },
	{ "there twice, both ours, and the second works",
	    WEBHOOK(7, OURS "/aaaa", "outbound", AUTH, TRIGGERS, "unverified") "," WEBHOOK(
		8, OURS "/bbbb", "outbound", AUTH, TRIGGERS, "verified"),
	    LIST(two), false, false, "fine 8 bbbb -: \nremove 7 - aaaa: one too many\n" },
	{ "there twice, both ours, and the second lacks less",
	    WEBHOOK(7, "https://old.example/aaaa", "outbound", "\"HttpAuth\":null", TRIGGERS,
		"verified") "," WEBHOOK(8, "https://old.example/bbbb", "outbound", AUTH, TRIGGERS,
		"verified"),
	    LIST(two), false, false, "mend 8 bbbb -: wrong URL\nremove 7 - aaaa: one too many\n" },
	{ "there twice, and ours does not work",
	    WEBHOOK(8, STRAY, "outbound", AUTH, TRIGGERS, "verified") "," WEBHOOK(
		7, OURS "/aaaa", "outbound", AUTH, TRIGGERS, "unverified"),
	    LIST(usual), false, false, "mend 7 aaaa -: paused\nremove 8 - -: one too many\n" },
	{ "secrets of a webhook that is gone", RIGHT, LIST(two), false, false,
	    "fine 7 aaaa -: \nforget 0 - bbbb: secrets of no webhook\n" },
	{ "secrets that never had one", RIGHT, LIST(leftover), false, false,
	    "fine 7 aaaa -: \ndrop 0 - bbbb: secrets of no webhook\n" },
	{ "secrets that may get one yet", RIGHT, LIST(fresh), false, false,
	    "fine 7 aaaa -: \nforget 0 - bbbb: secrets of no webhook\n" },
	{ "one made by hand is left alone",
	    RIGHT "," WEBHOOK(5, OURS "/by-hand", "outbound", AUTH, TRIGGERS, "verified"),
	    LIST(usual), false, false, "fine 7 aaaa -: \n" },
	{ "what points elsewhere is nobody's business",
	    RIGHT "," WEBHOOK(
		5, "https://relay.example/hooksandmore/x", "outbound", AUTH, TRIGGERS, "verified"),
	    LIST(usual), false, false, "fine 7 aaaa -: \n" },
	{ "an application of the same host is left alone",
	    RIGHT "," WEBHOOK(5, OURS "/crm/postmark.php", "outbound", AUTH, TRIGGERS, "verified"),
	    LIST(usual), false, false, "fine 7 aaaa -: \n" },
	{ "... and its webhook is not taken for ours",
	    WEBHOOK(5, OURS "/postmark", "outbound", AUTH, TRIGGERS, "verified"), NULL, 0, false,
	    false, "make 0 - -: missing\n" },
	{ "another relay below the same URL",
	    RIGHT "," WEBHOOK(5, OURS "/b/zzzzzzzz-ZZZZZZZZ_zzzzzzz0123456", "outbound", AUTH,
		TRIGGERS, "verified"),
	    LIST(usual), false, false, "fine 7 aaaa -: \n" },
	{ "a letter more than ours have",
	    RIGHT "," WEBHOOK(5, STRAY "z", "outbound", AUTH, TRIGGERS, "verified"), LIST(usual),
	    false, false, "fine 7 aaaa -: \n" },
	{ "a sign that ours have not",
	    RIGHT "," WEBHOOK(5, OURS "/zzzzzzzz.ZZZZZZZZ_zzzzzzz0123456", "outbound", AUTH,
		TRIGGERS, "verified"),
	    LIST(usual), false, false, "fine 7 aaaa -: \n" },
	{ "ours with a query that somebody added",
	    WEBHOOK(9, OURS "/aaaa?x=1", "outbound", AUTH, TRIGGERS, "verified"), LIST(usual),
	    false, false, "mend 9 aaaa -: wrong URL\n" },
	{ "a stream that is not in use is left alone",
	    RIGHT "," WEBHOOK(5, STRAY, "news", AUTH, TRIGGERS, "verified"), LIST(usual), false,
	    false, "fine 7 aaaa -: \nleave 5 - -: no route uses this stream\n" },
	{ "other streams are not looked at",
	    RIGHT "," WEBHOOK(5, STRAY, "news", AUTH, TRIGGERS, "verified"), LIST(two), false, true,
	    "fine 7 aaaa -: \n" },
	{ "new secrets, the old ones stay for a while", RIGHT, LIST(usual), true, false,
	    "mend 7 - aaaa: secrets to be changed\n" },
	{ "new secrets for what is not there", "", NULL, 0, true, false, "make 0 - -: missing\n" },
};

static const char *
name_of(const struct ensure_step *step)
{
	switch (step->what) {
	case ENSURE_FINE:
		return "fine";
	case ENSURE_MAKE:
		return "make";
	case ENSURE_MEND:
		return "mend";
	case ENSURE_REMOVE:
		return "remove";
	case ENSURE_FORGET:
		return step->drops ? "drop" : "forget";
	case ENSURE_LEAVE:
		return "leave";
	}
	return "?";
}

static void
test_plans(void **state)
{
	json_t *triggers =
	    json_loads("{\"Delivery\":{\"Enabled\":true},\"Bounce\":{\"Enabled\":true},"
		       "\"Open\":{\"Enabled\":false}}",
		0, NULL);
	struct strlist streams = { 0 };

	(void)state;
	strlist_add(&streams, "outbound");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf text, plan;
		struct ensure_input input = { .public_url = OURS "/",
			.manual_secret = "by-hand",
			.connection = "default",
			.streams = &streams,
			.hooks = cases[i].hooks,
			.hook_count = cases[i].hook_count,
			.triggers = triggers,
			.now_ms = NOW,
			.rotate = cases[i].rotate,
			.partial = cases[i].partial };
		struct ensure_step *steps;
		json_t *webhooks;
		size_t count;

		buf_init(&text, 10000);
		buf_addf(&text, "[%s]", cases[i].webhooks);
		webhooks = json_loads(text.data, 0, NULL);
		assert_non_null(webhooks);
		input.webhooks = webhooks;
		steps = ensure_plan(&input, &count);
		buf_init(&plan, 10000);
		for (size_t j = 0; j < count; j++)
			buf_addf(&plan, "%s %lld %s %s: %s\n", name_of(&steps[j]),
			    (long long)steps[j].id,
			    steps[j].hook >= 0 ? input.hooks[steps[j].hook].path : "-",
			    steps[j].old >= 0 ? input.hooks[steps[j].old].path : "-",
			    steps[j].wrong);
		if (strcmp(plan.data, cases[i].plan) != 0)
			fail_msg("%s:\n%s", cases[i].reason, plan.data);
		ensure_steps_free(steps, count);
		json_decref(webhooks);
		buf_free(&plan);
		buf_free(&text);
	}
	strlist_free(&streams);
	json_decref(triggers);
}

/* Of "default": one that stays, a newer one that is valid as well, and one that ends. */
static struct hook inbound[] = {
	{ "newr", "default", "inbound", "pmrelay", "pw", 0, 9, 0 },
	{ "usua", "default", "inbound", "pmrelay", "pw", 0, 2, 0 },
	{ "ends", "default", "inbound", "pmrelay", "pw", 0, 1, 99 },
	{ "shop", "shop", "inbound", "pmrelay", "pw", 0, 10, 0 },
	{ "outb", "default", "outbound", "pmrelay", "pw", 7, 11, 0 },
};
#define HERE(path) "https://pmrelay:pw@relay.example/hooks/" path

static void
test_inbound(void **state)
{
	static const struct {
		const char *reason, *url;
		size_t hook_count; /* of inbound */
		bool rotate, takes;
		const char *plan; /* "what hook: wrong" */
	} urls[] = {
		{ "none, and never was", "", 0, false, false, "mend -: no InboundHookUrl" },
		{ "none any more: the newest secrets", "", 5, false, false,
		    "mend newr: no InboundHookUrl" },
		{ "all is well", HERE("newr"), 5, false, false, "fine newr: " },
		{ "a change that was refused or got lost", HERE("usua"), 5, false, false,
		    "fine usua: " },
		{ "somebody put the former one back", HERE("ends"), 5, false, false,
		    "mend newr: wrong InboundHookUrl" },
		{ "another password", "https://pmrelay:no@relay.example/hooks/newr", 5, false,
		    false, "mend newr: wrong InboundHookUrl" },
		{ "another public URL before", "https://pmrelay:pw@old.example/newr", 5, false,
		    false, "mend newr: wrong InboundHookUrl" },
		{ "secrets that nobody knows", STRAY, 5, false, false,
		    "mend newr: wrong InboundHookUrl" },
		{ "new secrets", HERE("newr"), 5, true, false, "mend -: secrets to be changed" },
		{ "an application's", "https://in.example/hook", 5, false, false,
		    "leave newr: another InboundHookUrl" },
		{ "an application's, whatever is to be changed", "https://in.example/hook", 5, true,
		    false, "leave -: another InboundHookUrl" },
		{ "an application's of the same host", OURS "/in", 0, false, false,
		    "leave -: another InboundHookUrl" },
		{ "of another connection", HERE("shop"), 5, false, false,
		    "leave newr: another InboundHookUrl" },
		{ "an application's that is to be taken", "https://in.example/hook", 5, false, true,
		    "mend newr: another InboundHookUrl" },
		{ "nothing to take", HERE("newr"), 5, false, true, "fine newr: " },
		{ "made by hand", OURS "/by-hand", 5, true, false, "fine -: " },
		{ "made by hand, to be taken", OURS "/by-hand", 0, false, true,
		    "mend -: another InboundHookUrl" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
		const struct ensure_input input = { .public_url = OURS "/",
			.manual_secret = "by-hand",
			.connection = "default",
			.hooks = inbound,
			.hook_count = urls[i].hook_count,
			.rotate = urls[i].rotate };
		const struct ensure_inbound plan =
		    ensure_inbound_plan(&input, urls[i].url, urls[i].takes);
		const struct ensure_step step = { .what = plan.what };
		char text[200];

		snprintf(text, sizeof(text), "%s %s: %s", name_of(&step),
		    plan.hook >= 0 ? inbound[plan.hook].path : "-", plan.wrong);
		if (strcmp(text, urls[i].plan) != 0)
			fail_msg("%s: %s", urls[i].reason, text);
		assert_int_equal(plan.others, strstr(text, "another") != NULL);
	}
}

static void
test_path_here(void **state)
{
	static const struct {
		const char *reason, *url, *ours, *path;
	} urls[] = {
		{ "below", OURS "/aaaa", OURS, "aaaa" },
		{ "below, ours with a slash", OURS "/aaaa", OURS "/", "aaaa" },
		{ "ours itself", OURS, OURS, "" },
		{ "with a query", OURS "?a=b", OURS, "?a=b" },
		{ "with user and password", "https://u:p@relay.example/hooks/aaaa", OURS, "aaaa" },
		{ "goes on with other letters", OURS "x/aaaa", OURS, NULL },
		{ "another host", "https://relay.example.net/hooks/aaaa", OURS, NULL },
		{ "our host as a user", "https://relay.example@else.example/hooks/a", OURS, NULL },
		{ "another scheme", "http://relay.example/hooks/aaaa", OURS, NULL },
		{ "shorter than ours", "https://relay", OURS, NULL },
		{ "no URL", "relay.example/hooks/aaaa", OURS, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
		const char *path = ensure_path_here(urls[i].url, urls[i].ours);

		if ((path == NULL) != (urls[i].path == NULL) ||
		    (path != NULL && strcmp(path, urls[i].path) != 0))
			fail_msg("%s: %s", urls[i].reason, path != NULL ? path : "no");
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plans),
		cmocka_unit_test(test_inbound),
		cmocka_unit_test(test_path_here),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
