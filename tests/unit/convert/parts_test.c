/*
 * Shapes of mails: what of them is text, HTML and attachment (doc/mapping.md).  Lines end with \n
 * in the table and with CRLF on the way in.
 */

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/buf.h"
#include "mail/mime.h"
#include "mail/refusal.h"
#include "convert/convert.h"
#include "convert/ledger.h"
#include "convert/parts.h"

#define MIXED       "Content-Type: multipart/mixed; boundary=m\n\n"
#define ALTERNATIVE "Content-Type: multipart/alternative; boundary=a\n\n"
#define RELATED     "Content-Type: multipart/related; boundary=r\n\n"
#define HTML        "Content-Type: text/html\n\n"
#define PNG         "Content-Type: image/png\nContent-ID: <p@x>\n\nPNG\n"
#define FILE_(type) "Content-Type: " type "\nContent-Disposition: attachment; filename=f\n\nF\n"

#define PRE "<div style=\"white-space: pre-wrap\">"

static const struct {
	const char *reason;
	const char *content;
	const char *text; /* NULL: there is none */
	const char *html;
	const char *files; /* "name type [cid:…] (content)" each */
	const char *ledger;
} shapes[] = {
	/* --- one part --- */
	{ "text", "Content-Type: text/plain\n\nx\n", "x\n", NULL, "", "" },
	{ "HTML", HTML "<p>x\n", NULL, "<p>x\n", "", "" },
	{ "a file", FILE_("application/pdf"), ".", NULL, "f application/pdf (F|)", "no-body" },
	{ "text as a file", FILE_("text/plain"), ".", NULL, "f text/plain (F|)", "no-body" },
	{ "nothing", "Subject: x\n\n", ".", NULL, "", "no-body" },
	{ "white space", "Subject: x\n\n \n\t\n", ".", NULL, "", "no-body" },
	{ "text of a kind nobody knows", "Content-Type: text/markdown\n\n# x\n", "# x\n", NULL, "",
	    "" },
	{ "the same with a name", "Content-Type: text/markdown; name=x.md\n\n# x\n", ".", NULL,
	    "x.md text/markdown (# x|)", "no-body" },
	{ "text for programs", "Content-Type: text/vcard\n\nBEGIN\n", ".", NULL,
	    "attachment-1.vcf text/vcard (BEGIN|)", "names,no-body" },
	{ "enriched", "Content-Type: text/enriched\n\n<bold>x</bold> <<\ny\n", "x < y\n", NULL, "",
	    "" },
	{ "flowed", "Content-Type: text/plain; format=flowed; delsp=yes\n\nx \ny\n", "xy\n", NULL,
	    "", "" },
	{ "a message", "Content-Type: message/rfc822\n\nSubject: in\n\nX\n", ".", NULL,
	    "message.eml message/rfc822 (Subject: in||X|)", "messages,no-body" },
	{ "an invitation", "Content-Type: text/calendar; method=REQUEST\n\nBEGIN\n", ".", NULL,
	    "invite.ics text/calendar; method=REQUEST (BEGIN|)", "calendar,names,no-body" },
	{ "uuencoded blocks in a text stay", "\nbegin 644 x\n#86)C\n`\nend\n",
	    "begin 644 x\n#86)C\n`\nend\n", NULL, "", "" },

	/* --- nested --- */
	{ "alternative in related in mixed",
	    MIXED "--m\n" RELATED "--r\n" ALTERNATIVE "--a\n\nT\n--a\n" HTML
		  "<img src=\"cid:p@x\">\n--a--\n--r\n" PNG "--r--\n--m\n" FILE_("a/b") "--m--\n",
	    "T", "<img src=\"cid:p@x\">", "attachment-1.png image/png cid:p@x (PNG) f a/b (F)",
	    "names" },
	{ "related in alternative in mixed",
	    MIXED "--m\n" ALTERNATIVE "--a\n\nT\n--a\n" RELATED "--r\n" HTML "H\n--r\n" PNG
		  "--r--\n--a--\n--m\n" FILE_("a/b") "--m--\n",
	    "T", "H", "attachment-1.png image/png cid:p@x (PNG) f a/b (F)", "names" },
	{ "mixed in alternative",
	    ALTERNATIVE "--a\n\nT\n--a\n" MIXED "--m\n" HTML
			"H\n--m\n" FILE_("a/b") "--m\n" HTML "I\n--m--\n--a--\n",
	    "T", "HI", "f a/b (F)", "html-parts" },
	{ "mixed in related", RELATED "--r\n" MIXED "--m\n" HTML "H\n--m--\n--r\n" PNG "--r--\n",
	    NULL, "H", "attachment-1.png image/png cid:p@x (PNG)", "names" },
	{ "mixed in mixed",
	    MIXED "--m\n\nT\n--m\nContent-Type: multipart/mixed; boundary=n\n\n--n\n\nU\n"
		  "--n--\n--m--\n",
	    "T\nU", NULL, "", "" },
	{ "the worst first in an alternative is not shown",
	    ALTERNATIVE "--a\n\nT\n--a\n\nU\n--a--\n", "U", NULL, "", "" },
	{ "an empty text beside HTML", ALTERNATIVE "--a\n\n \n--a\n" HTML "H\n--a--\n", NULL, "H",
	    "", "" },

	/* --- several texts --- */
	{ "text, text", MIXED "--m\n\nT\n--m\n\nU\n--m--\n", "T\nU", NULL, "", "" },
	{ "text, HTML", MIXED "--m\n\nT\n--m\n" HTML "<b>H</b> &amp; more<br>\n--m--\n",
	    "T\nH & more\n", PRE "T</div>\n<b>H</b> &amp; more<br>", "", "" },
	{ "text, HTML, text", MIXED "--m\n\nT\n--m\n" HTML "H\n--m\n\nU\n--m--\n", "T\nH\nU",
	    PRE "T</div>\nH" PRE "U</div>\n", "", "" },
	{ "HTML, text", MIXED "--m\n" HTML "H\n--m\n\n<U>\n--m--\n", NULL,
	    "H" PRE "&lt;U&gt;</div>\n", "", "" },
	{ "alternative, HTML footer",
	    MIXED "--m\n" ALTERNATIVE "--a\n\nT\n--a\n" HTML "H\n--a--\n--m\n" HTML "<p>F\n--m--\n",
	    "T\nF\n", "H<p>F", "", "html-parts" },
	{ "a text with a name is a file",
	    MIXED "--m\n\nT\n--m\nContent-Type: text/plain; name=log\nContent-Disposition: "
		  "inline\n\nL\n--m--\n",
	    "T", NULL, "log text/plain (L)", "" },
	{ "enriched, text", MIXED "--m\nContent-Type: text/enriched\n\nT\n--m\n\nU\n--m--\n",
	    "T\nU", NULL, "", "" },

	/* --- alternatives in other formats --- */
	{ "AMP and the watch",
	    ALTERNATIVE "--a\n\nT\n--a\nContent-Type: text/x-amp-html\n\nA\n--a\nContent-Type: "
			"text/watch-html\n\nW\n--a\n" HTML "H\n--a--\n",
	    "T", "H", "", "alternatives" },
	{ "enriched beside text",
	    ALTERNATIVE "--a\nContent-Type: text/enriched\n\nE\n--a\n\nT\n--a--\n", "T", NULL, "",
	    "alternatives" },
	{ "enriched beside HTML",
	    ALTERNATIVE "--a\nContent-Type: text/enriched\n\nE\n--a\n" HTML "H\n--a--\n", "E\n",
	    "H", "", "" },
	{ "calendar",
	    ALTERNATIVE
	    "--a\n\nT\n--a\nContent-Type: text/calendar; method=CANCEL; name=i.ics\n\nC\n"
	    "--a--\n",
	    "T", NULL, "i.ics text/calendar; method=CANCEL (C)", "calendar" },
	{ "a calendar that calls itself an attachment",
	    ALTERNATIVE "--a\n\nT\n--a\nContent-Type: text/calendar; name=i.ics\n"
			"Content-Disposition: attachment\n\nC\n--a--\n",
	    "T", NULL, "i.ics text/calendar (C)", "calendar" },
	{ "a file of a calendar",
	    MIXED "--m\n\nT\n--m\nContent-Type: text/calendar; method=PUBLISH\n"
		  "Content-Disposition: attachment; filename=i.ics\n\nC\n--m--\n",
	    "T", NULL, "i.ics text/calendar; method=PUBLISH (C)", "" },
	{ "by its name alone",
	    MIXED "--m\n\nT\n--m\nContent-Type: text/calendar; name=i.ics\n\nC\n--m--\n", "T", NULL,
	    "i.ics text/calendar (C)", "" },
	{ "a calendar to be shown",
	    MIXED "--m\n\nT\n--m\nContent-Type: text/calendar; name=i.ics\n"
		  "Content-Disposition: inline\n\nC\n--m--\n",
	    "T", NULL, "i.ics text/calendar (C)", "calendar" },
	{ "an invitation beside a text",
	    MIXED
	    "--m\n\nT\n--m\nContent-Type: text/calendar; method=REQUEST; name=i.ics\n\nC\n--m--\n",
	    "T", NULL, "i.ics text/calendar; method=REQUEST (C)", "calendar" },
	{ "S/MIME by its name", "Content-Type: application/octet-stream; name=SMIME.P7M\n\nC\n",
	    ".", NULL, "SMIME.P7M application/octet-stream (C|)", "encrypted,no-body" },
	{ "a document",
	    ALTERNATIVE "--a\n\nT\n--a\nContent-Type: application/pdf; name=x.pdf\n\nP\n--a--\n",
	    "T", NULL, "x.pdf application/pdf (P)", "alternatives" },

	/* --- pictures --- */
	{ "the HTML is not the first of a related",
	    "Content-Type: multipart/related; boundary=r; start=\"<h>\"\n\n--r\n" PNG
	    "--r\nContent-Type: text/html\nContent-ID: <h>\n\nH\n--r--\n",
	    NULL, "H", "attachment-1.png image/png cid:p@x (PNG)", "names" },
	{ "what the HTML refers to stands in a mixed",
	    MIXED
	    "--m\n" HTML "<img src=cid:a+b@x><img src='cid:c%2Bd%26@x'>\n--m\nContent-Type: "
	    "image/gif; name=1\nContent-ID: <a+b@x>\n\nG\n--m\nContent-Type: image/gif; name=2\n"
	    "Content-ID: <c+d&@x>\n\nG\n--m\nContent-Type: image/gif; name=3\nContent-ID: "
	    "<e@x>\n\nG\n--m--\n",
	    NULL, "<img src=cid:a+b@x><img src='cid:c%2Bd%26@x'>",
	    "1 image/gif cid:a+b@x (G) 2 image/gif cid:c+d&@x (G) 3 image/gif (G)", "" },

	/* --- signed, encrypted, TNEF --- */
	{ "PGP, signed",
	    "Content-Type: multipart/signed; boundary=m; protocol=\"application/pgp-signature\"\n\n"
	    "--m\n\nT\n--m\nContent-Type: application/pgp-signature\n\nS\n--m--\n",
	    "T", NULL, "signature.asc application/pgp-signature (S)", "signed,names" },
	{ "S/MIME, signed",
	    "Content-Type: multipart/signed; boundary=m\n\n--m\n" ALTERNATIVE "--a\n\nT\n--a\n" HTML
	    "H\n--a--\n--m\nContent-Type: application/pkcs7-signature; "
	    "name=smime.p7s\n\nS\n--m--\n",
	    "T", "H", "smime.p7s application/pkcs7-signature (S)", "signed" },
	{ "S/MIME, opaque", "Content-Type: application/pkcs7-mime; smime-type=signed-data\n\nS\n",
	    ".", NULL, "smime.p7m application/pkcs7-mime; smime-type=signed-data (S|)",
	    "signed,names,no-body" },
	{ "S/MIME, encrypted",
	    "Content-Type: application/x-pkcs7-mime; smime-type=enveloped-data; "
	    "name=smime.p7m\n\nS\n",
	    ".", NULL, "smime.p7m application/x-pkcs7-mime; smime-type=enveloped-data (S|)",
	    "encrypted,no-body" },
	{ "certificates",
	    "Content-Type: application/pkcs7-mime; smime-type=certs-only; name=c.p7c\n\nC\n", ".",
	    NULL, "c.p7c application/pkcs7-mime; smime-type=certs-only (C|)", "no-body" },
	{ "PGP, encrypted",
	    "Content-Type: multipart/encrypted; boundary=m\n\n--m\nContent-Type: "
	    "application/pgp-encrypted\n\nVersion: 1\n--m\nContent-Type: application/octet-stream; "
	    "name=encrypted.asc\n\nE\n--m--\n",
	    ".", NULL,
	    "version.txt application/pgp-encrypted (Version: 1) encrypted.asc "
	    "application/octet-stream (E)",
	    "encrypted,names,no-body" },
	{ "PGP in a text stays", "\n-----BEGIN PGP MESSAGE-----\n\nx\n",
	    "-----BEGIN PGP MESSAGE-----\n\nx\n", NULL, "", "" },
	{ "TNEF", MIXED "--m\n\nT\n--m\nContent-Type: application/ms-tnef\n\nD\n--m--\n", "T", NULL,
	    "winmail.dat application/ms-tnef (D)", "tnef,names" },
	{ "TNEF by its name",
	    MIXED
	    "--m\n\nT\n--m\nContent-Type: application/octet-stream; name=WINMAIL.DAT\n\nD\n--m--\n",
	    "T", NULL, "WINMAIL.DAT application/octet-stream (D)", "tnef" },

	/* --- reports and messages --- */
	{ "a bounce",
	    "Content-Type: multipart/report; report-type=delivery-status; boundary=m\n\n--m\n\nT\n"
	    "--m\nContent-Type: message/delivery-status\n\nAction: failed\n--m\nContent-Type: "
	    "text/rfc822-headers\n\nSubject: s\n--m--\n",
	    "T", NULL,
	    "delivery-status.txt message/delivery-status (Action: failed) headers.txt "
	    "text/rfc822-headers (Subject: s)",
	    "names" },
	{ "a digest",
	    "Content-Type: multipart/digest; boundary=m\n\n--m\n\nSubject: 1\n\nX\n--m\n"
	    "Content-Type: text/plain\n\nT\n--m\nContent-Type: message/rfc822\n"
	    "Content-Disposition: inline; filename=two\n\nSubject: 2\n\nY\n--m--\n",
	    "T", NULL,
	    "message.eml message/rfc822 (Subject: 1||X) two.eml message/rfc822 (Subject: 2||Y)",
	    "messages" },
	{ "a message in base64",
	    MIXED
	    "--m\n\nT\n--m\nContent-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n"
	    "U3ViamVjdDogMQ==\n--m--\n",
	    "T", NULL, "message.eml message/rfc822 (Subject: 1)", "messages" },
	{ "an Apple double file",
	    MIXED
	    "--m\n\nT\n--m\nContent-Type: multipart/appledouble; boundary=d\n\n--d\nContent-Type: "
	    "application/applefile; name=x\n\nR\n--d\nContent-Type: image/png; name=x\n\nP\n--d--\n"
	    "--m--\n",
	    "T", NULL, "x application/applefile (R) x image/png (P)", "" },

	/* --- malformed --- */
	{ "no boundary", "Content-Type: multipart/mixed\n\n--m\n\nT\n--m--\n", "--m\n\nT\n--m--\n",
	    NULL, "", "" },
	{ "the wrong boundary", "Content-Type: multipart/mixed; boundary=n\n\n--m\n\nT\n--m--\n",
	    "--m\n\nT\n--m--\n", NULL, "", "" },
	{ "cut off in a file",
	    MIXED
	    "--m\n\nT\n--m\nContent-Type: a/b; name=f\nContent-Transfer-Encoding: base64\n\nYWJjZ",
	    "T", NULL, "f a/b (abc)", "" },
	{ "cut off in a header", MIXED "--m\n\nT\n--m\nContent-Type: a/b; na", "T", NULL,
	    "attachment-1.dat a/b ()", "names" },
	{ "two dispositions",
	    MIXED "--m\n\nT\n--m\nContent-Type: a/b\nContent-Disposition: attachment; filename=f\n"
		  "Content-Disposition: inline\n\nF\n--m--\n",
	    "T", NULL, "f a/b (F)", "" },
	{ "no empty line", MIXED "--m\nT\n--m--\n", "T", NULL, "", "" },
};

