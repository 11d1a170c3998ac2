/* Parameters as clients write them. */

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "mail/mime.h"
#include "mail/parameter.h"

static const struct {
	const char *reason;
	const char *value;
	const char *file_name; /* NULL: there is none */
} names[] = {
	{ "none", "attachment", NULL },
	{ "a token", "attachment; filename=a.txt", "a.txt" },
	{ "any case, any space", "attachment ;\tFILENAME = a.txt ; size=3", "a.txt" },
	{ "quoted", "attachment; filename=\"a; b.txt\"", "a; b.txt" },
	{ "escapes", "attachment; filename=\"a\\\"b\\\\c.txt\"", "a\"b\\c.txt" },
	{ "a path without escapes", "attachment; filename=\"C:\\dir\\a.txt\"", "C:\\dir\\a.txt" },
	{ "quotes that should have been escaped", "attachment; filename=\"a \"b\"c.txt\"",
	    "a \"b\"c.txt" },
	{ "a quote that never ends", "attachment; filename=\"a b.txt; size=3", "a b.txt" },
	{ "several quotes that never end", "attachment; a=\"b; filename=\"c d.txt; size=\"3",
	    "c d.txt" },
	{ "an escaped quote closes none", "attachment; a=\"b\\\"; filename=\"c.txt\\\"; size=3",
	    "c.txt\"" },
	{ "spaces without quotes", "attachment; filename=my report (1).pdf; size=3",
	    "my report (1).pdf" },
	{ "comments", "attachment (x;y); (z) filename (w) = (v) a.txt", "a.txt" },
	{ "a comment that never ends", "attachment; (z filename=a.txt", NULL },
	{ "no semicolon", "attachment filename=\"a.txt\" size=3", "a.txt" },
	{ "nothing before it", "filename=\"a.txt\"", "a.txt" },
	{ "empty", "attachment; filename=\"\"", "" },
	{ "no value", "attachment; filename; size=3", NULL },
	{ "of two the first", "attachment; filename=a; filename=b", "a" },
	{ "a longer name is another", "attachment; filename2=a; xfilename=b", NULL },

	/* RFC 2231 */
	{ "extended", "attachment; filename*=utf-8'de'%C3%BC.txt", "\u00fc.txt" },
	{ "extended and in quotes", "attachment; filename*=\"utf-8''%C3%BC.txt\"", "\u00fc.txt" },
	{ "extended without charset", "attachment; filename*=''%C3%BC.txt", "\u00fc.txt" },
	{ "extended without quotes", "attachment; filename*=%C3%BC.txt", "\u00fc.txt" },
	{ "another charset", "attachment; filename*=gb2312''%C4%E3.txt", "\u4f60.txt" },
	{ "a charset nobody knows", "attachment; filename*=x-no''%FC.txt", "\u00fc.txt" },
	{ "a charset that lies", "attachment; filename*=us-ascii''%C3%BC.txt", "\u00fc.txt" },
	{ "no hexadecimal digits", "attachment; filename*=utf-8''a%2.txt%", "a%2.txt%" },
	{ "extended beats plain", "attachment; filename=a.txt; filename*=utf-8''%C3%BC.txt",
	    "\u00fc.txt" },
	{ "in either order", "attachment; filename*=utf-8''%C3%BC.txt; filename=a.txt",
	    "\u00fc.txt" },
	{ "unless it cannot be read", "attachment; filename=a.txt; filename*=utf-8''%FC.txt",
	    "a.txt" },
	{ "or is empty", "attachment; filename=a.txt; filename*=utf-8''", "a.txt" },
	{ "it is all there is", "attachment; filename*=utf-8''%FC.txt", "\ufffd.txt" },
	{ "pieces", "attachment; filename*0=\"a b\"; filename*1=c.txt", "a bc.txt" },
	{ "pieces beat plain", "attachment; filename=x; filename*0=a; filename*1=b", "ab" },
	{ "pieces in any order", "attachment; filename*1=c; filename*0=\"a b\"; filename*2=d",
	    "a bcd" },
	{ "more than ten", "attachment; filename*0=a;filename*1=b;filename*2=c;filename*10=d",
	    "abcd" },
	{ "a character in two pieces", "attachment; filename*0*=utf-8''%C3; filename*1*=%BC",
	    "\u00fc" },
	{ "extended pieces and others",
	    "attachment; filename*0*=iso-8859-1''%FC; filename*1=\"%FC\"; filename*2*=%FC",
	    "\u00fc%FC\u00fc" },
	{ "a piece twice", "attachment; filename*0=a; filename*0=b; filename*1=c", "ac" },
	{ "the first piece is missing", "attachment; filename*1=b; filename*2=c", "bc" },
	{ "not a number", "attachment; filename*x=b; filename**=c; filename*0x=d", NULL },

	/* RFC 2047, where it must not be */
	{ "an encoded word", "attachment; filename=\"=?utf-8?Q?=C3=BC.txt?=\"", "\u00fc.txt" },
	{ "without quotes", "attachment; filename==?utf-8?Q?a;b_=C3=BC.txt?=; size=3",
	    "a;b \u00fc.txt" },
	{ "several, cut within a character",
	    "attachment; filename=\"=?utf-8?Q?=C3?= =?utf-8?Q?=BC?= x.txt\"", "\u00fc x.txt" },
	{ "in pieces", "attachment; filename*0=\"=?utf-8?Q?=C3\"; filename*1=\"=BC?=\"", "\u00fc" },
	{ "not in an extended one", "attachment; filename*=utf-8''=?utf-8?Q?a?=", "=?utf-8?Q?a?=" },
	{ "line ends", "attachment; filename*=utf-8''a%0D%0ABcc:%20b", "a  Bcc: b" },
};

