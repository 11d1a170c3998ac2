/* What Postmark posts as a mail that came in, to a mail again. */

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/base64.h"
#include "base/buf.h"
#include "base/digest.h"
#include "base/mem.h"
#include "base/strlist.h"
#include "mail/mail.h"
#include "mail/mime.h"
#include "convert/convert.h"
#include "convert/inbound.h"

#define NOW_MS INT64_C(1788730000000) /* Sun, 06 Sep 2026 21:26:40 GMT */
#define HOST   "relay.example"
#define ID     "f2d2a3a6-7b1f-4c7c-8d4f-1f0b9b6a2c33"
#define TO     "abc+o77@inbound.postmarkapp.com"
/* Single quotes are easier on the eyes. */
#define BASE "'MessageID':'" ID "','OriginalRecipient':'" TO "','MailboxHash':'o77',"

static int
setup(void **state)
{
	(void)state;
	convert_setup();
	return 0;
}

static json_t *
post_of(const char *text)
{
	char *json = mem_format("{%s}", text);
	json_error_t error;
	json_t *post;

	for (char *at = json; *at != '\0'; at++)
		*at = *at == '\'' ? '"' : *at;
	post = json_loads(json, JSON_ALLOW_NUL, &error);
	if (post == NULL)
		fail_msg("%s: %s", error.text, json);
	free(json);
	return post;
}

static struct inbound_options options = {
	.hostname = HOST, .connection = "default", .most_hops = 5, .most_bytes = 1 << 24
};
static struct strlist mappings;

static int
make(const json_t *post, struct mail **mail_r, int *status_r, char why[200])
{
	options.recipients = &mappings;
	*status_r = 0;
	why[0] = '\0';
	return inbound_make(&options, post, NOW_MS, mail_r, status_r, why, 200);
}

static struct mail *
made(const char *reason, const char *text)
{
	json_t *post = post_of(text);
	struct mail *mail;
	char why[200];
	int status;

	if (make(post, &mail, &status, why) != 0)
		fail_msg("%s: %d %s", reason, status, why);
	json_decref(post);
	return mail;
}

/* The mail of an item; the caller frees. */
static char *
item_text(const struct mail *mail, size_t index, size_t *len_r)
{
	struct buf out;

	buf_init(&out, SIZE_MAX / 4);
	assert_int_equal(payload_read(&mail->items[index].payload, &out), 0);
	assert_int_equal(payload_read(&mail->shared, &out), 0);
	return buf_take(&out, len_r);
}

/* --- a table of whole mails ---------------------------------------------------------------- */

#define TOP                                                                                        \
	"Delivered-To: " TO "\nX-Original-To: " TO "\nX-Pmrelay-Inbound: " HOST "; " ID "\n"       \
	"Received: from inbound.postmarkapp.com by " HOST " (pmrelay)\n\twith HTTP id *; "         \
	"Sun, 06 Sep 2026 21:26:40 +0000\n"
#define FACTS                                                                                      \
	"From: a@b.example\nSubject: s\nDate: d\nMessage-ID: <1@b.example>\nMIME-Version: 1.0\n"
#define GIVEN                                                                                      \
	"'From':'a@b.example','Subject':'s','Date':'d','Headers':[{'Name':'Message-ID','Value':"   \
	"'<1@b.example>'}],"
#define PLAIN                                                                                      \
	"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n"
#define HTML                                                                                       \
	"Content-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n"
#define FACTS_AFTER                                                                                \
	"Message-ID: <1@b.example>\nFrom: a@b.example\nSubject: s\nDate: d\nMIME-Version: 1.0\n"

