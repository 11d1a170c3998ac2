/* Settings: what a file, the environment and the table make of each other. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/secret.h"
#include "base/strlist.h"

#include "config/config.h"
#include "config/inbound_value.h"
#include "config/options.h"
#include "config/values.h"

static struct config *
parse(const char *text, struct buf *why)
{
	buf_init(why, 100000);
	return config_parse(text, strlen(text), "test.conf", why);
}

static void
assert_parses(const char *text)
{
	struct buf why;
	struct config *config = parse(text, &why);

	if (config == NULL)
		fail_msg("%s: %s", text, why.data);
	assert_int_equal(why.len, 0);
	config_free(&config);
	buf_free(&why);
}

/* ---- values ------------------------------------------------------------------------------ */

static void
test_size(void **state)
{
	static const struct {
		const char *reason, *text;
		int result;
		uint64_t bytes;
	} cases[] = {
		{ "plain", "1024", 0, 1024 },
		{ "nothing", "0", 0, 0 },
		{ "kibibytes", "4k", 0, 4096 },
		{ "either case", "4K", 0, 4096 },
		{ "mebibytes", "11M", 0, 11534336 },
		{ "gibibytes", "2G", 0, UINT64_C(2) << 30 },
		{ "the largest", "8589934591G", 0, UINT64_C(8589934591) << 30 },
		{ "one more overflows", "8589934592G", -1, 0 },
		{ "more digits than fit", "99999999999999999999", -1, 0 },
		{ "empty", "", -1, 0 },
		{ "unit alone", "M", -1, 0 },
		{ "unknown unit", "4T", -1, 0 },
		{ "two units", "4MM", -1, 0 },
		{ "negative", "-4", -1, 0 },
		{ "fraction", "1.5M", -1, 0 },
		{ "space between", "4 M", -1, 0 },
		{ "hexadecimal", "0x10", -1, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t bytes = 0;
		int result = value_size(cases[i].text, strlen(cases[i].text), &bytes);

		if (result != cases[i].result || bytes != cases[i].bytes)
			fail_msg("%s: %d %llu", cases[i].reason, result, (unsigned long long)bytes);
	}
}

static void
test_time(void **state)
{
	static const struct {
		const char *reason, *text;
		int result;
		int64_t ms;
	} cases[] = {
		{ "milliseconds", "250ms", 0, 250 },
		{ "seconds", "30s", 0, 30000 },
		{ "minutes are no milliseconds", "5m", 0, 300000 },
		{ "hours", "1h", 0, 3600000 },
		{ "days", "30d", 0, INT64_C(2592000000) },
		{ "nothing needs no unit", "0", 0, 0 },
		{ "a unit is wanted otherwise", "30", -1, 0 },
		{ "overflow", "106751991168d", -1, 0 },
		{ "unknown unit", "1w", -1, 0 },
		{ "empty", "", -1, 0 },
		{ "negative", "-1s", -1, 0 },
		{ "joined", "1h30m", -1, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int64_t ms = 0;
		int result = value_time(cases[i].text, strlen(cases[i].text), &ms);

		if (result != cases[i].result || ms != cases[i].ms)
			fail_msg("%s: %d %lld", cases[i].reason, result, (long long)ms);
	}
}

/* What each kind of option takes and refuses, through the table's own rows. */
static void
test_values(void **state)
{
	static const struct {
		const char *section, *name, *value;
		int result;
	} cases[] = {
		{ "process", "hostname", "relay.example.com", 0 },
		{ "process", "hostname", "relay example", -1 },
		{ "process", "hostname", "-relay", -1 },
		{ "process", "hostname", "relay.", -1 },
		{ "process", "user", "pm-relay_1", 0 },
		{ "process", "user", "-u", -1 },
		{ "process", "fronts", "256", 0 },
		{ "process", "fronts", "257", -1 },
		{ "process", "fronts", "1k", -1 },
		{ "process", "confine", "on", 0 },
		{ "process", "confine", "NO", 0 },
		{ "process", "confine", "perhaps", -1 },
		{ "process", "confine", "", -1 },
		{ "log", "level", "debug", 0 },
		{ "log", "level", "verbose", -1 },
		{ "smtp", "listen", "127.0.0.1:25", 0 },
		{ "smtp", "listen", "[2001:db8::1]:25", 0 },
		{ "smtp", "listen", "unix:/run/pmrelay/smtp.sock", 0 },
		{ "smtp", "listen", "unix:smtp.sock", -1 },
		{ "smtp", "listen", "127.0.0.1", -1 },
		{ "smtp", "listen", "127.0.0.1:0", -1 },
		{ "smtp", "listen", "127.0.0.1:65536", -1 },
		{ "smtp", "listen", "127.0.0.1:25x", -1 },
		{ "smtp", "listen", "::1:25", -1 },
		{ "smtp", "listen", "[127.0.0.1]:25", -1 },
		{ "smtp", "listen", "[::1:25", -1 },
		{ "smtp", "listen", "localhost:25", -1 },
		{ "smtp", "listen", ":25", -1 },
		{ "smtp", "listen", "", -1 },
		{ "smtp", "allow", "10.0.0.0/8", 0 },
		{ "smtp", "allow", "192.0.2.7", 0 },
		{ "smtp", "allow", "::/0", 0 },
		{ "smtp", "allow", "10.0.0.0/33", -1 },
		{ "smtp", "allow", "2001:db8::/129", -1 },
		{ "smtp", "allow", "10.0.0/8", -1 },
		{ "smtp", "allow", "10.0.0.0/", -1 },
		{ "smtp", "allow", "example.com", -1 },
		{ "smtp", "allow", "", -1 },
		{ "message", "track-opens", "", 0 },
		{ "message", "track-opens", "yes", 0 },
		{ "message", "track-opens", "HtmlOnly", -1 },
		{ "message", "track-links", "htmlandtext", 0 },
		{ "message", "track-links", "yes", -1 },
		{ "message", "tag",
		    "Gr\xc3\xbc\xc3\x9f"
		    "e",
		    0 },
		{ "message", "tag", "a\nb", -1 },
		{ "message", "tag", "a\x1b[m", -1 },
		{ "message", "tag", "\xff", -1 },
		{ "spool", "folder", "/var/spool/pmrelay", 0 },
		{ "spool", "folder", "spool", -1 },
		{ "spool", "folder", "", -1 },
		{ "postmark", "token", "00000000-0000-0000-0000-000000000000", 0 },
		{ "postmark", "token", "two words", -1 },
		{ "postmark", "url", "https://api.postmarkapp.com", 0 },
		{ "postmark", "url", "http://127.0.0.1:8080/base", 0 },
		{ "postmark", "url", "https://[::1]:8443/", 0 },
		{ "postmark", "url", "ftp://example.com", -1 },
		{ "postmark", "url", "https://", -1 },
		{ "postmark", "url", "https://user@example.com", -1 },
		{ "postmark", "url", "https://example.com?x=1", -1 },
		{ "postmark", "url", "https://example.com:port", -1 },
		{ "postmark", "url", "https://[::1", -1 },
		{ "postmark", "url", "https://[]", -1 },
		{ "postmark", "stream", "broadcast-1", 0 },
		{ "postmark", "stream", "", -1 },
		{ "postmark", "stream", "a/b", -1 },
		{ "postmark", "batch-bytes", "50M", 0 },
		{ "postmark", "batch-bytes", "51M", -1 },
		{ "postmark", "batch-items", "501", -1 },
		{ "retry", "unsure", "Hold", 0 },
		{ "retry", "unsure", "drop", -1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct option_row *o = option_find(cases[i].section, cases[i].name);

		assert_non_null(o);
		if (option_set(o, NULL, cases[i].value, strlen(cases[i].value)) != cases[i].result)
			fail_msg("%s.%s = %s", cases[i].section, cases[i].name, cases[i].value);
	}
}

static void
test_mappings(void **state)
{
	static const struct {
		const char *reason, *begin;
		unsigned addresses; /* more of them */
		bool right;
	} rows[] = {
		{ "one", "*=ann@x.example", 0, true },
		{ "a hash, and an equals sign in the pattern", "a=b@*=${hash}@x.example", 0, true },
		{ "no pattern", "=ann@x.example", 0, false },
		{ "no address", "*=", 0, false },
		{ "an empty one between", "*=a@x.example,,b@x.example", 0, false },
		{ "two signs", "*=a@b@x.example", 0, false },
		{ "as many as a mail may have recipients", "*=ann@x.example",
		    INBOUND_MOST_RECIPIENTS - 1, true },
		{ "one more", "*=ann@x.example", INBOUND_MOST_RECIPIENTS, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf text;

		buf_init(&text, 10000);
		buf_adds(&text, rows[i].begin);
		for (unsigned k = 0; k < rows[i].addresses; k++)
			buf_addf(&text, ",u%u@x.example", k);
		if (inbound_value_is_mapping(text.data, text.len) != rows[i].right)
			fail_msg("%s: %s", rows[i].reason, text.data);
		buf_free(&text);
	}
}

static void
test_local(void **state)
{
	(void)state;
	assert_true(value_listener_is_local("127.0.0.1:25"));
	assert_true(value_listener_is_local("127.9.9.9:25"));
	assert_true(value_listener_is_local("[::1]:25"));
	assert_true(value_listener_is_local("[::ffff:127.0.0.1]:25"));
	assert_true(value_listener_is_local("unix:/x"));
	assert_false(value_listener_is_local("0.0.0.0:25"));
	assert_false(value_listener_is_local("[::]:25"));
	assert_false(value_listener_is_local("192.0.2.1:25"));

	assert_true(value_url_is_safe("https://api.postmarkapp.com"));
	assert_true(value_url_is_safe("http://localhost:1"));
	assert_true(value_url_is_safe("http://127.0.0.1"));
	assert_true(value_url_is_safe("http://[::1]:80/x"));
	assert_false(value_url_is_safe("http://api.postmarkapp.com"));
	assert_false(value_url_is_safe("http://localhost.example.com"));
	assert_false(value_url_is_safe("http://127.0.0.1.example.com"));
}

/* ---- files ------------------------------------------------------------------------------- */

static void
test_presets(void **state)
{
	struct buf why;
	struct config *c = parse("", &why);

	(void)state;
	assert_non_null(c);
	assert_int_equal(c->smtp_message_bytes, 11534336);
	assert_int_equal(c->listen.count, 2);
	assert_string_equal(c->listen.items[1], "[::1]:2525");
	assert_int_equal(c->track_opens, -1);
	assert_string_equal(c->track_links, "");
	assert_int_equal(c->retry_unsure, 0);
	assert_int_equal(c->log_level, LOG_LEVEL_INFO);
	assert_int_equal(c->log_format, LOG_FORMAT_TEXT);
	assert_int_equal(c->spool_keep_history_ms, INT64_C(30) * 24 * 3600 * 1000);
	assert_true(c->confine);
	assert_null(c->postmark.server_token);
	config_free(&c);
	assert_null(c);
	config_free(&c);
	buf_free(&why);
}

static void
test_file(void **state)
{
	static const char text[] =
	    "# a comment with { and \" in it\r\n"
	    "smtp { listen = {\"127.0.0.1:25\", '[::1]:25',} // and a comment\n"
	    "  message-size=1M /* over\n two lines */ memory = 2M }\n"
	    "log { level = error format = json }\n"
	    "postmark { url = https://example.com/a/b token = \"a\\\"b\\\\c\\$d\" }\n"
	    "message { track-links = htmlonly track-opens = off tag = \"${\" }\n"
	    "smtp { allow = {} }\n"
	    "retry { unsure = hold }\n";
	struct buf why;
	char *copy = strdup(text), *variable = strstr(copy, "${");
	struct config *c;

	(void)state;
	/* First with the variable, which is refused, then without. */
	c = parse(copy, &why);
	assert_null(c);
	assert_non_null(strstr(why.data, "test.conf:7: variables are not expanded here"));
	buf_free(&why);

	variable[0] = 'x';
	c = parse(copy, &why);
	if (c == NULL)
		fail_msg("%s", why.data);
	assert_int_equal(c->listen.count, 2);
	assert_string_equal(c->listen.items[0], "127.0.0.1:25");
	assert_int_equal(c->allow.count, 0);
	assert_int_equal(c->smtp_message_bytes, 1048576);
	assert_int_equal(c->smtp_memory_bytes, 2097152);
	assert_int_equal(c->log_level, LOG_LEVEL_ERROR);
	assert_int_equal(c->log_format, LOG_FORMAT_JSON);
	assert_string_equal(c->postmark_url, "https://example.com/a/b");
	assert_string_equal(secret_text(c->postmark.server_token), "a\"b\\c$d");
	assert_string_equal(c->track_links, "HtmlOnly");
	assert_int_equal(c->track_opens, 0);
	assert_string_equal(c->tag, "x{");
	assert_int_equal(c->retry_unsure, 2);
	config_free(&c);
	buf_free(&why);
	free(copy);
}

static void
test_refused(void **state)
{
	static const struct {
		const char *reason, *text, *message;
	} cases[] = {
		{ "nearest name", "smtp {\n mesage-size = 1M\n}",
		    "test.conf:2: smtp.mesage-size: no such option, the nearest is "
		    "message-size\n" },
		{ "swapped letters", "retry { mni = 1s }",
		    "test.conf:1: retry.mni: no such option, the nearest is min\n" },
		{ "nothing near", "smtp { colour = red }",
		    "test.conf:1: smtp.colour: no such option\n" },
		{ "in another section", "smtp { stream = x }",
		    "test.conf:1: smtp.stream: no such option, the nearest is stream in postmark { "
		    "}\n" },
		{ "without its section", "\nlisten = {\"127.0.0.1:25\"}",
		    "test.conf:2: listen: this option stands in smtp { }\n" },
		{ "no such section", "smpt { }", "test.conf:1: smpt: no such section\n" },
		{ "out of range", "smtp {\n\n recipients = 5 }",
		    "test.conf:3: smtp.recipients: found \"5\", wanted a number from 100 to "
		    "10000\n" },
		{ "no unit", "retry { min = 30 }",
		    "test.conf:1: retry.min: found \"30\", wanted a time from 10ms to 1d\n" },
		{ "less than Postmark posts again for", "spool { keep-history = 12h }",
		    "test.conf:1: spool.keep-history: found \"12h\", wanted a time from 1d to "
		    "3650d\n" },
		{ "no such choice", "retry { unsure = drop }",
		    "test.conf:1: retry.unsure: found \"drop\", wanted reconcile, retry or "
		    "hold\n" },
		{ "in the middle of a list", "smtp { allow = { \"::1\",\n \"x\" } }",
		    "test.conf:2: smtp.allow: found \"x\", wanted networks like 192.0.2.0/24 or "
		    "2001:db8::/32\n" },
		{ "all that is wrong at once", "retry { min = x\n max = y }",
		    "test.conf:1: retry.min: found \"x\", wanted a time from 10ms to 1d\n"
		    "test.conf:2: retry.max: found \"y\", wanted a time from 10ms to 7d\n" },
		{ "given twice", "retry { min = 1s }\nretry { min = 2s }",
		    "test.conf:2: retry.min: given again, first in line 1\n" },
		{ "list given twice", "smtp { allow = {\"::1\"}\n allow = {\"::1\"} }",
		    "test.conf:2: smtp.allow: given again, first in line 1\n" },
		{ "a token is not repeated", "postmark { token = \"s e c r e t\" }",
		    "test.conf:1: postmark.token: found something else, wanted a server token\n" },
		{ "token by value and file", "postmark { token = a\n token-file = /a }",
		    "test.conf:2: postmark.token-file: given as well as token, wanted one of "
		    "them\n" },
		{ "section not closed", "log { level = info }\nsmtp { memory = 20M\n",
		    "test.conf:2: the { of this line has no }\n" },
		{ "closed too often", "log { }\n}",
		    "test.conf:2: found a } that closes nothing\n" },
		{ "nested too deep", "smtp { allow = { {\"x\"} } }",
		    "test.conf:1: found a { too many\n" },
		{ "string not closed", "message { tag = \"abc }\n",
		    "test.conf:1: the string that begins here has no end in this line\n" },
		{ "comment not closed", "/* abc\n",
		    "test.conf:1: the comment that begins here has no end\n" },
		{ "odd character", "message { tag = a;b }",
		    "test.conf:1: found ;, wanted it in \"quotes\"\n" },
		{ "appending", "smtp { allow += {\"::1\"} }",
		    "test.conf:1: found +, wanted it in \"quotes\"\n" },
		{ "path into a section", "smtp|memory = 20M",
		    "test.conf:1: found |, wanted it in \"quotes\"\n" },
		{ "escape", "message { tag = \"a\\n\" }",
		    "test.conf:1: found a \\ in a string, wanted \\\\, \\\", \\' or \\$ there\n" },
		{ "control character", "message { tag = \"a\tb\" }",
		    "test.conf:1: message.tag: found \"a\\x09b\", wanted a text of at most 1000 "
		    "characters\n" },
		{ "equals sign missing", "smtp { memory 20M }",
		    "test.conf:1: missing equal sign after option 'memory'\n" },
		{ "value missing", "smtp { memory = }", "test.conf:1: unexpected token '}'\n" },
		{ "less than the minimum", "retry { min = 1h\n max = 1m }",
		    "test.conf:2: retry.max: found less than retry.min, wanted at least as "
		    "much\n" },
		{ "no room for one mail", "smtp { memory = 10M }",
		    "test.conf:1: smtp.memory: found less than smtp.message-size, wanted room for "
		    "one "
		    "mail at least\n" },
		{ "open to others", "smtp {\n listen = \"0.0.0.0:25\" }",
		    "test.conf:2: smtp.listen: found 0.0.0.0:25, which others can reach, and no "
		    "smtp.allow: wanted the networks that may send\n" },
		{ "same listener twice", "smtp { listen = {\"[::1]:25\", \"[::1]:25\"} }",
		    "test.conf:1: smtp.listen: found [::1]:25 twice\n" },
		{ "no listener", "smtp { listen = {} }",
		    "test.conf:1: smtp.listen: found none, wanted an address at least\n" },
		{ "token over plain http", "postmark { url = \"http://example.com\" }",
		    "test.conf:1: postmark.url: found http://example.com, wanted https: the token "
		    "would "
		    "be sent for all to read\n" },
		{ "connection without a name", "\nconnection { }",
		    "test.conf:2: connection: found no name, wanted connection NAME { }\n" },
		{ "name with a dot", "connection\na.b { }",
		    "test.conf:2: connection: found \"a.b\", wanted a name of letters, digits and "
		    "'-' that begins with a letter, of at most 63\n" },
		{ "name that begins with a digit", "connection 1a { }",
		    "test.conf:1: connection: found \"1a\", wanted a name of letters, digits and "
		    "'-' that begins with a letter, of at most 63\n" },
		{ "empty name", "connection \"\" { }",
		    "test.conf:1: connection: found \"\", wanted a name of letters, digits and "
		    "'-' that begins with a letter, of at most 63\n" },
		{ "name with a control character", "connection \"a\x1b[m\" { }",
		    "test.conf:1: connection: found \"a\\x1B[m\", wanted a name of letters, digits "
		    "and '-' that begins with a letter, of at most 63\n" },
		{ "name that is taken", "connection Default { }",
		    "test.conf:1: connection: found Default, which is what postmark { } is called, "
		    "wanted another name\n" },
		{ "name twice", "connection eu { }\nconnection us { }\nconnection eu { }",
		    "test.conf:3: connection: found eu a second time, wanted each name once\n" },
		{ "name twice but for its case", "connection eu { }\nconnection EU { }",
		    "test.conf:2: connection: found EU (case makes no difference) a second time, "
		    "wanted each name once\n" },
		{ "title where none belongs", "smtp eu { }",
		    "test.conf:1: missing opening brace for section 'smtp'\n" },
		{ "titled option near another", "connection eu {\n tokn = x }",
		    "test.conf:2: connection.eu.tokn: no such option, the nearest is token\n" },
		{ "the other section's word", "connection eu { stream = x }",
		    "test.conf:1: connection.eu.stream: no such option, the nearest is "
		    "message-stream\n" },
		{ "and the reverse", "postmark { message-stream = x }",
		    "test.conf:1: postmark.message-stream: no such option, the nearest is "
		    "stream\n" },
		{ "titled option without its section", "message-stream = x",
		    "test.conf:1: message-stream: this option stands in connection NAME { }\n" },
		{ "titled value", "connection eu { }\nconnection us {\n message-stream = a/b }",
		    "test.conf:3: connection.us.message-stream: found \"a/b\", wanted the ID of a "
		    "message stream\n" },
		{ "titled option twice", "connection eu { token = a\n token = b }",
		    "test.conf:2: connection.eu.token: given again, first in line 1\n" },
		{ "titled token by value and file",
		    "connection us { token-file = /b }\n"
		    "connection eu { account-token = a\n account-token-file = /a }",
		    "test.conf:3: connection.eu.account-token-file: given as well as "
		    "account-token, wanted one of them\n" },
		{ "titled token is not repeated", "connection eu { token = \"a b\" }",
		    "test.conf:1: connection.eu.token: found something else, wanted a server "
		    "token\n" },
		{ "control over TCP without TLS",
		    "control {\n listen = 127.0.0.1:8443\n admins = ops }",
		    "test.conf: control.certificate-file: found none, wanted it for "
		    "control.listen\n"
		    "test.conf: control.key-file: found none, wanted it for control.listen\n"
		    "test.conf: control.client-ca-file: found none, wanted it for "
		    "control.listen\n" },
		{ "control over TCP for nobody",
		    "control {\n listen = 127.0.0.1:8443\n certificate-file = /c\n key-file = /k\n"
		    " client-ca-file = /a }",
		    "test.conf:2: control.listen: found 127.0.0.1:8443, but nobody in "
		    "control.admins or control.readers who may do anything there\n" },
		{ "control path too long for a socket",
		    "control { socket = "
		    "/1234567890123456789012345678901234567890123456789012345678901234567890"
		    "12345678901234567890123456789012345678901 }",
		    "test.conf:1: control.socket: found "
		    "\"/12345678901234567890123456789012345678901234567890123456789012345678901"
		    "234567890123456789012345...\", wanted an absolute path of at most 107 "
		    "bytes\n" },
		{ "a short secret of webhooks", "webhook { secret = fifteen-letters }",
		    "test.conf:1: webhook.secret: found something else, wanted 16 or more letters, "
		    "digits and signs but '/', '?', '#' and '%'\n" },
		{ "a secret that is no part of a path",
		    "webhook { secret = sixteen/letters-and-more }",
		    "test.conf:1: webhook.secret: found something else, wanted 16 or more letters, "
		    "digits and signs but '/', '?', '#' and '%'\n" },
		{ "a user with a colon", "webhook { user = \"a:b\" }",
		    "test.conf:1: webhook.user: found \"a:b\", wanted letters, digits and signs "
		    "but "
		    "':'\n" },
		{ "no name of a header", "webhook { header = \"X-A:\" }",
		    "test.conf:1: webhook.header: found \"X-A:\", wanted the name of a header, "
		    "like "
		    "X-Relay-Key\n" },
		{ "a certificate of webhooks alone", "webhook { certificate-file = /c }",
		    "test.conf: webhook.key-file: found none, wanted that of certificate-file\n" },
		{ "a key of webhooks alone", "webhook { key-file = /c }",
		    "test.conf: webhook.certificate-file: found none, wanted that of key-file\n" },
		{ "webhooks that point nowhere", "webhook { ensure = yes }",
		    "test.conf:1: webhook.ensure: found yes without public-url, wanted that: where "
		    "are they to point to?\n" },
		{ "webhooks of no connection", "webhook { connection = eu }",
		    "test.conf:1: webhook.connection: found eu, wanted default, for there are no "
		    "connections\n" },
		{ "no room for a post", "webhook { memory = 8M }",
		    "test.conf:1: webhook.memory: found less than body-size or inbound-size, "
		    "wanted "
		    "room for one post at least\n" },
		{ "webhooks where SMTP is",
		    "smtp { listen = 127.0.0.1:25 }\nwebhook { listen = 127.0.0.1:25 }",
		    "test.conf:2: webhook.listen: found 127.0.0.1:25, which smtp.listen has\n" },
		{ "a listener of webhooks twice",
		    "webhook { listen = { 127.0.0.1:80, 127.0.0.1:80 } }",
		    "test.conf:1: webhook.listen: found 127.0.0.1:80 twice\n" },
		{ "group alone", "process { group = mail }",
		    "test.conf:1: process.group: found a group without process.user\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf why;
		struct config *c = parse(cases[i].text, &why);

		if (c != NULL)
			fail_msg("%s: accepted", cases[i].reason);
		if (strcmp(why.data, cases[i].message) != 0)
			fail_msg("%s: %s", cases[i].reason, why.data);
		buf_free(&why);
	}
}

/* What is between secrets and other options is looked at where there are secrets. */
static void
test_loaded(void **state)
{
	static const struct {
		const char *reason, *text, *message;
	} cases[] = {
		{ "a user without a password", "webhook { user = pm }",
		    "webhook.user: found no password, wanted it or password-file\n" },
		{ "a password without a user", "webhook { password = x }",
		    "webhook.password: found no user, wanted it\n" },
		{ "a header without a value", "webhook { header = X-A }",
		    "webhook.header: found no header-value, wanted it or header-value-file\n" },
		{ "a value without a header", "webhook { header-value = x }",
		    "webhook.header-value: found no header, wanted its name\n" },
		{ "both",
		    "webhook {\n user = pm\n password = x\n header = X-A\n header-value = y\n}",
		    "" },
		{ "notices by a connection that cannot send",
		    "connection eu { account-token = a }\n"
		    "notice { via = postmark connection = EU }",
		    "notice.connection: found eu, which has no server token, wanted one that "
		    "has\n" },
		{ "notices by one that can",
		    "connection eu { token = a }\nnotice { via = postmark connection = EU }", "" },
		{ "notices that wait for a token, as mail does", "notice { via = postmark }", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf why;
		struct config *c = parse(cases[i].text, &why);

		if (c == NULL)
			fail_msg("%s: %s", cases[i].reason, why.data);
		buf_addc(&why, '\n');
		buf_clear(&why);
		assert_int_equal(
		    config_load_secrets(c, &why), cases[i].message[0] == '\0' ? 0 : -1);
		if (strcmp(why.data, cases[i].message) != 0)
			fail_msg("%s: %s", cases[i].reason, why.data);
		config_free(&c);
		buf_free(&why);
	}
}

static void
test_warnings(void **state)
{
	static const struct {
		const char *reason, *text, *warning; /* NULL: none */
	} cases[] = {
		{ "nothing", "", NULL },
		{ "on the loopback", "webhook { listen = { 127.0.0.1:80, \"[::1]:80\", unix:/a } }",
		    NULL },
		{ "for others in clear", "webhook { listen = { 127.0.0.1:80, 0.0.0.0:80 } }",
		    "webhook.listen: 0.0.0.0:80 can be reached by others" },
		{ "for others by TLS",
		    "webhook {\n listen = 0.0.0.0:80\n certificate-file = /c\n key-file = /k\n}",
		    NULL },
		{ "Postmark in clear", "webhook { public-url = \"http://relay.example\" }",
		    "webhook.public-url: http://relay.example is not https" },
		{ "a sandbox in clear", "webhook { public-url = \"http://127.0.0.1:80\" }", NULL },
		{ "a server by two names",
		    "postmark { token = a }\nconnection shop { token = b }\n"
		    "connection news { token = b }",
		    "connection news: it has the server token of connection shop" },
		{ "the default server by another name",
		    "postmark { token = a }\nconnection shop { token = a }",
		    "connection shop: it has the server token of connection default" },
		{ "two servers", "postmark { token = a }\nconnection shop { token = ab }", NULL },
		{ "two without a token", "connection shop { message-stream = a }", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf text;
		struct config *c = parse(cases[i].text, &text);

		if (c == NULL)
			fail_msg("%s: %s", cases[i].reason, text.data);
		buf_addc(&text, '\n');
		buf_clear(&text);
		config_warn(c, &text);
		if (cases[i].warning == NULL ? text.len > 0
					     : strstr(text.data, cases[i].warning) == NULL)
			fail_msg("%s: %s", cases[i].reason, text.data);
		config_free(&c);
		buf_free(&text);
	}
}

static void
test_nul(void **state)
{
	static const char text[] = "message { tag = \"a\0b\" }";
	struct buf why;

	(void)state;
	buf_init(&why, 1000);
	assert_null(config_parse(text, sizeof(text) - 1, "test.conf", &why));
	assert_non_null(strstr(why.data, "test.conf:1: "));
	buf_free(&why);
}

static void
test_accepted(void **state)
{
	(void)state;
	assert_parses("smtp { listen = \"0.0.0.0:25\" allow = \"10.0.0.0/8\" }");
	assert_parses("smtp { }\n\n#\n//\n/**/\nsmtp { }");
	assert_parses("postmark { url = http://localhost:1/ }");
	assert_parses("smtp{memory=20M}smtp{line=2000}#");
	assert_parses("message { tag = 'a\\'b\\\\c$d' }");
	assert_parses(
	    "connection a { } connection \"b\" { } \"connection\" 'c'{}connection /**/d{}");
	assert_parses("connection connection { }");
	assert_parses("control { listen = \"[::1]:8443\" certificate-file = /c key-file = /k "
		      "client-ca-file = /a readers = {ops} }");
	assert_parses(
	    "control { socket = \"\" group = adm } webhook { public-url = https://a.example/b }");
}

static void
test_missing_file(void **state)
{
	struct buf why;

	(void)state;
	buf_init(&why, 1000);
	assert_null(config_load("/nonexistent/pmrelay.conf", NULL, &why));
	assert_string_equal(why.data, "/nonexistent/pmrelay.conf: No such file or directory\n");
	buf_free(&why);
	buf_init(&why, 1000);
	assert_null(config_load("/", NULL, &why));
	assert_string_equal(why.data, "/: Is a directory\n");
	buf_free(&why);
}

/* ---- environment ------------------------------------------------------------------------- */

static void
test_environment(void **state)
{
	char *const environment[] = { "PATH=/bin", "PMRELAY_SMTP_MESSAGE_SIZE=2M",
		"PMRELAY_SMTP_LISTEN=0.0.0.0:25, [::]:25 unix:/run/s",
		"PMRELAY_SMTP_ALLOW=10.0.0.0/8,192.168.0.0/16",
		"PMRELAY_MESSAGE_TAG=", "PMRELAY_POSTMARK_TOKEN_FILE=/run/secrets/token",
		"PMRELAY_SMTP_PORT_25_TCP=tcp://10.0.0.1:25", "PMRELAY_SMTP_SERVICE_HOST=10.0.0.1",
		"PMRELAY_SMTP_PORT=tcp://10.0.0.1:25", "PMRELAY_ROLE=front", NULL };
	char path[] = "/tmp/pmrelay-config-XXXXXX";
	static const char text[] = "smtp { message-size = 1M }\nmessage { tag = kept }\n"
				   "postmark { token = abc }\n";
	int fd = mkstemp(path);
	struct config *c;
	struct buf why;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, sizeof(text) - 1), sizeof(text) - 1);
	close(fd);
	buf_init(&why, 10000);
	c = config_load(path, environment, &why);
	unlink(path);
	if (c == NULL)
		fail_msg("%s", why.data);
	assert_int_equal(c->smtp_message_bytes, 2097152);
	assert_int_equal(c->listen.count, 3);
	assert_string_equal(c->listen.items[2], "unix:/run/s");
	assert_int_equal(c->allow.count, 2);
	/* An empty variable is one that is not set. */
	assert_string_equal(c->tag, "kept");
	/* The file by name displaces the value of the configuration file. */
	assert_null(c->postmark.server_token);
	assert_string_equal(c->postmark.server_token_file, "/run/secrets/token");
	config_free(&c);
	buf_free(&why);
}

static void
test_environment_refused(void **state)
{
	static const struct {
		const char *reason;
		char *environment[3];
		const char *message;
	} cases[] = {
		{ "typing error", { "PMRELAY_SMTP_MESAGE_SIZE=1M", NULL },
		    "environment: PMRELAY_SMTP_MESAGE_SIZE: no such option, the nearest is "
		    "PMRELAY_SMTP_MESSAGE_SIZE\n" },
		{ "wrong value", { "PMRELAY_RETRY_MIN=soon", NULL },
		    "environment: PMRELAY_RETRY_MIN: found \"soon\", wanted a time from 10ms to "
		    "1d\n" },
		{ "wrong item", { "PMRELAY_SMTP_ALLOW=::1,x", NULL },
		    "environment: PMRELAY_SMTP_ALLOW: found \"::1,x\", wanted networks like "
		    "192.0.2.0/24 or 2001:db8::/32\n" },
		{ "token not repeated", { "PMRELAY_POSTMARK_TOKEN=a b", NULL },
		    "environment: PMRELAY_POSTMARK_TOKEN: found something else, wanted a server "
		    "token\n" },
		{ "titled typing error", { "PMRELAY_CONNECTION_EU_WEST_TOKN=a", NULL },
		    "environment: PMRELAY_CONNECTION_EU_WEST_TOKN: no such option, the nearest is "
		    "PMRELAY_CONNECTION_EU_WEST_TOKEN\n" },
		{ "titled without a title", { "PMRELAY_CONNECTION_TOKEN=a", NULL },
		    "environment: PMRELAY_CONNECTION_TOKEN: no such option\n" },
		{ "nothing near of a titled one", { "PMRELAY_CONNECTION_EU_COLOUR=a", NULL },
		    "environment: PMRELAY_CONNECTION_EU_COLOUR: no such option\n" },
		{ "bad title", { "PMRELAY_CONNECTION_1_TOKEN=a", NULL },
		    "environment: PMRELAY_CONNECTION_1_TOKEN: found \"1\", wanted a name of "
		    "letters, digits and '-' that begins with a letter, of at most 63\n" },
		{ "title that is taken", { "PMRELAY_CONNECTION_DEFAULT_TOKEN=a", NULL },
		    "environment: PMRELAY_CONNECTION_DEFAULT_TOKEN: found default, which is what "
		    "postmark { } is called, wanted another name\n" },
		{ "titled value", { "PMRELAY_CONNECTION_EU_MESSAGE_STREAM=a/b", NULL },
		    "environment: PMRELAY_CONNECTION_EU_MESSAGE_STREAM: found \"a/b\", wanted the "
		    "ID of a message stream\n" },
		{ "cross-check", { "PMRELAY_SMTP_LISTEN=0.0.0.0:25", NULL },
		    "settings: smtp.listen: found 0.0.0.0:25, which others can reach, and no "
		    "smtp.allow: wanted the networks that may send\n" },
	};
	char *const both[] = { "PMRELAY_POSTMARK_TOKEN=a", "PMRELAY_POSTMARK_TOKEN_FILE=/a", NULL };
	struct buf why;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		buf_init(&why, 10000);
		if (config_load(NULL, cases[i].environment, &why) != NULL)
			fail_msg("%s: accepted", cases[i].reason);
		if (strcmp(why.data, cases[i].message) != 0)
			fail_msg("%s: %s", cases[i].reason, why.data);
		buf_free(&why);
	}
	buf_init(&why, 10000);
	assert_null(config_load(NULL, both, &why));
	assert_non_null(strstr(why.data, "postmark.token-file: given as well as token"));
	buf_free(&why);
}

/* Connections of the file and of the environment, and a name that two could share. */
static void
test_environment_connections(void **state)
{
	static const struct {
		const char *reason, *file, *variable, *name;
		bool account;
		const char *message;
	} cases[] = {
		{ "by the environment alone", "", "PMRELAY_CONNECTION_EU_WEST_TOKEN=x", "eu-west",
		    false, NULL },
		{ "of the file", "connection Eu-West { token-file = /a }",
		    "PMRELAY_CONNECTION_EU_WEST_TOKEN=x", "Eu-West", false, NULL },
		{ "the longer option", "", "PMRELAY_CONNECTION_MY_ACCOUNT_TOKEN=x", "my", true,
		    NULL },
		{ "the one of the file", "connection my-account { }",
		    "PMRELAY_CONNECTION_MY_ACCOUNT_TOKEN=x", "my-account", false, NULL },
		{ "the other one of the file", "connection my { }",
		    "PMRELAY_CONNECTION_MY_ACCOUNT_TOKEN=x", "my", true, NULL },
		{ "no title is left", "", "PMRELAY_CONNECTION_ACCOUNT_TOKEN=x", "account", false,
		    NULL },
		{ "which one?", "connection my { }\nconnection my-account { }",
		    "PMRELAY_CONNECTION_MY_ACCOUNT_TOKEN=x", NULL, false,
		    "environment: PMRELAY_CONNECTION_MY_ACCOUNT_TOKEN: found a name that "
		    "my-account.token and my.account-token share, wanted it in the file\n" },
		{ "nothing of ours", "", "PMRELAY_CONNECTION_EU_SERVICE_HOST=10.0.0.1", NULL, false,
		    NULL },
		{ "nothing of ours, either", "", "PMRELAY_CONNECTION_EU_PORT_25_TCP_ADDR=1", NULL,
		    false, NULL },
		{ "empty", "", "PMRELAY_CONNECTION_EU_TOKEN=", NULL, false, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char variable[100], path[] = "/tmp/pmrelay-config-XXXXXX";
		char *const environment[] = { variable, NULL };
		const struct connection *found;
		struct config *c;
		struct buf why;
		int fd = mkstemp(path);

		assert_true(fd >= 0);
		assert_int_equal(write(fd, cases[i].file, strlen(cases[i].file)),
		    (ssize_t)strlen(cases[i].file));
		close(fd);
		snprintf(variable, sizeof(variable), "%s", cases[i].variable);
		buf_init(&why, 10000);
		c = config_load(path, environment, &why);
		unlink(path);
		if (cases[i].message != NULL) {
			assert_null(c);
			if (strcmp(why.data, cases[i].message) != 0)
				fail_msg("%s: %s", cases[i].reason, why.data);
			buf_free(&why);
			continue;
		}
		if (c == NULL)
			fail_msg("%s: %s", cases[i].reason, why.data);
		found = config_connection_at(c, 1);
		assert_null(config_connection_at(c, 2));
		if (cases[i].name == NULL) {
			assert_null(found);
		} else {
			const struct secret *secret =
			    cases[i].account ? found->account_token : found->server_token;

			if (strcmp(found->name, cases[i].name) != 0 || secret == NULL)
				fail_msg("%s: %s", cases[i].reason, found->name);
			assert_string_equal(secret_text(secret), "x");
			assert_string_equal(found->server_token_file, "");
			assert_string_equal(found->message_stream, "outbound");
		}
		config_free(&c);
		buf_free(&why);
	}
}

/* ---- secrets ----------------------------------------------------------------------------- */

static void
write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void
test_secret_files(void **state)
{
	char folder[] = "/tmp/pmrelay-config-XXXXXX";
	char path[100], file[200], variable[120], other[100] = "x", settings[200];
	char *const environment[] = { variable, other, NULL };
	struct config *c;
	struct buf why, text;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/postmark-token", folder);
	snprintf(variable, sizeof(variable), "CREDENTIALS_DIRECTORY=%s", folder);
	buf_init(&why, 10000);

	/* No credential there: no token, and no complaint. */
	c = config_load(NULL, environment, &why);
	assert_non_null(c);
	assert_int_equal(config_load_secrets(c, &why), 0);
	assert_null(c->postmark.server_token);
	config_free(&c);

	/* The systemd credential. */
	write_file(path, "server-token\nsecond line\n");
	c = config_load(NULL, environment, &why);
	assert_non_null(c);
	assert_null(c->postmark.server_token);
	assert_int_equal(config_load_secrets(c, &why), 0);
	assert_string_equal(secret_text(c->postmark.server_token), "server-token");

	/* Printed by value for the process that must have it, and not at all for the others. */
	buf_init(&text, 100000);
	config_print(c, true, &text);
	assert_non_null(strstr(text.data, "token = \"server-token\"\n"));
	assert_null(strstr(text.data, "token-file"));
	buf_free(&text);
	buf_init(&text, 100000);
	config_print(c, false, &text);
	assert_null(strstr(text.data, "token"));
	buf_free(&text);
	config_free(&c);

	/* Those of the account and of another connection. */
	unlink(path);
	for (size_t i = 0; i < 2; i++) {
		static const char *const names[] = { "postmark-account-token",
			"connection.eu.account-token" };

		snprintf(file, sizeof(file), "%s/%s", folder, names[i]);
		write_file(file, names[i]);
	}
	snprintf(other, sizeof(other), "PMRELAY_CONNECTION_EU_TOKEN=eu-token");
	c = config_load(NULL, environment, &why);
	assert_non_null(c);
	assert_int_equal(config_load_secrets(c, &why), 0);
	assert_null(c->postmark.server_token);
	assert_string_equal(secret_text(c->postmark.account_token), "postmark-account-token");
	assert_string_equal(secret_text(c->connections[0].server_token), "eu-token");
	assert_string_equal(
	    secret_text(c->connections[0].account_token), "connection.eu.account-token");
	config_free(&c);
	unlink(file);
	snprintf(file, sizeof(file), "%s/postmark-account-token", folder);
	unlink(file);
	snprintf(settings, sizeof(settings), "connection eu { token-file = \"%s/gone\" }", folder);
	c = config_parse(settings, strlen(settings), "test.conf", &why);
	assert_non_null(c);
	assert_int_equal(config_load_secrets(c, &why), -1);
	assert_non_null(strstr(why.data, "connection.eu.token-file: /"));
	config_free(&c);
	buf_clear(&why);

	/* What is no token. */
	write_file(path, "two words\n");
	snprintf(settings, sizeof(settings), "postmark { token-file = \"%s\" }", path);
	c = config_parse(settings, strlen(settings), "test.conf", &why);
	assert_non_null(c);
	assert_int_equal(config_load_secrets(c, &why), -1);
	assert_non_null(strstr(why.data, "its first line is not a server token"));
	assert_null(strstr(why.data, "two words"));
	assert_null(c->postmark.server_token);
	buf_clear(&why);

	/* Gone. */
	unlink(path);
	assert_int_equal(config_load_secrets(c, &why), -1);
	assert_non_null(strstr(why.data, "No such file or directory"));
	config_free(&c);
	buf_free(&why);
	rmdir(folder);
}

/* ---- printing ---------------------------------------------------------------------------- */

static void
assert_survives(const struct config *c)
{
	struct buf first, second, why;
	struct config *again;

	buf_init(&first, 100000);
	buf_init(&second, 100000);
	buf_init(&why, 10000);
	config_print(c, true, &first);
	again = config_parse(first.data, first.len, "printed", &why);
	if (again == NULL)
		fail_msg("%s", why.data);
	config_print(again, true, &second);
	assert_string_equal(first.data, second.data);
	config_free(&again);
	buf_free(&first);
	buf_free(&second);
	buf_free(&why);
}

static void
test_print(void **state)
{
	struct buf why;
	struct config *c = parse("", &why);

	(void)state;
	assert_survives(c);
	config_free(&c);
	buf_free(&why);

	c = parse("message { tag = '\"\\\\$\\'{}#/**/' track-opens = yes }\n"
		  "postmark { token = \"\\\"\\\\\\${x}'\" }\n"
		  "smtp { listen = \"unix:/run/a b\" allow = {} message-size = 1025 }\n"
		  "retry { min = 1500ms }\n",
	    &why);
	if (c == NULL)
		fail_msg("%s", why.data);
	assert_string_equal(c->tag, "\"\\$'{}#/**/");
	assert_survives(c);
	config_free(&c);
	buf_free(&why);
}

static void
test_connections(void **state)
{
	static const char text[] = "connection eu { token = eu-token message-stream = eu-stream }\n"
				   "postmark { account-token = all }\n"
				   "connection us-2 {\n account-token = us-account }\n";
	const struct connection *found;
	struct config *c, *copy;
	struct buf why, print, printed;

	(void)state;
	c = parse(text, &why);
	if (c == NULL)
		fail_msg("%s", why.data);
	assert_survives(c);
	copy = config_copy(c);
	buf_init(&print, 100000);
	buf_init(&printed, 100000);
	config_print(c, true, &print);
	config_free(&c);
	config_print(copy, true, &printed);
	assert_string_equal(print.data, printed.data);

	found = config_connection_at(copy, 0);
	assert_ptr_equal(found, &copy->postmark);
	assert_string_equal(found->name, "default");
	assert_null(found->server_token);
	assert_string_equal(secret_text(found->account_token), "all");
	assert_string_equal(found->message_stream, "outbound");
	assert_ptr_equal(config_connection(copy, NULL), found);
	assert_ptr_equal(config_connection(copy, ""), found);
	assert_ptr_equal(config_connection(copy, "default"), found);
	found = config_connection(copy, "eu");
	assert_ptr_equal(found, config_connection_at(copy, 1));
	assert_string_equal(secret_text(found->server_token), "eu-token");
	assert_string_equal(found->message_stream, "eu-stream");
	found = config_connection(copy, "US-2");
	assert_ptr_equal(found, config_connection_at(copy, 2));
	assert_null(found->server_token);
	assert_string_equal(secret_text(found->account_token), "us-account");
	assert_null(config_connection_at(copy, 3));
	assert_null(config_connection(copy, "us"));

	/* For people and for processes that must not have them. */
	buf_clear(&printed);
	config_print(copy, false, &printed);
	assert_null(strstr(printed.data, "token"));
	assert_null(strstr(printed.data, "us-account"));
	assert_non_null(strstr(printed.data, "connection us-2 {\n"));
	c = config_parse(printed.data, printed.len, "printed", &why);
	assert_non_null(c);
	assert_int_equal(c->connection_count, 2);
	assert_string_equal(c->connections[0].message_stream, "eu-stream");
	config_free(&c);
	config_free(&copy);
	buf_free(&print);
	buf_free(&printed);
	buf_free(&why);
}

/* Every option of the sample can be uncommented and means its default. */
static bool
is_secret_file(const char *line)
{
	size_t len = strcspn(line, " =\n");

	for (size_t i = 0; i < OPTION_SECTION_COUNT; i++)
		for (const struct option_row *o = option_sections[i]->rows; o->section != NULL; o++)
			if (o->kind == OPTION_SECRET_FILE && strlen(o->name) == len &&
			    memcmp(o->name, line, len) == 0)
				return true;
	return false;
}

static void
test_sample(void **state)
{
	struct buf sample, open, preset, printed, why;
	bool in_outlet = false;
	struct config *c;

	(void)state;
	buf_init(&sample, 1000000);
	buf_init(&open, 1000000);
	buf_init(&preset, 100000);
	buf_init(&printed, 100000);
	config_sample(&sample);
	c = parse("", &why);
	config_print(c, true, &preset);
	config_free(&c);
	buf_free(&why);

	c = config_parse(sample.data, sample.len, "sample", &why);
	if (c == NULL)
		fail_msg("%s", why.data);
	config_print(c, true, &printed);
	assert_string_equal(printed.data, preset.data);
	config_free(&c);
	buf_clear(&printed);
	buf_clear(&preset);
	buf_free(&why);

	/* A section with a title is there once it is uncommented. */
	c = parse("connection NAME { } route R { } outlet NAME { file = /f }", &why);
	config_print(c, true, &preset);
	config_free(&c);
	for (const char *line = sample.data; *line != '\0';) {
		size_t len = strcspn(line, "\n") + 1;

		if (line[0] == '\t' && line[1] == '#' && line[2] != ' ') {
			/* A secret is given by value or by file; an outlet has its file already. */
			if (!is_secret_file(line + 2) &&
			    (strncmp(line + 2, "file = \"\"", 9) != 0 || !in_outlet))
				buf_add(&open, line + 2, len - 2);
		} else if (strncmp(line, "#route NAME {", 13) == 0) {
			/* It has not the name of a connection. */
			buf_adds(&open, "route R {\n");
		} else if (strncmp(line, "#outlet NAME {", 14) == 0) {
			in_outlet = true;
			/* It goes somewhere. */
			buf_adds(&open, "outlet NAME {\nfile = /f\n");
		} else if (line[0] == '#' && line[1] != ' ') {
			buf_add(&open, line + 1, len - 1);
		} else {
			buf_add(&open, line, len);
		}
		line += len;
	}
	c = config_parse(open.data, open.len, "sample", &why);
	if (c == NULL)
		fail_msg("%s", why.data);
	config_print(c, true, &printed);
	assert_string_equal(printed.data, preset.data);
	config_free(&c);
	buf_free(&sample);
	buf_free(&open);
	buf_free(&preset);
	buf_free(&printed);
	buf_free(&why);
}

static void
test_keep_fixed(void **state)
{
	struct buf why;
	struct config *a = parse("", &why), *b;
	struct strlist names = { 0 };

	(void)state;
	buf_free(&why);
	b = parse("smtp { message-size = 1M }", &why);
	config_keep_fixed(a, b, &names);
	assert_int_equal(names.count, 0);
	config_free(&b);
	buf_free(&why);
	b = parse("smtp { listen = \"[::1]:25\" }\nspool { folder = /x }", &why);
	config_keep_fixed(a, b, &names);
	assert_int_equal(names.count, 2);
	assert_string_equal(names.items[0], "smtp.listen");
	assert_string_equal(names.items[1], "spool.folder");
	assert_string_equal(b->spool_folder, a->spool_folder);
	assert_int_equal(b->listen.count, a->listen.count);
	assert_string_equal(b->listen.items[0], a->listen.items[0]);
	strlist_free(&names);
	config_free(&a);
	config_free(&b);
	buf_free(&why);
}

/* ---- the table --------------------------------------------------------------------------- */

static void
check_section(const struct option_section *s)
{
	assert_non_null(s->text);
	assert_ptr_equal(option_section_find(s->name), s);
	for (size_t i = 0; i < s->row_count; i++) {
		const struct option_row *o = &s->rows[i];

		assert_string_equal(o->section, s->name);
		if (o->kind == OPTION_LIST || o->kind == OPTION_SECRET)
			assert_non_null(o->right);
		if (o->kind == OPTION_CHOICE)
			assert_non_null(o->choices);
		if (o->kind == OPTION_SECRET_FILE)
			assert_int_equal(o[-1].kind, OPTION_SECRET);
		if (o->kind == OPTION_SECRET)
			assert_int_equal(o[1].kind, OPTION_SECRET_FILE);
		if (o->least > o->most)
			fail_msg("%s.%s: empty range", o->section, o->name);
		assert_non_null(o->text);
		assert_ptr_equal(option_find(o->section, o->name), o);
		for (size_t j = 0; j < i; j++) {
			const struct option_row *other = &s->rows[j];

			if (other->at == o->at)
				fail_msg("%s.%s: same place as %s.%s", o->section, o->name,
				    other->section, other->name);
			if (strcmp(other->name, o->name) == 0)
				fail_msg("%s.%s: in two places", o->section, o->name);
		}
	}
	assert_null(s->rows[s->row_count].section);
}

static void
test_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < OPTION_SECTION_COUNT; i++)
		check_section(option_sections[i]);
	assert_null(option_sections[OPTION_SECTION_COUNT]);
}

/* No two sections share a place in the settings. */
static void
test_places(void **state)
{
	(void)state;
	for (size_t i = 0; i < OPTION_SECTION_COUNT; i++) {
		const struct option_section *a = option_sections[i];

		for (size_t j = 0; j < i; j++) {
			const struct option_section *b = option_sections[j];

			for (size_t k = 0; !a->titled && !b->titled && k < a->row_count; k++)
				for (size_t l = 0; l < b->row_count; l++)
					if (a->rows[k].at == b->rows[l].at)
						fail_msg("%s.%s: same place as %s.%s", a->name,
						    a->rows[k].name, b->name, b->rows[l].name);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_size),
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_mappings),
		cmocka_unit_test(test_local),
		cmocka_unit_test(test_presets),
		cmocka_unit_test(test_file),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_loaded),
		cmocka_unit_test(test_warnings),
		cmocka_unit_test(test_nul),
		cmocka_unit_test(test_accepted),
		cmocka_unit_test(test_missing_file),
		cmocka_unit_test(test_environment),
		cmocka_unit_test(test_environment_refused),
		cmocka_unit_test(test_environment_connections),
		cmocka_unit_test(test_secret_files),
		cmocka_unit_test(test_print),
		cmocka_unit_test(test_connections),
		cmocka_unit_test(test_sample),
		cmocka_unit_test(test_keep_fixed),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_places),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
