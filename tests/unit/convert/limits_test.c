/*
 * Postmark's limits, before anything is stored: at each figure the mail is taken, one more and it
 * is refused with the limit, the figure and the fitting code.
 */

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "lab.h"

struct limit {
	const char *reason;
	const char *before, *repeated;
	size_t most; /* repetitions that are fine */
	const char *after;
	int code;
	const char *enhanced;
	const char *limit, *figure; /* in the reply to one more */
};

#define HEAD    "From: s@x.e\r\nTo: ann@x.example\r\n"
#define NO_MORE ": v\r\n\r\nx"

static const struct limit limits[] = {
	{ "units of subject", HEAD "Subject: ", "s", 2000, "\r\n\r\nx", 554, "5.6.0",
	    "its limit is 2000", "has 2001 characters" },
	{ "surrogates of subject", HEAD "Subject: ", "\U0001F600", 1000, "\r\n\r\nx", 554, "5.6.0",
	    "its limit is 2000", "has 2002 characters" },
	{ "bytes that are fewer units", HEAD "Subject: ", "\u00fc", 2000, "\r\n\r\nx", 554, "5.6.0",
	    "its limit is 2000", "has 2001 characters" },
	{ "tag", HEAD "X-PM-Tag: ", "t", 1000, "\r\n\r\nx", 554, "5.6.0", "its limit is 1000",
	    "X-PM-Tag has 1001 characters" },
	{ "metadata key", HEAD "X-PM-Metadata-", "k", 20, NO_MORE, 554, "5.6.0", "its limit is 20",
	    "a key of X-PM-Metadata has 21" },
	{ "metadata value", HEAD "X-PM-Metadata-a: ", "v", 80, "\r\n\r\nx", 554, "5.6.0",
	    "its limit is 80", "a value of X-PM-Metadata has 81" },
	{ "metadata keys", HEAD, "X-PM-Metadata-k: v\r\n", 9, "\r\nx", 554, "5.6.0", "limit is 10",
	    "more than 9" },
	{ "text body", HEAD "\r\n", "0123456789abcdef", 327680, "", 552, "5.3.4",
	    "limit is 5242880", "has 5242896 bytes as TextBody" },
	{ "HTML body", HEAD "Content-Type: text/html\r\n\r\n", "0123456789abcdef", 327680, "", 552,
	    "5.3.4", "limit is 5242880", "has 5242896 bytes as HtmlBody" },
	{ "length of a field's name", HEAD "X-", "n", 995, NO_MORE, 554, "5.6.0",
	    "the limit is 997", "has 998 characters" },
	{ "fields", "From: s@x.e\r\n", "X-Y: z\r\n", 999, "\r\nx", 554, "5.6.0",
	    "the limit is 1000", "1001 fields" },
	{ "parts", HEAD "Content-Type: multipart/mixed; boundary=b\r\n\r\n", "--b\r\n\r\nx\r\n",
	    999, "--b--\r\n", 554, "5.6.0", "1000", "1000" },
};

static void
build(struct buf *out, const struct limit *limit, size_t times)
{
	buf_init(out, SIZE_MAX / 4);
	buf_adds(out, limit->before);
	for (size_t i = 0; i < times; i++)
		buf_adds(out, limit->repeated);
	buf_adds(out, limit->after);
}

static void
test_limits(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		const struct limit *l = &limits[i];
		const struct lab_run run = { .options = lab_options(),
			.recipients = "ann@x.example" };
		struct mail *mail = NULL;
		struct refusal refusal;
		struct buf content;

		build(&content, l, l->most);
		if (lab_convert(&run, content.data, content.len, &mail, &refusal) != 0)
			fail_msg("%s: at the limit: %s", l->reason, refusal.text);
		mail_free(&mail);
		buf_free(&content);
		build(&content, l, l->most + 1);
		lab_refused(
		    l->reason, &run, content.data, content.len, l->code, l->enhanced, l->limit);
		lab_refused(
		    l->reason, &run, content.data, content.len, l->code, l->enhanced, l->figure);
		buf_free(&content);
	}
}

/* Where a template has the text, that of the mail may have any length. */
static void
test_no_limit_beside_a_template(void **state)
{
	const struct lab_run run = { .options = lab_options(), .recipients = "ann@x.example" };
	struct mail *mail = NULL;
	struct refusal refusal;
	struct buf content;

	(void)state;
	buf_init(&content, SIZE_MAX / 4);
	buf_adds(&content, HEAD "X-PM-Template-Alias: welcome\r\n\r\n");
	while (content.len < 5300000)
		buf_adds(&content, "a long text of a mail, which nobody gets to see\r\n");
	assert_int_equal(lab_convert(&run, content.data, content.len, &mail, &refusal), 0);
	assert_int_equal(mail->items[0].kind, ITEM_TEMPLATE);
	mail_free(&mail);
	buf_free(&content);
}

