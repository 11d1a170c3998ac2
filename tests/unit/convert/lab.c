#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "mail/envelope.h"
#include "lab.h"

int
lab_setup(void **state)
{
	(void)state;
	convert_setup();
	return 0;
}

struct convert_options
lab_options(void)
{
	return (struct convert_options){
		.route = "default",
		.message_stream = "",
		.default_tag = "",
		.track_opens = -1,
		.track_links = "",
		.from = "",
		.most_api_bytes = 10485760,
		.most_body_bytes = 5242880,
		.most_recipients = 50,
		.controls = CONTROLS_ALL,
		.limits = { .depth = 100, .parts = 1000, .headers = 1000 },
	};
}

int
lab_convert(const struct lab_run *run, const char *content, size_t len, struct mail **mail_r,
    struct refusal *refusal_r)
{
	struct envelope envelope;
	struct origin origin = { "127.0.0.1:2525", "127.0.0.1", "client.example", "" };
	char *list = mem_string(run->recipients), *rest = list, *one;
	int result;

	envelope_init(&envelope);
	free(envelope.reverse_path);
	envelope.reverse_path = mem_string(run->sender == NULL ? "" : run->sender);
	while ((one = strsep(&rest, " ")) != NULL)
		if (one[0] != '\0')
			strlist_add(&envelope.recipients, one);
	struct convert_input input = { .envelope = &envelope,
		.origin = &origin,
		.content = content,
		.content_len = len,
		.mail_id = MAIL_ID,
		.accepted_ms = 1,
		.redirected = run->redirected };
	memset(refusal_r, 0, sizeof(*refusal_r));
	if (run->facts != NULL)
		memset(run->facts, 0, sizeof(*run->facts));
	result = convert_mail_with_facts(&run->options, &input, run->facts, mail_r, refusal_r);
	assert_true((result == 0) == (*mail_r != NULL));
	free(list);
	envelope_free(&envelope);
	return result;
}

int
lab_convert_text(
    const struct lab_run *run, const char *content, struct mail **mail_r, struct refusal *refusal_r)
{
	struct buf crlf;
	int result;

	buf_init(&crlf, SIZE_MAX / 4);
	for (const char *c = content; *c != '\0'; c++) {
		if (*c == '\n')
			buf_addc(&crlf, '\r');
		buf_addc(&crlf, *c);
	}
	result = lab_convert(run, crlf.data == NULL ? "" : crlf.data, crlf.len, mail_r, refusal_r);
	buf_free(&crlf);
	return result;
}

struct mail *
lab_mail(const char *reason, const struct lab_run *run, const char *content)
{
	struct mail *mail = NULL;
	struct refusal refusal;

	if (lab_convert_text(run, content, &mail, &refusal) != 0)
		fail_msg("%s: %d %s %s", reason, refusal.code, refusal.enhanced, refusal.text);
	return mail;
}

void
lab_refused(const char *reason, const struct lab_run *run, const char *content, size_t len,
    int code, const char *enhanced, const char *text)
{
	struct mail *mail = NULL;
	struct refusal refusal;

	if (lab_convert(run, content, len, &mail, &refusal) == 0)
		fail_msg("%s: taken", reason);
	if (refusal.code != code || strcmp(refusal.enhanced, enhanced) != 0 ||
	    strstr(refusal.text, text) == NULL)
		fail_msg("%s: %d %s %s", reason, refusal.code, refusal.enhanced, refusal.text);
	for (const char *c = refusal.text; *c != '\0'; c++)
		assert_true(*c >= 0x20 && *c < 0x7F);
}

char *
lab_item_bytes(const struct mail *mail, size_t number, size_t *len_r)
{
	const struct item *item = &mail->items[number];
	struct buf whole;

	assert_true((item->payload.len >= PAYLOAD_LARGE) == (item->payload.fd >= 0));
	assert_true((mail->shared.len >= PAYLOAD_LARGE) == (mail->shared.fd >= 0));
	assert_true((mail->item_count > 1) == (mail->shared.len > 0));
	buf_init(&whole, SIZE_MAX / 4);
	assert_int_equal(payload_read(&item->payload, &whole), 0);
	assert_int_equal(payload_read(&mail->shared, &whole), 0);
	return buf_take(&whole, len_r);
}

json_t *
lab_item(const struct mail *mail, size_t number)
{
	json_error_t error;
	size_t len;
	char *whole = lab_item_bytes(mail, number, &len);
	json_t *json;

	assert_true(json_is_one_object(whole, len));
	json = json_loadb(whole, len, JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, &error);
	if (json == NULL)
		fail_msg("%s at %d: %s", error.text, error.position, whole);
	free(whole);
	return json;
}

json_t *
lab_expectation(const char *text)
{
	json_error_t error;
	bool within = false;
	struct buf out;
	json_t *json;

	buf_init(&out, 1 << 20);
	for (const char *c = text; *c != '\0'; c++) {
		if (*c == '\'') {
			within = !within;
			buf_addc(&out, '"');
		} else if (*c == '"' && within) {
			buf_adds(&out, "\\\"");
		} else {
			buf_addc(&out, *c);
		}
	}
	json = json_loads(out.data, JSON_DECODE_INT_AS_REAL, &error);
	if (json == NULL)
		fail_msg("table: %s at %d: %s", error.text, error.position, out.data);
	buf_free(&out);
	return json;
}

void
lab_compare(const char *reason, const json_t *expected, const json_t *got)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)expected, key, value)
	{
		json_t *there = json_object_get(got, key);

		if (json_is_null(value) ? there == NULL : json_equal(value, there))
			continue;
		char *want = json_dumps(value, JSON_ENCODE_ANY);
		char *have = there == NULL ? NULL : json_dumps(there, JSON_ENCODE_ANY);
		fail_msg("%s: %s should be %s and is %s", reason, key, want,
		    have == NULL ? "absent" : have);
	}
}

void
lab_list(struct strlist *list, ...)
{
	const char *entry;
	va_list args;

	va_start(args, list);
	while ((entry = va_arg(args, const char *)) != NULL)
		strlist_add(list, entry);
	va_end(args);
}
