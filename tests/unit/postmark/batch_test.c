#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "mail/mail.h"
#include "postmark/batch.h"
#include "postmark/client.h"

static void
one_item_goes_alone(void **state)
{
	static char json[] = "{\"a\":1}";
	struct payload payload = { json, 7, -1 };
	const struct payload *payloads[] = { &payload };
	struct batch batch;

	(void)state;
	batch_build(&batch, payloads, 1);
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
	const struct payload *lent[] = { &payloads[0], &payloads[1], &payloads[2] };
	static const struct postmark_piece expected[] = { { "[", -1, 1 }, { one, -1, 7 },
		{ ",", -1, 1 }, { NULL, 42, 100000 }, { ",", -1, 1 }, { three, -1, 2 },
		{ "]", -1, 1 } };
	struct batch batch;

	(void)state;
	batch_build(&batch, lent, 3);
	assert_string_equal(batch.path, "/email/batch");
	assert_int_equal(batch.piece_count, 7);
	assert_int_equal(batch.bytes, 7 + 100000 + 2 + BATCH_FRAME_BYTES(3));
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_item_goes_alone),
		cmocka_unit_test(more_make_an_array),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
