#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/strlist.h"

#include "webhook/senders.h"

static void
add_words(struct strlist *list, const char *words)
{
	for (size_t len; *words != '\0'; words += len + (words[len] == ' ')) {
		len = strcspn(words, " ");
		strlist_add_bytes(list, words, len);
	}
}

#define USUAL "127.0.0.0/8 ::1 unix"

static void
who_may_post(void **state)
{
	static const struct {
		const char *why, *networks, *proxies, *peer;
		const char *forwarded[4]; /* as many headers */
		const char *sender;
		bool may;
	} cases[] = {
		{ "anybody", "", USUAL, "192.0.2.1:40", { NULL }, "192.0.2.1", true },
		{ "anybody at a Unix socket", "", USUAL, "unix", { NULL }, "unix", true },
		{ "one of the network", "192.0.2.0/24", USUAL, "192.0.2.1:40", { NULL },
		    "192.0.2.1", true },
		{ "another", "192.0.2.0/24", USUAL, "192.0.3.1:40", { NULL }, "192.0.3.1", false },
		{ "IPv6", "2001:db8::/32", USUAL, "[2001:db8::7]:40", { NULL }, "2001:db8::7",
		    true },
		{ "IPv6 of another network", "2001:db8::/32", USUAL, "[2001:db9::7]:40", { NULL },
		    "2001:db9::7", false },
		{ "Postmark", "postmark", USUAL, "50.31.156.77:40", { NULL }, "50.31.156.77",
		    true },
		{ "not Postmark", "postmark", USUAL, "50.31.156.78:40", { NULL }, "50.31.156.78",
		    false },
		{ "Postmark and one's own", "postmark 192.0.2.0/24", USUAL, "18.217.206.57:1",
		    { NULL }, "18.217.206.57", true },
		{ "told by a proxy", "postmark", USUAL, "127.0.0.1:40", { "3.134.147.250" },
		    "3.134.147.250", true },
		{ "told by a proxy at a Unix socket", "postmark", USUAL, "unix", { "50.31.156.6" },
		    "50.31.156.6", true },
		{ "told by somebody who is no proxy", "postmark", USUAL, "192.0.2.1:40",
		    { "3.134.147.250" }, "192.0.2.1", false },
		{ "no Unix proxies", "postmark", "127.0.0.1", "unix", { "50.31.156.6" }, "unix",
		    false },
		{ "the last one counts, others can be made up", "postmark", USUAL, "127.0.0.1:40",
		    { "3.134.147.250, 192.0.2.9" }, "192.0.2.9", false },
		{ "the last header counts", "postmark", USUAL, "127.0.0.1:40",
		    { "3.134.147.250", "192.0.2.9" }, "192.0.2.9", false },
		{ "behind two proxies", "postmark", "127.0.0.1 10.0.0.0/8", "127.0.0.1:40",
		    { "1.1.1.1, 3.134.147.250 ,\t10.0.0.7" }, "3.134.147.250", true },
		{ "behind two proxies, in two headers", "postmark", "127.0.0.1 10.0.0.0/8",
		    "127.0.0.1:40", { "1.1.1.1", "3.134.147.250", "10.0.0.7" }, "3.134.147.250",
		    true },
		{ "proxies all the way", "10.0.0.0/8", "127.0.0.1 10.0.0.0/8", "127.0.0.1:40",
		    { "10.0.0.1, 10.0.0.2" }, "10.0.0.1", true },
		{ "with a port", "postmark", USUAL, "127.0.0.1:40", { "3.134.147.250:8080" },
		    "3.134.147.250", true },
		{ "IPv6 with a port", "2001:db8::/32", USUAL, "127.0.0.1:40",
		    { "[2001:db8::1]:99" }, "2001:db8::1", true },
		{ "IPv6 in brackets", "2001:db8::/32", USUAL, "127.0.0.1:40", { "[2001:db8::1]" },
		    "2001:db8::1", true },
		{ "IPv6 alone", "2001:db8::/32", USUAL, "127.0.0.1:40", { "2001:db8::1" },
		    "2001:db8::1", true },
		{ "a mapped address is IPv4", "postmark", USUAL, "[::1]:40",
		    { "::ffff:50.31.156.6" }, "50.31.156.6", true },
		{ "a word", "postmark", USUAL, "127.0.0.1:40", { "3.134.147.250, unknown" },
		    "unknown", false },
		{ "a word, but anybody may", "", USUAL, "127.0.0.1:40", { "unknown" }, "unknown",
		    true },
		{ "empty items", "postmark", USUAL, "127.0.0.1:40", { " ,, 3.134.147.250, ,", "" },
		    "3.134.147.250", true },
		{ "a proxy that tells nothing is the sender", "127.0.0.0/8", USUAL, "127.0.0.1:40",
		    { NULL }, "127.0.0.1", true },
		{ "half a bracket", "postmark", USUAL, "127.0.0.1:40", { "[50.31.156.6" },
		    "unknown", false },
		{ "something behind the bracket", "postmark", USUAL, "127.0.0.1:40",
		    { "[50.31.156.6]x" }, "unknown", false },
		{ "far too long", "postmark", USUAL, "127.0.0.1:40",
		    { "3.134.147.2500000000000000000000000000000000000000000000000000" }, "unknown",
		    false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct strlist networks = { 0 }, proxies = { 0 };
		char text[SENDERS_TEXT_SIZE];
		struct senders *s;
		size_t count = 0;
		bool may;

		add_words(&networks, cases[i].networks);
		add_words(&proxies, cases[i].proxies);
		s = senders_new(&networks, &proxies);
		while (count < 4 && cases[i].forwarded[count] != NULL)
			count++;
		may = senders_may(s, cases[i].peer, cases[i].forwarded, count, text);
		if (may != cases[i].may || strcmp(text, cases[i].sender) != 0)
			fail_msg("%s: %s, %d", cases[i].why, text, may);
		senders_free(&s);
		strlist_free(&networks);
		strlist_free(&proxies);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_may_post),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
