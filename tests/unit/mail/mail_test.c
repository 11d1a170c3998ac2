#include <errno.h>
#include <fcntl.h>
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

static void
test_item_id(void **state)
{
	static const struct {
		unsigned number;
		const char *id;
	} cases[] = {
		{ 1, "01HZZZZZZZZZZZZZZZZZZZZZZZ-1" },
		{ 20, "01HZZZZZZZZZZZZZZZZZZZZZZZ-20" },
		{ 999999, "01HZZZZZZZZZZZZZZZZZZZZZZZ-999999" },
	};
	char id[ITEM_ID_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		item_id(id, "01HZZZZZZZZZZZZZZZZZZZZZZZ", cases[i].number);
		assert_string_equal(id, cases[i].id);
	}
}

/* The numbers are on disks: whoever changes one here loses mail there. */
static void
test_item_id_read(void **state)
{
	static const struct {
		const char *reason, *id;
		int number; /* -1: neither */
	} cases[] = {
		{ "a mail", "01HZZZZZZZZZZZZZZZZZZZZZZA", 0 },
		{ "an item", "01HZZZZZZZZZZZZZZZZZZZZZZA-1", 1 },
		{ "the largest number", "01HZZZZZZZZZZZZZZZZZZZZZZA-999999", 999999 },
		{ "small letters", "01hzzzzzzzzzzzzzzzzzzzzzza-20", 20 },
		{ "what the items share is none", "01HZZZZZZZZZZZZZZZZZZZZZZA-0", -1 },
		{ "no number", "01HZZZZZZZZZZZZZZZZZZZZZZA-", -1 },
		{ "a number too large", "01HZZZZZZZZZZZZZZZZZZZZZZA-1000000", -1 },
		{ "a sign", "01HZZZZZZZZZZZZZZZZZZZZZZA--1", -1 },
		{ "something else behind", "01HZZZZZZZZZZZZZZZZZZZZZZA 1", -1 },
		{ "a letter outside of the alphabet", "01HZZZZZZZZZZZZZZZZZZZZZZU", -1 },
		{ "too short", "01HZZZZZZZZZZZZZZZZZZZZZZ", -1 },
		{ "nothing", "", -1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char mail_id[ULID_SIZE];
		unsigned number = 77;
		int result = item_id_read(cases[i].id, mail_id, &number);

		if (result != (cases[i].number >= 0 ? 0 : -1))
			fail_msg("%s", cases[i].reason);
		if (result != 0)
			continue;
		assert_string_equal(mail_id, "01HZZZZZZZZZZZZZZZZZZZZZZA");
		assert_int_equal(number, cases[i].number);
	}
}

static void
test_state_names(void **state)
{
	static const struct {
		int number;
		const char *name;
	} cases[] = {
		{ 1, "spooled" },
		{ 2, "sending" },
		{ 3, "waiting" },
		{ 4, "held" },
		{ 5, "unsure" },
		{ 6, "sent" },
		{ 7, "failed" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(
		    item_state_name((enum item_state)cases[i].number), cases[i].name);
}

static void
test_payload(void **state)
{
	struct payload p;
	int fd;

	(void)state;
	payload_init(&p);
	assert_null(p.data);
	assert_int_equal(p.fd, -1);
	payload_free(&p);

	p.data = mem_string("{}");
	p.len = 2;
	payload_free(&p);
	assert_null(p.data);
	assert_int_equal(p.len, 0);

	fd = memfd_create("payload", MFD_CLOEXEC);
	assert_true(fd >= 0);
	p.fd = fd;
	payload_free(&p);
	assert_int_equal(p.fd, -1);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	assert_int_equal(errno, EBADF);
	payload_free(&p);
}

static void
test_mail(void **state)
{
	struct mail *mail = mail_new();
	struct mail *none = NULL;

	(void)state;
	mail->subject = mem_string("hello");
	mail->item_count = 2;
	mail->items = mem_array(2, sizeof(mail->items[0]));
	for (unsigned i = 0; i < 2; i++) {
		strlist_add(&mail->items[i].recipients, "a@recipient.example");
		payload_init(&mail->items[i].payload);
	}
	mail->items[0].payload.data = mem_string("{}");
	mail_free(&mail);
	assert_null(mail);
	mail_free(&mail);
	mail_free(&none);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_item_id),
		cmocka_unit_test(test_item_id_read),
		cmocka_unit_test(test_state_names),
		cmocka_unit_test(test_payload),
		cmocka_unit_test(test_mail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
