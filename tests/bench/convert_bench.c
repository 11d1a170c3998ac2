/*
 * What the conversion of one mail costs, parse to finished JSON, beside GMime's bare parse of the
 * same bytes in the same run: 10 KB of text and HTML, and base64 attachments of 1 and 5 MB.
 * Exit status 1: some case costs more than twice the parse.
 */

#include <gmime/gmime.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/mem.h"
#include "mail/envelope.h"
#include "mail/mail.h"
#include "mail/refusal.h"
#include "convert/convert.h"

static const struct convert_options options = {
	.route = "default",
	.message_stream = "outbound",
	.default_tag = "",
	.track_opens = -1,
	.track_links = "",
	.most_api_bytes = 10485760,
	.most_body_bytes = 5242880,
	.most_recipients = 50,
	.controls = CONTROLS_ALL,
	.limits = { .depth = 100, .parts = 1000, .headers = 1000 },
};

static double
now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void
header_add(struct buf *out, const char *type)
{
	buf_adds(out, "Received: from app.shop.example (app.shop.example [192.0.2.7])\r\n"
		      "\tby relay.shop.example; Mon, 23 Nov 2026 06:29:25 +0000\r\n"
		      "From: \"Billing, North\" <billing@shop.example>\r\n"
		      "To: Ann <ann@reader.example>\r\n"
		      "Subject: =?utf-8?Q?Rechnung_f=C3=BCr_November?=\r\n"
		      "Date: Mon, 23 Nov 2026 06:29:25 +0000\r\n"
		      "Message-ID: <1007.20261123@shop.example>\r\n"
		      "References: <1001.20261122@shop.example>\r\n"
		      "X-Mailer: shop 4.2\r\n"
		      "List-Unsubscribe: <https://shop.example/u/1007>\r\n"
		      "MIME-Version: 1.0\r\n");
	buf_addf(out, "Content-Type: %s; boundary=\"=_b1\"\r\n\r\n--=_b1\r\n", type);
}

static void
repeat(struct buf *out, const char *text, size_t until)
{
	while (out->len < until)
		buf_adds(out, text);
}

static void
parse_by_gmime(const struct buf *content)
{
	GMimeStream *stream = g_mime_stream_mem_new_with_buffer(content->data, content->len);
	GMimeParser *parser = g_mime_parser_new_with_stream(stream);
	GMimeMessage *message = g_mime_parser_construct_message(parser, NULL);

	g_object_unref(message);
	g_object_unref(parser);
	g_object_unref(stream);
}

static void
convert_one(const struct buf *content)
{
	struct envelope envelope;
	struct origin origin = { "127.0.0.1:25", "127.0.0.1", "app.shop.example", "" };
	struct refusal refusal;
	struct mail *mail;

	envelope_init(&envelope);
	strlist_add(&envelope.recipients, "ann@reader.example");
	struct convert_input input = { .envelope = &envelope,
		.origin = &origin,
		.content = content->data,
		.content_len = content->len,
		.mail_id = "01J8ZZZZZZZZZZZZZZZZZZZZZZ",
		.accepted_ms = 1 };
	if (convert_mail(&options, &input, &mail, &refusal) != 0) {
		fprintf(stderr, "%d %s %s\n", refusal.code, refusal.enhanced, refusal.text);
		exit(1);
	}
	mail_free(&mail);
	envelope_free(&envelope);
}

struct cost {
	double parse, conversion; /* microseconds of CPU time */
};

static double
each(void (*fn)(const struct buf *), const struct buf *content, unsigned rounds)
{
	double start = now_us();

	for (unsigned i = 0; i < rounds; i++)
		fn(content);
	return (now_us() - start) / rounds;
}

/* The best of several passes, in turns: the machine has other work too. */
static struct cost
measure(const struct buf *content, unsigned rounds)
{
	struct cost best = { 0 };

	for (int pass = 0; pass < 9; pass++) {
		double parse = each(parse_by_gmime, content, rounds);
		double conversion = each(convert_one, content, rounds);

		if (pass == 0 || parse < best.parse)
			best.parse = parse;
		if (pass == 0 || conversion < best.conversion)
			best.conversion = conversion;
	}
	return best;
}

static void
small_make(struct buf *out)
{
	buf_init(out, SIZE_MAX / 4);
	header_add(out, "multipart/alternative");
	buf_adds(out, "Content-Type: text/plain; charset=utf-8\r\n\r\n");
	repeat(out, "Your invoice of November is below; thank you for your order.\r\n", 3000);
	buf_adds(out, "--=_b1\r\nContent-Type: text/html; charset=utf-8\r\n"
		      "Content-Transfer-Encoding: quoted-printable\r\n\r\n");
	repeat(out, "<tr><td class=3D\"item\">Gr=C3=BC=C3=9Fe</td><td>12.00</td></tr>\r\n", 10000);
	buf_adds(out, "--=_b1--\r\n");
}

static void
large_make(struct buf *out, size_t attached_bytes)
{
	buf_init(out, SIZE_MAX / 4);
	header_add(out, "multipart/mixed");
	buf_adds(out, "\r\nSee the attachment.\r\n--=_b1\r\n"
		      "Content-Type: application/pdf; name=\"invoice.pdf\"\r\n"
		      "Content-Disposition: attachment; filename=\"invoice.pdf\"\r\n"
		      "Content-Transfer-Encoding: base64\r\n\r\n");
	/* 57 bytes to a line. */
	repeat(out,
	    "JVBERi0xLjQKJeLjz9MKMSAwIG9iago8PC9UeXBlL0NhdGFsb2cvUGFnZXMgMiAwIFI+PgplbmRv\r\n",
	    attached_bytes / 57 * 78);
	buf_adds(out, "--=_b1--\r\n");
}

/* What the conversion may cost: this many times GMime's bare parse. */
#define MOST_RATIO 2.0

static bool
compare(const char *name, const struct buf *content, unsigned rounds)
{
	struct cost cost = measure(content, rounds);
	double ratio = cost.conversion / cost.parse;

	printf("%-18s %10.1f us  %10.1f us  %5.2f\n", name, cost.parse, cost.conversion, ratio);
	return ratio <= MOST_RATIO;
}

/* With a name: that case alone, for a profiler. */
int
main(int argc, char **argv)
{
	static const struct {
		const char *name;
		size_t attached_bytes; /* 0: none, text and HTML instead */
		unsigned rounds;
	} cases[] = {
		{ "10 KB", 0, 1000 },
		{ "1 MB attachment", 1024 * 1024, 50 },
		{ "5 MB attachment", 5 * 1024 * 1024, 10 },
	};
	bool within = true;

	convert_setup();
	printf("one mail, CPU      GMime's parse     conversion  ratio\n");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf content;

		if (argc > 1 && strcmp(argv[1], cases[i].name) != 0)
			continue;
		if (cases[i].attached_bytes == 0)
			small_make(&content);
		else
			large_make(&content, cases[i].attached_bytes);
		within = compare(cases[i].name, &content, cases[i].rounds) && within;
		buf_free(&content);
	}
	if (!within)
		printf("over %.1f times GMime's parse\n", MOST_RATIO);
	return within ? 0 : 1;
}