/* Lines end with \n here; '*' stands for the id. */
static const struct {
	const char *reason, *post, *expected;
} cases[] = {
	{ "RawEmail as it is, 8-bit letters and dots at the begin of lines, too",
	    BASE "'RawEmail':'Subject: \\u00e4\\r\\nX:  y \\r\\n\\tz\\r\\n\\r\\n.\\r\\n..b\\r\\n'",
	    TOP "Subject: \xc3\xa4\nX:  y \n\tz\n\n.\n..b\n" },
	{ "line ends of all sorts are CRLF",
	    BASE "'RawEmail':'A: b\\n\\nc\\rd\\r\\ne\\n\\rf\\r\\r\\ng'",
	    TOP "A: b\n\nc\nd\ne\n\nf\n\ng\n" },
	{ "NUL is nothing", BASE "'RawEmail':'A: b\\u0000c\\r\\n\\r\\n\\u0000\\r\\nx\\u0000'",
	    TOP "A: bc\n\n\nx\n" },
	{ "what would continue our fields, and a mailbox's From line, are left out",
	    BASE "'RawEmail':' \\r\\n\\t From x@y.example now\\nA: b\\n\\nc'", TOP "A: b\n\nc\n" },
	{ "an empty RawEmail is none", BASE GIVEN "'RawEmail':'','TextBody':'x'",
	    TOP FACTS_AFTER PLAIN "x\n" },
	{ "text alone; its line ends; an equals sign and a dot",
	    BASE GIVEN "'TextBody':'a=b\\r\\n.\\rc\\u00e4\\n','HtmlBody':''",
	    TOP FACTS_AFTER PLAIN "a=3Db\n.\nc=C3=A4\n" },
	{ "html alone", BASE GIVEN "'HtmlBody':'<p>x</p>'", TOP FACTS_AFTER HTML "<p>x</p>\n" },
	{ "neither", BASE GIVEN "'Tag':''", TOP FACTS_AFTER PLAIN },
	{ "the line ends at the end of a text stay",
	    BASE GIVEN "'TextBody':'x\\n','HtmlBody':'<p>\\n\\n'",
	    TOP FACTS_AFTER
	    "Content-Type: multipart/alternative;\n boundary=\"=_alternative_*\"\n\n"
	    "--=_alternative_*\n" PLAIN "x\n\n--=_alternative_*\n" HTML
	    "<p>\n\n\n--=_alternative_*--\n" },
	{ "both are alternatives", BASE GIVEN "'TextBody':'x','HtmlBody':'<p>x</p>'",
	    TOP FACTS_AFTER
	    "Content-Type: multipart/alternative;\n boundary=\"=_alternative_*\"\n\n"
	    "--=_alternative_*\n" PLAIN "x\n--=_alternative_*\n" HTML
	    "<p>x</p>\n--=_alternative_*--\n" },
	{ "an attachment with a name beyond ASCII, and a type that has a parameter",
	    BASE GIVEN "'TextBody':'x','Attachments':[{'Name':'\\u00fc b.ics','Content':'aGk=',"
		       "'ContentType':'text/calendar; method=REQUEST'}]",
	    TOP FACTS_AFTER
	    "Content-Type: multipart/mixed;\n boundary=\"=_mixed_*\"\n\n"
	    "--=_mixed_*\n" PLAIN "x\n--=_mixed_*\n"
	    "Content-Type: text/calendar; method=REQUEST; name*=UTF-8''%C3%BC%20b.ics\n"
	    "Content-Disposition: attachment; filename*=UTF-8''%C3%BC%20b.ics\n"
	    "Content-Transfer-Encoding: base64\n\naGk=\n--=_mixed_*--\n" },
	{ "a picture that the html shows is related; no text",
	    BASE GIVEN "'HtmlBody':'<img src=cid:p@x>','Attachments':[{'Name':'p.png','Content':"
		       "'aGk=','ContentType':'image/png','ContentID':'p@x'}]",
	    TOP FACTS_AFTER "Content-Type: multipart/related; type=\"text/html\";\n "
			    "boundary=\"=_related_*\"\n\n--=_related_*\n" HTML
			    "<img src=3Dcid:p@x>\n--=_related_*\n"
			    "Content-Type: image/png; name=p.png\n"
			    "Content-Disposition: inline; filename=p.png\nContent-ID: <p@x>\n"
			    "Content-Transfer-Encoding: base64\n\naGk=\n--=_related_*--\n" },
	{ "an id that the html does not show is an attachment's",
	    BASE GIVEN "'TextBody':'x','HtmlBody':'<p>see the invoice f_lx1</p>','Attachments':[{"
		       "'Name':'i.pdf','Content':'aGk=','ContentType':'application/pdf',"
		       "'ContentID':'<f_lx1>'}]",
	    TOP FACTS_AFTER
	    "Content-Type: multipart/mixed;\n boundary=\"=_mixed_*\"\n\n--=_mixed_*\n"
	    "Content-Type: multipart/alternative;\n boundary=\"=_alternative_*\"\n\n"
	    "--=_alternative_*\n" PLAIN "x\n--=_alternative_*\n" HTML
	    "<p>see the invoice f_lx1</p>\n--=_alternative_*--\n--=_mixed_*\n"
	    "Content-Type: application/pdf; name=i.pdf\n"
	    "Content-Disposition: attachment; filename=i.pdf\nContent-ID: <f_lx1>\n"
	    "Content-Transfer-Encoding: base64\n\naGk=\n--=_mixed_*--\n" },
	{ "without html it is an attachment; no text at all",
	    BASE GIVEN "'Attachments':[{'Name':'../a\\\\p.png','Content':'aG k\\r\\n=','ContentID':"
		       "'<p@x>','ContentType':'image/png'}]",
	    TOP FACTS_AFTER
	    "Content-Type: multipart/mixed;\n boundary=\"=_mixed_*\"\n\n--=_mixed_*\n"
	    "Content-Type: image/png; name=p.png\n"
	    "Content-Disposition: attachment; filename=p.png\nContent-ID: <p@x>\n"
	    "Content-Transfer-Encoding: base64\n\naGk=\n--=_mixed_*--\n" },
	{ "types that base64 does not go with, and types that are none, are bytes",
	    BASE GIVEN
	    "'TextBody':'x','Attachments':[{'Name':'m.eml','Content':'','ContentType':"
	    "'message/rfc822'},{'Name':'','Content':'eA==','ContentType':'multipart/mixed; "
	    "boundary=x'},{'Content':'eA==','ContentType':'huh'}]",
	    TOP FACTS_AFTER
	    "Content-Type: multipart/mixed;\n boundary=\"=_mixed_*\"\n\n--=_mixed_*\n" PLAIN
	    "x\n--=_mixed_*\nContent-Type: application/octet-stream; name=m.eml\n"
	    "Content-Disposition: attachment; filename=m.eml\n"
	    "Content-Transfer-Encoding: base64\n\n--=_mixed_*\n"
	    "Content-Type: application/octet-stream\nContent-Disposition: attachment\n"
	    "Content-Transfer-Encoding: base64\n\neA==\n--=_mixed_*\n"
	    "Content-Type: application/octet-stream\nContent-Disposition: attachment\n"
	    "Content-Transfer-Encoding: base64\n\neA==\n--=_mixed_*--\n" },
	{ "Headers in their order; what is of MIME and what stands there once already, not",
	    BASE "'FromFull':{'Email':'a@b.example','Name':'\\u00c4nn, X'},'ToFull':[{'Email':"
		 "'t@b.example','Name':''},{'Email':'u@b.example','Name':'U'}],'CcFull':[],"
		 "'ReplyTo':'r@b.example','Date':'d','Subject':'json','TextBody':'x','Headers':["
		 "{'Name':'X-B','Value':'1'},{'Name':'mime-version','Value':'1.0'},"
		 "{'Name':'Subject','Value':'\\u00e4'},{'Name':'X-A','Value':''},"
		 "{'Name':'Content-Type','Value':'text/html'},{'Name':'subject','Value':'two'},"
		 "{'Name':'Return-Path','Value':'<x@y.example>'},{'Name':'X-B','Value':'2'},"
		 "{'Name':'MESSAGE-ID','Value':'<1@b.example>'}]",
	    TOP "X-B: 1\nSubject: =?utf-8?B?w6Q=?=\nX-A:\nX-B: 2\nMESSAGE-ID: <1@b.example>\n"
		"From: =?iso-8859-1?b?xG5uLA==?= X <a@b.example>\nTo: t@b.example, \"U\" "
		"<u@b.example>\nReply-To: r@b.example\nDate: d\nMIME-Version: 1.0\n" PLAIN "x\n" },
	{ "nothing but what must be there", BASE "'TextBody':'x'",
	    TOP "Subject:\nDate: Sun, 06 Sep 2026 21:26:40 +0000\nMessage-ID: <" ID "@" HOST
		">\nMIME-Version: 1.0\n" PLAIN "x\n" },
	{ "types that are wrong are as good as nothing",
	    BASE GIVEN "'TextBody':1,'HtmlBody':[],'Attachments':{},'RawEmail':true,'Cc':{},"
		       "'CcFull':'x','ToFull':[1,null,{}]",
	    TOP FACTS_AFTER PLAIN },
};

