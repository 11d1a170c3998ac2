/* Frames: what a front writes is read back the same, and nothing else is a mail. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/mman.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "mail/event.h"
#include "mail/mail.h"
#include "mail/refusal.h"
#include "channel/frame.h"

static int
sealed(const char *bytes, size_t len)
{
	int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), (ssize_t)len);
	assert_int_equal(
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL), 0);
	return fd;
}

static struct mail *
sample(void)
{
	static const char json[] = "{\"From\":\"a@b.example\",\"To\":\"c@d.example\"}";
	struct mail *mail = mail_new();

	ulid_make(mail->id, 1700000000000);
	mail->reverse_path = mem_string("a@b.example");
	mail->route = mem_string("default");
	mail->listener = mem_string("127.0.0.1:2525");
	mail->client = mem_string("127.0.0.1");
	mail->helo = mem_string("host.example");
	mail->message_id = mem_string("<1@b.example>");
	mail->from = mem_string("Änn <a@b.example>");
	mail->subject = mem_string("Grüße");
	mail->ledger = mem_string("");
	mail->accepted_ms = 1700000000123;
	mail->content_bytes = 4711;
	mail->item_count = 2;
	mail->items = mem_array(2, sizeof(*mail->items));
	for (unsigned i = 0; i < 2; i++) {
		mail->items[i].number = i + 1;
		payload_init(&mail->items[i].payload);
		mail->items[i].payload.len = sizeof(json) - 1;
		strlist_add(&mail->items[i].recipients, "c@d.example");
	}
	strlist_add(&mail->items[1].recipients, "e@f.example");
	mail->items[1].kind = ITEM_TEMPLATE;
	mail->items[0].payload.data = mem_string(json);
	mail->items[1].payload.fd = sealed(json, sizeof(json) - 1);
	return mail;
}

static void
test_commit_round_trip(void **state)
{
	struct mail *mail = sample(), *back;
	int fds[FRAME_MOST_DESCRIPTORS];
	struct frame_head head;
	const char *why;
	struct buf out;
	size_t count;
	int copy;

	(void)state;
	buf_init(&out, 1 << 20);
	assert_int_equal(frame_commit_write(&out, 77, mail, fds, &count), 0);
	assert_int_equal(count, 1);
	assert_int_equal(frame_head_read(&head, (const unsigned char *)out.data), 0);
	assert_int_equal(head.kind, FRAME_COMMIT);
	assert_int_equal(head.serial, 77);
	assert_int_equal(head.descriptors, 1);
	assert_int_equal(head.body_bytes, out.len - FRAME_HEAD_SIZE);

	copy = dup(fds[0]);
	back = frame_commit_read(out.data + FRAME_HEAD_SIZE, head.body_bytes, &copy, 1, &why);
	assert_non_null(back);
	assert_string_equal(back->id, mail->id);
	assert_string_equal(back->from, mail->from);
	assert_string_equal(back->subject, "Grüße");
	assert_int_equal(back->accepted_ms, mail->accepted_ms);
	assert_int_equal(back->content_bytes, 4711);
	assert_int_equal(back->item_count, 2);
	assert_int_equal(back->items[1].recipients.count, 2);
	assert_string_equal(back->items[1].recipients.items[1], "e@f.example");
	assert_int_equal(back->items[0].payload.len, mail->items[0].payload.len);
	assert_memory_equal(
	    back->items[0].payload.data, mail->items[0].payload.data, back->items[0].payload.len);
	assert_int_equal(back->items[1].payload.fd, copy);
	assert_int_equal(back->items[1].number, 2);
	assert_int_equal(back->items[0].kind, ITEM_EMAIL);
	assert_int_equal(back->items[1].kind, ITEM_TEMPLATE);
	mail_free(&back);
	mail_free(&mail);
	buf_free(&out);
}

/* Whatever is wrong with a mail: no mail, a reason, and no descriptor left open. */
static void
refused(struct mail *mail, int fd, const char *expected)
{
	int fds[FRAME_MOST_DESCRIPTORS], passed;
	struct buf out;
	const char *why;
	size_t count;

	buf_init(&out, 1 << 20);
	assert_int_equal(frame_commit_write(&out, 1, mail, fds, &count), 0);
	passed = fd >= 0 ? fd : dup(fds[0]);
	assert_null(frame_commit_read(
	    out.data + FRAME_HEAD_SIZE, out.len - FRAME_HEAD_SIZE, &passed, 1, &why));
	assert_string_equal(why, expected);
	assert_int_equal(fcntl(passed, F_GETFD), -1);
	mail_free(&mail);
	buf_free(&out);
}

