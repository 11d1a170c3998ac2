#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <curl/curl.h>

#include "base/clock.h"
#include "base/curl_loop.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/strlist.h"
#include "base/workers.h"

#include "postmark/pieces.h"
#include "postmark/smtp.h"

/* Servers drop a client that is silent for some minutes; a thread ends with its connection. */
#define MOST_IDLE_S  45L
#define MOST_SOCKETS 16U /* of a thread: kept connections, and attempts side by side */
#define MOST_KEPT    2L  /* connections of a thread: of two tokens */
#define UPLOAD_BYTES 65536L

struct smtp_job {
	struct work work;
	struct smtp *smtp;
	smtp_done_fn *done;
	void *ctx;

	/* A thread's own while it runs. */
	struct secret *token;
	char *sender;
	struct curl_slist *recipients;
	struct postmark_piece *list; /* owned, with its bytes and descriptors */
	size_t piece_count;
	struct pieces pieces;
	int64_t timeout_ms, started_ms;
	struct smtp_talk talk;
	bool not_loopback;
	char error[CURL_ERROR_SIZE];
	struct smtp_answer answer;
};

/* What a thread keeps from job to job. */
struct line {
	struct smtp *smtp;
	CURL *easy;
	struct smtp_job *job;
	const atomic_bool *cut; /* what it does is to end */
	int sockets[MOST_SOCKETS];
	size_t socket_count;
};

struct smtp {
	char *url;
	char *ca_file;
	bool starttls, without_secrets;
	long connect_timeout_ms;
	struct workers *workers;
	pthread_mutex_t lock; /* over the sockets of all lines */
};

/* --- jobs --------------------------------------------------------------------------------- */

static void
job_free(struct work *work)
{
	struct smtp_job *job = (struct smtp_job *)work;

	for (size_t i = 0; i < job->piece_count; i++) {
		if (job->list[i].data != NULL)
			free((char *)(uintptr_t)job->list[i].data);
		else
			close(job->list[i].fd);
	}
	free(job->list);
	secret_free(&job->token);
	free(job->sender);
	curl_slist_free_all(job->recipients);
	smtp_talk_free(&job->talk);
	free(job);
}

/* 0, or -1 and errno. */
static int
pieces_copy(struct smtp_job *job, const struct smtp_request *request)
{
	job->list = mem_array(request->piece_count, sizeof(*job->list));
	for (size_t i = 0; i < request->piece_count; i++) {
		const struct postmark_piece *from = &request->pieces[i];
		struct postmark_piece *to = &job->list[i];

		*to = (struct postmark_piece){ .len = from->len, .fd = -1 };
		if (from->data != NULL)
			to->data = mem_bytes(from->data, from->len);
		else if ((to->fd = fcntl(from->fd, F_DUPFD_CLOEXEC, 0)) < 0)
			return -1;
		job->piece_count++;
	}
	return 0;
}

/* An address is the end of a command: it has nothing in it that could end that, or be another. */
static bool
address_ok(const char *address)
{
	for (; *address != '\0'; address++) {
		if ((unsigned char)*address <= ' ' || *address == 0x7F || *address == '<' ||
		    *address == '>')
			return false;
	}
	return true;
}

/* NULL, or why the job cannot be. */
static const char *
job_fill(struct smtp_job *job, const struct smtp_request *request)
{
	job->timeout_ms = request->timeout_ms;
	if (request->token != NULL && job->smtp->without_secrets)
		return "a token is for Postmark alone";
	if (request->token != NULL)
		job->token = secret_copy(request->token);
	job->sender = mem_string(request->sender);
	if (!address_ok(request->sender))
		return "the sender is not an address";
	for (size_t i = 0; i < request->recipients->count; i++) {
		struct curl_slist *list;

		if (!address_ok(request->recipients->items[i]))
			return "a recipient is not an address";
		list = curl_slist_append(job->recipients, request->recipients->items[i]);
		if (list == NULL)
			abort(); /* out of memory, see base/mem.h */
		job->recipients = list;
	}
	if (pieces_copy(job, request) != 0)
		return strerror(errno);
	pieces_init(&job->pieces, job->list, job->piece_count);
	return NULL;
}

/* --- one transaction, in a thread of its own ---------------------------------------------- */

/* CURLOPT_READFUNCTION */
static size_t
content_read(char *out, size_t size, size_t count, void *ctx)
{
	struct smtp_job *job = ctx;
	size_t len;

	return pieces_read(&job->pieces, out, size * count, &len) == 0 ? len : CURL_READFUNC_ABORT;
}

/* CURLOPT_WRITEFUNCTION: a transaction has no answer but its replies. */
static size_t
nothing_write(char *bytes, size_t size, size_t count, void *ctx)
{
	(void)bytes;
	(void)ctx;
	return size * count;
}