static char *
expected_of(const char *text, const char *id)
{
	struct buf out;

	buf_init(&out, SIZE_MAX / 4);
	for (; *text != '\0'; text++) {
		if (*text == '\n')
			buf_adds(&out, "\r\n");
		else if (text[0] == '*' && text[1] != '=')
			buf_adds(&out, id);
		else
			buf_addc(&out, *text);
	}
	return buf_take(&out, NULL);
}

static void
test_mails(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct mail *mail = made(cases[i].reason, cases[i].post);
		char *expected = expected_of(cases[i].expected, mail->id), *got;

		assert_int_equal(mail->item_count, 1);
		assert_int_equal(mail->items[0].kind, ITEM_LOCAL);
		got = item_text(mail, 0, NULL);
		if (strcmp(got, expected) != 0)
			fail_msg("%s:\n%s\n--- wanted:\n%s", cases[i].reason, got, expected);
		assert_null(mail->held_why);
		free(got);
		free(expected);
		mail_free(&mail);
	}
}

/* --- injection ------------------------------------------------------------------------------ */

/* Fields of the top header by that name. */
static size_t
fields_named(const char *text, size_t len, const char *name)
{
	const struct mime_limits limits = { .depth = 20, .parts = 1000, .fields = 10000 };
	struct mime mime;
	size_t figure, count = 0;

	assert_int_equal(mime_parse(&mime, text, len, &limits, &figure), MIME_DONE);
	for (size_t i = 0; i < mime.field_count; i++)
		count += mime_field_is(&mime.fields[i], name);
	mime_free(&mime);
	return count;
}

