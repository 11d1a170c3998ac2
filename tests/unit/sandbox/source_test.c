#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "sandbox/source.h"

#define ID    "6f0f3a52-0d8b-4f3e-9a52-3b6f1c1d7e10"
#define TAIL  "X-PM-Message-Id: " ID "\r\n"
#define THEIR "Message-ID: <" ID "@mtasv.net>\r\n" TAIL

static const struct {
	const char *reason;
	const char *source;
	const char *delivered;
} table[] = {
	{ "nothing to take out", "From: a@b.example\r\n\r\nx\r\n",
	    "From: a@b.example\r\n" THEIR "\r\nx\r\n" },
	{ "Bcc, with all of its lines", "To: a\r\nbCC : b,\r\n\tc,\r\n d\r\nSubject: s\r\n\r\n",
	    "To: a\r\nSubject: s\r\n" THEIR "\r\n" },
	{ "a field that only begins like it", "Bcc-Note: x\r\n\r\n",
	    "Bcc-Note: x\r\n" THEIR "\r\n" },
	{ "what steers Postmark", "X-PM-Tag: t\r\nx-pm-metadata-a:\r\n b\r\nX-PMX: c\r\n\r\n",
	    "X-PMX: c\r\n" THEIR "\r\n" },
	{ "their Message-ID", "Message-Id: <own@b.example>\r\nTo: a\r\n\r\n",
	    "To: a\r\n" THEIR "\r\n" },
	{ "our own Message-ID", "Message-Id: <own@b.example>\r\nX-PM-KeepID:  True\r\n\r\n",
	    "Message-Id: <own@b.example>\r\n" TAIL "\r\n" },
	{ "asked not to keep it", "Message-Id: <own@b.example>\r\nX-PM-KeepID: false\r\n\r\n",
	    THEIR "\r\n" },
	{ "the body is nobody's business",
	    "To: a\r\n\r\nBcc: b\r\nX-PM-Tag: t\r\nX-PM-KeepID: true\r\n",
	    "To: a\r\n" THEIR "\r\nBcc: b\r\nX-PM-Tag: t\r\nX-PM-KeepID: true\r\n" },
	{ "no header", "\r\nx", THEIR "\r\nx" },
	{ "no body", "To: a\r\n", "To: a\r\n" THEIR },
	{ "nothing at all", "", THEIR },
	{ "cut within a field", "To: a\r\nBcc: b", "To: a\r\n" THEIR },
	{ "no UTF-8", "To: \xe4\r\n\r\n\xff\xc3\xa4\xc3",
	    "To: \xef\xbf\xbd\r\n" THEIR "\r\n\xef\xbf\xbd\xc3\xa4\xef\xbf\xbd" },
};

static void
test_delivered(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		size_t len;
		char *got = source_delivered(table[i].source, strlen(table[i].source), ID, &len);

		print_message("%s\n", table[i].reason);
		assert_string_equal(got, table[i].delivered);
		assert_int_equal(len, strlen(got));
		free(got);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_delivered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
