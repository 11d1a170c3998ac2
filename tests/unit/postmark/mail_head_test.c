#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "mail/mail.h"
#include "postmark/mail_head.h"
#include "postmark/search.h"

static void
fields(void **state)
{
	static const struct {
		const char *reason, *head, *value;
	} cases[] = {
		{ "the first", "X-A: one\r\nX-A: two\r\n\r\n", "one" },
		{ "in other letters", "x-a:one\r\n", "one" },
		{ "behind others", "X-AB: no\r\nB: X-A: no\r\nX-A: yes\r\n", "yes" },
		{ "space before the colon", "X-A \t: one\r\n", "one" },
		{ "folded", "X-A:\r\n one\r\n\ttwo \r\nX-B: x\r\n", "one\r\n\ttwo" },
		{ "a line that goes on is no field", "B: x\r\n X-A: no\r\n\r\n", NULL },
		{ "the body is not asked", "B: x\r\n\r\nX-A: no\r\n", NULL },
		{ "not with bare line ends either", "B: x\n\nX-A: no\n", NULL },
		{ "cut", "X-A: on", "on" },
		{ "empty", "X-A:\r\n\r\n", "" },
		{ "no colon", "X-A one\r\n", NULL },
		{ "nothing", "", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		size_t len = 0;
		const char *value =
		    mail_head_field(cases[i].head, strlen(cases[i].head), "X-A", &len);

		if ((value == NULL) != (cases[i].value == NULL) ||
		    (value != NULL &&
			(len != strlen(cases[i].value) || memcmp(value, cases[i].value, len) != 0)))
			fail_msg("%s: %.*s", cases[i].reason, (int)len, value != NULL ? value : "");
	}
}

static void
streams(void **state)
{
	static const struct {
		const char *mail, *stream;
	} cases[] = {
		{ "X-PM-Message-Stream: news\r\nSubject: x\r\n\r\n", "news" },
		{ "Subject: x\r\nx-pm-message-stream:  news \r\n\r\n", "news" },
		{ "X-PM-MessageStream: news\r\n\r\n", "news" },
		{ "X-PM-Message-Stream: a\r\n b\r\n\r\n", NULL },
		{ "X-PM-Message-Stream:\r\n\r\n", NULL },
		{ "Subject: x\r\n\r\nX-PM-Message-Stream: news\r\n", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		size_t len = strlen(cases[i].mail);

		/* In memory, then in a file. */
		for (int pass = 0; pass < 2; pass++) {
			struct payload payload;
			char *stream;

			payload_init(&payload);
			payload.len = len;
			if (pass == 0) {
				payload.data = mem_string(cases[i].mail);
			} else {
				payload.fd = memfd_create("mail", MFD_CLOEXEC);
				assert_int_equal(write(payload.fd, cases[i].mail, len), len);
			}
			stream = search_item_stream(ITEM_SMTP, &payload);
			if (cases[i].stream == NULL)
				assert_null(stream);
			else
				assert_string_equal(stream, cases[i].stream);
			free(stream);
			payload_free(&payload);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields),
		cmocka_unit_test(streams),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