/* No member of the payload can make a field, whichever line ends it has. */
static void
test_injection(void **state)
{
	static const char *const forms[] = {
		"'From':'%s'",
		"'FromFull':{'Email':'a@b.example','Name':'%s'}",
		"'FromFull':{'Email':'%s','Name':'x'}",
		"'To':'%s'",
		"'ToFull':[{'Email':'t@b.example','Name':'%s'}]",
		"'ToFull':[{'Email':'%s'}]",
		"'Cc':'%s'",
		"'CcFull':[{'Email':'t@b.example','Name':'%s'}]",
		"'ReplyTo':'%s'",
		"'Subject':'%s'",
		"'Date':'%s'",
		"'Tag':'%s'",
		"'MailboxHash':'%s'",
		"'Headers':[{'Name':'X-A','Value':'%s'}]",
		"'Headers':[{'Name':'%s','Value':'y'}]",
		"'Headers':[{'Name':'X-A%s','Value':'y'}]",
		"'Headers':[{'Name':'To','Value':'%s'}]",
		"'Headers':[{'Name':'To','Value':'\\u00e4 %s'}]",
		"'Headers':[{'Name':'Message-ID','Value':'%s'}]",
		"'Attachments':[{'Name':'%s','Content':'aGk='}]",
		"'Attachments':[{'Name':'\\u00e4%s','Content':'aGk='}]",
		"'Attachments':[{'Name':'a','Content':'aGk=','ContentType':'%s'}]",
		"'Attachments':[{'Name':'a','Content':'aGk=','ContentType':'a/b%s'}]",
		"'Attachments':[{'Name':'a','Content':'aGk=','ContentType':'a/b; c=\\\"%s\\\"'}]",
		"'HtmlBody':'x','Attachments':[{'Name':'a','Content':'aGk=','ContentID':'%s'}]",
		"'HtmlBody':'x','Attachments':[{'Name':'a','Content':'aGk=','ContentID':'a%s'}]",
		"'HtmlBody':'cid:a','Attachments':[{'Name':'%s','Content':'aGk=','ContentID':'a'}]",
		"'TextBody':'%s'",
		"'HtmlBody':'%s'",
	};
	static const char *const ends[] = { "\\r\\n", "\\n", "\\r", "\\r\\n\\r\\n", "\\u0085",
		"\\u2028", "\\u000b", "\\u000c", "\\u0000\\r\\n", "x\\r\\n", "\\r\\n " };

	(void)state;
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		for (size_t k = 0; k < sizeof(ends) / sizeof(ends[0]); k++) {
			const char *at = strstr(forms[i], "%s");
			char *text = mem_format(BASE "%.*s%sEvil: yes%sX: y%s",
			    (int)(at - forms[i]), forms[i], ends[k], ends[k], at + 2);
			struct mail *mail = made(forms[i], text);
			size_t len;
			char *got = item_text(mail, 0, &len);

			if (fields_named(got, len, "Evil") != 0 || strlen(got) != len)
				fail_msg("%s with %s:\n%s", forms[i], ends[k], got);
			/* Below the top header, only a text may have it at the begin of a line. */
			if (strstr(forms[i], "Body':'%s") == NULL &&
			    strstr(got, "\nEvil: yes") != NULL)
				fail_msg("%s with %s:\n%s", forms[i], ends[k], got);
			free(got);
			free(text);
			mail_free(&mail);
		}
	}
}

/* --- attachments ---------------------------------------------------------------------------- */

