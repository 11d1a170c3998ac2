/*
 * TLS between a stream and its socket, on the server's side.  The handshake happens within the
 * first reads and writes; OpenSSL's buffers are released between records, so that an idle
 * connection holds none.
 */

#include <errno.h>
#include <limits.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/log.h"
#include "base/stream.h"

#include "base/tls.h"

#define FAILED_SPAN_MS 100

/* OpenSSL's answer as recv(2) and send(2) would give it.  awaited: what the direction itself waits
 * for, the other one is EINPROGRESS. */
static ssize_t
failure_of(SSL *ssl, int rc, int awaited)
{
	static struct log_gate gate;
	int failure = errno, error = SSL_get_error(ssl, rc);
	const char *reason;
	int64_t left_out;

	switch (error) {
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		errno = error == awaited ? EAGAIN : EINPROGRESS;
		return -1;
	case SSL_ERROR_SYSCALL:
		ERR_clear_error();
		errno = failure != 0 && failure != EAGAIN ? failure : ECONNRESET;
		return -1;
	default: /* an int of OpenSSL's, not an enum of ours */
		break;
	}
	reason = ERR_reason_error_string(ERR_peek_last_error());
	if (log_gate_pass(&gate, FAILED_SPAN_MS, &left_out))
		log_info("tls-failed", log_str("why", reason != NULL ? reason : "not known"),
		    log_num("left_out", left_out));
	ERR_clear_error();
	errno = EPROTO;
	return -1;
}

/* One record a call: most has room for the largest, so that OpenSSL keeps nothing back that the
 * socket would not tell of. */
static ssize_t
layer_read(void *ctx, char *to, size_t most)
{
	SSL *ssl = ctx;
	int rc;

	ERR_clear_error();
	errno = 0;
	rc = SSL_read(ssl, to, most < INT_MAX ? (int)most : INT_MAX);
	return rc > 0 ? rc : failure_of(ssl, rc, SSL_ERROR_WANT_READ);
}

static ssize_t
layer_write(void *ctx, const char *from, size_t len)
{
	SSL *ssl = ctx;
	ssize_t n;
	int rc;

	ERR_clear_error();
	errno = 0;
	rc = SSL_write(ssl, from, len < INT_MAX ? (int)len : INT_MAX);
	if (rc > 0)
		return rc;
	n = failure_of(ssl, rc, SSL_ERROR_WANT_WRITE);
	if (n == 0) {
		errno = EPIPE;
		n = -1;
	}
	return n;
}

static void
layer_goodbye(void *ctx)
{
	tls_say_goodbye(ctx);
}

static void
layer_free(void *ctx)
{
	SSL_free(ctx);
}

static const struct stream_layer layer = {
	.read = layer_read,
	.write = layer_write,
	.goodbye = layer_goodbye,
	.free = layer_free,
};

int
tls_accept(struct stream *stream, struct ssl_ctx_st *context)
{
	SSL *ssl = SSL_new(context);

	if (ssl == NULL || SSL_set_fd(ssl, stream_fd(stream)) != 1)
		goto free_ssl;
	SSL_set_accept_state(ssl);
	/* What is unsent may have moved or grown when OpenSSL is asked again. */
	SSL_set_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
			      SSL_MODE_RELEASE_BUFFERS);
	/* A peer that just closes is at its end: what a protocol needs to see whole, it frames. */
	SSL_set_options(ssl, SSL_OP_IGNORE_UNEXPECTED_EOF);
	if (stream_wrap(stream, &layer, ssl) != 0)
		goto free_ssl;
	return 0;

free_ssl:
	SSL_free(ssl);
	ERR_clear_error();
	return -1;
}
