#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/buf.h"
#include "smtp/data.h"

/* What came of feeding bytes. */
struct outcome {
	bool done;
	size_t used;
	uint64_t total_bytes;
	bool bare, nul, over, clean;
	struct buf content;
};

/* Feeds bytes in pieces: bit i of cuts says that a piece ends behind byte i (mod 64). */
static struct outcome
feed(const char *bytes, size_t len, bool normalize, uint64_t most, uint64_t cuts)
{
	struct outcome outcome = { .done = false };
	struct smtp_data data;
	size_t at = 0;

	smtp_data_init(&data, normalize, most);
	buf_init(&outcome.content, 1 << 20);
	while (at < len && !outcome.done) {
		size_t piece = 1, used;

		while (at + piece < len && (cuts >> ((at + piece - 1) % 64) & 1) == 0)
			piece++;
		/* An allocation of the exact size lets a sanitizer see a read past the end. */
		char *exact = malloc(piece);
		memcpy(exact, bytes + at, piece);
		outcome.done =
		    smtp_data_feed(&data, exact, piece, &outcome.content, &used) == SMTP_DATA_DONE;
		free(exact);
		if (!outcome.done)
			assert_int_equal(used, piece);
		at += used;
	}
	outcome.used = at;
	outcome.total_bytes = data.total_bytes;
	outcome.bare = data.bare_line_end;
	outcome.nul = data.nul;
	outcome.over = data.over;
	outcome.clean = smtp_data_clean(&data);
	return outcome;
}

struct data_case {
	const char *reason;
	bool normalize;
	const char *input;
	const char *content; /* NULL: of no interest, because it is refused */
	bool done;
	bool bare;
	const char *after; /* what is left for the next command */
};

static const struct data_case cases[] = {
	{ "an ordinary mail", false, "Subject: x\r\n\r\nHi\r\n.\r\nQUIT\r\n",
	    "Subject: x\r\n\r\nHi\r\n", true, false, "QUIT\r\n" },
	{ "an empty mail", false, ".\r\nNOOP\r\n", "", true, false, "NOOP\r\n" },
	{ "an empty line", false, "\r\n.\r\n", "\r\n", true, false, "" },
	{ "a stuffed dot", false, "..\r\n..x\r\n...\r\n.\r\n", ".\r\n.x\r\n..\r\n", true, false,
	    "" },
	{ "a dot that should have been stuffed", false, ".x\r\n.\r\n", "x\r\n", true, false, "" },
	{ "dots within and at the end of a line", false, "a.b\r\nc.\r\n.\r\n", "a.b\r\nc.\r\n",
	    true, false, "" },
	{ "no end yet", false, "a\r\n.", "a\r\n", false, false, "" },
	{ "no end yet, one byte before it", false, "a\r\n.\r", "a\r\n", false, false, "" },
	{ "an end at the end of a line only", false, "a.\r\n", "a.\r\n", false, false, "" },
	{ "commands within a mail", false, "a\r\nQUIT\r\n.\r\n", "a\r\nQUIT\r\n", true, false, "" },

	/* Smuggling: none of these ends the mail before its real end. */
	{ "LF . LF", false, "a\r\nb\n.\nMAIL\r\n.\r\nX", NULL, true, true, "X" },
	{ "LF . CRLF", false, "a\n.\r\nMAIL\r\n.\r\nX", NULL, true, true, "X" },
	{ "CR . CRLF", false, "a\r.\r\nMAIL\r\n.\r\nX", NULL, true, true, "X" },
	{ "CRLF . LF", false, "a\r\n.\nMAIL\r\n.\r\nX", NULL, true, true, "X" },
	{ "CR . CR", false, "a\r.\rMAIL\r\n.\r\nX", NULL, true, true, "X" },
	{ "CRLF . CR", false, "a\r\n.\rMAIL\r\n.\r\nX", NULL, true, true, "X" },
	{ "CRLF . CR CR LF", false, "a\r\n.\r\r\nMAIL\r\n.\r\nX", NULL, true, true, "X" },
	{ "LF alone before CRLF . CRLF", false, "a\n\r\n.\r\nX", NULL, true, true, "X" },
	{ "CR CR LF . CRLF holds CRLF . CRLF", false, "a\r\r\n.\r\nX", NULL, true, true, "X" },
	{ "LF . LF at the start", false, ".\nMAIL\r\n.\r\nX", NULL, true, true, "X" },
	{ "LF LF", false, "a\n\nb\r\n.\r\n", NULL, true, true, "" },
	{ "a CR as the last byte before the dot line", false, "a\r\r\n.\r\n", NULL, true, true,
	    "" },

	/* Normalised: the same ends, and the content in whole lines. */
	{ "bare LFs", true, "a\nb\r\nc\n\r\n.\r\n", "a\r\nb\r\nc\r\n\r\n", true, true, "" },
	{ "bare CRs are dropped", true, "a\rb\r\r\nc\r\n.\r\n", "ab\r\nc\r\n", true, true, "" },
	{ "LF . LF does not end it", true, "a\n.\nb\r\n.\r\nX", "a\r\n.\r\nb\r\n", true, true,
	    "X" },
	{ "LF . CRLF does not end it", true, "a\n.\r\nb\r\n.\r\nX", "a\r\n.\r\nb\r\n", true, true,
	    "X" },
	{ "CR . CRLF does not end it", true, "a\r.\r\nb\r\n.\r\nX", "a.\r\nb\r\n", true, true,
	    "X" },
	{ "CRLF . LF does not end it", true, "a\r\n.\nb\r\n.\r\nX", "a\r\n.\r\nb\r\n", true, true,
	    "X" },
	{ "CRLF . CR CR LF does not end it", true, "a\r\n.\r\r\nb\r\n.\r\nX", "a\r\n.\r\nb\r\n",
	    true, true, "X" },
	{ "CR . CR does not end it", true, "a\r.\rb\r\n.\r\nX", "a.b\r\n", true, true, "X" },
	{ "a stuffed dot after a bare LF", true, "a\n..b\n...\n..\n.\r\n.\r\n",
	    "a\r\n.b\r\n..\r\n.\r\n.\r\n", true, true, "" },
	{ "an ordinary mail, normalised", true, "a\r\n..b\r\n.\r\nX", "a\r\n.b\r\n", true, false,
	    "X" },
};

