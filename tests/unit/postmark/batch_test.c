#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "mail/mail.h"
#include "postmark/batch.h"
#include "postmark/client.h"

static const struct payload nothing = { NULL, 0, -1 };

/* Two items of one mail: each head is followed by what they share. */
static void
what_is_shared_follows_each(void **state)
{
	static char one[] = "{\"To\":1", two[] = "{\"To\":2", rest[] = ",\"b\":3}";
	const struct payload payloads[] = { { one, 7, -1 }, { two, 7, -1 } },
			     shared = { rest, 7, -1 };
	const struct batch_message messages[] = { { &payloads[0], &shared },
		{ &payloads[1], &shared } };
	struct batch batch;
	char body[64] = "";

	(void)state;
	batch_build(&batch, ITEM_EMAIL, messages, 2);
	for (size_t i = 0; i < batch.piece_count; i++)
		strncat(body, batch.pieces[i].data, batch.pieces[i].len);
	assert_string_equal(body, "[{\"To\":1,\"b\":3},{\"To\":2,\"b\":3}]");
	assert_int_equal(batch.bytes, strlen(body));
	batch_free(&batch);
	batch_build(&batch, ITEM_EMAIL, messages, 1);
	assert_int_equal(batch.piece_count, 2);
	assert_int_equal(batch.bytes, 14);
	batch_free(&batch);
}

static void
one_item_goes_alone(void **state)
{
	static char json[] = "{\"a\":1}";
	const struct payload payload = { json, 7, -1 };
	const struct batch_message message = { &payload, &nothing };
	struct batch batch;

	(void)state;
	batch_build(&batch, ITEM_EMAIL, &message, 1);
	assert_string_equal(batch.path, "/email");
	assert_int_equal(batch.piece_count, 1);
	assert_int_equal(batch.bytes, 7);
	assert_ptr_equal(batch.pieces[0].data, json);
	batch_free(&batch);
	batch_free(&batch);
}

static void
more_make_an_array(void **state)
{
	static char one[] = "{\"a\":1}", three[] = "{}";
	struct payload payloads[] = { { one, 7, -1 }, { NULL, 100000, 42 }, { three, 2, -1 } };
	const struct batch_message lent[] = { { &payloads[0], &nothing },
		{ &payloads[1], &nothing }, { &payloads[2], &nothing } };
	static const struct postmark_piece expected[] = { { "[", -1, 1 }, { one, -1, 7 },
		{ ",", -1, 1 }, { NULL, 42, 100000 }, { ",", -1, 1 }, { three, -1, 2 },
		{ "]", -1, 1 } };
	struct batch batch;

	(void)state;
	batch_build(&batch, ITEM_EMAIL, lent, 3);
	assert_string_equal(batch.path, "/email/batch");
	assert_int_equal(batch.piece_count, 7);
	assert_int_equal(batch.bytes, 7 + 100000 + 2 + 4);
	for (size_t i = 0; i < 7; i++) {
		assert_int_equal(batch.pieces[i].len, expected[i].len);
		assert_int_equal(batch.pieces[i].fd, expected[i].fd);
		if (expected[i].data == NULL)
			assert_null(batch.pieces[i].data);
		else
			assert_memory_equal(
			    batch.pieces[i].data, expected[i].data, expected[i].len);
	}
	batch_free(&batch);
}

static void
templates_have_calls_of_their_own(void **state)
{
	static char one[] = "{\"To\":1", two[] = "{\"To\":2", rest[] = ",\"b\":3}";
	const struct payload payloads[] = { { one, 7, -1 }, { two, 7, -1 } },
			     shared = { rest, 7, -1 };
	const struct batch_message messages[] = { { &payloads[0], &shared },
		{ &payloads[1], &shared } };
	struct batch batch;
	char body[128] = "";

	(void)state;
	batch_build(&batch, ITEM_TEMPLATE, messages, 1);
	assert_string_equal(batch.path, "/email/withTemplate");
	assert_int_equal(batch.kind, ITEM_TEMPLATE);
	assert_int_equal(batch.bytes, 14);
	batch_free(&batch);
	batch_build(&batch, ITEM_TEMPLATE, messages, 2);
	assert_string_equal(batch.path, "/email/batchWithTemplates");
	assert_int_equal(batch.kind, ITEM_TEMPLATE);
	for (size_t i = 0; i < batch.piece_count; i++)
		strncat(body, batch.pieces[i].data, batch.pieces[i].len);
	assert_string_equal(body, "{\"Messages\":[{\"To\":1,\"b\":3},{\"To\":2,\"b\":3}]}");
	assert_int_equal(batch.bytes, strlen(body));
	batch_free(&batch);
}

/* What is left of a request's limit for the payloads holds for both forms. */
static void
the_frame_is_never_more(void **state)
{
	static char json[] = "{}";
	const struct payload payload = { json, 2, -1 };
	struct batch_message messages[500];
	struct batch batch;

	(void)state;
	for (size_t i = 0; i < 500; i++)
		messages[i] = (struct batch_message){ &payload, &nothing };
	for (size_t count = 1; count <= 500; count += 7) {
		batch_build(&batch, ITEM_EMAIL, messages, count);
		assert_true(batch.bytes <= 2 * count + BATCH_FRAME_BYTES(count));
		batch_free(&batch);
		batch_build(&batch, ITEM_TEMPLATE, messages, count);
		assert_true(batch.bytes <= 2 * count + BATCH_FRAME_BYTES(count));
		assert_true(count == 1 || batch.bytes == 2 * count + BATCH_FRAME_BYTES(count));
		batch_free(&batch);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_item_goes_alone),
		cmocka_unit_test(more_make_an_array),
		cmocka_unit_test(what_is_shared_follows_each),
		cmocka_unit_test(templates_have_calls_of_their_own),
		cmocka_unit_test(the_frame_is_never_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