/* CURLOPT_DEBUGFUNCTION: commands and replies come as one line each.  The token is among them. */
static int
line_seen(CURL *easy, curl_infotype kind, char *bytes, size_t len, void *ctx)
{
	struct smtp_job *job = ctx;

	(void)easy;
	if (kind == CURLINFO_HEADER_OUT)
		smtp_talk_said(&job->talk, bytes, len);
	else if (kind == CURLINFO_HEADER_IN)
		smtp_talk_heard(&job->talk, bytes, len);
	return 0;
}

/* CURLOPT_XFERINFOFUNCTION */
static int
still_wanted(void *ctx, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	struct line *line = ctx;

	(void)a;
	(void)b;
	(void)c;
	(void)d;
	return atomic_load(line->cut);
}

static bool
is_loopback(const struct sockaddr *address)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)address;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)address;

	if (address->sa_family == AF_INET)
		return ntohl(in->sin_addr.s_addr) >> 24 == 127;
	return address->sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr);
}

/*
 * CURLOPT_OPENSOCKETFUNCTION.  The sockets are known, so that the loop's thread can end a transfer
 * wherever it waits; and nothing is said in the clear to another machine.
 */
static curl_socket_t
socket_open(void *ctx, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct line *line = ctx;
	struct smtp *smtp = line->smtp;
	int fd;

	(void)purpose;
	if (!smtp->starttls && !smtp->without_secrets && !is_loopback(&address->addr)) {
		line->job->not_loopback = true;
		return CURL_SOCKET_BAD;
	}
	fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
	if (fd < 0)
		return CURL_SOCKET_BAD;
	pthread_mutex_lock(&smtp->lock);
	if (!atomic_load(line->cut) && line->socket_count < MOST_SOCKETS) {
		line->sockets[line->socket_count++] = fd;
	} else {
		close(fd);
		fd = CURL_SOCKET_BAD;
	}
	pthread_mutex_unlock(&smtp->lock);
	return fd;
}

/* CURLOPT_CLOSESOCKETFUNCTION: under the lock, or a shutdown could meet another's descriptor. */
static int
socket_close(void *ctx, curl_socket_t fd)
{
	struct line *line = ctx;
	struct smtp *smtp = line->smtp;
	int failed;

	pthread_mutex_lock(&smtp->lock);
	for (size_t i = 0; i < line->socket_count; i++) {
		if (line->sockets[i] == fd) {
			line->sockets[i] = line->sockets[--line->socket_count];
			break;
		}
	}
	failed = close(fd);
	pthread_mutex_unlock(&smtp->lock);
	return failed;
}

/* Whatever it waits for has an end then. */
static void
line_cut(void *own, struct work *work)
{
	struct line *line = own;

	(void)work;
	pthread_mutex_lock(&line->smtp->lock);
	for (size_t i = 0; i < line->socket_count; i++)
		shutdown(line->sockets[i], SHUT_RDWR);
	pthread_mutex_unlock(&line->smtp->lock);
}

static void
easy_secure(const struct smtp *smtp, CURL *easy)
{
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
	if (smtp->ca_file != NULL) {
		curl_easy_setopt(easy, CURLOPT_CAINFO, smtp->ca_file);
		curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
	}
	if (smtp->starttls) {
		/* Without it the transfer fails before a word about who we are. */
		curl_easy_setopt(easy, CURLOPT_USE_SSL, (long)CURLUSESSL_ALL);
	} else {
		curl_easy_setopt(easy, CURLOPT_USE_SSL, (long)CURLUSESSL_NONE);
		/* A proxy would be the loopback address, and the service somewhere else. */
		curl_easy_setopt(easy, CURLOPT_PROXY, "");
	}
}

static void
easy_mail(CURL *easy, struct smtp_job *job)
{
	curl_easy_setopt(easy, CURLOPT_MAIL_FROM, job->sender);
	curl_easy_setopt(easy, CURLOPT_MAIL_RCPT, job->recipients);
	/* The refused ones are told of, and the others get their mail. */
#if LIBCURL_VERSION_NUM >= 0x080200
	curl_easy_setopt(easy, CURLOPT_MAIL_RCPT_ALLOWFAILS, 1L);
#else
	curl_easy_setopt(easy, CURLOPT_MAIL_RCPT_ALLLOWFAILS, 1L);
#endif
	curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
	curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)job->pieces.bytes);
	curl_easy_setopt(easy, CURLOPT_READFUNCTION, content_read);
	curl_easy_setopt(easy, CURLOPT_READDATA, job);
	curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, UPLOAD_BYTES);
}

/*
 * The token is both names of the login (Postmark, "Send with SMTP").  PLAIN and LOGIN alone: what
 * else libcurl knows would put tickets or digests of this machine into play.
 */