static void
check_case(const struct data_case *c, uint64_t cuts)
{
	size_t len = strlen(c->input);
	struct outcome outcome = feed(c->input, len, c->normalize, 1 << 20, cuts);

	if (outcome.done != c->done || outcome.bare != c->bare || outcome.nul || outcome.over ||
	    strcmp(c->input + outcome.used, c->after) != 0 ||
	    outcome.clean != (c->normalize || !c->bare))
		fail_msg("%s (cuts %#lx): done %d bare %d clean %d after \"%s\"", c->reason,
		    (unsigned long)cuts, outcome.done, outcome.bare, outcome.clean,
		    c->input + outcome.used);
	if (c->content != NULL &&
	    (outcome.content.len != strlen(c->content) ||
		(outcome.content.len > 0 && strcmp(outcome.content.data, c->content) != 0)))
		fail_msg("%s (cuts %#lx): \"%s\" instead of \"%s\"", c->reason, (unsigned long)cuts,
		    outcome.content.data, c->content);
	if (c->content != NULL)
		assert_int_equal(outcome.total_bytes, strlen(c->content));
	buf_free(&outcome.content);
}

static void
test_cases_whole_and_bytewise(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		check_case(&cases[i], 0);
		check_case(&cases[i], UINT64_MAX);
	}
}

/* Every way to split every case; long ones at every pair of places. */
static void
test_cases_in_every_split(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t len = strlen(cases[i].input);

		if (len <= 13)
			for (uint64_t cuts = 0; cuts < UINT64_C(1) << (len - 1); cuts++)
				check_case(&cases[i], cuts);
		else
			for (size_t a = 0; a < len; a++)
				for (size_t b = a; b < len; b++)
					check_case(&cases[i], UINT64_C(1) << a | UINT64_C(1) << b);
	}
}

/* All inputs up to a length over the bytes that matter: the verdict is the same however it is
 * split, and the end comes at the first CRLF.CRLF, as a search for these bytes finds it. */
