#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/buf.h"
#include "base/loop.h"
#include "base/mem.h"

#include "smtp_server.h"

#define MOST_CONTENT (64U * 1024U * 1024U)

struct connection {
	struct connection *next, *prev;
	struct smtp_server *server;
	struct bufferevent *stream;
	struct event *delay;
	struct buf content;
	struct smtp_does does;
	char *reply; /* to be sent */
	unsigned number, transactions;
	bool tls, begins_tls, in_content, ends;
};

struct smtp_server {
	struct event_base *base;
	struct evconnlistener *listener;
	struct connection *connections;
	SSL_CTX *tls;
	char url[64];
	unsigned accepted, open, most;
	struct buf talk;
	smtp_server_fn *fn;
	void *ctx;
};

static void bytes_came(struct bufferevent *, void *ctx);

static void
connection_free(struct connection *connection)
{
	if (connection->prev != NULL)
		connection->prev->next = connection->next;
	else
		connection->server->connections = connection->next;
	if (connection->next != NULL)
		connection->next->prev = connection->prev;
	connection->server->open--;
	event_free(connection->delay);
	bufferevent_free(connection->stream);
	buf_free(&connection->content);
	free(connection->reply);
	free(connection);
}

static void
bytes_went(struct bufferevent *stream, void *ctx)
{
	struct connection *connection = ctx;

	(void)stream;
	if (connection->ends)
		connection_free(connection);
}

static void
stream_ended(struct bufferevent *stream, short what, void *ctx)
{
	(void)stream;
	if ((what & BEV_EVENT_CONNECTED) == 0)
		connection_free(ctx);
}

static void
stream_watch(struct connection *connection)
{
	bufferevent_setcb(connection->stream, bytes_came, bytes_went, stream_ended, connection);
	bufferevent_enable(connection->stream, EV_READ | EV_WRITE);
}

static void
tls_begin(struct connection *connection)
{
	connection->begins_tls = false;
	connection->tls = true;
	connection->stream =
	    bufferevent_openssl_filter_new(connection->server->base, connection->stream,
		SSL_new(connection->server->tls), BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE);
	stream_watch(connection);
}

static void
reply_now(evutil_socket_t fd, short kinds, void *ctx)
{
	struct connection *connection = ctx;
	char *reply = connection->reply;

	(void)fd;
	(void)kinds;
	connection->reply = NULL;
	connection->ends = connection->does.leaves;
	evbuffer_add_printf(bufferevent_get_output(connection->stream), "%s\r\n", reply);
	free(reply);
	if (connection->begins_tls)
		tls_begin(connection);
	else if (!connection->ends)
		bytes_came(connection->stream, connection);
}

/* False: the connection is gone. */
static bool
decide(struct connection *connection, const char *verb, const char *line, const char *healthy)
{
	struct smtp_server *server = connection->server;
	const struct smtp_said said = { .verb = verb,
		.line = line,
		.content = connection->content.data,
		.len = connection->content.len,
		.tls = connection->tls,
		.connection = connection->number,
		.transaction = connection->transactions };
	struct smtp_does *does = &connection->does;
	struct timeval delay;

	memset(does, 0, sizeof(*does));
	if (server->fn != NULL)
		server->fn(server->ctx, &said, does);
	if (does->closes) {
		connection_free(connection);
		return false;
	}
	if (does->reply == NULL)
		does->reply = healthy;
	if (does->reply == NULL || does->stalls)
		return true;
	connection->in_content = strncmp(does->reply, "354", 3) == 0;
	connection->begins_tls =
	    strcmp(verb, "STARTTLS") == 0 && strncmp(does->reply, "220", 3) == 0;
	connection->reply = mem_string(does->reply);
	delay.tv_sec = does->delay_ms / 1000;
	delay.tv_usec = does->delay_ms % 1000 * 1000;
	event_add(connection->delay, &delay);
	return true;
}

static bool
command(struct connection *connection, const char *line)
{
	const char *ehlo = connection->server->tls != NULL && !connection->tls
			       ? "250-test\r\n250-SIZE 20480000\r\n250-STARTTLS\r\n250 8BITMIME"
			       : "250-test\r\n250-SIZE 20480000\r\n250-AUTH PLAIN LOGIN CRAM-MD5 "
				 "DIGEST-MD5\r\n250 ENHANCEDSTATUSCODES";
	const struct {
		const char *verb, *healthy;
	} verbs[] = {
		{ "EHLO", ehlo },
		{ "HELO", "250 test" },
		{ "STARTTLS", "220 2.0.0 go" },
		{ "AUTH", "235 2.7.0 welcome" },
		{ "MAIL", "250 2.1.0 ok" },
		{ "RCPT", "250 2.1.5 ok" },
		{ "DATA", "354 go on" },
		{ "QUIT", "221 2.0.0 bye" },
	};

	buf_addf(&connection->server->talk, "%s%s\n", connection->tls ? "tls " : "", line);
	for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++) {
		if (strncasecmp(line, verbs[i].verb, strlen(verbs[i].verb)) != 0)
			continue;
		connection->transactions += strcmp(verbs[i].verb, "MAIL") == 0;
		return decide(connection, verbs[i].verb, line, verbs[i].healthy);
	}
	return decide(connection, "?", line, "500 5.5.2 what?");
}

static bool
content_line(struct connection *connection, const char *line, size_t len)
{
	bool goes_on;

	if (len != 1 || line[0] != '.') {
		if (line[0] == '.') {
			line++;
			len--;
		}
		buf_add(&connection->content, line, len);
		buf_adds(&connection->content, "\r\n");
		return true;
	}
	connection->in_content = false;
	goes_on = decide(connection, "content", ".", "250 2.0.0 Ok: queued as 1A2B");
	if (goes_on)
		buf_clear(&connection->content);
	return goes_on;
}