/* Its route's keys count, too. */
static void
test_metadata_of_the_route_counts(void **state)
{
	struct lab_run run = { .options = lab_options(), .recipients = "ann@x.example" };
	struct strlist metadata = { 0 };
	struct mail *mail;
	struct buf content;

	(void)state;
	lab_list(&metadata, "a=1", "b=2", "k3=again", NULL);
	run.options.metadata = &metadata;
	buf_init(&content, 4096);
	buf_adds(&content, "From: s@x.e\n");
	for (int i = 0; i < 7; i++)
		buf_addf(&content, "X-PM-Metadata-k%d: v\n", i);
	buf_adds(&content, "\nx");
	mail = lab_mail("nine and ours", &run, content.data);
	mail_free(&mail);
	strlist_add(&metadata, "c=3");
	lab_refused("ten and ours", &run, content.data, content.len, 554, "5.6.0",
	    "the mail has 11 keys of metadata with those of its route, and Postmark's limit is 10");
	buf_free(&content);
	strlist_free(&metadata);
}

/* 50 of To, Cc and Bcc in one item; the 51st is in the next. */
static void
test_recipients(void **state)
{
	struct lab_run run = { .options = lab_options() };
	struct buf content, recipients;
	struct mail *mail;

	(void)state;
	for (size_t count = 50; count <= 101; count += count == 50 ? 1 : 50) {
		buf_init(&content, SIZE_MAX / 4);
		buf_init(&recipients, SIZE_MAX / 4);
		buf_adds(&content, "From: s@x.e\nTo: r0@x.example");
		for (size_t i = 0; i < count; i++) {
			buf_addf(&recipients, "r%zu@x.example ", i);
			buf_addf(&content, ",\n r%zu@x.example", i);
		}
		buf_adds(&content, "\n\nx");
		run.recipients = recipients.data;
		mail = lab_mail("recipients", &run, content.data);
		assert_int_equal(mail->item_count, (count + 49) / 50);
		for (size_t i = 0; i < mail->item_count; i++)
			assert_in_range(mail->items[i].recipients.count, 1, 50);
		mail_free(&mail);
		buf_free(&content);
		buf_free(&recipients);
	}
}

static void
test_extensions(void **state)
{
	static const char *const all[] = { "vbs", "exe", "bin", "bat", "chm", "com", "cpl", "crt",
		"hlp", "hta", "inf", "ins", "isp", "jse", "lnk", "mdb", "pcd", "pif", "reg", "scr",
		"sct", "shs", "vbe", "vba", "wsf", "wsh", "wsl", "msc", "msi", "msp", "mst" };
	const struct lab_run run = { .options = lab_options(), .recipients = "ann@x.example" };

	(void)state;
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		struct buf content;
		char said[40];

		buf_init(&content, 4096);
		buf_addf(
		    &content, "From: s@x.e\r\nContent-Type: a/b; name=\"f.%s\"\r\n\r\nx", all[i]);
		snprintf(said, sizeof(said), "f.%s: Postmark does not take", all[i]);
		lab_refused(all[i], &run, content.data, content.len, 554, "5.7.1", said);
		buf_free(&content);
	}
}

/* No subject goes out beside a template, so none is too long. */
static void
test_subject_beside_a_template(void **state)
{
	const struct lab_run run = { .options = lab_options(), .recipients = "ann@x.example" };
	struct mail *mail;
	struct buf content;

	(void)state;
	buf_init(&content, SIZE_MAX / 4);
	buf_adds(&content, "From: s@x.e\nX-PM-Template-Alias: w\nSubject: ");
	for (int i = 0; i < 3000; i++)
		buf_addc(&content, 's');
	buf_adds(&content, "\n\nx");
	mail = lab_mail("template", &run, content.data);
	mail_free(&mail);
	buf_free(&content);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_no_limit_beside_a_template),
		cmocka_unit_test(test_metadata_of_the_route_counts),
		cmocka_unit_test(test_recipients),
		cmocka_unit_test(test_extensions),
		cmocka_unit_test(test_subject_beside_a_template),
	};

	return cmocka_run_group_tests(tests, lab_setup, NULL);
}