static void
add_crlf(struct buf *out, const char *text)
{
	for (; *text != '\0'; text++)
		buf_add(out, *text == '\n' ? "\r\n" : text, *text == '\n' ? 2 : 1);
}

static void
files_print(const struct parts *parts, struct buf *out)
{
	for (size_t i = 0; i < parts->attachment_count; i++) {
		const struct attachment *file = &parts->attachments[i];
		struct buf encoded;
		size_t len = 0;
		char *bytes;

		buf_init(&encoded, SIZE_MAX / 4);
		attachment_add_base64(file, &encoded);
		bytes = base64_decode(encoded.data == NULL ? "" : encoded.data, encoded.len, &len);
		assert_non_null(bytes);
		buf_addf(out, "%s%s %s%s%s (", i > 0 ? " " : "", file->name, file->content_type,
		    file->content_id == NULL ? "" : " ",
		    file->content_id == NULL ? "" : file->content_id);
		for (size_t j = 0; j < len; j++)
			if (bytes[j] != '\r')
				buf_addc(out, bytes[j] == '\n' ? '|' : bytes[j]);
		buf_addc(out, ')');
		free(bytes);
		buf_free(&encoded);
	}
}

static void
same(const char *reason, const char *what, const char *expected, bool there, const char *got)
{
	if (there != (expected != NULL) || (there && strcmp(expected, got) != 0))
		fail_msg("%s: %s is %s", reason, what, there ? got : "absent");
}