static void
bytes_came(struct bufferevent *stream, void *ctx)
{
	struct connection *connection = ctx;
	struct evbuffer *in = bufferevent_get_input(stream);
	bool some = false, goes_on = true;
	char *line;
	size_t len;

	while (goes_on && connection->reply == NULL && !connection->ends &&
	       (line = evbuffer_readln(in, &len, EVBUFFER_EOL_CRLF_STRICT)) != NULL) {
		some = connection->in_content;
		goes_on = connection->in_content ? content_line(connection, line, len)
						 : command(connection, line);
		free(line);
	}
	if (goes_on && some && connection->in_content && connection->reply == NULL)
		decide(connection, "part", "", NULL);
}

static void
accepted(
    struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *peer, int len, void *ctx)
{
	struct smtp_server *server = ctx;
	struct connection *connection = mem_new(sizeof(*connection));

	(void)listener;
	(void)peer;
	(void)len;
	connection->server = server;
	connection->number = ++server->accepted;
	if (++server->open > server->most)
		server->most = server->open;
	buf_init(&connection->content, MOST_CONTENT);
	connection->stream = bufferevent_socket_new(server->base, fd, BEV_OPT_CLOSE_ON_FREE);
	connection->delay = event_new(server->base, -1, 0, reply_now, connection);
	connection->next = server->connections;
	if (connection->next != NULL)
		connection->next->prev = connection;
	server->connections = connection;
	stream_watch(connection);
	decide(connection, "connect", "", "220 test ESMTP");
}

struct smtp_server *
smtp_server_new(const struct smtp_server_params *params)
{
	struct smtp_server *server = mem_new(sizeof(*server));
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);

	server->base = loop_base(params->loop);
	server->fn = params->fn;
	server->ctx = params->ctx;
	buf_init(&server->talk, 1024U * 1024U);
	if (params->certificate != NULL) {
		server->tls = SSL_CTX_new(TLS_server_method());
		if (SSL_CTX_use_certificate_file(
			server->tls, params->certificate, SSL_FILETYPE_PEM) != 1 ||
		    SSL_CTX_use_PrivateKey_file(server->tls, params->key, SSL_FILETYPE_PEM) != 1)
			abort();
	}
	server->listener = evconnlistener_new_bind(server->base, accepted, server,
	    LEV_OPT_CLOSE_ON_FREE, 64, (struct sockaddr *)&at, sizeof(at));
	if (server->listener == NULL)
		abort();
	getsockname(evconnlistener_get_fd(server->listener), (struct sockaddr *)&at, &len);
	snprintf(
	    server->url, sizeof(server->url), "smtp://127.0.0.1:%u", (unsigned)ntohs(at.sin_port));
	return server;
}

void
smtp_server_free(struct smtp_server **server_p)
{
	struct smtp_server *server = *server_p;

	if (server == NULL)
		return;
	*server_p = NULL;
	while (server->connections != NULL)
		connection_free(server->connections);
	evconnlistener_free(server->listener);
	SSL_CTX_free(server->tls);
	buf_free(&server->talk);
	free(server);
}

const char *
smtp_server_url(const struct smtp_server *server)
{
	return server->url;
}

unsigned
smtp_server_connections(const struct smtp_server *server)
{
	return server->accepted;
}

unsigned
smtp_server_most(const struct smtp_server *server)
{
	return server->most;
}

const char *
smtp_server_talk(const struct smtp_server *server)
{
	return server->talk.len > 0 ? server->talk.data : "";
}

static FILE *
file_open(const char *folder, const char *name, const char *end)
{
	char *path = mem_format("%s/%s%s", folder, name, end);
	FILE *file = fopen(path, "w");

	free(path);
	if (file == NULL)
		abort();
	return file;
}

static EVP_PKEY *
key_make(void)
{
	EVP_PKEY_CTX *how = EVP_PKEY_CTX_new_id(EVP_PKEY_EC, NULL);
	EVP_PKEY *key = NULL;

	if (EVP_PKEY_keygen_init(how) != 1 ||
	    EVP_PKEY_CTX_set_ec_paramgen_curve_nid(how, NID_X9_62_prime256v1) != 1 ||
	    EVP_PKEY_keygen(how, &key) != 1)
		abort();
	EVP_PKEY_CTX_free(how);
	return key;
}

void
smtp_server_certificate(const char *folder, const char *name, const char *alternative)
{
	EVP_PKEY *key = key_make();
	X509 *certificate = X509_new();
	X509_NAME *subject = X509_get_subject_name(certificate);
	X509_EXTENSION *extension =
	    X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, alternative);
	FILE *file;

	X509_set_version(certificate, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
	X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
	X509_gmtime_adj(X509_getm_notAfter(certificate), 24 * 3600);
	X509_set_pubkey(certificate, key);
	X509_NAME_add_entry_by_txt(
	    subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
	X509_set_issuer_name(certificate, subject);
	X509_add_ext(certificate, extension, -1);
	X509_sign(certificate, key, EVP_sha256());
	file = file_open(folder, name, ".pem");
	PEM_write_X509(file, certificate);
	fclose(file);
	file = file_open(folder, name, ".key");
	PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL);
	fclose(file);
	X509_EXTENSION_free(extension);
	X509_free(certificate);
	EVP_PKEY_free(key);
}