/* Whether it goes with the html, which is of what is around its id there. */
static void
test_shown(void **state)
{
	static const struct {
		const char *reason, *id, *html;
		bool shown;
	} rows[] = {
		{ "bare", "p@x", "<img src=cid:p@x>", true },
		{ "quoted", "p@x", "<img src=\\\"cid:p@x\\\">", true },
		{ "at the end", "p@x", "cid:p@x", true },
		{ "another case of the scheme", "<p@x>", "<img src=CID:p@x>", true },
		{ "escaped", "p@x", "<img src=cid:p%40x>", true },
		{ "a sign that is no escape", "p%4", "<img src=cid:p%4>", true },
		{ "an escape that is the id's own", "p%40x", "<img src=cid:p%40x>", true },
		{ "in a style", "p@x", "<p style=\\\"b:url(cid:p@x);c:d\\\">", true },
		{ "quoted by an entity", "p@x", "<p style=\\\"url(&quot;cid:p@x&quot;)\\\">",
		    true },
		{ "the second of two", "q@x", "<img src=cid:p@x><img src=cid:q@x>", true },
		{ "after a word that is too long", "q@x", "cid:%0700d <img src=cid:q@x>", true },
		{ "the begin of another one", "p@x", "<img src=cid:p@xyz>", false },
		{ "the end of another one", "x", "<img src=cid:p@x>", false },
		{ "another scheme", "p@x", "<a href=acid-p@x> mid:p@x :p@x", false },
		{ "its letters in another case", "p@x", "<img src=cid:P@X>", false },
		{ "nothing", "p@x", "<img src=cid:>", false },
		{ "a text alone", "p@x", "", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *gap = strstr(rows[i].html, "%0700d");
		char *html =
		    gap == NULL ? mem_string(rows[i].html) : mem_format("cid:%0700d%s", 0, gap + 6);
		char *text = mem_format(BASE "'TextBody':'x','HtmlBody':'%s','Attachments':["
					     "{'Name':'a','Content':'aGk=','ContentID':'%s'},"
					     "{'Name':'b','Content':'aGk=','ContentID':'r@x'}]",
		    html, rows[i].id);
		struct mail *mail = made(rows[i].reason, text);
		char *got = item_text(mail, 0, NULL);

		if ((strstr(got, "inline; filename=a") != NULL) != rows[i].shown ||
		    (strstr(got, "attachment; filename=a") != NULL) == rows[i].shown ||
		    strstr(got, "attachment; filename=b") == NULL)
			fail_msg("%s: %s", rows[i].reason, got);
		free(got);
		free(text);
		free(html);
		mail_free(&mail);
	}
}

/* Every byte through the whole way and back, of sizes around those that matter. */
static void
test_attachments_intact(void **state)
{
	static const size_t sizes[] = { 0, 1, 2, 3, 56, 57, 58, 59, 1000, 49152, 70000, 1000003 };
	const struct mime_limits limits = { .depth = 20, .parts = 1000, .fields = 10000 };

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		unsigned char before[DIGEST_BYTES], after[DIGEST_BYTES];
		char *bytes = mem_new(sizes[i] + 1), *encoded, *text, *got;
		struct mail *mail;
		struct mime mime;
		struct buf out;
		size_t len, figure;

		for (size_t k = 0; k < sizes[i]; k++)
			bytes[k] = (char)(k * 7919 >> 3 ^ k);
		encoded = base64_encode(bytes, sizes[i]);
		text = mem_format(BASE
		    "'TextBody':'x','HtmlBody':'<p cid:p@x>','Attachments':[{'Name':'a.bin',"
		    "'ContentType':'image/png','Content':'%s','ContentID':'%s'}]",
		    encoded, i % 2 == 0 ? "" : "p@x");
		mail = made("attachment", text);
		assert_int_equal(
		    mail->items[0].payload.fd >= 0, mail->items[0].payload.len >= PAYLOAD_LARGE);
		got = item_text(mail, 0, &len);
		assert_int_equal(mime_parse(&mime, got, len, &limits, &figure), MIME_DONE);
		buf_init(&out, SIZE_MAX / 4);
		assert_string_equal(mime.parts[mime.part_count - 1].type, "image/png");
		mime_part_decode(&mime.parts[mime.part_count - 1], &out);
		assert_int_equal(out.len, sizes[i]);
		digest_sha256(before, bytes, sizes[i]);
		digest_sha256(after, out.data != NULL ? out.data : "", out.len);
		assert_memory_equal(before, after, DIGEST_BYTES);
		mime_free(&mime);
		buf_free(&out);
		free(got);
		free(text);
		free(encoded);
		free(bytes);
		mail_free(&mail);
	}
}

/* --- who gets it ---------------------------------------------------------------------------- */