static void
test_commit_refused(void **state)
{
	static const char two[] = "{\"From\":\"a@b.example\"},{\"From\":\"x@b.exampl\"}";
	char path[] = "frame-XXXXXX"; /* here: the files of a tmpfs have seals */
	struct mail *mail;
	int fd;

	(void)state;
	mail = sample();
	free(mail->items[0].payload.data);
	mail->items[0].payload.data = mem_string(two);
	mail->items[0].payload.len = sizeof(two) - 1;
	refused(mail, -1, "payload is not one JSON object");

	mail = sample();
	memcpy(mail->id, "not a ulid", 11);
	refused(mail, -1, "id");

	mail = sample();
	free(mail->subject);
	mail->subject = mem_string("line\nbreak");
	refused(mail, -1, "a text is missing, too long or not clean UTF-8");

	mail = sample();
	free(mail->helo);
	mail->helo = mem_string("\xff\xfe");
	refused(mail, -1, "a text is missing, too long or not clean UTF-8");

	mail = sample();
	strlist_add(&mail->items[0].recipients, "a@b.example, c@d.example");
	refused(mail, -1, "recipient is not an address");

	mail = sample();
	mail->items[0].kind = (enum item_kind)ITEM_KINDS;
	refused(mail, -1, "kind of item");

	mail = sample();
	mail->item_count = 0;
	{
		int fds[FRAME_MOST_DESCRIPTORS];
		struct buf out;
		const char *why;
		size_t count;

		buf_init(&out, 1 << 20);
		assert_int_equal(frame_commit_write(&out, 1, mail, fds, &count), 0);
		assert_null(frame_commit_read(
		    out.data + FRAME_HEAD_SIZE, out.len - FRAME_HEAD_SIZE, NULL, 0, &why));
		assert_string_equal(why, "number of items");
		buf_free(&out);
	}
	mail->item_count = 2;
	mail_free(&mail);

	/* A memfd that could still be changed after it was checked. */
	mail = sample();
	fd = memfd_create("open", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	assert_int_equal(write(fd, "{}", 2), 2);
	refused(mail, fd, "payload descriptor is not a sealed JSON object");

	/* Sealed, but not of the length that the frame tells. */
	mail = sample();
	refused(mail, sealed("{}", 2), "payload descriptor is not a sealed JSON object");

	/* The right bytes, in a file that has no seals. */
	mail = sample();
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(write(fd, mail->items[0].payload.data, mail->items[0].payload.len),
	    (ssize_t)mail->items[0].payload.len);
	refused(mail, fd, "payload descriptor is not a sealed JSON object");

	/* Not a memfd at all. */
	mail = sample();
	refused(mail, open("/dev/zero", O_RDONLY | O_CLOEXEC),
	    "payload descriptor is not a sealed JSON object");
}

/* Two items that share what they say: each head lacks its end, the rest begins with a comma. */
static struct mail *
sharing(const char *head, const char *shared)
{
	struct mail *mail = sample();

	for (unsigned i = 0; i < 2; i++) {
		payload_free(&mail->items[i].payload);
		mail->items[i].payload.data = mem_string(head);
		mail->items[i].payload.len = strlen(head);
	}
	mail->shared.fd = sealed(shared, strlen(shared));
	mail->shared.len = strlen(shared);
	return mail;
}

static void
test_commit_shared(void **state)
{
	static const struct {
		const char *reason, *head, *shared, *expected;
	} cases[] = {
		{ "as convert makes it", "{\"To\":\"a@b\"", ",\"TextBody\":\"x\"}", NULL },
		{ "the head is closed", "{\"To\":\"a@b\"}", ",\"TextBody\":\"x\"}",
		    "payload is not one JSON object" },
		{ "the rest begins a second object", "{\"To\":\"a@b\"", ",\"x\":1},{\"y\":2}",
		    "payload descriptor is not a sealed JSON object" },
		{ "no comma between them", "{\"To\":\"a@b\"", "{\"TextBody\":\"x\"}",
		    "payload descriptor is not a sealed JSON object" },
		{ "a string that is open at the seam", "{\"To\":\"a@b", ",\"TextBody\":\"x\"}",
		    "payload is not one JSON object" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct mail *mail = sharing(cases[i].head, cases[i].shared), *back;
		int fds[FRAME_MOST_DESCRIPTORS], passed;
		struct buf out;
		const char *why;
		size_t count;

		buf_init(&out, 1 << 20);
		assert_int_equal(frame_commit_write(&out, 1, mail, fds, &count), 0);
		assert_int_equal(count, 1);
		passed = dup(fds[0]);
		back = frame_commit_read(
		    out.data + FRAME_HEAD_SIZE, out.len - FRAME_HEAD_SIZE, &passed, 1, &why);
		if ((back != NULL) != (cases[i].expected == NULL) ||
		    (back == NULL && strcmp(why, cases[i].expected) != 0))
			fail_msg("%s: %s", cases[i].reason, back == NULL ? why : "taken");
		mail_free(&back);
		mail_free(&mail);
		buf_free(&out);
	}
}

/* A frame that is cut anywhere, or followed by anything, is no mail. */
static void
test_commit_cut(void **state)
{
	struct mail *mail = sample();
	int fds[FRAME_MOST_DESCRIPTORS], passed;
	struct buf out;
	const char *why;
	size_t count;

	(void)state;
	buf_init(&out, 1 << 20);
	assert_int_equal(frame_commit_write(&out, 1, mail, fds, &count), 0);
	for (size_t len = 0; len < out.len - FRAME_HEAD_SIZE; len++) {
		char *exact = malloc(len + 1);

		memcpy(exact, out.data + FRAME_HEAD_SIZE, len);
		passed = dup(fds[0]);
		assert_null(frame_commit_read(exact, len, &passed, 1, &why));
		free(exact);
	}
	buf_addc(&out, 'x');
	passed = dup(fds[0]);
	assert_null(frame_commit_read(
	    out.data + FRAME_HEAD_SIZE, out.len - FRAME_HEAD_SIZE, &passed, 1, &why));
	assert_string_equal(why, "bytes after the last item");
	mail_free(&mail);
	buf_free(&out);
}

/* --- several mails of a transaction ------------------------------------------------------- */

/* sample() without a descriptor, for a route of its own. */
static struct mail *
part_of_chain(const char *route)
{
	struct mail *mail = sample();

	payload_free(&mail->items[1].payload);
	mail->items[1].payload.data = mem_string("{\"TemplateId\":1}");
	mail->items[1].payload.len = strlen(mail->items[1].payload.data);
	free(mail->route);
	mail->route = mem_string(route);
	return mail;
}

static struct mail *
back_of(const struct mail *mail, const char **why)
{
	int fds[FRAME_MOST_DESCRIPTORS], passed[FRAME_MOST_DESCRIPTORS];
	struct mail *back;
	struct buf out;
	size_t count;

	buf_init(&out, FRAME_MOST_BODY * 2);
	assert_int_equal(frame_commit_write(&out, 1, mail, fds, &count), 0);
	for (size_t i = 0; i < count; i++)
		passed[i] = dup(fds[i]);
	back = frame_commit_read(
	    out.data + FRAME_HEAD_SIZE, out.len - FRAME_HEAD_SIZE, passed, count, why);
	for (size_t i = 0; back == NULL && i < count; i++)
		assert_int_equal(fcntl(passed[i], F_GETFD), -1);
	buf_free(&out);
	return back;
}

static void
test_chain(void **state)
{
	struct mail *mail = part_of_chain("a"), *back;
	const char *why;

	(void)state;
	mail->next = sample();
	mail->next->captured = true;
	mail->next->next = part_of_chain("c");
	mail->next->next->held_why = mem_string("once round");
	mail->next->next->reply = REPLY_POSTMARK_OR_REFUSE;
	mail->next->next->reply_within_ms = FRAME_MOST_REPLY_MS;
	back = back_of(mail, &why);
	assert_non_null(back);
	assert_string_equal(back->route, "a");
	assert_false(back->captured);
	assert_int_equal(back->reply, REPLY_QUEUED);
	assert_string_equal(back->next->id, mail->next->id);
	assert_string_equal(back->next->route, "default");
	assert_true(back->next->captured);
	assert_null(back->next->held_why);
	assert_string_equal(back->next->next->held_why, "once round");
	assert_true(back->next->items[1].payload.fd >= 0);
	assert_string_equal(back->next->next->route, "c");
	assert_int_equal(back->next->next->reply, REPLY_POSTMARK_OR_REFUSE);
	assert_int_equal(back->next->next->reply_within_ms, FRAME_MOST_REPLY_MS);
	assert_int_equal(back->next->next->item_count, 2);
	assert_null(back->next->next->next);
	mail_free(&back);

	/* What is wrong with one is wrong with all. */
	free(mail->next->next->helo);
	mail->next->next->helo = mem_string("a\nb");
	assert_null(back_of(mail, &why));
	assert_string_equal(why, "a text is missing, too long or not clean UTF-8");
	free(mail->next->next->helo);
	mail->next->next->helo = mem_string("h");
	mail->next->next->reply_within_ms = FRAME_MOST_REPLY_MS + 1;
	assert_null(back_of(mail, &why));
	assert_string_equal(why, "kind of reply");
	mail->next->next->reply_within_ms = 0;
	memcpy(mail->next->next->id, mail->id, ULID_SIZE);
	assert_null(back_of(mail, &why));
	assert_string_equal(why, "id");
	mail_free(&mail);
}

/* Each mail is within the limits, and all of them together are not. */
static void
test_chain_limits(void **state)
{
	struct mail *mail = NULL, *back;
	int fds[FRAME_MOST_DESCRIPTORS];
	struct buf out;
	const char *why;
	size_t count;

	(void)state;
	for (size_t i = 0; i < FRAME_MOST_MAILS; i++) {
		struct mail *more = part_of_chain("r");

		more->next = mail;
		mail = more;
	}
	back = back_of(mail, &why);
	assert_non_null(back);
	mail_free(&back);
	buf_init(&out, FRAME_MOST_BODY * 2);
	back = part_of_chain("one more");
	back->next = mail;
	assert_int_equal(frame_commit_write(&out, 1, back, fds, &count), -1);
	back->next = NULL;
	mail_free(&back);

	for (size_t i = 0; i < FRAME_MOST_RECIPIENTS; i++)
		strlist_add(&mail->items[0].recipients, "x@y.example");
	assert_int_equal(frame_commit_write(&out, 1, mail, fds, &count), -1);
	mail_free(&mail);
	buf_free(&out);
}

/* For the SMTP service: lines, and nothing that some servers take for the end of one. */
static void
test_lines(void **state)
{
	static const struct {
		const char *reason, *own, *shared, *expected;
	} cases[] = {
		{ "as convert makes it", "X-PM-Tag: a\r\n", "Subject: x\r\n\r\nhi\r\n", NULL },
		{ "all in one", "Subject: x\r\n\r\n.\r\n", "", NULL },
		{ "the last line is open", "Subject: x\r\n\r\nhi", "", NULL },
		{ "a line feed alone", "Subject: x\r\n\r\nhi\n.\n", "",
		    "payload is not of whole lines" },
		{ "a line feed at the start", "\nSubject: x\r\n", "",
		    "payload is not of whole lines" },
		{ "a carriage return alone", "Subject: x\r\n\r\nhi\r.\r\n", "",
		    "payload is not of whole lines" },
		{ "two of them", "Subject: x\r\r\n", "", "payload is not of whole lines" },
		{ "a line end across the seam", "X-PM-Tag: a\r", "\nSubject: x\r\n",
		    "payload descriptor is not sealed and of whole lines" },
		{ "nothing", "", "Subject: x\r\n", "payload length" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bool shares = cases[i].shared[0] != '\0';
		struct mail *mail = sharing(cases[i].own, cases[i].shared), *back;
		const char *why = NULL;

		if (!shares)
			payload_free(&mail->shared);
		mail->items[0].kind = mail->items[1].kind = i % 2 ? ITEM_LOCAL : ITEM_SMTP;
		back = back_of(mail, &why);
		if ((back != NULL) != (cases[i].expected == NULL) ||
		    (back == NULL && strcmp(why, cases[i].expected) != 0))
			fail_msg("%s: %s", cases[i].reason, back == NULL ? why : "taken");
		if (back != NULL)
			assert_int_equal(back->items[1].kind, mail->items[1].kind);
		mail_free(&back);
		/* The two sorts are not mixed. */
		mail->items[1].kind = ITEM_EMAIL;
		assert_null(back_of(mail, &why));
		mail_free(&mail);
	}
}

static void
test_head(void **state)
{
	static const struct {
		const char *reason;
		struct frame_head head;
		int expected;
	} cases[] = {
		{ "a commit", { 100, FRAME_COMMIT, 0, 1 }, 0 },
		{ "the largest body", { FRAME_MOST_BODY, FRAME_COMMIT, 0, 1 }, 0 },
		{ "a larger body", { FRAME_MOST_BODY + 1, FRAME_COMMIT, 0, 1 }, -1 },
		{ "as many descriptors as can be", { 1, FRAME_COMMIT, FRAME_MOST_DESCRIPTORS, 1 },
		    0 },
		{ "one more", { 1, FRAME_COMMIT, FRAME_MOST_DESCRIPTORS + 1, 1 }, -1 },
		{ "an answer with a descriptor", { 4, FRAME_COMMITTED, 1, 1 }, -1 },
		{ "an unknown kind", { 4, 99, 0, 1 }, -1 },
		{ "kind 0", { 4, 0, 0, 1 }, -1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		unsigned char bytes[FRAME_HEAD_SIZE];
		struct frame_head back;

		memcpy(bytes, &cases[i].head.body_bytes, 4);
		memcpy(bytes + 4, &cases[i].head.kind, 2);
		memcpy(bytes + 6, &cases[i].head.descriptors, 2);
		memcpy(bytes + 8, &cases[i].head.serial, 8);
		if (frame_head_read(&back, bytes) != cases[i].expected)
			fail_msg("%s", cases[i].reason);
	}
}

static void
test_committed(void **state)
{
	struct refusal refusal, back;
	struct buf out;
	bool stored;

	(void)state;
	buf_init(&out, 4096);
	frame_committed_write(&out, 5, NULL);
	assert_int_equal(frame_committed_read(
			     out.data + FRAME_HEAD_SIZE, out.len - FRAME_HEAD_SIZE, &stored, &back),
	    0);
	assert_true(stored);
	assert_int_equal(back.code, 250);
	assert_string_equal(back.text, "");

	buf_clear(&out);
	refusal_set(&refusal, 250, "2.0.0", "Postmark took it as %s", "0a129aee");
	frame_committed_write(&out, 5, &refusal);
	assert_int_equal(frame_committed_read(
			     out.data + FRAME_HEAD_SIZE, out.len - FRAME_HEAD_SIZE, &stored, &back),
	    0);
	assert_true(stored);
	assert_int_equal(back.code, 250);
	assert_string_equal(back.text, "Postmark took it as 0a129aee");

	buf_clear(&out);
	refusal_set(&refusal, 452, "4.3.1", "the spool is full, try again later");
	frame_committed_write(&out, 5, &refusal);
	assert_int_equal(frame_committed_read(
			     out.data + FRAME_HEAD_SIZE, out.len - FRAME_HEAD_SIZE, &stored, &back),
	    0);
	assert_false(stored);
	assert_int_equal(back.code, 452);
	assert_string_equal(back.enhanced, "4.3.1");
	assert_string_equal(back.text, "the spool is full, try again later");
	for (size_t len = 0; len < out.len - FRAME_HEAD_SIZE; len++)
		assert_int_equal(
		    frame_committed_read(out.data + FRAME_HEAD_SIZE, len, &stored, &back), -1);
	buf_free(&out);
}

static void
test_explain_round_trip(void **state)
{
	struct frame_explain question = { .reverse_path = "a@b.example",
		.listener = "127.0.0.1:2525",
		.client = "192.0.2.1",
		.user = "shop" };
	struct frame_explain back;
	struct frame_head head;
	struct buf out;

	(void)state;
	strlist_add(&question.recipients, "c@d.example");
	strlist_add(&question.recipients, "nobody, and no address");
	buf_init(&out, 1 << 20);
	assert_int_equal(frame_explain_write(&out, 5, &question), 0);
	assert_int_equal(frame_head_read(&head, (const unsigned char *)out.data), 0);
	assert_int_equal(head.kind, FRAME_EXPLAIN);
	assert_int_equal(head.descriptors, 1);
	assert_int_equal(head.serial, 5);
	assert_int_equal(head.body_bytes, out.len - FRAME_HEAD_SIZE);
	assert_int_equal(frame_explain_read(out.data + FRAME_HEAD_SIZE, head.body_bytes, &back), 0);
	assert_string_equal(back.reverse_path, "a@b.example");
	assert_int_equal(back.recipients.count, 2);
	assert_string_equal(back.recipients.items[1], "nobody, and no address");
	assert_string_equal(back.listener, "127.0.0.1:2525");
	assert_string_equal(back.client, "192.0.2.1");
	assert_string_equal(back.user, "shop");
	frame_explain_free(&back);

	/* Cut anywhere it is no frame, and with a byte too many neither. */
	for (size_t len = 0; len < head.body_bytes; len++)
		assert_int_equal(frame_explain_read(out.data + FRAME_HEAD_SIZE, len, &back), -1);
	buf_addc(&out, 'x');
	assert_int_equal(
	    frame_explain_read(out.data + FRAME_HEAD_SIZE, head.body_bytes + 1, &back), -1);
	strlist_free(&question.recipients);
	buf_free(&out);
}

static void
test_explain_refused(void **state)
{
	static char *const wrong[] = { "a\r\n@b", "\xff@b", "a\x7f@b" };
	struct frame_explain question = { 0 }, back;
	struct frame_head head;
	char *long_text;
	struct buf out;

	(void)state;
	for (size_t i = 0; i < 2 * sizeof(wrong) / sizeof(wrong[0]); i++) {
		const char *text = wrong[i / 2];

		assert_false(frame_text_is_right(text));
		if (i % 2 == 0)
			strlist_add(&question.recipients, text);
		else
			question.user = wrong[i / 2];
		assert_false(frame_explain_is_right(&question));
		buf_init(&out, 1 << 20);
		assert_int_equal(frame_explain_write(&out, 5, &question), 0);
		assert_int_equal(frame_explain_read(
				     out.data + FRAME_HEAD_SIZE, out.len - FRAME_HEAD_SIZE, &back),
		    -1);
		strlist_free(&question.recipients);
		question = (struct frame_explain){ 0 };
		buf_free(&out);
	}
	long_text = mem_new(FRAME_MOST_TEXT + 2);
	memset(long_text, 'x', FRAME_MOST_TEXT);
	assert_true(frame_text_is_right(long_text));
	long_text[FRAME_MOST_TEXT] = 'x';
	assert_false(frame_text_is_right(long_text));
	free(long_text);

	for (size_t i = 0; i <= FRAME_MOST_RECIPIENTS; i++)
		strlist_add(&question.recipients, "a@b.example");
	buf_init(&out, 1 << 24);
	assert_false(frame_explain_is_right(&question));
	assert_int_equal(frame_explain_write(&out, 5, &question), -1);
	strlist_free(&question.recipients);
	buf_free(&out);

	/* The content is one descriptor, no more and no less. */
	buf_init(&out, 1000);
	assert_int_equal(frame_explain_write(&out, 5, &question), 0);
	out.data[6] = 0;
	assert_int_equal(frame_head_read(&head, (const unsigned char *)out.data), -1);
	out.data[6] = 2;
	assert_int_equal(frame_head_read(&head, (const unsigned char *)out.data), -1);
	buf_free(&out);
}

static void
test_explained(void **state)
{
	static const char object[] = "{\"ok\":true,\"items\":[{}]}";
	static const char *const wrong[] = { "", "{}{}", "[]", "{\"a\":[}", "{\"a\":\"\n\"}" };
	struct frame_head head;
	const char *json;
	struct buf out;
	size_t len;

	(void)state;
	buf_init(&out, 1000);
	assert_int_equal(frame_explained_write(&out, 9, object, sizeof(object) - 1), 0);
	assert_int_equal(frame_head_read(&head, (const unsigned char *)out.data), 0);
	assert_int_equal(head.kind, FRAME_EXPLAINED);
	assert_int_equal(head.serial, 9);
	assert_int_equal(
	    frame_explained_read(out.data + FRAME_HEAD_SIZE, head.body_bytes, &json, &len), 0);
	assert_int_equal(len, sizeof(object) - 1);
	assert_memory_equal(json, object, len);
	out.data[6] = 1;
	assert_int_equal(frame_head_read(&head, (const unsigned char *)out.data), -1);
	buf_free(&out);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(frame_explained_read(wrong[i], strlen(wrong[i]), &json, &len), -1);
	buf_init(&out, SIZE_MAX / 4);
	assert_int_equal(frame_explained_write(&out, 9, object, FRAME_MOST_BODY + 1U), -1);
	buf_free(&out);
}

static struct event *
sample_event(void)
{
	static const char json[] = "{\"RecordType\":\"Bounce\",\"ID\":9000000001}";
	struct event *event = mail_event_new();

	ulid_make(event->id, 1700000000000);
	event->kind = EVENT_BOUNCE;
	memset(event->mark, 0xa5, sizeof(event->mark));
	event->received_ms = 1700000000123;
	event->at_ms = 1700000000001;
	free(event->connection);
	event->connection = mem_string("default");
	free(event->recipient);
	event->recipient = mem_string("bö@reader.example");
	free(event->detail);
	event->detail = mem_string("smtp;550 5.1.1 no such user");
	event->type_code = 100001;
	event->number = 9000000001;
	event->suppressed = true;
	free(event->json);
	event->json = mem_string(json);
	event->json_len = sizeof(json) - 1;
	return event;
}

static void
test_event_round_trip(void **state)
{
	struct event *event = sample_event(), *again;
	struct frame_head head;
	struct buf out;

	(void)state;
	buf_init(&out, FRAME_MOST_BODY);
	frame_event_write(&out, UINT64_C(1) << 63 | 7, event);
	assert_int_equal(frame_head_read(&head, (const unsigned char *)out.data), 0);
	assert_int_equal(head.kind, FRAME_EVENT);
	assert_int_equal(head.serial, UINT64_C(1) << 63 | 7);
	assert_int_equal(head.body_bytes + FRAME_HEAD_SIZE, out.len);
	again = frame_event_read(out.data + FRAME_HEAD_SIZE, head.body_bytes);
	assert_non_null(again);
	assert_string_equal(again->id, event->id);
	assert_int_equal(again->kind, EVENT_BOUNCE);
	assert_memory_equal(again->mark, event->mark, sizeof(event->mark));
	assert_int_equal(again->received_ms, event->received_ms);
	assert_int_equal(again->at_ms, event->at_ms);
	assert_string_equal(again->connection, "default");
	assert_string_equal(again->recipient, event->recipient);
	assert_string_equal(again->detail, event->detail);
	assert_string_equal(again->tag, "");
	assert_int_equal(again->type_code, 100001);
	assert_int_equal(again->number, 9000000001);
	assert_true(again->suppressed);
	assert_false(again->first);
	assert_string_equal(again->json, event->json);
	mail_event_free(&again);
	/* Cut anywhere, or longer, it is none. */
	for (size_t len = 0; len < head.body_bytes; len++)
		assert_null(frame_event_read(out.data + FRAME_HEAD_SIZE, len));
	buf_addc(&out, 'x');
	assert_null(frame_event_read(out.data + FRAME_HEAD_SIZE, head.body_bytes + 1));
	buf_free(&out);
	mail_event_free(&event);
}

static void
test_event_refused(void **state)
{
	enum { NO_ID, KIND, OWN_KIND, CONTROL, NOT_UTF8, LONG, TWO, NO_JSON, HUGE, TIME, CASES };
	char *text = mem_new(EVENT_MOST_TEXT + 2);

	(void)state;
	memset(text, 'x', EVENT_MOST_TEXT + 1);
	for (int i = 0; i < CASES; i++) {
		struct event *event = sample_event();
		char **told = i == NO_JSON || i == TWO || i == HUGE ? &event->json : &event->tag;
		struct buf out;

		free(*told);
		*told = mem_string(i == CONTROL    ? "a\nb"
				   : i == NOT_UTF8 ? "a\xff"
				   : i == LONG     ? text
				   : i == NO_JSON  ? "[]"
				   : i == TWO      ? "{},{}"
						   : "");
		if (i == HUGE) {
			free(*told);
			*told = mem_new(EVENT_MOST_JSON + 2);
			memset(*told, ' ', EVENT_MOST_JSON + 1);
			(*told)[0] = '{';
			(*told)[EVENT_MOST_JSON] = '}';
		}
		event->json_len = strlen(event->json);
		if (i == NO_ID)
			event->id[3] = '-';
		if (i == KIND || i == OWN_KIND)
			event->kind = (enum event_kind)(i == KIND ? 77 : EVENT_FAILED);
		if (i == TIME)
			event->at_ms = -1;
		buf_init(&out, FRAME_MOST_BODY);
		frame_event_write(&out, 1, event);
		print_message("case %d\n", i);
		assert_null(
		    frame_event_read(out.data + FRAME_HEAD_SIZE, out.len - FRAME_HEAD_SIZE));
		buf_free(&out);
		mail_event_free(&event);
	}
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_commit_round_trip),
		cmocka_unit_test(test_commit_refused),
		cmocka_unit_test(test_commit_shared),
		cmocka_unit_test(test_commit_cut),
		cmocka_unit_test(test_chain),
		cmocka_unit_test(test_chain_limits),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_head),
		cmocka_unit_test(test_committed),
		cmocka_unit_test(test_explain_round_trip),
		cmocka_unit_test(test_explain_refused),
		cmocka_unit_test(test_explained),
		cmocka_unit_test(test_event_round_trip),
		cmocka_unit_test(test_event_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
