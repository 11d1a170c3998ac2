#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/http_frame.h"

#define MOST_HEAD 400
#define MOST_BODY 100
#define HOST      "Host: a\r\n"

/* Fed in pieces of so many bytes; what is left over is told by used_r. */
static void
feed(struct http_frame *f, const char *bytes, size_t len, size_t piece, size_t *used_r)
{
	size_t used = 0;

	while (used < len && f->state < HTTP_FRAME_WHOLE) {
		size_t part = len - used < piece ? len - used : piece;
		char *exact = malloc(part); /* of the exact size, for the sanitizers */

		assert_non_null(exact);
		memcpy(exact, bytes + used, part);
		used += http_frame_feed(f, exact, part);
		free(exact);
	}
	*used_r = used;
}

/* Refused, with this status, however the bytes are cut; or 0 and wants more. */
static void
what_is_refused(void **state)
{
	static const struct {
		const char *why, *bytes;
		int status;
	} cases[] = {
		{ "a method alone", "GET\r\n\r\n", 400 },
		{ "no version", "GET /\r\n\r\n", 400 },
		{ "HTTP/0.9", "GET / \r\n\r\n", 400 },
		{ "a word too many", "GET / x HTTP/1.1\r\n" HOST "\r\n", 400 },
		{ "two blanks", "GET  / HTTP/1.1\r\n" HOST "\r\n", 400 },
		{ "a blank in front", " GET / HTTP/1.1\r\n" HOST "\r\n", 400 },
		{ "a tab", "GET\t/\tHTTP/1.1\r\n" HOST "\r\n", 400 },
		{ "lower case version", "GET / http/1.1\r\n" HOST "\r\n", 400 },
		{ "a long version", "GET / HTTP/1.11\r\n" HOST "\r\n", 400 },
		{ "an old version", "GET / HTTP/0.9\r\n" HOST "\r\n", 505 },
		{ "a new version", "GET / HTTP/2.0\r\n" HOST "\r\n", 505 },
		{ "HTTP/2's preface", "PRI * HTTP/2.0\r\n\r\n", 505 },
		{ "TLS to a plain port", "\x16\x03\x01\x02\n\r\n", 400 },
		{ "an unknown method", "BREW / HTTP/1.1\r\n" HOST "\r\n", 501 },
		{ "a known one, lower case", "get / HTTP/1.1\r\n" HOST "\r\n", 501 },
		{ "a method that is none", "G(T / HTTP/1.1\r\n" HOST "\r\n", 400 },
		{ "CONNECT", "CONNECT a:1 HTTP/1.1\r\n" HOST "\r\n", 501 },
		{ "TRACE", "TRACE / HTTP/1.1\r\n" HOST "\r\n", 501 },
		{ "no slash", "GET a HTTP/1.1\r\n" HOST "\r\n", 400 },
		{ "another scheme", "GET ftp://a/ HTTP/1.1\r\n" HOST "\r\n", 400 },
		{ "no host in a URI", "GET http:///a HTTP/1.1\r\n" HOST "\r\n", 400 },
		{ "a fragment", "GET /#a HTTP/1.1\r\n" HOST "\r\n", 400 },
		{ "an escaped NUL", "GET /a%00b HTTP/1.1\r\n" HOST "\r\n", 400 },
		{ "an escaped NUL in the query", "GET /?a=%00 HTTP/1.1\r\n" HOST "\r\n", 400 },
		{ "half an escape", "GET /a%2 HTTP/1.1\r\n" HOST "\r\n", 400 },
		{ "no digits", "GET /a%zz HTTP/1.1\r\n" HOST "\r\n", 400 },
		{ "a bare percent", "GET /?a=100% HTTP/1.1\r\n" HOST "\r\n", 400 },
		{ "raw UTF-8", "GET /\xc3\xa4 HTTP/1.1\r\n" HOST "\r\n", 400 },
		{ "no host", "GET / HTTP/1.1\r\n\r\n", 400 },
		{ "two hosts", "GET / HTTP/1.1\r\n" HOST HOST "\r\n", 400 },
		{ "no colon", "GET / HTTP/1.1\r\n" HOST "abc\r\n\r\n", 400 },
		{ "no name", "GET / HTTP/1.1\r\n" HOST ": a\r\n\r\n", 400 },
		{ "a blank before the colon", "GET / HTTP/1.1\r\n" HOST "a : b\r\n\r\n", 400 },
		{ "a folded line", "GET / HTTP/1.1\r\n" HOST "a: b\r\n c\r\n\r\n", 400 },
		{ "a folded first line", "GET / HTTP/1.1\r\n " HOST "\r\n", 400 },
		{ "a bare CR", "GET / HTTP/1.1\r\n" HOST "a: b\rc: d\r\n\r\n", 400 },
		{ "a control character", "GET / HTTP/1.1\r\n" HOST "a: \x01\r\n\r\n", 400 },
		{ "two lengths",
		    "POST / HTTP/1.1\r\n" HOST "Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
		    400 },
		{ "one length twice",
		    "POST / HTTP/1.1\r\n" HOST "Content-Length: 1\r\nContent-Length: 1\r\n\r\n",
		    400 },
		{ "a list of lengths", "POST / HTTP/1.1\r\n" HOST "Content-Length: 1, 1\r\n\r\n",
		    400 },
		{ "a sign", "POST / HTTP/1.1\r\n" HOST "Content-Length: +1\r\n\r\n", 400 },
		{ "less than nothing", "POST / HTTP/1.1\r\n" HOST "Content-Length: -1\r\n\r\n",
		    400 },
		{ "hexadecimal", "POST / HTTP/1.1\r\n" HOST "Content-Length: 0x1\r\n\r\n", 400 },
		{ "no length", "POST / HTTP/1.1\r\n" HOST "Content-Length: \r\n\r\n", 400 },
		{ "one too long", "POST / HTTP/1.1\r\n" HOST "Content-Length: 101\r\n\r\n", 413 },
		{ "much too long",
		    "POST / HTTP/1.1\r\n" HOST
		    "Content-Length: 99999999999999999999999999999999\r\n\r\n",
		    413 },
		{ "too long for a GET", "GET / HTTP/1.1\r\n" HOST "Content-Length: 101\r\n\r\n",
		    413 },
		{ "two framings",
		    "POST / HTTP/1.1\r\n" HOST
		    "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
		    400 },
		{ "two framings, turned round",
		    "POST / HTTP/1.1\r\n" HOST
		    "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n",
		    400 },
		{ "chunked in HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
		    400 },
		{ "another coding", "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip\r\n\r\n",
		    501 },
		{ "two codings",
		    "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip, chunked\r\n\r\n", 501 },
		{ "two codings in two lines",
		    "POST / HTTP/1.1\r\n" HOST
		    "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n",
		    501 },
		{ "a coding that looks so",
		    "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: xchunked\r\n\r\n", 501 },
		{ "another expectation", "POST / HTTP/1.1\r\n" HOST "Expect: cake\r\n\r\n", 417 },
	};
	static const struct {
		const char *why, *body;
		int status;
	} chunks[] = {
		{ "no size", "\r\n", 400 },
		{ "no number", "x\r\n", 400 },
		{ "a sign", "-1\r\n", 400 },
		{ "0x", "0x1\r\n", 400 },
		{ "bare LF behind a size", "1\na\r\n0\r\n\r\n", 400 },
		{ "longer than its size", "1\r\nab\r\n0\r\n\r\n", 400 },
		{ "too large", "65\r\n", 413 },
		{ "a size beyond all numbers", "fffffffffffffffffffffffffffffffff\r\n", 413 },
		{ "too large in the end",
		    "64\r\n"
		    "0123456789012345678901234567890123456789012345678901234567890123456789"
		    "012345678901234567890123456789\r\n1\r\n",
		    413 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		for (size_t piece = 1; piece < 1000; piece = piece * 3 + 1) {
			struct http_frame f;
			size_t used;

			http_frame_init(&f, MOST_HEAD, MOST_BODY);
			feed(&f, cases[i].bytes, strlen(cases[i].bytes), piece, &used);
			if (f.state != HTTP_FRAME_REFUSED || f.status != cases[i].status)
				fail_msg("%s: state %d status %d", cases[i].why, f.state, f.status);
			assert_non_null(f.why);
			http_frame_deinit(&f);
		}
	}
	for (size_t i = 0; i < sizeof(chunks) / sizeof(*chunks); i++) {
		for (size_t piece = 1; piece < 1000; piece = piece * 3 + 1) {
			static const char head[] =
			    "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n";
			struct http_frame f;
			size_t used;

			http_frame_init(&f, MOST_HEAD, MOST_BODY);
			feed(&f, head, strlen(head), piece, &used);
			feed(&f, chunks[i].body, strlen(chunks[i].body), piece, &used);
			if (f.state != HTTP_FRAME_REFUSED || f.status != chunks[i].status)
				fail_msg(
				    "%s: state %d status %d", chunks[i].why, f.state, f.status);
			http_frame_deinit(&f);
		}
	}
}

static void
a_nul_is_refused(void **state)
{
	static const char head[] = "GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n";
	struct http_frame f;
	size_t used;

	(void)state;
	http_frame_init(&f, MOST_HEAD, MOST_BODY);
	feed(&f, head, sizeof(head) - 1, 100, &used);
	assert_int_equal(f.status, 400);
	http_frame_deinit(&f);
}

/* Endless input of each kind ends at its limit. */
static void
nothing_is_endless(void **state)
{
	static const struct {
		const char *why, *start, *again;
		int status;
	} cases[] = {
		{ "a line", "GET /", "aaaaaaaa", 431 },
		{ "headers", "GET / HTTP/1.1\r\n", "a: b\r\n", 431 },
		{ "a chunk's extension",
		    "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n1;", "abc", 400 },
		{ "trailers", "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\n",
		    "a: b\r\n", 431 },
		{ "a trailer", "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\n",
		    "abc", 431 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct http_frame f;
		size_t used, rounds = 0;

		http_frame_init(&f, MOST_HEAD, MOST_BODY);
		feed(&f, cases[i].start, strlen(cases[i].start), 1000, &used);
		for (; f.state < HTTP_FRAME_WHOLE && rounds < 10000; rounds++)
			feed(&f, cases[i].again, strlen(cases[i].again), 1000, &used);
		if (f.state != HTTP_FRAME_REFUSED || f.status != cases[i].status)
			fail_msg("%s: state %d status %d", cases[i].why, f.state, f.status);
		http_frame_deinit(&f);
	}
	/* Many small headers within a large head. */
	struct http_frame f;
	size_t used;

	http_frame_init(&f, 1000000, MOST_BODY);
	feed(&f, "GET / HTTP/1.1\r\n", 16, 100, &used);
	for (int i = 0; i < 200; i++)
		feed(&f, "a: b\r\n", 6, 100, &used);
	feed(&f, "\r\n", 2, 100, &used);
	assert_int_equal(f.status, 431);
	http_frame_deinit(&f);
}

static void
what_is_taken(void **state)
{
	static const struct {
		const char *why, *bytes, *method, *path, *query, *body;
		bool close;
		size_t left;
	} cases[] = {
		{ "the plainest", "GET / HTTP/1.1\r\n" HOST "\r\n", "GET", "/", "", "", false, 0 },
		{ "by hand", "GET /a HTTP/1.1\nHost: a\n\n", "GET", "/a", "", "", false, 0 },
		{ "empty lines in front", "\r\n\nGET / HTTP/1.1\r\n" HOST "\r\n", "GET", "/", "",
		    "", false, 0 },
		{ "a query", "GET /a?b=c?d HTTP/1.1\r\n" HOST "\r\n", "GET", "/a", "b=c?d", "",
		    false, 0 },
		{ "escapes stay", "GET /%41%2F?%26 HTTP/1.1\r\n" HOST "\r\n", "GET", "/%41%2F",
		    "%26", "", false, 0 },
		{ "two slashes are a path", "GET //a/b HTTP/1.1\r\n" HOST "\r\n", "GET", "//a/b",
		    "", "", false, 0 },
		{ "a whole URI", "GET http://x:1/a?b HTTP/1.1\r\n" HOST "\r\n", "GET", "/a", "b",
		    "", false, 0 },
		{ "a whole URI without a path", "GET http://x?b HTTP/1.1\r\n" HOST "\r\n", "GET",
		    "/", "b", "", false, 0 },
		{ "all of it", "OPTIONS * HTTP/1.1\r\n" HOST "\r\n", "OPTIONS", "*", "", "", false,
		    0 },
		{ "HTTP/1.0", "GET / HTTP/1.0\r\n\r\n", "GET", "/", "", "", true, 0 },
		{ "HTTP/1.0 that wants more", "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
		    "GET", "/", "", "", true, 0 },
		{ "a later HTTP/1", "GET / HTTP/1.2\r\n" HOST "\r\n", "GET", "/", "", "", false,
		    0 },
		{ "the last one", "GET / HTTP/1.1\r\n" HOST "Connection: x, Close\r\n\r\n", "GET",
		    "/", "", "", true, 0 },
		{ "close is a word", "GET / HTTP/1.1\r\n" HOST "Connection: closed\r\n\r\n", "GET",
		    "/", "", "", false, 0 },
		{ "a body", "PUT / HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc", "PUT", "/",
		    "", "abc", false, 0 },
		{ "no body", "POST / HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\nabc", "POST", "/",
		    "", "", false, 3 },
		{ "zeros in front", "POST / HTTP/1.1\r\n" HOST "Content-Length: 003\r\n\r\nabc",
		    "POST", "/", "", "abc", false, 0 },
		{ "a DELETE with a body",
		    "DELETE / HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabcGET", "DELETE", "/",
		    "", "abc", false, 3 },
		{ "chunks",
		    "POST / HTTP/1.1\r\n" HOST "transfer-encoding: Chunked\r\n\r\n"
		    "2\r\nab\r\n01;x=\"y\"\r\nc\r\n0\r\nTrailer: x\r\n\r\nGET",
		    "POST", "/", "", "abc", false, 3 },
		{ "no chunks",
		    "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
		    "0\r\n\r\n",
		    "POST", "/", "", "", false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		for (size_t piece = 1; piece < 1000; piece = piece * 3 + 1) {
			size_t len = strlen(cases[i].bytes), used;
			struct http_frame f;

			http_frame_init(&f, MOST_HEAD, MOST_BODY);
			feed(&f, cases[i].bytes, len, piece, &used);
			if (f.state != HTTP_FRAME_WHOLE)
				fail_msg("%s: state %d status %d %s", cases[i].why, f.state,
				    f.status, f.why);
			assert_string_equal(f.method, cases[i].method);
			assert_string_equal(f.path, cases[i].path);
			assert_string_equal(f.query, cases[i].query);
			assert_int_equal(f.body.len, strlen(cases[i].body));
			assert_memory_equal(
			    f.body.len > 0 ? f.body.data : "", cases[i].body, f.body.len);
			assert_int_equal(f.close, cases[i].close);
			assert_int_equal(len - used, cases[i].left);
			http_frame_deinit(&f);
		}
	}
}

static void
headers_and_what_follows(void **state)
{
	static const char bytes[] = "POST / HTTP/1.1\r\n" HOST
				    "A:\t b c \r\na: second\r\nEmpty:\r\nExpect: 100-Continue\r\n"
				    "Content-Length: 2\r\n\r\nabGET /next HTTP/1.1\r\n" HOST "\r\n";
	struct http_frame f;
	size_t used, more;

	(void)state;
	http_frame_init(&f, MOST_HEAD, MOST_BODY);
	assert_false(f.begun);
	feed(&f, "\r\n", 2, 1, &used);
	assert_false(f.begun);
	feed(&f, bytes, sizeof(bytes) - 1, 1, &used);
	assert_true(f.begun);
	assert_string_equal(http_frame_header(&f, "a"), "b c");
	assert_string_equal(http_frame_header(&f, "EMPTY"), "");
	assert_null(http_frame_header(&f, "b"));
	assert_true(f.expects);
	http_frame_next(&f, MOST_HEAD, MOST_BODY);
	assert_false(f.begun);
	assert_int_equal(f.state, HTTP_FRAME_HEAD);
	feed(&f, bytes + used, sizeof(bytes) - 1 - used, 7, &more);
	assert_int_equal(f.state, HTTP_FRAME_WHOLE);
	assert_string_equal(f.path, "/next");
	assert_false(f.expects);
	http_frame_deinit(&f);
	http_frame_deinit(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_refused),
		cmocka_unit_test(a_nul_is_refused),
		cmocka_unit_test(nothing_is_endless),
		cmocka_unit_test(what_is_taken),
		cmocka_unit_test(headers_and_what_follows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
