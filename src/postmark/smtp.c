#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <curl/curl.h>
#include <event2/event.h>

#include "base/clock.h"
#include "base/curl_loop.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/strlist.h"

#include "postmark/pieces.h"
#include "postmark/smtp.h"

/* Servers drop a client that is silent for some minutes; a thread ends with its connection. */
#define MOST_IDLE_S  45L
#define MOST_SOCKETS 16U /* of a thread: kept connections, and attempts side by side */
#define MOST_KEPT    2L  /* connections of a thread: of two tokens */
#define UPLOAD_BYTES 65536L

enum job_state {
	JOB_QUEUED,
	JOB_RUNS,
	JOB_DONE,
};

struct smtp_job {
	struct smtp *smtp;
	struct smtp_job *next;
	struct worker *worker; /* JOB_RUNS */
	enum job_state state;
	bool abandoned; /* JOB_RUNS: nobody waits for it any more */
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

struct worker {
	struct worker *next;
	struct smtp *smtp;
	pthread_t thread;
	struct smtp_job *job;
	bool ended;      /* to be joined */
	atomic_bool cut; /* what it does is to end */
	int sockets[MOST_SOCKETS];
	size_t socket_count;
};

struct smtp {
	struct loop *loop;
	char *url;
	char *ca_file;
	bool starttls, without_secrets;
	long connect_timeout_ms;
	unsigned most_workers;
	int wake_fd; /* a thread has something for the loop */
	struct event *wake;
	bool *freed_r; /* set while done() runs: tells that the struct is gone */