static void
test_all_short_inputs(void **state)
{
	static const char alphabet[] = "\r\n.a";
	const size_t letters = sizeof(alphabet) - 1;

	(void)state;
	for (size_t len = 1; len <= 7; len++) {
		size_t count = 1;

		for (size_t i = 0; i < len; i++)
			count *= letters;
		for (size_t n = 0; n < 2 * count; n++) {
			char input[16] = "\r\n";
			size_t rest = n / 2;
			bool normalize = n % 2 == 1;

			for (size_t i = 0; i < len; i++, rest /= letters)
				input[2 + i] = alphabet[rest % letters];
			input[2 + len] = '\0';

			struct outcome whole = feed(input + 2, len, normalize, 100, 0);
			struct outcome bytes = feed(input + 2, len, normalize, 100, UINT64_MAX);
			/* The CRLF of DATA itself counts as the first of CRLF.CRLF. */
			const char *end = strstr(input, "\r\n.\r\n");

			assert_int_equal(whole.done, end != NULL);
			if (end != NULL)
				assert_int_equal(whole.used, (size_t)(end + 5 - input) - 2);
			assert_int_equal(bytes.done, whole.done);
			assert_int_equal(bytes.used, whole.used);
			assert_int_equal(bytes.bare, whole.bare);
			assert_int_equal(bytes.total_bytes, whole.total_bytes);
			assert_int_equal(bytes.clean, whole.clean);
			if (whole.clean) {
				assert_int_equal(bytes.content.len, whole.content.len);
				if (whole.content.len > 0)
					assert_memory_equal(bytes.content.data, whole.content.data,
					    whole.content.len);
			}
			buf_free(&whole.content);
			buf_free(&bytes.content);
		}
	}
}

static void
test_ceiling(void **state)
{
	static const char input[] = "12345\r\n.\r\nX";
	static const struct {
		uint64_t most;
		bool over;
	} ceilings[] = { { 6, true }, { 7, false }, { 8, false }, { 0, true } };

	(void)state;
	for (size_t i = 0; i < sizeof(ceilings) / sizeof(ceilings[0]); i++)
		for (uint64_t cuts = 0; cuts < 2048; cuts++) {
			struct outcome outcome =
			    feed(input, sizeof(input) - 1, false, ceilings[i].most, cuts);

			assert_true(outcome.done);
			assert_int_equal(outcome.over, ceilings[i].over);
			assert_int_equal(outcome.total_bytes, 7);
			assert_int_equal(outcome.used, sizeof(input) - 2);
			assert_true(outcome.content.len <= ceilings[i].most);
			buf_free(&outcome.content);
		}
}

static void
test_nul(void **state)
{
	static const char inside[] = "a\0b\r\n.\r\nX";
	static const char behind[] = "ab\r\n.\r\n\0X";

	(void)state;
	for (uint64_t cuts = 0; cuts < 512; cuts++) {
		struct outcome outcome = feed(inside, sizeof(inside) - 1, false, 100, cuts);

		assert_true(outcome.done && outcome.nul && !outcome.clean);
		buf_free(&outcome.content);
		outcome = feed(behind, sizeof(behind) - 1, false, 100, cuts);
		assert_true(outcome.done && !outcome.nul && outcome.clean);
		buf_free(&outcome.content);
	}
}

static void
test_without_out(void **state)
{
	struct smtp_data data;
	size_t used;

	(void)state;
	smtp_data_init(&data, false, 100);
	assert_int_equal(smtp_data_feed(&data, "ab\r\n.\r\nX", 8, NULL, &used), SMTP_DATA_DONE);
	assert_int_equal(used, 7);
	assert_int_equal(data.total_bytes, 4);
	assert_int_equal(smtp_data_feed(&data, "X", 1, NULL, &used), SMTP_DATA_DONE);
	assert_int_equal(used, 0);
}

/* A block of nothing but LF, or CR, is read in linear time: 16 MB of each take no noticeable
 * time, while a quadratic search would take minutes. */
static void
test_linear(void **state)
{
	static const char fillers[] = "\n\r.";
	const size_t len = 256 * 1024;
	char *block = malloc(len);

	(void)state;
	for (size_t f = 0; f < sizeof(fillers) - 1; f++)
		for (int normalize = 0; normalize < 2; normalize++) {
			struct smtp_data data;
			struct buf out;
			size_t used;

			memset(block, fillers[f], len);
			smtp_data_init(&data, normalize == 1, UINT64_MAX);
			buf_init(&out, 64 << 20);
			for (int i = 0; i < 64; i++) {
				assert_int_equal(
				    smtp_data_feed(&data, block, len, &out, &used), SMTP_DATA_MORE);
				assert_int_equal(used, len);
			}
			buf_free(&out);
		}
	free(block);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases_whole_and_bytewise),
		cmocka_unit_test(test_cases_in_every_split),
		cmocka_unit_test(test_all_short_inputs),
		cmocka_unit_test(test_ceiling),
		cmocka_unit_test(test_nul),
		cmocka_unit_test(test_without_out),
		cmocka_unit_test(test_linear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