static void
test_shapes(void **state)
{
	static const struct mime_limits limits = { .depth = 20, .parts = 100, .fields = 100 };

	(void)state;
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		struct ledger ledger = { 0 };
		struct buf content, files;
		struct refusal refusal;
		struct parts parts;
		struct mime mime;
		size_t figure;
		char *noted;

		buf_init(&content, 1 << 20);
		buf_init(&files, 1 << 20);
		buf_adds(&files, "");
		add_crlf(&content, shapes[i].content);
		assert_int_equal(
		    mime_parse(&mime, content.data, content.len, &limits, &figure), MIME_DONE);
		assert_int_equal(parts_read(&parts, &mime, &ledger, &refusal), 0);
		files_print(&parts, &files);
		noted = ledger_print(&ledger);
		same(shapes[i].reason, "the text", shapes[i].text, parts.has_text, parts.text.data);
		same(shapes[i].reason, "the HTML", shapes[i].html, parts.has_html, parts.html.data);
		same(shapes[i].reason, "the files", shapes[i].files, true,
		    files.data == NULL ? "" : files.data);
		same(shapes[i].reason, "the ledger", shapes[i].ledger, true,
		    noted == NULL ? "" : noted);
		free(noted);
		parts_free(&parts);
		mime_free(&mime);
		buf_free(&files);
		buf_free(&content);
	}
}

