/* By what posts are known: made from the secrets, read without them. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "config/config.h"
#include "mail/hook.h"

#include "webhook/hooks.h"

#define NOW   1788700000000
#define FIRST "0123456789abcdefghijklmnopqrstuv"
#define OLD   "old3456789abcdefghijklmnopqrstuv"
#define INPUT "inp3456789abcdefghijklmnopqrstuv"

static struct hook list[] = {
	{ (char *)FIRST, (char *)"default", (char *)"outbound", (char *)"pm", (char *)"s3:cret", 88,
	    1, 0 },
	{ (char *)OLD, (char *)"default", (char *)"outbound", (char *)"pm", (char *)"before", 87, 1,
	    NOW + 1000 },
	{ (char *)INPUT, (char *)"shop", (char *)"inbound", (char *)"", (char *)"", 0, 1, 0 },
	{ (char *)"ended456789abcdefghijklmnopqrstu", (char *)"shop", (char *)"x", (char *)"",
	    (char *)"", 0, 1, NOW - 1 },
};

static struct hooks *
make(const char *settings, char *json_r, size_t json_size)
{
	struct buf about, out;
	struct config *config;
	struct hooks *hooks;
	char why[256] = "";

	buf_init(&about, 10000);
	buf_init(&out, 100000);
	config = config_parse(settings, strlen(settings), "test", &about);
	if (config == NULL)
		fail_msg("%s", about.data);
	assert_int_equal(hooks_json(config, list, 4, NOW, &out, why, sizeof(why)), 0);
	hooks = hooks_read(out.data, out.len);
	assert_non_null(hooks);
	if (json_r != NULL)
		snprintf(json_r, json_size, "%s", out.data);
	buf_free(&about);
	buf_free(&out);
	config_free(&config);
	return hooks;
}

#define BASIC_RIGHT  "Basic cG06czM6Y3JldA==" /* pm:s3:cret */
#define BASIC_BEFORE "Basic cG06YmVmb3Jl"     /* pm:before */
#define BASIC_MANUAL "Basic aGFuZDptYWRl"     /* hand:made */

