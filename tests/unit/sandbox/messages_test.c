#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/mem.h"
#include "sandbox/messages.h"

static const char *
add(struct messages *messages, const char *relay_id, size_t json_len)
{
	struct message *message = message_new();

	message->json = mem_new(json_len + 1);
	message->json_len = json_len;
	message->relay_id = relay_id != NULL ? mem_string(relay_id) : NULL;
	messages_add(messages, message);
	return messages_at(messages, messages_count(messages) - 1)->id;
}

static void
finds(void **state)
{
	struct messages *messages = messages_new(100000, UINT64_MAX);
	char ids[1000][UUID_SIZE], relay_id[32];

	(void)state;
	for (int i = 0; i < 1000; i++) {
		snprintf(relay_id, sizeof(relay_id), "r%d", i);
		strcpy(ids[i], add(messages, relay_id, 10));
	}
	assert_int_equal(messages_count(messages), 1000);
	for (int i = 0; i < 1000; i++) {
		snprintf(relay_id, sizeof(relay_id), "r%d", i);
		assert_int_equal(messages_find(messages, ids[i])->number, i + 1);
		assert_string_equal(messages_by_relay_id(messages, relay_id)->id, ids[i]);
	}
	assert_null(messages_find(messages, "00000000-0000-4000-8000-000000000000"));
	assert_null(messages_by_relay_id(messages, "r1000"));
	assert_null(messages_at(messages, 1000));
	messages_free(&messages);
	assert_null(messages);
	messages_free(&messages);
}

static void
forgets_the_oldest(void **state)
{
	struct messages *messages = messages_new(10, UINT64_MAX);
	char ids[1000][UUID_SIZE], relay_id[32];
	uint64_t times;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		snprintf(relay_id, sizeof(relay_id), "r%d", i);
		strcpy(ids[i], add(messages, relay_id, 10));
	}
	assert_int_equal(messages_count(messages), 10);
	assert_int_equal(messages_accepted(messages), 1000);
	assert_int_equal(messages_at(messages, 0)->number, 991);
	assert_null(messages_find(messages, ids[989]));
	assert_non_null(messages_find(messages, ids[990]));
	/* What came is known even where it is forgotten. */
	assert_int_equal(messages_relay_count(messages), 1000);
	assert_string_equal(messages_relay_at(messages, 0, &times), "r0");
	assert_int_equal(times, 1);
	assert_null(messages_by_relay_id(messages, "r0"));
	add(messages, "r0", 10);
	assert_int_equal(messages_repeats(messages), 1);
	messages_relay_at(messages, 0, &times);
	assert_int_equal(times, 2);
	messages_free(&messages);
}

static void
forgets_by_size(void **state)
{
	struct messages *messages = messages_new(1000, 10000);

	(void)state;
	for (int i = 0; i < 100; i++)
		add(messages, NULL, 1000);
	assert_true(messages_bytes(messages) <= 10000);
	assert_true(messages_count(messages) > 4);
	add(messages, NULL, 100000);
	assert_int_equal(messages_count(messages), 1);
	messages_clear(messages);
	assert_int_equal(messages_count(messages), 0);
	assert_int_equal(messages_bytes(messages), 0);
	add(messages, "a", 1);
	assert_int_equal(messages_at(messages, 0)->number, 1);
	messages_free(&messages);
}

static void
counts_repeats(void **state)
{
	struct messages *messages = messages_new(3, UINT64_MAX);
	const struct message *message;

	(void)state;
	add(messages, "a", 1);
	add(messages, "b", 1);
	add(messages, "a", 1);
	add(messages, NULL, 1);
	add(messages, "a", 1);
	assert_int_equal(messages_repeats(messages), 2);
	assert_int_equal(messages_relay_count(messages), 2);
	message = messages_by_relay_id(messages, "a");
	assert_int_equal(message->number, 5);
	assert_int_equal(message->next_same->number, 3);
	assert_null(message->next_same->next_same);
	messages_free(&messages);
}

static void
makes_ids(void **state)
{
	char a[UUID_SIZE], b[UUID_SIZE];

	(void)state;
	for (int i = 0; i < 1000; i++) {
		uuid_make(a);
		uuid_make(b);
		assert_string_not_equal(a, b);
		assert_int_equal(strlen(a), UUID_LEN);
		assert_int_equal(strspn(a, "0123456789abcdef-"), UUID_LEN);
		assert_true(a[8] == '-' && a[13] == '-' && a[18] == '-' && a[23] == '-');
		assert_int_equal(a[14], '4');
		assert_non_null(strchr("89ab", a[19]));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds),
		cmocka_unit_test(forgets_the_oldest),
		cmocka_unit_test(forgets_by_size),
		cmocka_unit_test(counts_repeats),
		cmocka_unit_test(makes_ids),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
