/*
 * STARTTLS and AUTH.  A socket pair as in session_test, whose client end speaks TLS by OpenSSL
 * once it was told to, and verifies the certificate.
 */

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include <event2/event.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/base64.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/tls.h"
#include "mail/envelope.h"
#include "smtp/session.h"

enum act {
	ACT_JUDGE, /* ann's password is "secret", bo's is not to be told now */
	ACT_LATER,
	ACT_KILL,
	ACT_DRAIN,
};

struct scene {
	struct loop *loop;
	struct smtp_limits limits;
	struct smtp_auth auth;
	struct smtp_session *session; /* NULL once it is gone */
	int client;
	SSL_CTX *client_context;
	SSL *ssl; /* NULL: in the clear */
	enum act act;
	enum act data;
	bool hides_tls;
	struct buf story;
	struct buf got;
	bool closed;
};

static struct ssl_ctx_st *server_context;
static char *certificate;

static const struct smtp_limits usual_limits = {
	.hostname = "relay.example",
	.most_message_bytes = 10000000,
	.most_recipients = 100,
	.most_commands = 1000,
	.most_errors = 50,
	.most_line_bytes = 1024,
	.command_timeout_ms = 60000,
	.data_timeout_ms = 60000,
};

/* --- the owner ----------------------------------------------------------------------------- */

static enum smtp_now
on_authenticate(void *ctx, struct smtp_session *session, const char *mechanism, const char *user,
    const char *password, struct smtp_reply *reply)
{
	struct scene *t = ctx;

	buf_addf(&t->story, "%s %s/%zu", mechanism, user, strlen(password));
	switch (t->act) {
	case ACT_JUDGE:
		break;
	case ACT_LATER:
		return SMTP_LATER;
	case ACT_KILL:
		smtp_session_kill(session);
		return SMTP_YES;
	case ACT_DRAIN:
		smtp_session_drain(session);
		return SMTP_YES;
	}
	if (strcmp(user, "bo") == 0) {
		*reply = (struct smtp_reply){ 454, "4.7.0", "not now" };
		return SMTP_ANSWER;
	}
	if (strcmp(user, "ann") == 0 && strcmp(password, "secret") == 0)
		return SMTP_YES;
	*reply = (struct smtp_reply){ 535, "5.7.8", "no" };
	return SMTP_ANSWER;
}

static enum smtp_now
on_sender(void *ctx, struct smtp_session *session, const struct envelope *envelope,
    const char *address, struct smtp_reply *reply)
{
	struct scene *t = ctx;

	(void)envelope;
	(void)reply;
	buf_addf(&t->story, " <%s> by '%s'", address, smtp_session_origin(session)->user);
	return SMTP_YES;
}

static enum smtp_now
on_recipient(void *ctx, struct smtp_session *session, const struct envelope *envelope,
    const char *address, struct smtp_reply *reply)
{
	(void)ctx;
	(void)session;
	(void)envelope;
	(void)address;
	(void)reply;
	return SMTP_YES;
}

static enum smtp_now
on_data(void *ctx, struct smtp_session *session, const struct envelope *envelope,
    struct smtp_reply *reply)
{
	struct scene *t = ctx;

	(void)session;
	buf_addf(&t->story, " data %zu", envelope->recipients.count);
	switch (t->data) {
	case ACT_JUDGE:
		break;
	case ACT_LATER:
		return SMTP_LATER;
	case ACT_DRAIN:
		*reply = (struct smtp_reply){ 451, "4.3.0", "not now" };
		return SMTP_ANSWER;
	case ACT_KILL:
		smtp_session_kill(session);
		return SMTP_YES;
	}
	return SMTP_YES;
}

static enum smtp_now
on_message(void *ctx, struct smtp_session *session, const struct envelope *envelope,
    struct buf *content, struct smtp_reply *reply)
{
	struct scene *t = ctx;
	unsigned sum = 0;

	(void)session;
	(void)envelope;
	(void)reply;
	for (size_t i = 0; i < content->len; i++)
		sum = sum * 31 + (unsigned char)content->data[i];
	buf_addf(&t->story, " message %zu %08x", content->len, sum);
	return SMTP_YES;
}

static void
on_gone(void *ctx, struct smtp_session *session)
{
	struct scene *t = ctx;

	assert_ptr_equal(session, t->session);
	t->session = NULL;
}