static void
easy_login(CURL *easy, const struct smtp_job *job)
{
	if (job->token == NULL)
		return;
	curl_easy_setopt(easy, CURLOPT_USERNAME, secret_text(job->token));
	curl_easy_setopt(easy, CURLOPT_PASSWORD, secret_text(job->token));
	curl_easy_setopt(easy, CURLOPT_LOGIN_OPTIONS, "AUTH=PLAIN;AUTH=LOGIN");
	curl_easy_setopt(easy, CURLOPT_SASL_IR, 1L);
}

static void
easy_setup(struct line *line, struct smtp_job *job)
{
	const struct smtp *smtp = line->smtp;
	CURL *easy = line->easy;

	curl_easy_reset(easy); /* keeps the connections */
	curl_easy_setopt(easy, CURLOPT_URL, smtp->url);
#if LIBCURL_VERSION_NUM >= 0x075500
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "smtp");
#else
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS, (long)CURLPROTO_SMTP);
#endif
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
#if LIBCURL_VERSION_NUM >= 0x075700
	curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
#endif
	curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
	curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, MOST_IDLE_S);
	curl_easy_setopt(easy, CURLOPT_MAXCONNECTS, MOST_KEPT);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, smtp->connect_timeout_ms);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)job->timeout_ms);
	/* Else libcurl gives up two minutes after the final dot, whatever the timeout is. */
	curl_easy_setopt(
	    easy, CURLOPT_SERVER_RESPONSE_TIMEOUT, (long)((job->timeout_ms + 999) / 1000));
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, job->error);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, nothing_write);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, socket_open);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, line);
	curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, socket_close);
	curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, line);
	curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, still_wanted);
	curl_easy_setopt(easy, CURLOPT_XFERINFODATA, line);
	curl_easy_setopt(easy, CURLOPT_VERBOSE, 1L); /* or the lines are not shown to us */
	curl_easy_setopt(easy, CURLOPT_DEBUGFUNCTION, line_seen);
	curl_easy_setopt(easy, CURLOPT_DEBUGDATA, job);
	easy_secure(smtp, easy);
	easy_login(easy, job);
	easy_mail(easy, job);
}

/*
 * A kept connection that the server gave up meanwhile, with a word (421) or without one: nothing of
 * this mail was under way, and libcurl does not try an upload twice by itself.
 */
static bool
connection_was_old(CURL *easy, const struct smtp_job *job)
{
	long connects = 1;

	if (job->pieces.handed_out > 0 ||
	    curl_easy_getinfo(easy, CURLINFO_NUM_CONNECTS, &connects) != CURLE_OK || connects > 0)
		return false;
	return job->talk.code == 0 || (job->talk.code == 421 && job->talk.replied == SMTP_MAIL);
}

static enum postmark_end
end_of(const struct smtp_job *job)
{
	const struct smtp_talk *talk = &job->talk;

	if (talk->code != 0 && talk->replied == SMTP_CONTENT)
		return POSTMARK_ANSWERED;
	/* A refusal ends it, unless something was said after that: HELO after EHLO, or the next
	 * recipient, who is not refused because the one before was. */
	if (talk->code >= 400 && talk->replied == talk->stage && !talk->waits && !talk->in_reply)
		return POSTMARK_ANSWERED;
	return job->pieces.handed_out > 0 && job->pieces.handed_out == job->pieces.bytes
		   ? POSTMARK_LOST
		   : POSTMARK_NOT_SENT;
}

static const char *
error_words(const struct smtp_job *job, CURLcode code)
{
	if (job->pieces.unreadable)
		return "the stored message could not be read";
	if (job->not_loopback)
		return "without STARTTLS the service must have a loopback address";
	if (code == CURLE_OK)
		return "no reply to the content";
	return job->error[0] != '\0' ? job->error : curl_easy_strerror(code);
}

static void
job_answer(struct smtp_job *job, CURLcode code)
{
	struct smtp_answer *answer = &job->answer;
	const struct smtp_talk *talk = &job->talk;

	*answer = (struct smtp_answer){ .end = end_of(job),
		.stage = talk->replied,
		.enhanced = "",
		.text = "",
		.error = "",
		.refused = talk->refused,
		.refused_count = talk->refused_count,
		.elapsed_ms = clock_mono_ms() - job->started_ms };
	if (answer->end == POSTMARK_ANSWERED) {
		answer->code = talk->code;
		answer->enhanced = talk->enhanced;
		answer->text = talk->text;
		return;
	}
	answer->error = error_words(job, code);
	answer->login_failed =
	    answer->end == POSTMARK_NOT_SENT && code == CURLE_LOGIN_DENIED && talk->code < 400;
}