static void
test_recipients(void **state)
{
	static const struct {
		const char *reason, *post, *mappings, *expected;
	} rows[] = {
		{ "as it came", "'OriginalRecipient':'H+o7@In.Example'", "", "H+o7@in.example" },
		{ "the first pair that fits", "'OriginalRecipient':'h+o7@in.example'",
		    "x@*=no@x.example h+*=ann@x.example *=bo@x.example", "ann@x.example" },
		{ "several, each once", "'OriginalRecipient':'h@in.example'",
		    "*=a@x.example,b@x.example,a@X.example", "a@x.example b@x.example" },
		{ "the hash", "'OriginalRecipient':'h+o7@in.example','MailboxHash':'o7'",
		    "h+?7@in.example=${hash}@x.example", "o7@x.example" },
		{ "a hash that makes no address: the next",
		    "'OriginalRecipient':'h+o7@in.example','MailboxHash':'a@b'",
		    "*=${hash}@x.example *=post@x.example", "post@x.example" },
		{ "a hash with a comma or a space is no second address",
		    "'OriginalRecipient':'h@in.example','MailboxHash':'a@y.example,b'",
		    "*=${hash}@x.example", "h@in.example" },
		{ "no hash", "'OriginalRecipient':'h@in.example'", "*=${hash}@x.example",
		    "h@in.example" },
		{ "an equals sign in the pattern", "'OriginalRecipient':'a=b@in.example'",
		    "a=b@*=c@x.example", "c@x.example" },
		{ "no OriginalRecipient: To, and Cc only without it",
		    "'ToFull':[{'Email':'a@in.example'},{'Email':'bad'},{'Email':'b@in.example'}],"
		    "'CcFull':[{'Email':'c@in.example'}]",
		    "a@*=ann@x.example", "ann@x.example b@in.example" },
		{ "Cc, Bcc", "'ToFull':[],'CcFull':[],'BccFull':[{'Email':'c@in.example'}]", "",
		    "c@in.example" },
		{ "nobody", "'OriginalRecipient':'','ToFull':[{'Email':'no address'}]", "", NULL },
		{ "an OriginalRecipient of nothing but spaces and line ends is none",
		    "'OriginalRecipient':' \\r\\n ','ToFull':[{'Email':'a@in.example'}]", "",
		    "a@in.example" },
		{ "one that is no address for Postmark may have a pair all the same",
		    "'OriginalRecipient':'a?b@inbound.postmarkapp.com'",
		    "*@inbound.postmarkapp.com=support@x.example", "support@x.example" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *text = mem_format("'MessageID':'" ID "','TextBody':'x',%s", rows[i].post);
		char *list = mem_string(rows[i].mappings), *save = NULL, why[200];
		json_t *post = post_of(text);
		struct mail *mail;
		struct buf got;
		int status;

		for (char *one = strtok_r(list, " ", &save); one != NULL;
		     one = strtok_r(NULL, " ", &save))
			strlist_add(&mappings, one);
		buf_init(&got, 10000);
		if (make(post, &mail, &status, why) != 0) {
			if (rows[i].expected != NULL)
				fail_msg("%s: %s", rows[i].reason, why);
			assert_int_equal(status, 422);
			assert_null(mail);
		} else {
			for (size_t k = 0; k < mail->item_count; k++) {
				char *mime = item_text(mail, k, NULL), *wanted;

				assert_int_equal(mail->items[k].recipients.count, 1);
				assert_int_equal(mail->items[k].number, k + 1);
				buf_addf(&got, "%s%s", k > 0 ? " " : "",
				    mail->items[k].recipients.items[0]);
				wanted = mem_format(
				    "Delivered-To: %s\r\n", mail->items[k].recipients.items[0]);
				assert_memory_equal(mime, wanted, strlen(wanted));
				free(wanted);
				free(mime);
			}
			if (rows[i].expected == NULL || strcmp(got.data, rows[i].expected) != 0)
				fail_msg("%s: %s", rows[i].reason, got.data);
			assert_null(mail->held_why);
			mail_free(&mail);
		}
		buf_free(&got);
		json_decref(post);
		strlist_free(&mappings);
		free(list);
		free(text);
	}
}

/* It was taken for nobody else, so nobody else gets it: neither whom To names, nor nobody. */
static void
test_odd_recipients(void **state)
{
	static const struct {
		const char *reason, *original, *recipient, *told;
	} rows[] = {
		{ "a blind copy", "sales?eu@in.example", "sales?eu@in.example",
		    "sales?eu@in.example" },
		{ "a long local part",
		    "reply+0123456789012345678901234567890123456789012345678901234567890123456789"
		    "@in.example",
		    "reply+0123456789012345678901234567890123456789012345678901234567890123456789"
		    "@in.example",
		    "reply+01234567890" },
		{ "quotes, a space and a second sign", "\\\"a b@c\\\"@in.example",
		    "%22a%20b%40c%22@in.example", "\"a b@c\"@in.example" },
		{ "UTF-8", "j\\u00f6@in.example", "j%C3%B6@in.example", "j\xc3\xb6@in.example" },
		{ "line ends", "a\\r\\nEvil: x@in.example", "a%20%20Evil%3A%20x@in.example",
		    "a  Evil: x@in.example" },
		{ "no domain", "boss", "boss@unknown.invalid", "boss" },
		{ "no local part", "@in.example", "%40in.example@unknown.invalid", "@in.example" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *text = mem_format(
		    "'MessageID':'" ID "','OriginalRecipient':'%s','TextBody':'x','ToFull':["
		    "{'Email':'boss@other.example'},{'Email':'ann@third.example'}]",
		    rows[i].original);
		struct mail *mail;
		char *mime, *top;

		strlist_add(&mappings, "*@elsewhere.example=no@x.example");
		mail = made(rows[i].reason, text);
		assert_int_equal(mail->item_count, 1);
		if (strcmp(mail->items[0].recipients.items[0], rows[i].recipient) != 0)
			fail_msg("%s: %s", rows[i].reason, mail->items[0].recipients.items[0]);
		if (mail->held_why == NULL || strstr(mail->held_why, rows[i].told) == NULL)
			fail_msg("%s: %s", rows[i].reason, mail->held_why);
		mime = item_text(mail, 0, NULL);
		top = mem_format("Delivered-To: %s\r\nX-Original-To: %s\r\n", rows[i].recipient,
		    rows[i].recipient);
		assert_memory_equal(mime, top, strlen(top));
		free(top);
		free(mime);
		mail_free(&mail);
		strlist_free(&mappings);
		free(text);
	}
}

/* It is cut, and then no other one's. */
static void
test_endless_recipient(void **state)
{
	char *text = mem_format(
	    "'MessageID':'" ID "','TextBody':'x','OriginalRecipient':'%0500d@in.example'", 0);
	struct mail *mail = made("endless", text);
	const char *recipient = mail->items[0].recipients.items[0];

	(void)state;
	assert_non_null(mail->held_why);
	assert_int_equal(strlen(recipient), 320 + strlen("@unknown.invalid"));
	mail_free(&mail);
	free(text);
}

/* None is left out without a word. */
static void
test_many_recipients(void **state)
{
	static const struct {
		unsigned count;
		bool held;
	} rows[] = { { 100, false }, { 101, true } };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf text;
		struct mail *mail;

		buf_init(&text, 100000);
		buf_adds(&text, "'MessageID':'" ID "','TextBody':'x','ToFull':[");
		for (unsigned k = 0; k <= rows[i].count; k++)
			buf_addf(&text, "%s{'Email':'u%u@in.example'}", k > 0 ? "," : "",
			    k % rows[i].count);
		buf_addc(&text, ']');
		mail = made("many", text.data);
		assert_int_equal(mail->item_count, 100);
		assert_int_equal(mail->held_why != NULL, rows[i].held);
		if (rows[i].held)
			assert_non_null(strstr(mail->held_why, "more than the 100 recipients"));
		mail_free(&mail);
		buf_free(&text);
	}
}

/* --- what is kept beside the mail ------------------------------------------------------------ */

static void
test_loops_and_senders(void **state)
{
	static const char hops[] = "Received: a\\nReceived: b\\nreceived: c\\n";
	static const struct {
		const char *reason, *header, *held, *reverse_path;
	} rows[] = {
		{ "nothing special", "X: y\\n", NULL, "a@b.example" },
		{ "has been here", "X-Pmrelay-Inbound: relay.example; 1\\n",
		    "it goes round in circles: this relay, relay.example, has delivered it before",
		    "a@b.example" },
		{ "case and folds make no difference",
		    "X-PMRELAY-inbound:\\n\\tRELAY.example; 1\\n",
		    "it goes round in circles: this relay, relay.example, has delivered it before",
		    "a@b.example" },
		{ "another relay's mark", "X-Pmrelay-Inbound: relay.example.org; 1\\n", NULL,
		    "a@b.example" },
		{ "the mark in the body", "X: y\\n\\nX-Pmrelay-Inbound: relay.example; 1\\n", NULL,
		    "a@b.example" },
		{ "as many hops as may be", "%s1: x\\nReceived: d\\nReceived: e\\n", NULL,
		    "a@b.example" },
		{ "one more", "%sReceived: d\\nReceived: e\\nReceived : f\\n",
		    "it goes round in circles: 6 Received fields, and inbound.hops is 5",
		    "a@b.example" },
		{ "a bounce", "Return-Path: <>\\n", NULL, "" },
		{ "a Return-Path is the sender", "Return-Path: <r@b.example>\\n", NULL,
		    "r@b.example" },
		{ "an automatic answer", "Auto-Submitted: auto-replied\\n", NULL, "" },
		{ "none", "Auto-Submitted: No\\n", NULL, "a@b.example" },
		{ "a list", "Precedence: list\\n", NULL, "" },
		{ "a daemon", "Return-Path: <MAILER-DAEMON@b.example>\\n", NULL, "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bool with_hops = strncmp(rows[i].header, "%s", 2) == 0;
		char *text =
		    mem_format(BASE "'FromFull':{'Email':'a@b.example'},'Subject':'s\\u00e4',"
				    "'RawEmail':'%s%sMessage-ID: <9@b.example>\\n\\nx'",
			with_hops ? hops : "", rows[i].header + (with_hops ? 2 : 0));
		struct mail *mail = made(rows[i].reason, text);

		if ((mail->held_why == NULL) != (rows[i].held == NULL) ||
		    (mail->held_why != NULL && strcmp(mail->held_why, rows[i].held) != 0))
			fail_msg("%s: %s", rows[i].reason, mail->held_why);
		if (strcmp(mail->reverse_path, rows[i].reverse_path) != 0)
			fail_msg("%s: <%s>", rows[i].reason, mail->reverse_path);
		assert_string_equal(mail->route, "inbound");
		assert_string_equal(mail->client, "postmark");
		assert_string_equal(mail->listener, "webhook");
		assert_string_equal(mail->from, "a@b.example");
		assert_string_equal(mail->subject, "s\xc3\xa4");
		if (strstr(rows[i].header, "\\n\\n") == NULL)
			assert_string_equal(mail->message_id, "<9@b.example>");
		assert_int_equal(mail->accepted_ms, NOW_MS);
		mail_free(&mail);
		free(text);
	}
}

/* Of a mail that was built again its Headers count as well. */
static void
test_rebuilt(void **state)
{
	static const struct {
		const char *reason, *name, *value;
		bool held;
		const char *reverse_path;
	} rows[] = {
		{ "has been here", "X-Pmrelay-Inbound", HOST "; 9", true, "a@b.example" },
		{ "a bounce", "Return-Path", "<>", false, "" },
		{ "a bounce without brackets", "return-path", "", false, "" },
		{ "a list's address", "Return-Path", " <bounces+7@far.example>\\r\\n", false,
		    "bounces+7@far.example" },
		{ "no address", "Return-Path", "<huh>", false, "" },
		{ "an automatic answer", "Auto-Submitted", "auto-replied", false, "" },
		{ "nothing special", "X-Y", "<r@b.example>", false, "a@b.example" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *text = mem_format(BASE "'FromFull':{'Email':'a@b.example'},'TextBody':'x',"
					     "'Headers':[{'Name':'%s','Value':'%s'}]",
		    rows[i].name, rows[i].value);
		struct mail *mail = made(rows[i].reason, text);
		char *got = item_text(mail, 0, NULL);

		assert_int_equal(mail->held_why != NULL, rows[i].held);
		if (strcmp(mail->reverse_path, rows[i].reverse_path) != 0)
			fail_msg("%s: <%s>", rows[i].reason, mail->reverse_path);
		assert_null(strstr(got, "Return-Path")); /* whoever delivers it writes one */
		free(got);
		free(text);
		mail_free(&mail);
	}
}

static void
test_id(void **state)
{
	struct mail *first = made("id", BASE "'TextBody':'x'"),
		    *again = made("id", BASE "'TextBody':'other'"), *other;

	(void)state;
	assert_true(ulid_ok(first->id));
	assert_true(first->id[0] <= '7');
	assert_string_equal(first->id, again->id);
	options.connection = "eu";
	other = made("id", BASE "'TextBody':'x'");
	options.connection = "default";
	assert_string_not_equal(first->id, other->id);
	mail_free(&other);
	mail_free(&again);
	mail_free(&first);
}

static void
test_refused(void **state)
{
	static const struct {
		const char *reason, *post;
		int status;
		const char *why;
	} rows[] = {
		{ "no MessageID", "'OriginalRecipient':'a@b.example'", 422, "MessageID" },
		{ "a MessageID with a line end", "'MessageID':'a\\nEvil: x'", 422, "MessageID" },
		{ "no recipient", "'MessageID':'1'", 422, "OriginalRecipient" },
		{ "an attachment that is no base64",
		    BASE
		    "'Attachments':[{'Name':'a','Content':'aGk='},{'Name':'b','Content':'a-k='}]",
		    422, "attachment 2" },
		{ "half a digit group", BASE "'Attachments':[{'Name':'a','Content':'aGk'}]", 422,
		    "attachment 1" },
	};
	char why[200], *text;
	struct mail *mail;
	json_t *post;
	int status;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		post = post_of(rows[i].post);
		assert_int_equal(make(post, &mail, &status, why), -1);
		if (status != rows[i].status || strstr(why, rows[i].why) == NULL)
			fail_msg("%s: %d %s", rows[i].reason, status, why);
		json_decref(post);
	}
	text = mem_format(BASE "'TextBody':'%01000d'", 0);
	post = post_of(text);
	options.most_bytes = 1000;
	assert_int_equal(make(post, &mail, &status, why), -1);
	options.most_bytes = 1 << 24;
	assert_int_equal(status, 413);
	json_decref(post);
	free(text);
	post = json_array();
	assert_int_equal(make(post, &mail, &status, why), -1);
	json_decref(post);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mails),
		cmocka_unit_test(test_injection),
		cmocka_unit_test(test_attachments_intact),
		cmocka_unit_test(test_shown),
		cmocka_unit_test(test_recipients),
		cmocka_unit_test(test_odd_recipients),
		cmocka_unit_test(test_endless_recipient),
		cmocka_unit_test(test_many_recipients),
		cmocka_unit_test(test_loops_and_senders),
		cmocka_unit_test(test_rebuilt),
		cmocka_unit_test(test_id),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