static bool
on_memory(void *ctx, int64_t bytes)
{
	(void)ctx;
	(void)bytes;
	return true;
}

static bool
on_hides_tls(void *ctx, const struct smtp_session *session)
{
	const struct scene *t = ctx;

	(void)session;
	return t->hides_tls;
}

static const struct smtp_hooks hooks = {
	.sender = on_sender,
	.recipient = on_recipient,
	.message = on_message,
	.gone = on_gone,
	.memory = on_memory,
	.authenticate = on_authenticate,
	.data = on_data,
	.hides_tls = on_hides_tls,
};

/* --- the client ---------------------------------------------------------------------------- */

static void
turn(struct scene *t)
{
	for (int i = 0; i < 8; i++)
		event_base_loop(loop_base(t->loop), EVLOOP_NONBLOCK);
}

static void
client_read(struct scene *t)
{
	char bytes[65536];
	ssize_t n;

	if (t->ssl != NULL) {
		int rc;

		while ((rc = SSL_read(t->ssl, bytes, sizeof(bytes))) > 0)
			buf_add(&t->got, bytes, (size_t)rc);
		if (SSL_get_error(t->ssl, rc) == SSL_ERROR_ZERO_RETURN)
			t->closed = true;
		return;
	}
	while ((n = recv(t->client, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0)
		buf_add(&t->got, bytes, (size_t)n);
	if (n == 0 || (n < 0 && errno != EAGAIN))
		t->closed = true;
}

static void
send_bytes(struct scene *t, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n;

		if (t->ssl != NULL) {
			n = SSL_write(t->ssl, bytes, (int)len);
			assert_true(n > 0 || SSL_get_error(t->ssl, (int)n) == SSL_ERROR_WANT_WRITE);
		} else {
			n = send(t->client, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);
			assert_true(n > 0 || errno == EAGAIN);
		}
		if (n > 0) {
			bytes += n;
			len -= (size_t)n;
		}
		turn(t);
	}
}

/* Sends text, if any; the codes of the replies that come. */
static void
say(struct scene *t, const char *text, const char *codes)
{
	struct buf seen;
	const char *line, *end;

	if (text != NULL)
		send_bytes(t, text, strlen(text));
	turn(t);
	client_read(t);
	buf_init(&seen, SIZE_MAX);
	buf_addc(&t->got, '\0');
	for (line = t->got.data; (end = strstr(line, "\r\n")) != NULL; line = end + 2) {
		if (line[3] == '-')
			continue;
		if (seen.len > 0)
			buf_addc(&seen, ' ');
		buf_add(&seen, line, 3);
	}
	buf_addc(&seen, '\0');
	if (strcmp(seen.data, codes) != 0 || *line != '\0')
		fail_msg("to %s: got:\n%s\nexpected codes: %s", text, t->got.data, codes);
	buf_free(&seen);
	buf_clear(&t->got);
}

static bool
offers(struct scene *t, const char *word)
{
	const char *ehlo = "EHLO c.example\r\n";
	bool found;

	send_bytes(t, ehlo, strlen(ehlo));
	turn(t);
	client_read(t);
	buf_addc(&t->got, '\0');
	assert_memory_equal(t->got.data, "250", 3);
	found = strstr(t->got.data, word) != NULL;
	buf_clear(&t->got);
	return found;
}

static void
expect_story(struct scene *t, const char *story)
{
	buf_addc(&t->story, '\0');
	assert_string_equal(t->story.data, story);
	buf_clear(&t->story);
}

/* The handshake; what the certificate says must hold. */
static void
shake_hands(struct scene *t)
{
	int rc;

	t->ssl = SSL_new(t->client_context);
	SSL_set_fd(t->ssl, t->client);
	SSL_set_mode(t->ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	assert_int_equal(SSL_set1_host(t->ssl, "localhost"), 1);
	for (int i = 0; (rc = SSL_connect(t->ssl)) != 1 && i < 50; i++) {
		assert_int_equal(SSL_get_error(t->ssl, rc), SSL_ERROR_WANT_READ);
		turn(t);
	}
	assert_int_equal(rc, 1);
	assert_int_equal(SSL_get_verify_result(t->ssl), X509_V_OK);
}

static void
start_tls(struct scene *t)
{
	say(t, "STARTTLS\r\n", "220");
	shake_hands(t);
}

/* --- set up -------------------------------------------------------------------------------- */

static SSL_CTX *
client_context_new(void)
{
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	BIO *bio = BIO_new_mem_buf(certificate, -1);
	X509 *authority = PEM_read_bio_X509(bio, NULL, NULL, NULL);

	assert_non_null(authority);
	X509_STORE_add_cert(SSL_CTX_get_cert_store(context), authority);
	X509_STORE_set_flags(SSL_CTX_get_cert_store(context), X509_V_FLAG_X509_STRICT);
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
	X509_free(authority);
	BIO_free(bio);
	return context;
}

static void
begin_with(struct scene *t, struct ssl_ctx_st *tls, const struct smtp_auth *auth)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	t->client = fds[1];
	t->session = smtp_session_new(&(struct smtp_session_params){
	    .loop = t->loop,
	    .fd = fds[0],
	    .limits = &t->limits,
	    .hooks = &hooks,
	    .ctx = t,
	    .listener = "test:25",
	    .client = "192.0.2.7",
	    .tls = tls,
	    .auth = auth,
	});
	say(t, NULL, "220");
}

static void
begin(struct scene *t)
{
	begin_with(t, server_context, &t->auth);
}

static void
end(struct scene *t)
{
	if (t->session != NULL)
		smtp_session_kill(t->session);
	assert_null(t->session);
	SSL_free(t->ssl);
	t->ssl = NULL;
	close(t->client);
	t->closed = false;
	turn(t);
}

static int
set_up(void **state)
{
	struct scene *t = mem_new(sizeof(*t));

	log_setup("test", LOG_LEVEL_ERROR, LOG_FORMAT_TEXT, 2);
	t->loop = loop_new();
	t->limits = usual_limits;
	t->client = -1;
	t->client_context = client_context_new();
	buf_init(&t->story, SIZE_MAX);
	buf_init(&t->got, SIZE_MAX);
	*state = t;
	return 0;
}

static int
tear_down(void **state)
{
	struct scene *t = *state;

	end(t);
	SSL_CTX_free(t->client_context);
	loop_free(&t->loop);
	buf_free(&t->story);
	buf_free(&t->got);
	free(t);
	return 0;
}

/* --- AUTH ---------------------------------------------------------------------------------- */

/* A line whose parts between | are base64 once it is sent; ^ in them stands for NUL. */
static char *
with_base64(const char *text)
{
	struct buf out;
	bool coded = false;

	buf_init(&out, SIZE_MAX);
	while (*text != '\0') {
		size_t len = strcspn(text, "|");

		if (coded) {
			char *part = mem_bytes(text, len);

			for (size_t i = 0; i < len; i++)
				if (part[i] == '^')
					part[i] = '\0';
			base64_add(&out, part, len);
			free(part);
		} else {
			buf_add(&out, text, len);
		}
		text += len;
		if (*text == '|') {
			coded = !coded;
			text++;
		}
	}
	return buf_take(&out, NULL);
}

static const struct {
	const char *reason;
	const char *say;
	const char *codes;
	const char *story;
} dialogues[] = {
	{ "PLAIN with its response at once", "AUTH PLAIN |^ann^secret|\r\n", "235", "PLAIN ann/6" },
	{ "PLAIN in two steps", "AUTH PLAIN\r\n|^ann^secret|\r\n", "334 235", "PLAIN ann/6" },
	{ "a mechanism in small letters", "auth plain |^ann^secret|\r\n", "235", "PLAIN ann/6" },
	{ "who acts for himself", "AUTH PLAIN |ann^ann^secret|\r\n", "235", "PLAIN ann/6" },
	{ "who acts for another", "AUTH PLAIN |bo^ann^secret|\r\n", "535", "" },
	{ "a wrong password", "AUTH PLAIN |^ann^guess|\r\n", "535", "PLAIN ann/5" },
	{ "not to be told now", "AUTH PLAIN |^bo^secret|\r\n", "454", "PLAIN bo/6" },
	{ "again after a failure", "AUTH PLAIN |^ann^guess|\r\nAUTH PLAIN |^ann^secret|\r\n",
	    "535 235", "PLAIN ann/5PLAIN ann/6" },
	{ "LOGIN", "AUTH LOGIN\r\n|ann|\r\n|secret|\r\n", "334 334 235", "LOGIN ann/6" },
	{ "LOGIN with the name at once", "AUTH LOGIN |ann|\r\n|secret|\r\n", "334 235",
	    "LOGIN ann/6" },
	{ "cancelled at once", "AUTH PLAIN\r\n*\r\nNOOP\r\n", "334 501 250", "" },
	{ "cancelled before the password", "AUTH LOGIN\r\n|ann|\r\n*\r\nNOOP\r\n",
	    "334 334 501 250", "" },
	{ "a star as the first response", "AUTH PLAIN *\r\nNOOP\r\n", "501 250", "" },
	{ "no base64", "AUTH PLAIN !!!\r\nNOOP\r\n", "501 250", "" },
	{ "base64 without its padding", "AUTH PLAIN AGFubgBzZWNyZXQ\r\nAUTH LOGIN YQ\r\n",
	    "501 501", "" },
	{ "nothing as the response", "AUTH PLAIN =\r\n", "501", "" },
	{ "an empty line", "AUTH LOGIN\r\n\r\nNOOP\r\n", "334 501 250", "" },
	{ "no NUL in it", "AUTH PLAIN |annsecret|\r\n", "501", "" },
	{ "one NUL in it", "AUTH PLAIN |ann^secret|\r\n", "501", "" },
	{ "too many NULs in it", "AUTH PLAIN |^ann^sec^ret|\r\n", "501", "" },
	{ "no name", "AUTH PLAIN |^^secret|\r\n", "501", "" },
	{ "no password", "AUTH PLAIN |^ann^|\r\nAUTH LOGIN |ann|\r\n=\r\n", "501 334 501", "" },
	{ "a name that would end a line in a log", "AUTH PLAIN |^an\nn^secret|\r\n", "501", "" },
	{ "a NUL in LOGIN", "AUTH LOGIN |a^nn|\r\nAUTH LOGIN |ann|\r\n|sec^ret|\r\n", "501 334 501",
	    "" },
	{ "a mechanism that is not here", "AUTH CRAM-MD5\r\nAUTH PLAINER |^ann^secret|\r\n",
	    "504 504", "" },
	{ "no mechanism", "AUTH\r\n", "501", "" },
	{ "what follows is no response", "AUTH PLAIN |^ann^secret| more\r\n", "501", "" },
	{ "twice", "AUTH PLAIN |^ann^secret|\r\nAUTH PLAIN |^ann^secret|\r\n", "235 503",
	    "PLAIN ann/6" },
	{ "within a mail", "MAIL FROM:<a@b.example>\r\nAUTH PLAIN |^ann^secret|\r\n", "250 503",
	    " <a@b.example> by ''" },
	{ "the mail knows who", "AUTH PLAIN |^ann^secret|\r\nMAIL FROM:<a@b.example>\r\n",
	    "235 250", "PLAIN ann/6 <a@b.example> by 'ann'" },
	{ "a new EHLO forgets nobody",
	    "AUTH PLAIN |^ann^secret|\r\nEHLO d.example\r\nMAIL FROM:<a@b.example>\r\n",
	    "235 250 250", "PLAIN ann/6 <a@b.example> by 'ann'" },
	{ "without EHLO", "RSET\r\nHELO c.example\r\nAUTH PLAIN |^ann^secret|\r\n", "250 250 503",
	    "" },
	{ "a bare LF ends it", "AUTH PLAIN\r\n|^ann^secret|\nNOOP\r\nNOOP\r\n", "334 500 250", "" },
	{ "a CR ends it", "AUTH PLAIN\r\n|^ann^secret|\rx\r\nNOOP\r\n", "334 500 250", "" },
};

static void
test_dialogues(void **state)
{
	struct scene *t = *state;

	t->auth.without_tls = true;
	for (size_t i = 0; i < sizeof(dialogues) / sizeof(dialogues[0]); i++) {
		char *text = with_base64(dialogues[i].say);

		print_message("%s\n", dialogues[i].reason);
		begin(t);
		assert_true(offers(t, "AUTH PLAIN LOGIN\r\n"));
		say(t, text, dialogues[i].codes);
		expect_story(t, dialogues[i].story);
		end(t);
		/* However it is cut. */
		begin(t);
		assert_true(offers(t, "AUTH"));
		for (const char *c = text; c[1] != '\0'; c++)
			send_bytes(t, c, 1);
		say(t, text + strlen(text) - 1, dialogues[i].codes);
		expect_story(t, dialogues[i].story);
		end(t);
		free(text);
	}
	begin(t);
}

/* RFC 4954 4: 12288 octets, and a line of that length is nothing special. */
static void
test_long_lines(void **state)
{
	struct scene *t = *state;
	const size_t most = 12288;
	char *line = mem_new(most + 100);

	t->auth.without_tls = true;
	begin(t);
	assert_true(offers(t, "AUTH"));
	memset(line, 'A', most + 50);
	memcpy(line, "AUTH PLAIN ", 11);
	strcpy(line + most - 2, "\r\n");
	say(t, line, "501");
	memset(line, 'A', most + 50);
	memcpy(line, "AUTH PLAIN ", 11);
	strcpy(line + most - 1, "\r\n");
	say(t, line, "500");
	memset(line, 'A', most + 50);
	strcpy(line + most - 1, "\r\n");
	say(t, "AUTH PLAIN\r\n", "334");
	say(t, line, "500");
	say(t, "NOOP\r\n", "250");
	/* Other lines are as long as ever. */
	memset(line, 'A', most);
	memcpy(line, "NOOP ", 5);
	strcpy(line + t->limits.most_line_bytes - 1, "\r\n");
	say(t, line, "500");
	expect_story(t, "");
	free(line);
}

static void
test_too_many_tries(void **state)
{
	struct scene *t = *state;
	char *wrong = with_base64("AUTH PLAIN |^ann^guess|\r\n");

	t->auth = (struct smtp_auth){ .without_tls = true, .most_tries = 3 };
	begin(t);
	assert_true(offers(t, "AUTH"));
	say(t, wrong, "535");
	say(t, "AUTH PLAIN\r\n*\r\n", "334 501");
	say(t, wrong, "535");
	say(t, wrong, "535 421");
	assert_true(t->closed);
	assert_null(t->session);
	free(wrong);
}

static void
test_required(void **state)
{
	struct scene *t = *state;
	char *right = with_base64("AUTH PLAIN |^ann^secret|\r\n");

	t->auth = (struct smtp_auth){ .without_tls = true, .required = true };
	begin(t);
	say(t, "MAIL FROM:<a@b.example>\r\n", "503");
	assert_true(offers(t, "AUTH"));
	say(t, "MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\n", "530 503");
	say(t, right, "235");
	say(t, "MAIL FROM:<a@b.example>\r\nRSET\r\nMAIL FROM:<a@b.example>\r\n", "250 250 250");
	free(right);
}

static void
test_needs_tls(void **state)
{
	struct scene *t = *state;
	char *right = with_base64("AUTH PLAIN |^ann^secret|\r\n");

	begin(t);
	assert_false(offers(t, "AUTH"));
	say(t, right, "538");
	say(t, "AUTH LOGIN\r\n", "538");
	expect_story(t, "");
	start_tls(t);
	say(t, right, "503");
	assert_true(offers(t, "AUTH PLAIN LOGIN\r\n"));
	say(t, right, "235");
	expect_story(t, "PLAIN ann/6");
	free(right);
}

static void
test_answered_later(void **state)
{
	struct scene *t = *state;
	char *right = with_base64("AUTH PLAIN |^ann^secret|\r\nNOOP\r\n");

	t->auth.without_tls = true;
	t->act = ACT_LATER;
	begin(t);
	assert_true(offers(t, "AUTH"));
	say(t, right, "");
	smtp_session_answer(t->session, &(struct smtp_reply){ 535, "5.7.8", "no" });
	say(t, NULL, "535 250");
	say(t, right, "");
	smtp_session_answer(t->session, &(struct smtp_reply){ 235, "2.7.0", "yes" });
	say(t, NULL, "235 250");
	assert_string_equal(smtp_session_origin(t->session)->user, "ann");
	free(right);
}

static void
test_hooks_that_end_it(void **state)
{
	struct scene *t = *state;
	char *right = with_base64("AUTH LOGIN |ann|\r\n|secret|\r\nNOOP\r\n");

	t->auth.without_tls = true;
	t->act = ACT_KILL;
	begin(t);
	assert_true(offers(t, "AUTH"));
	send_bytes(t, right, strlen(right));
	assert_null(t->session);
	end(t);
	t->act = ACT_DRAIN;
	begin(t);
	assert_true(offers(t, "AUTH"));
	say(t, right, "334 235 421");
	assert_null(t->session);
	end(t);
	/* Shut down while an answer is owed. */
	t->act = ACT_LATER;
	begin(t);
	assert_true(offers(t, "AUTH"));
	say(t, right, "334");
	smtp_session_drain(t->session);
	say(t, NULL, "");
	smtp_session_answer(t->session, &(struct smtp_reply){ 235, "2.7.0", "yes" });
	say(t, NULL, "235 421");
	assert_null(t->session);
	free(right);
}

/* --- STARTTLS ------------------------------------------------------------------------------ */

static void
test_nothing_is_offered(void **state)
{
	struct scene *t = *state;

	begin_with(t, NULL, NULL);
	assert_false(offers(t, "STARTTLS"));
	assert_false(offers(t, "AUTH"));
	say(t, "STARTTLS\r\nSTARTTLS now\r\nAUTH PLAIN AGFubgBzZWNyZXQ=\r\nAUTH\r\n",
	    "500 500 500 500");
	end(t);
	t->hides_tls = true;
	begin_with(t, server_context, NULL);
	assert_false(offers(t, "STARTTLS"));
	say(t, "STARTTLS\r\n", "500");
	t->hides_tls = false;
	assert_true(offers(t, "STARTTLS"));
	expect_story(t, "");
}

static void
test_mail_within_tls(void **state)
{
	struct scene *t = *state;

	begin(t);
	assert_true(offers(t, "STARTTLS\r\n"));
	start_tls(t);
	/* What was said in the clear is forgotten. */
	say(t, "MAIL FROM:<a@b.example>\r\n", "503");
	assert_string_equal(smtp_session_origin(t->session)->helo, "");
	assert_false(offers(t, "STARTTLS"));
	say(t, "STARTTLS\r\n", "503");
	say(t, "MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n", "250 250 354");
	say(t, "hello\r\n.\r\nQUIT\r\n", "250 221");
	expect_story(t, " <a@b.example> by '' data 1 message 7 30062def");
	assert_true(t->closed);
	assert_null(t->session);
}

/* CVE-2011-0411: a command put in before the handshake is never run within. */
static void
test_injected_commands_are_dropped(void **state)
{
	struct scene *t = *state;

	begin(t);
	assert_true(offers(t, "STARTTLS"));
	say(t, "STARTTLS\r\nEHLO evil.example\r\nMAIL FROM:<evil@b.example>\r\n", "220");
	shake_hands(t);
	say(t, NULL, "");
	say(t, "MAIL FROM:<a@b.example>\r\n", "503");
	assert_false(offers(t, "STARTTLS"));
	expect_story(t, "");
}

/* Neither is what comes later in the clear. */
static void
test_clear_text_in_place_of_a_handshake(void **state)
{
	struct scene *t = *state;

	begin(t);
	assert_true(offers(t, "STARTTLS"));
	say(t, "STARTTLS\r\n", "220");
	send_bytes(t, "MAIL FROM:<evil@b.example>\r\n", 28);
	assert_null(t->session);
	expect_story(t, "");
}

static void
test_starttls_in_its_place(void **state)
{
	struct scene *t = *state;
	char *right = with_base64("AUTH PLAIN |^ann^secret|\r\n");

	t->auth.without_tls = true;
	begin(t);
	assert_true(offers(t, "STARTTLS"));
	say(t, "STARTTLS now\r\n", "501");
	say(t, "MAIL FROM:<a@b.example>\r\nSTARTTLS\r\nRSET\r\n", "250 503 250");
	say(t, right, "235");
	start_tls(t);
	assert_string_equal(smtp_session_origin(t->session)->user, "");
	assert_true(offers(t, "AUTH"));
	say(t, right, "235");
	end(t);
	/* Before EHLO. */
	begin(t);
	start_tls(t);
	assert_true(offers(t, "AUTH"));
	free(right);
}

/* Records, reads and writes of other sizes than ours. */
static void
test_large_mail_within_tls(void **state)
{
	struct scene *t = *state;
	const size_t count = 60000;
	struct buf mail;
	char story[128];
	unsigned sum = 0;

	begin(t);
	start_tls(t);
	assert_true(offers(t, "SIZE"));
	say(t, "MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n", "250 250 354");
	buf_init(&mail, SIZE_MAX);
	for (size_t i = 0; i < count; i++)
		buf_addf(&mail, "line %zu of a mail that is longer than one record\r\n", i);
	for (size_t i = 0; i < mail.len; i++)
		sum = sum * 31 + (unsigned char)mail.data[i];
	send_bytes(t, mail.data, mail.len);
	say(t, ".\r\n", "250");
	snprintf(
	    story, sizeof(story), " <a@b.example> by '' data 1 message %zu %08x", mail.len, sum);
	expect_story(t, story);
	buf_free(&mail);
}

/* Many answers at once, to a client that reads none of them for a while. */
static void
test_answers_wait_within_tls(void **state)
{
	struct scene *t = *state;
	struct buf lines;
	size_t replies = 0;

	t->limits.most_commands = 0;
	begin(t);
	start_tls(t);
	buf_init(&lines, SIZE_MAX);
	for (int i = 0; i < 5000; i++)
		buf_adds(&lines, "NOOP\r\n");
	send_bytes(t, lines.data, lines.len);
	for (int i = 0; i < 50; i++) {
		client_read(t);
		turn(t);
	}
	for (size_t i = 0; i < t->got.len; i++)
		replies += t->got.data[i] == '\n';
	assert_int_equal(replies, 5000);
	buf_clear(&t->got);
	say(t, "NOOP\r\n", "250");
	buf_free(&lines);
}

static void
test_client_that_just_closes(void **state)
{
	struct scene *t = *state;

	begin(t);
	start_tls(t);
	shutdown(t->client, SHUT_WR);
	turn(t);
	assert_null(t->session);
	end(t);
	/* In the middle of the handshake. */
	begin(t);
	say(t, "STARTTLS\r\n", "220");
	send_bytes(t, "\x16\x03\x01", 3);
	shutdown(t->client, SHUT_WR);
	turn(t);
	assert_null(t->session);
}

static void
test_silence_in_place_of_a_handshake(void **state)
{
	struct scene *t = *state;

	t->limits.command_timeout_ms = 30;
	begin(t);
	say(t, "STARTTLS\r\n", "220");
	while (t->session != NULL)
		event_base_loop(loop_base(t->loop), EVLOOP_ONCE);
}

/* --- DATA that the owner is asked about ---------------------------------------------------- */

static void
test_data_hook(void **state)
{
	struct scene *t = *state;
	static const char mail[] = "MAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n";

	begin_with(t, NULL, NULL);
	assert_true(offers(t, "SIZE"));
	t->data = ACT_DRAIN;
	say(t, mail, "250 250 451");
	/* The mail stands still, and may go on. */
	t->data = ACT_LATER;
	say(t, "DATA\r\n", "");
	smtp_session_answer(t->session, &(struct smtp_reply){ 354, NULL, "go" });
	say(t, NULL, "354");
	say(t, "x\r\n.\r\n", "250");
	t->data = ACT_KILL;
	say(t, mail, "");
	assert_null(t->session);
	expect_story(t, " <a@b.example> by '' data 1 data 1 message 3 0001c415 <a@b.example> by '' "
			"data 1");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static int
make_certificate(void **state)
{
	char why[100];

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	server_context = tls_self_signed_context("127.0.0.1", &certificate, why, sizeof(why));
	return server_context != NULL ? 0 : -1;
}

static int
free_certificate(void **state)
{
	(void)state;
	tls_context_free(&server_context);
	free(certificate);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_dialogues),
		TEST(test_long_lines),
		TEST(test_too_many_tries),
		TEST(test_required),
		TEST(test_needs_tls),
		TEST(test_answered_later),
		TEST(test_hooks_that_end_it),
		TEST(test_nothing_is_offered),
		TEST(test_mail_within_tls),
		TEST(test_injected_commands_are_dropped),
		TEST(test_clear_text_in_place_of_a_handshake),
		TEST(test_starttls_in_its_place),
		TEST(test_large_mail_within_tls),
		TEST(test_answers_wait_within_tls),
		TEST(test_client_that_just_closes),
		TEST(test_silence_in_place_of_a_handshake),
		TEST(test_data_hook),
	};

	return cmocka_run_group_tests(tests, make_certificate, free_certificate);
}