	pthread_mutex_t lock; /* over the rest, and over the sockets and states of all threads */
	pthread_cond_t work;
	struct smtp_job *queued, **queued_end;
	struct smtp_job *done, **done_end;
	struct worker *workers;
	unsigned working, idle; /* threads that take jobs; those of them that wait for one */
	size_t queue_len;
	bool stop;
};

/* --- jobs --------------------------------------------------------------------------------- */

static void
job_free(struct smtp_job *job)
{
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

static void
list_add(struct smtp_job ***end, struct smtp_job *job)
{
	job->next = NULL;
	**end = job;
	*end = &job->next;
}

static struct smtp_job *
list_take(struct smtp_job **first, struct smtp_job ***end)
{
	struct smtp_job *job = *first;

	if (job == NULL)
		return NULL;
	*first = job->next;
	if (*first == NULL)
		*end = first;
	return job;
}

static void
list_remove(struct smtp_job **first, struct smtp_job ***end, const struct smtp_job *job)
{
	while (*first != job)
		first = &(*first)->next;
	*first = job->next;
	if (*first == NULL)
		*end = first;
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
	struct worker *worker = ctx;

	(void)a;
	(void)b;
	(void)c;
	(void)d;
	return atomic_load(&worker->cut);
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
	struct worker *worker = ctx;
	struct smtp *smtp = worker->smtp;
	int fd;

	(void)purpose;
	if (!smtp->starttls && !smtp->without_secrets && !is_loopback(&address->addr)) {
		worker->job->not_loopback = true;
		return CURL_SOCKET_BAD;
	}
	fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
	if (fd < 0)
		return CURL_SOCKET_BAD;
	pthread_mutex_lock(&smtp->lock);
	if (!atomic_load(&worker->cut) && worker->socket_count < MOST_SOCKETS) {
		worker->sockets[worker->socket_count++] = fd;
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
	struct worker *worker = ctx;
	struct smtp *smtp = worker->smtp;
	int failed;

	pthread_mutex_lock(&smtp->lock);
	for (size_t i = 0; i < worker->socket_count; i++) {
		if (worker->sockets[i] == fd) {
			worker->sockets[i] = worker->sockets[--worker->socket_count];
			break;
		}
	}
	failed = close(fd);
	pthread_mutex_unlock(&smtp->lock);
	return failed;
}

/* Under the lock. */
static void
worker_cut(struct worker *worker)
{
	atomic_store(&worker->cut, true);
	for (size_t i = 0; i < worker->socket_count; i++)
		shutdown(worker->sockets[i], SHUT_RDWR);
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
easy_setup(struct worker *worker, CURL *easy, struct smtp_job *job)
{
	const struct smtp *smtp = worker->smtp;

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
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, worker);
	curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, socket_close);
	curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, worker);
	curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, still_wanted);
	curl_easy_setopt(easy, CURLOPT_XFERINFODATA, worker);
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
job_run(struct worker *worker, CURL *easy, struct smtp_job *job)
{
	CURLcode code;

	job->started_ms = clock_mono_ms();
	easy_setup(worker, easy, job);
	code = curl_easy_perform(easy);
	if (code != CURLE_OK && !atomic_load(&worker->cut) && connection_was_old(easy, job)) {
		smtp_talk_free(&job->talk);
		job->error[0] = '\0';
		curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
		code = curl_easy_perform(easy);
	}
	job_answer(job, code);
	/* It forgets the token and what is the job's; libcurl's copies of both are gone by then. */
	curl_easy_reset(easy);
}

/* --- threads ------------------------------------------------------------------------------ */

static void
loop_tell(struct smtp *smtp)
{
	uint64_t one = 1;

	while (write(smtp->wake_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

/* Under the lock, which it lets go while it waits.  NULL: the thread is to end. */
static struct smtp_job *
work_wait(struct worker *worker)
{
	struct smtp *smtp = worker->smtp;
	struct timespec until;
	struct smtp_job *job = NULL;
	int failed = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += MOST_IDLE_S;
	smtp->idle++;
	while (!smtp->stop && smtp->queued == NULL && failed == 0)
		failed = pthread_cond_timedwait(&smtp->work, &smtp->lock, &until);
	smtp->idle--;
	if (!smtp->stop)
		job = list_take(&smtp->queued, &smtp->queued_end);
	if (job == NULL)
		return NULL;
	smtp->queue_len--;
	atomic_store(&worker->cut, false);
	job->state = JOB_RUNS;
	job->worker = worker;
	worker->job = job;
	return job;
}

static void *
work(void *ctx)
{
	struct worker *worker = ctx;
	struct smtp *smtp = worker->smtp;
	CURL *easy = curl_easy_init();
	struct smtp_job *job;

	if (easy == NULL)
		abort(); /* out of memory, see base/mem.h */
	pthread_mutex_lock(&smtp->lock);
	while ((job = work_wait(worker)) != NULL) {
		pthread_mutex_unlock(&smtp->lock);
		job_run(worker, easy, job);
		pthread_mutex_lock(&smtp->lock);
		worker->job = NULL;
		if (job->abandoned) {
			job_free(job);
			continue;
		}
		job->state = JOB_DONE;
		list_add(&smtp->done_end, job);
		loop_tell(smtp);
	}
	smtp->working--;
	pthread_mutex_unlock(&smtp->lock);
	curl_easy_cleanup(easy); /* says QUIT, and waits for the reply */
	pthread_mutex_lock(&smtp->lock);
	worker->ended = true;
	loop_tell(smtp);
	pthread_mutex_unlock(&smtp->lock);
	return NULL;
}

/* Under the lock.  Signals are the loop's. */
static void
worker_start(struct smtp *smtp)
{
	struct worker *worker = mem_new(sizeof(*worker));
	sigset_t all, before;
	int failed;

	worker->smtp = smtp;
	atomic_init(&worker->cut, false);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	failed = pthread_create(&worker->thread, NULL, work, worker);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (failed != 0) {
		free(worker);
		return;
	}
	worker->next = smtp->workers;
	smtp->workers = worker;
	smtp->working++;
}

static void
workers_join(struct smtp *smtp)
{
	struct worker **at = &smtp->workers;

	while (*at != NULL) {
		struct worker *worker = *at;

		if (!worker->ended) {
			at = &worker->next;
			continue;
		}
		*at = worker->next;
		/* It has let go of the lock, or is about to. */
		pthread_mutex_unlock(&smtp->lock);
		pthread_join(worker->thread, NULL);
		pthread_mutex_lock(&smtp->lock);
		free(worker);
		at = &smtp->workers;
	}
}

/* --- the loop's side ---------------------------------------------------------------------- */

static struct smtp_job *
done_take(struct smtp *smtp)
{
	struct smtp_job *job;

	pthread_mutex_lock(&smtp->lock);
	job = list_take(&smtp->done, &smtp->done_end);
	pthread_mutex_unlock(&smtp->lock);
	return job;
}

static void
woken(evutil_socket_t fd, short kinds, void *ctx)
{
	struct smtp *smtp = ctx;
	struct smtp_job *job;
	bool freed = false;
	uint64_t count;

	(void)kinds;
	if (read((int)fd, &count, sizeof(count)) < 0 && errno != EAGAIN && errno != EINTR)
		abort(); /* not our descriptor any more */
	pthread_mutex_lock(&smtp->lock);
	workers_join(smtp);
	pthread_mutex_unlock(&smtp->lock);
	while ((job = done_take(smtp)) != NULL) {
		smtp->freed_r = &freed;
		job->done(job->ctx, &job->answer);
		job_free(job);
		if (freed)
			return;
		smtp->freed_r = NULL;
	}
}

static void
job_fail(struct smtp_job *job, const char *why)
{
	snprintf(job->error, sizeof(job->error), "%s", why);
	job->answer = (struct smtp_answer){
		.end = POSTMARK_NOT_SENT, .enhanced = "", .text = "", .error = job->error
	};
	job->state = JOB_DONE;
	list_add(&job->smtp->done_end, job);
	loop_tell(job->smtp);
}

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
	pthread_mutex_lock(&smtp->lock);
	if (why == NULL && smtp->idle <= smtp->queue_len && smtp->working < smtp->most_workers)
		worker_start(smtp);
	if (why == NULL && smtp->working == 0)
		why = "no thread could be started";
	if (why != NULL) {
		job_fail(job, why);
	} else {
		job->state = JOB_QUEUED;
		list_add(&smtp->queued_end, job);
		smtp->queue_len++;
		pthread_cond_signal(&smtp->work);
	}
	pthread_mutex_unlock(&smtp->lock);
	return job;
}

void
smtp_cancel(struct smtp_job **job_p)
{
	struct smtp_job *job = *job_p;
	struct smtp *smtp;

	if (job == NULL)
		return;
	*job_p = NULL;
	smtp = job->smtp;
	pthread_mutex_lock(&smtp->lock);
	switch (job->state) {
	case JOB_QUEUED:
		list_remove(&smtp->queued, &smtp->queued_end, job);
		smtp->queue_len--;
		job_free(job);
		break;
	case JOB_RUNS:
		job->abandoned = true;
		worker_cut(job->worker);
		break;
	case JOB_DONE:
		list_remove(&smtp->done, &smtp->done_end, job);
		job_free(job);
		break;
	}
	pthread_mutex_unlock(&smtp->lock);
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
	pthread_condattr_t monotonic;

	if (!url_ok(params->url)) {
		snprintf(why, why_size, "%s is not an smtp address", params->url);
		return NULL;
	}
	if (!curl_start()) {
		snprintf(why, why_size, "libcurl did not start");
		return NULL;
	}
	smtp = mem_new(sizeof(*smtp));
	smtp->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (smtp->wake_fd < 0) {
		snprintf(why, why_size, "eventfd: %s", strerror(errno));
		free(smtp);
		return NULL;
	}
	smtp->loop = params->loop;
	smtp->url = mem_string(params->url);
	smtp->starttls = params->starttls;
	smtp->without_secrets = params->without_secrets;
	smtp->ca_file = params->ca_file != NULL ? mem_string(params->ca_file) : NULL;
	smtp->connect_timeout_ms = (long)params->connect_timeout_ms;
	smtp->most_workers =
	    params->most_connections > 0 ? params->most_connections : SMTP_CONNECTIONS;
	smtp->queued_end = &smtp->queued;
	smtp->done_end = &smtp->done;
	pthread_mutex_init(&smtp->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&smtp->work, &monotonic);
	pthread_condattr_destroy(&monotonic);
	smtp->wake =
	    event_new(loop_base(params->loop), smtp->wake_fd, EV_READ | EV_PERSIST, woken, smtp);
	if (smtp->wake == NULL || event_add(smtp->wake, NULL) != 0)
		abort(); /* libevent is out of memory, see base/mem.h */
	return smtp;
}

static void
workers_end(struct smtp *smtp)
{
	pthread_mutex_lock(&smtp->lock);
	smtp->stop = true;
	for (struct worker *worker = smtp->workers; worker != NULL; worker = worker->next) {
		worker_cut(worker);
		if (worker->job != NULL)
			worker->job->abandoned = true;
	}
	pthread_cond_broadcast(&smtp->work);
	pthread_mutex_unlock(&smtp->lock);
	while (smtp->workers != NULL) {
		struct worker *worker = smtp->workers;

		smtp->workers = worker->next;
		pthread_join(worker->thread, NULL);
		free(worker);
	}
}

void
smtp_free(struct smtp **smtp_p)
{
	struct smtp *smtp = *smtp_p;
	struct smtp_job *job;

	if (smtp == NULL)
		return;
	*smtp_p = NULL;
	if (smtp->freed_r != NULL)
		*smtp->freed_r = true;
	workers_end(smtp);
	while ((job = list_take(&smtp->queued, &smtp->queued_end)) != NULL)
		job_free(job);
	while ((job = list_take(&smtp->done, &smtp->done_end)) != NULL)
		job_free(job);
	event_free(smtp->wake);
	close(smtp->wake_fd);
	pthread_cond_destroy(&smtp->work);
	pthread_mutex_destroy(&smtp->lock);
	free(smtp->url);
	free(smtp->ca_file);
	free(smtp);
}