static void
what_is_found(void **state)
{
	static const char none[] = "", path[] = "webhook {\n secret = by-hand-16-letters\n}\n",
			  both[] = "webhook {\n secret = by-hand-16-letters\n user = hand\n"
				   " password = made\n connection = default\n}\n",
			  user[] = "webhook {\n user = hand\n password = made\n}\n",
			  header[] = "webhook {\n header = X-Relay-Key\n header-value = k1\n}\n";
	static const struct {
		const char *why, *settings, *path, *authorization, *header;
		int64_t now_ms;
		const char *stream; /* NULL: not known */
	} cases[] = {
		{ "path and password", none, "/" FIRST, BASIC_RIGHT, NULL, NOW, "outbound" },
		{ "whatever a proxy put before it", none, "/a/b/" FIRST, BASIC_RIGHT, NULL, NOW,
		    "outbound" },
		{ "a slash at the end", none, "/a/" FIRST "/", BASIC_RIGHT, NULL, NOW, "outbound" },
		{ "two are too many", none, "/a/" FIRST "//", BASIC_RIGHT, NULL, NOW, NULL },
		{ "encoded", none, "/%30123456789abcdefghijklmnopqrstu%76", BASIC_RIGHT, NULL, NOW,
		    "outbound" },
		{ "small letters", none, "/" FIRST, "basic cG06czM6Y3JldA==", NULL, NOW,
		    "outbound" },
		{ "no password", none, "/" FIRST, NULL, NULL, NOW, NULL },
		{ "another's password", none, "/" FIRST, BASIC_BEFORE, NULL, NOW, NULL },
		{ "another's path", none, "/" OLD, BASIC_RIGHT, NULL, NOW, NULL },
		{ "no path", none, "/", BASIC_RIGHT, NULL, NOW, NULL },
		{ "the path in the query's place", none, "/" FIRST "/x", BASIC_RIGHT, NULL, NOW,
		    NULL },
		{ "a letter less", none, "/0123456789abcdefghijklmnopqrstu", BASIC_RIGHT, NULL, NOW,
		    NULL },
		{ "a letter more", none, "/" FIRST "w", BASIC_RIGHT, NULL, NOW, NULL },
		{ "large letters", none, "/0123456789ABCDEFGHIJKLMNOPQRSTUV", BASIC_RIGHT, NULL,
		    NOW, NULL },
		{ "not base64", none, "/" FIRST, "Basic cG06czM6Y3JldA=", NULL, NOW, NULL },
		{ "not encoded", none, "/" FIRST, "Basic pm:s3:cret", NULL, NOW, NULL },
		{ "another scheme", none, "/" FIRST, "Bearer cG06czM6Y3JldA==", NULL, NOW, NULL },
		{ "the old secrets for a while", none, "/" OLD, BASIC_BEFORE, NULL, NOW + 999,
		    "outbound" },
		{ "and then no more", none, "/" OLD, BASIC_BEFORE, NULL, NOW + 1000, NULL },
		{ "ended before", none, "/ended456789abcdefghijklmnopqrstu", NULL, NULL, NOW,
		    NULL },
		{ "no password is asked for", none, "/" INPUT, NULL, NULL, NOW, "inbound" },
		{ "nor looked at", none, "/" INPUT, BASIC_MANUAL, NULL, NOW, "inbound" },
		{ "nothing made by hand", none, "/by-hand-16-letters", NULL, NULL, NOW, NULL },
		{ "made by hand, the path", path, "/by-hand-16-letters", NULL, NULL, NOW, "" },
		{ "a path alone is not enough", both, "/by-hand-16-letters", NULL, NULL, NOW,
		    NULL },
		{ "a password alone is not enough", both, "/x", BASIC_MANUAL, NULL, NOW, NULL },
		{ "both are", both, "/by-hand-16-letters", BASIC_MANUAL, NULL, NOW, "" },
		{ "those of an instance beside it", both, "/" FIRST, BASIC_RIGHT, NULL, NOW,
		    "outbound" },
		{ "the password alone, where no path is set", user, "/any/path", BASIC_MANUAL, NULL,
		    NOW, "" },
		{ "the header", header, "/", NULL, "k1", NOW, "" },
		{ "another header", header, "/", NULL, "k2", NOW, NULL },
		{ "no header", header, "/", NULL, NULL, NOW, NULL },
		{ "an empty header", header, "/", NULL, "", NOW, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct hooks *hooks = make(cases[i].settings, NULL, 0);
		const struct hooks_shown shown = { cases[i].path, cases[i].authorization,
			cases[i].header };
		struct hooks_found found = { NULL, NULL };
		bool known = hooks_find(hooks, &shown, cases[i].now_ms, &found);

		if (known != (cases[i].stream != NULL) ||
		    (known && strcmp(found.stream, cases[i].stream) != 0))
			fail_msg("%s: %d %s", cases[i].why, known, known ? found.stream : "");
		if (known)
			assert_string_equal(found.connection,
			    strcmp(cases[i].stream, "inbound") == 0 ? "shop" : "default");
		assert_int_equal(hooks_header(hooks) != NULL, cases[i].settings == header);
		hooks_free(&hooks);
	}
}

static void
no_secret_is_in_it(void **state)
{
	static const char settings[] =
	    "webhook {\n secret = by-hand-16-letters\n user = hand\n password = made-by-hand\n"
	    " header = X-Relay-Key\n header-value = value-of-it\n}\n";
	static const char *const secrets[] = { FIRST, OLD, INPUT, "s3:cret", "before",
		"by-hand-16-letters", "made-by-hand", "value-of-it", "ended" };
	char one[10000], other[10000];
	struct hooks *hooks;

	(void)state;
	hooks = make(settings, one, sizeof(one));
	hooks_free(&hooks);
	hooks = make(settings, other, sizeof(other));
	hooks_free(&hooks);
	for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++)
		assert_null(strstr(one, secrets[i]));
	/* A salt of its own, each time. */
	assert_int_equal(strlen(one), strlen(other));
	assert_string_not_equal(one, other);
}