static void
job_run(void *own, struct work *work, const atomic_bool *cut)
{
	struct smtp_job *job = (struct smtp_job *)work;
	struct line *line = own;
	CURLcode code;

	line->job = job;
	line->cut = cut;
	job->started_ms = clock_mono_ms();
	easy_setup(line, job);
	code = curl_easy_perform(line->easy);
	if (code != CURLE_OK && !atomic_load(cut) && connection_was_old(line->easy, job)) {
		smtp_talk_free(&job->talk);
		job->error[0] = '\0';
		curl_easy_setopt(line->easy, CURLOPT_FRESH_CONNECT, 1L);
		code = curl_easy_perform(line->easy);
	}
	job_answer(job, code);
	/* It forgets the token and what is the job's; libcurl's copies of both are gone by then. */
	curl_easy_reset(line->easy);
}

static void
line_open(void *own, void *ctx)
{
	struct line *line = own;

	line->smtp = ctx;
	line->easy = curl_easy_init();
	if (line->easy == NULL)
		abort(); /* out of memory, see base/mem.h */
}

static void
line_close(void *own)
{
	struct line *line = own;

	curl_easy_cleanup(line->easy); /* says QUIT, and waits for the reply */
}

/* --- the loop's side ---------------------------------------------------------------------- */

static void
job_done(struct work *work)
{
	struct smtp_job *job = (struct smtp_job *)work;

	job->done(job->ctx, &job->answer);
}

static const struct workers_kind job_kind = {
	.own_bytes = sizeof(struct line),
	.open = line_open,
	.close = line_close,
	.run = job_run,
	.cut = line_cut,
	.done = job_done,
	.free = job_free,
};

struct smtp_job *
smtp_submit(struct smtp *smtp, const struct smtp_request *request, smtp_done_fn *done, void *ctx)
{
	struct smtp_job *job = mem_new(sizeof(*job));
	const char *why;

	job->smtp = smtp;
	job->done = done;
	job->ctx = ctx;
	smtp_talk_init(&job->talk);
	why = job_fill(job, request);
	if (why == NULL && workers_submit(smtp->workers, &job->work) == 0)
		return job;
	snprintf(
	    job->error, sizeof(job->error), "%s", why != NULL ? why : "no thread could be started");
	job->answer = (struct smtp_answer){
		.end = POSTMARK_NOT_SENT, .enhanced = "", .text = "", .error = job->error
	};
	workers_pass(smtp->workers, &job->work);
	return job;
}

void
smtp_cancel(struct smtp_job **job)
{
	if (*job != NULL)
		workers_cancel(&(*job)->work);
	*job = NULL;
}

/* "smtp://host" with a port, and nothing of a login. */
static bool
url_ok(const char *text)
{
	CURLU *url = curl_url();
	char *scheme = NULL, *user = NULL;
	bool ok;

	if (url == NULL)
		abort(); /* out of memory, see base/mem.h */
	ok = curl_url_set(url, CURLUPART_URL, text, 0) == CURLUE_OK &&
	     curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
	     strcmp(scheme, "smtp") == 0 &&
	     curl_url_get(url, CURLUPART_USER, &user, 0) == CURLUE_NO_USER;
	curl_free(scheme);
	curl_free(user);
	curl_url_cleanup(url);
	return ok;
}

struct smtp *
smtp_new(const struct smtp_params *params, char *why, size_t why_size)
{
	struct smtp *smtp;

	if (!url_ok(params->url)) {
		snprintf(why, why_size, "%s is not an smtp address", params->url);
		return NULL;
	}
	if (!curl_start()) {
		snprintf(why, why_size, "libcurl did not start");
		return NULL;
	}
	smtp = mem_new(sizeof(*smtp));
	smtp->workers = workers_new(&(struct workers_params){ .loop = params->loop,
	    .kind = &job_kind,
	    .ctx = smtp,
	    .most = params->most_connections > 0 ? params->most_connections : SMTP_CONNECTIONS,
	    .idle_ms = MOST_IDLE_S * 1000 });
	if (smtp->workers == NULL) {
		snprintf(why, why_size, "eventfd: %s", strerror(errno));
		free(smtp);
		return NULL;
	}
	smtp->url = mem_string(params->url);
	smtp->starttls = params->starttls;
	smtp->without_secrets = params->without_secrets;
	smtp->ca_file = params->ca_file != NULL ? mem_string(params->ca_file) : NULL;
	smtp->connect_timeout_ms = (long)params->connect_timeout_ms;
	pthread_mutex_init(&smtp->lock, NULL);
	return smtp;
}

void
smtp_free(struct smtp **smtp_p)
{
	struct smtp *smtp = *smtp_p;

	if (smtp == NULL)
		return;
	*smtp_p = NULL;
	workers_free(&smtp->workers);
	pthread_mutex_destroy(&smtp->lock);
	free(smtp->url);
	free(smtp->ca_file);
	free(smtp);
}