/* A large attachment comes out byte for byte, however its lines are, also where it is written out
 * piece by piece. */
static void
test_large_base64(void **state)
{
	static const struct {
		size_t line; /* digits to a line */
		const char *end;
		size_t odd; /* in this line there is more */
		const char *what;
	} cases[] = {
		{ 76, "\r\n", 0, "" },
		{ 76, "\n", 0, "" },
		{ 75, "\r\n", 0, "" },
		{ 4, "\n", 0, "" },
		{ 1, "\n", 0, "" },
		{ 60, " \t\r\n", 0, "" },
		{ 200000, "\r\n", 0, "" },
		{ 1000000, "\r\n", 0, "" },
		{ 76, "\r\n", 3000, "\r\n" },
		{ 76, "\r\n", 1, "\r\n\r\n" },
		{ 76, "\r\n", 3000, "!" },
		{ 76, "\r\n", 3000, " " },
	};
	struct buf bytes, encoded;

	(void)state;
	buf_init(&bytes, SIZE_MAX / 4);
	buf_init(&encoded, SIZE_MAX / 4);
	for (unsigned i = 0; i < 300002; i++)
		buf_addc(&bytes, (char)(i * 2654435761U >> 11));
	base64_add(&encoded, bytes.data, bytes.len);
	for (size_t i = 0; i < 2 * sizeof(cases) / sizeof(cases[0]); i++) {
		size_t n = i / 2, line = 0, len;
		struct mime_part part = { .encoding = MIME_BASE64 };
		struct attachment attachment = { .part = &part };
		struct buf body, out;
		char *text;

		buf_init(&body, SIZE_MAX / 4);
		if (i % 2 == 0)
			buf_init(&out, SIZE_MAX / 4);
		else
			buf_init_shared(&out, SIZE_MAX / 4, 100);
		for (size_t at = 0; at < encoded.len; at += cases[n].line, line++) {
			size_t left = encoded.len - at;

			buf_add(
			    &body, encoded.data + at, left < cases[n].line ? left : cases[n].line);
			buf_adds(&body, line + 1 == cases[n].odd ? cases[n].what : "");
			buf_adds(&body, cases[n].end);
		}
		part.body = body.data;
		part.body_len = body.len;
		buf_adds(&out, "before ");
		attachment_add_base64(&attachment, &out);
		buf_adds(&out, " after");
		assert_int_equal(buf_total(&out), encoded.len + 13);
		if (i % 2 == 0) {
			text = buf_take(&out, &len);
		} else {
			int fd = buf_take_fd(&out, &len);

			text = malloc(len);
			assert_non_null(text);
			assert_int_equal(pread(fd, text, len, 0), len);
			close(fd);
		}
		assert_memory_equal(text, "before ", 7);
		assert_memory_equal(text + 7, encoded.data, encoded.len);
		assert_memory_equal(text + 7 + encoded.len, " after", 6);
		free(text);

		/* The same bytes, unencoded. */
		buf_init_shared(&out, SIZE_MAX / 4, 100);
		part = (struct mime_part){ .body = bytes.data, .body_len = bytes.len };
		attachment_add_base64(&attachment, &out);
		assert_int_equal(buf_total(&out), encoded.len);
		buf_free(&out);
		buf_free(&body);
	}
	buf_free(&bytes);
	buf_free(&encoded);
}

static int
setup(void **state)
{
	(void)state;
	convert_setup();
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shapes),
		cmocka_unit_test(test_large_base64),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