static void
test_names(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char *got = parameter_find(names[i].value, "filename", false);

		if ((got == NULL) != (names[i].file_name == NULL) ||
		    (got != NULL && strcmp(got, names[i].file_name) != 0))
			fail_msg("%s: %s", names[i].reason, got == NULL ? "none" : got);
		free(got);
	}
}

static void
test_tokens(void **state)
{
	static const struct {
		const char *value;
		const char *head;
		const char *charset;
	} cases[] = {
		{ "text/plain; charset=us-ascii (Plain text)", "text/plain", "us-ascii" },
		{ "Text/Plain ; charset = \"utf-8\"", "text/plain", "utf-8" },
		{ "text/plain; charset=utf-8 format=flowed", "text/plain", "utf-8" },
		{ "text/plain charset=utf-8", "text/plain", "utf-8" },
		{ "(a (b)) text / (c) plain (d); charset=utf-8", "text/plain", "utf-8" },
		{ "\"text/plain\"; charset=utf-8", "text/plain", "utf-8" },
		{ "base64", "base64", NULL },
		{ "\"base64\"", "base64", NULL },
		{ "base64;", "base64", NULL },
		{ "base64 trailing junk", "base64", NULL },
		{ "charset=utf-8", "", "utf-8" },
		{ "", "", NULL },
		{ ";;;", "", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *head = parameter_head(cases[i].value);
		char *charset = parameter_find(cases[i].value, "charset", true);

		if (strcmp(head, cases[i].head) != 0 ||
		    (charset == NULL) != (cases[i].charset == NULL) ||
		    (charset != NULL && strcmp(charset, cases[i].charset) != 0))
			fail_msg(
			    "%s: %s, %s", cases[i].value, head, charset == NULL ? "none" : charset);
		free(head);
		free(charset);
	}
}

/* Linear in time: a test that does not end is how it shows. */
static void
test_hostile(void **state)
{
	static const char *const units[] = { "(", "(x)", ";", "\"", "=", "a=", "a=\"", "a=\\",
		"filename", "filename=", "filename=\"", "filename*=", "filename*0*=%",
		"filename*1=a;", "filename==?a?q?", "; ; =?", "/", "a=\"b;", "a=b;", "a=\"\\\";" };

	(void)state;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		struct buf value;

		buf_init(&value, SIZE_MAX / 4);
		while (value.len < 2000000)
			buf_adds(&value, units[i]);
		free(parameter_find(value.data, "filename", i % 2 == 0));
		free(parameter_head(value.data));
		buf_free(&value);
	}
}

static int
setup(void **state)
{
	(void)state;
	mime_setup();
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_tokens),
		cmocka_unit_test(test_hostile),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
