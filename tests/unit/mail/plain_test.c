/* Markup as plain text. */

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/buf.h"
#include "base/text.h"
#include "mail/plain.h"

static const struct {
	const char *reason;
	const char *html;
	const char *plain;
} pages[] = {
	{ "nothing", "", "" },
	{ "nothing but markup", "<html><body> <br></body></html>", "" },
	{ "white space", " a\r\n\t b ", "a b\n" },
	{ "paragraphs and lines", "<p>a<p>b</p>c<br>d<div>e</div>f", "a\n\nb\n\nc\nd\ne\nf\n" },
	{ "empty lines", "a<br><br><br>b", "a\n\nb\n" },
	{ "what nobody reads",
	    "<head><title>t</title></head><style>p{}</style>a<script>1<2</script><!-- c -->b",
	    "ab\n" },
	{ "character references", "&lt;a&gt; &amp; &quot;b&quot;&nbsp;&#252;&#x1F600;&euro;",
	    "<a> & \"b\" \u00fc\U0001F600\u20ac\n" },
	{ "no references", "a & b &unknown; &#; &#xZ; &amp", "a & b &unknown; &#; &#xZ; &amp\n" },
	{ "references that hide controls", "a&#13;&#10;&#0;&#27;&#xD800;&#x110000;b", "a b\n" },
	{ "a list", "<ul><li>a</li><li>b</li></ul>", "- a\n- b\n" },
	{ "a table", "<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>",
	    "a b\nc\n" },
	{ "links",
	    "<a class=x href=\"https://x.example/?a=1\">here</a>, <a "
	    "href='https://y.example/'>https://y.example/</a> <a href=\"#top\">up</a>",
	    "here <https://x.example/?a=1>, https://y.example/ up\n" },
	{ "a sign that is no tag", "1 < 2, 3 <4", "1 < 2, 3\n" },
	{ "a tag that never ends", "a<b", "a\n" },
	{ "a bracket in an attribute", "<a title=\"x > y\">b</a>", "b\n" },
	{ "a script that never ends", "a<script>b", "a\n" },
};

static void
test_html(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
		struct buf out;

		buf_init(&out, 4096);
		buf_adds(&out, "x\n");
		plain_add_html(&out, pages[i].html, strlen(pages[i].html));
		if (strcmp(out.data + 2, pages[i].plain) != 0)
			fail_msg("%s: %s", pages[i].reason, out.data + 2);
		assert_true(text_is_utf8(out.data, out.len));
		buf_free(&out);
	}
}

static void
test_enriched(void **state)
{
	static const struct {
		const char *enriched;
		const char *plain;
	} cases[] = {
		{ "", "" },
		{ "<bold>Now</bold> is\nthe time.\n\nAnd <<more.\n",
		    "Now is the time.\nAnd <more.\n" },
		{ "<color><param>red</param>a</color>b", "ab\n" },
		{ "<nofill>a\nb</nofill>\nc", "a\nb c\n" },
		{ "<lt>x<nl>y", "<x\ny\n" },
		{ "</param></nofill>a", "a\n" },
		{ "a\n\n\n\nb", "a\n\n\nb\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf out;

		buf_init(&out, 4096);
		buf_adds(&out, "");
		plain_add_enriched(&out, cases[i].enriched, strlen(cases[i].enriched));
		if (strcmp(out.data == NULL ? "" : out.data, cases[i].plain) != 0)
			fail_msg("%s: %s", cases[i].enriched, out.data);
		buf_free(&out);
	}
}

/* Linear in time: a test that does not end is how it shows. */
static void
test_hostile(void **state)
{
	static const char *const units[] = { "<", "</", "<a", "<a href=\"", "<script>", "</x",
		"<!--", "&", "&#", "&#1;", "<br>", "<a href=\"https://x\">", "</a>", "<a>x</a>",
		"\n", "<<", "<param>" };

	(void)state;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		for (int before = 0; before < 2; before++) {
			struct buf in, out;

			buf_init(&in, SIZE_MAX / 4);
			buf_init(&out, SIZE_MAX / 4);
			buf_adds(&in, before ? "<script>" : "");
			while (in.len < 500000)
				buf_adds(&in, units[i]);
			plain_add_html(&out, in.data, in.len);
			plain_add_enriched(&out, in.data, in.len);
			buf_free(&in);
			buf_free(&out);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_html),
		cmocka_unit_test(test_enriched),
		cmocka_unit_test(test_hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