static void
what_is_none_is_not_read(void **state)
{
	char json[10000], *cut;
	struct hooks *hooks =
	    make("webhook {\n secret = by-hand-16-letters\n}\n", json, sizeof(json));
	size_t len = strlen(json);

	(void)state;
	hooks_free(&hooks);
	for (size_t i = 0; i < len; i++)
		assert_null(hooks_read(json, i));
	assert_null(hooks_read("[]", 2));
	assert_null(hooks_read("{}", 2));
	cut = strstr(json, "\"connection\"");
	memcpy(cut, "\"cOnnection\"", 12);
	assert_null(hooks_read(json, len));
	cut = strstr(json, "\"salt\":\"");
	memcpy(cut, "\"salt\":\"x", 9);
	assert_null(hooks_read(json, len));
}

static void
certificates_go_along(void **state)
{
	char folder[] = "/tmp/pmrelay-hooks-XXXXXX", why[256] = "";
	struct buf about, out;
	struct config *config;
	struct hooks *hooks;
	char *command, *settings;

	(void)state;
	if (system("openssl version >/dev/null 2>&1") != 0)
		skip();
	assert_non_null(mkdtemp(folder));
	command = mem_format("cd %s && openssl req -x509 -newkey rsa:2048 -nodes -days 2 "
			     "-subj /CN=localhost -keyout k.pem -out c.pem >/dev/null 2>&1",
	    folder);
	assert_int_equal(system(command), 0);
	free(command);
	settings = mem_format(
	    "webhook {\n certificate-file = %s/c.pem\n key-file = %s/k.pem\n}\n", folder, folder);
	buf_init(&about, 10000);
	buf_init(&out, 100000);
	config = config_parse(settings, strlen(settings), "test", &about);
	if (config == NULL)
		fail_msg("%s", about.data);
	assert_int_equal(hooks_json(config, list, 4, NOW, &out, why, sizeof(why)), 0);
	hooks = hooks_read(out.data, out.len);
	assert_true(hooks_tls(hooks));
	assert_non_null(strstr(hooks_certificate(hooks), "BEGIN CERTIFICATE"));
	assert_non_null(strstr(hooks_key(hooks), "PRIVATE KEY"));
	hooks_free(&hooks);

	/* Without: the rest is told all the same, and that TLS is wanted. */
	free(config->webhook_key_file);
	config->webhook_key_file = mem_format("%s/none.pem", folder);
	buf_clear(&out);
	assert_int_equal(hooks_json(config, list, 4, NOW, &out, why, sizeof(why)), -1);
	assert_non_null(strstr(why, "none.pem: No such file"));
	hooks = hooks_read(out.data, out.len);
	assert_true(hooks_tls(hooks));
	assert_null(hooks_certificate(hooks));
	hooks_free(&hooks);
	free(config->webhook_key_file);
	config->webhook_key_file = mem_format("%s/c.pem", folder);
	buf_clear(&out);
	assert_int_equal(hooks_json(config, list, 4, NOW, &out, why, sizeof(why)), -1);
	assert_non_null(strstr(why, "key in memory: "));

	config_free(&config);
	buf_free(&about);
	buf_free(&out);
	free(settings);
	command = mem_format("rm -r %s", folder);
	assert_int_equal(system(command), 0);
	free(command);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_found),
		cmocka_unit_test(no_secret_is_in_it),
		cmocka_unit_test(what_is_none_is_not_read),
		cmocka_unit_test(certificates_go_along),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
