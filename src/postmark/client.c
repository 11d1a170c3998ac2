/*
 * Requests to Postmark.
 *
 * The rule this file keeps: a body that may have left is never sent again by us or by libcurl, and
 * whoever asked is told so (POSTMARK_LOST).  libcurl on its own repeats a request when a reused
 * connection dies before the first byte of an answer; whether the server had read and obeyed the
 * request by then it cannot know.  It has to rewind the body for that, so body_seek() refuses once
 * a byte was handed out, and the transfer fails instead (CURLE_SEND_FAIL_REWIND).  A server that
 * closed the idle connection before is noticed by libcurl before it writes; the race that is left
 * costs a search, and most_idle_s keeps it rare.
 *
 * A DELETE, or a PUT that has all it says in its path, changes something without a body: there is
 * nothing to rewind, so it goes over a connection of its own, which libcurl does not try twice.
 */

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/curl_loop.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/text.h"

#include "postmark/client.h"
#include "postmark/header.h"
#include "postmark/pieces.h"
#include "postmark/retry_after.h"
#include "postmark/smtp.h"

/* Shorter than the 60 s after which load balancers drop an idle connection. */
#define MOST_IDLE_S 45L
/* libcurl reads the body in steps of its upload buffer; the big one is only for big bodies. */
#define UPLOAD_SMALL    (64L * 1024L)
#define UPLOAD_LARGE    (512L * 1024L)
#define MOST_SPARE      8U /* easy handles kept for reuse */
#define REQUEST_ID_SIZE 80
#define JSON_TYPE       "application/json"

struct postmark_job {
	struct postmark_client *client;
	struct postmark_job *next, *prev;
	CURL *easy;
	struct curl_slist *headers;
	postmark_done_fn *done;
	void *ctx;

	struct pieces pieces; /* the body */
	bool has_body;        /* one that may be empty */
	bool failed;          /* could not even be started */

	struct buf body;
	bool cut;
	int64_t retry_after_ms;
	char request_id[REQUEST_ID_SIZE];
	int64_t started_ms;
	char error[CURL_ERROR_SIZE];
};

struct postmark_client {
	struct loop *loop;
	struct curl_loop *curl;
	char *base_url;
	char *ca_file;
	char *user_agent;
	long connect_timeout_ms;
	struct smtp *smtp; /* NULL: none */
	struct postmark_job *jobs;
	struct loop_call *fail_call; /* ends the jobs that are failed */
	bool *freed_r;               /* set while jobs end: tells that the struct is gone */
	CURL *spare[MOST_SPARE];
	size_t spare_count;
};

/* --- body and answer ---------------------------------------------------------------------- */

/* CURLOPT_READFUNCTION */
static size_t
body_read(char *out, size_t size, size_t count, void *ctx)
{
	struct postmark_job *job = ctx;
	size_t len;

	return pieces_read(&job->pieces, out, size * count, &len) == 0 ? len : CURL_READFUNC_ABORT;
}

/* CURLOPT_SEEKFUNCTION: see the head of this file. */
static int
body_seek(void *ctx, curl_off_t offset, int origin)
{
	const struct postmark_job *job = ctx;

	if (offset == 0 && origin == SEEK_SET && job->pieces.handed_out == 0)
		return CURL_SEEKFUNC_OK;
	return CURL_SEEKFUNC_FAIL;
}

/* CURLOPT_WRITEFUNCTION */
static size_t
answer_write(char *bytes, size_t size, size_t count, void *ctx)
{
	struct postmark_job *job = ctx;
	size_t len = size * count, room = job->body.most - job->body.len;

	if (len > room) {
		buf_add(&job->body, bytes, room);
		job->cut = true;
		return 0; /* ends the transfer: an endless answer is not read to its end */
	}
	buf_add(&job->body, bytes, len);
	return len;
}

/* A value for logs and people: visible ASCII, or nothing. */
static void
request_id_read(char id[REQUEST_ID_SIZE], const char *value, size_t len)
{
	size_t used = 0;

	while (len > 0 && (*value == ' ' || *value == '\t')) {
		value++;
		len--;
	}
	while (used < len && used < REQUEST_ID_SIZE - 1 && value[used] > ' ' && value[used] < 0x7F)
		used++;
	memcpy(id, value, used);
	id[used] = '\0';
}

static const char *
field_value(const char *bytes, size_t len, const char *name, size_t *value_len_r)
{
	size_t name_len = strlen(name);

	if (len <= name_len || bytes[name_len] != ':' || !text_same_n(bytes, name, name_len))
		return NULL;
	*value_len_r = len - name_len - 1;
	return bytes + name_len + 1;
}

/* CURLOPT_HEADERFUNCTION: one field a call, with its line end. */
static size_t
answer_header(char *bytes, size_t size, size_t count, void *ctx)
{
	struct postmark_job *job = ctx;
	size_t len = size * count, value_len;
	const char *value;

	if (len > 5 && memcmp(bytes, "HTTP/", 5) == 0) {
		/* A new answer begins: the last one was a 1xx. */
		job->retry_after_ms = -1;
		job->request_id[0] = '\0';
	} else if ((value = field_value(bytes, len, "Retry-After", &value_len)) != NULL) {
		job->retry_after_ms = retry_after_ms(value, value_len, clock_wall_ms());
	} else if ((value = field_value(bytes, len, "X-Request-Id", &value_len)) != NULL) {
		request_id_read(job->request_id, value, value_len);
	}
	return len;
}

/* --- jobs --------------------------------------------------------------------------------- */

static void
job_unlink(struct postmark_job *job)
{
	struct postmark_client *client = job->client;

	if (job->prev != NULL)
		job->prev->next = job->next;
	else
		client->jobs = job->next;
	if (job->next != NULL)
		job->next->prev = job->prev;
	job->next = job->prev = NULL;
}

static void
job_link(struct postmark_job *job)
{
	struct postmark_client *client = job->client;

	job->next = client->jobs;
	if (job->next != NULL)
		job->next->prev = job;
	client->jobs = job;
}

static void
easy_put_back(struct postmark_client *client, CURL *easy)
{
	if (client->spare_count == MOST_SPARE) {
		curl_easy_cleanup(easy);
		return;
	}
	/* Forgets pointers to the job and the token's header, and frees a big upload buffer. */
	curl_easy_reset(easy);
	curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, UPLOAD_SMALL);
	client->spare[client->spare_count++] = easy;
}

static CURL *
easy_take(struct postmark_client *client)
{
	CURL *easy;

	if (client->spare_count > 0)
		return client->spare[--client->spare_count];
	easy = curl_easy_init();
	if (easy == NULL)
		abort(); /* out of memory, see base/mem.h */
	return easy;
}

/* curl_slist keeps its copies in memory of its own: wipe the one with the token. */
static void
headers_free(struct curl_slist *headers)
{
	for (struct curl_slist *header = headers; header != NULL; header = header->next)
		secret_wipe(header->data, strlen(header->data));
	curl_slist_free_all(headers);
}

/* Not in the multi handle any more, and unlinked. */
static void
job_free(struct postmark_job *job)
{
	easy_put_back(job->client, job->easy);
	headers_free(job->headers);
	buf_free(&job->body);
	free(job);
}

static void
header_add(struct postmark_job *job, const char *text)
{
	struct curl_slist *headers = curl_slist_append(job->headers, text);

	if (headers == NULL)
		abort(); /* out of memory, see base/mem.h */
	job->headers = headers;
}

static void
token_header_add(struct postmark_job *job, const struct postmark_request *request)
{
	char *token = mem_format("%s: %s",
	    request->account ? "X-Postmark-Account-Token" : "X-Postmark-Server-Token",
	    secret_text(request->token));

	header_add(job, token);
	secret_wipe(token, strlen(token));
	free(token);
}

/* Logged without its value: it may be a secret that somebody put into a wrong place. */
static void
extra_header_add(struct postmark_job *job, const char *line)
{
	size_t name_len;
	enum header_flaw flaw = header_check(line, &name_len);
	char *header;

	if (flaw != HEADER_FINE) {
		log_warning("header-left-out", log_bytes("header", line, strcspn(line, ": \r\n")),
		    log_str("why", header_flaw_text(flaw)));
		return;
	}
	header = header_for_curl(line, name_len);
	header_add(job, header);
	secret_wipe(header, strlen(header));
	free(header);
}

static void
type_header_add(struct postmark_job *job, const struct postmark_request *request)
{
	char *header;

	if (request->content_type == NULL || request->content_type[0] == '\0') {
		header_add(job, "Content-Type: " JSON_TYPE);
		return;
	}
	header = mem_format("Content-Type: %s", request->content_type);
	extra_header_add(job, header);
	free(header);
}

static void
headers_make(struct postmark_job *job, const struct postmark_request *request)
{
	if (!header_listed(request->headers, "Accept"))
		header_add(job, "Accept: " JSON_TYPE);
	if (job->has_body) {
		if (!header_listed(request->headers, "Content-Type"))
			type_header_add(job, request);
		/* Without a round trip for "100 Continue". */
		header_add(job, "Expect:");
	}
	for (const char *const *line = request->headers; line != NULL && *line != NULL; line++)
		extra_header_add(job, *line);
	if (request->token != NULL)
		token_header_add(job, request);
}

/*
 * A proxy comes from the environment (https_proxy, no_proxy …), which libcurl reads itself.  A
 * redirect is not followed: its target would get the token and the mail.
 */
static void
easy_setup(struct postmark_job *job, const struct postmark_request *request)
{
	struct postmark_client *client = job->client;
	CURL *easy = job->easy;
	char *url = mem_format("%s%s", client->base_url, request->path);

	curl_easy_setopt(easy, CURLOPT_PRIVATE, job);
	curl_easy_setopt(easy, CURLOPT_URL, url); /* copied */
	free(url);
#if LIBCURL_VERSION_NUM >= 0x075500
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
#else
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
	if (client->ca_file != NULL) {
		curl_easy_setopt(easy, CURLOPT_CAINFO, client->ca_file);
		curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
	}
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
#if LIBCURL_VERSION_NUM >= 0x075700
	/* A request that ends before its name is resolved would else wait for the resolver's
	 * thread, and the whole loop with it. */
	curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
#endif
	curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, MOST_IDLE_S);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, client->connect_timeout_ms);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)request->timeout_ms);
	curl_easy_setopt(easy, CURLOPT_USERAGENT, client->user_agent);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, job->headers);
	curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, job->error);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, answer_write);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, job);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, answer_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, job);
	if (!job->has_body) {
		curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
		if (strcmp(request->method, "HEAD") ==
		    0) /* whatever length it tells, nothing comes */
			curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
		else if (strcmp(request->method, "GET") != 0)
			curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
	} else {
		curl_easy_setopt(easy, CURLOPT_POST, 1L);
		if (strcmp(request->method, "POST") != 0)
			curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
	}
	if (job->pieces.bytes == 0 && strcmp(request->method, "GET") != 0)
		curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
	if (!job->has_body)
		return;
	curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)job->pieces.bytes);
	curl_easy_setopt(easy, CURLOPT_READFUNCTION, body_read);
	curl_easy_setopt(easy, CURLOPT_READDATA, job);
	curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, body_seek);
	curl_easy_setopt(easy, CURLOPT_SEEKDATA, job);
	curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE,
	    job->pieces.bytes > (uint64_t)UPLOAD_SMALL ? UPLOAD_LARGE : UPLOAD_SMALL);
}

static void
job_fail(struct postmark_job *job, const char *why)
{
	job->failed = true;
	snprintf(job->error, sizeof(job->error), "%s", why);
	loop_call_ask(job->client->fail_call);
}

/*
 * A path without its slash would be more of the host's name ("@elsewhere.example/"), and the token
 * would go there.
 */
struct postmark_job *
postmark_submit(struct postmark_client *client, const struct postmark_request *request,
    postmark_done_fn *done, void *ctx)
{
	struct postmark_job *job = mem_new(sizeof(*job));

	job->client = client;
	job->done = done;
	job->ctx = ctx;
	pieces_init(&job->pieces, request->pieces, request->piece_count);
	job->retry_after_ms = -1;
	job->started_ms = clock_mono_ms();
	buf_init(&job->body, request->most_answer_bytes);
	job->easy = easy_take(client);
	job->has_body = request->piece_count > 0 || strcmp(request->method, "POST") == 0 ||
			strcmp(request->method, "PUT") == 0 ||
			strcmp(request->method, "PATCH") == 0;
	headers_make(job, request);
	easy_setup(job, request);
	job_link(job);
	if (request->path[0] != '/')
		job_fail(job, "the path does not begin with a slash");
	else if (curl_loop_add(client->curl, job->easy) != CURLM_OK)
		job_fail(job, "libcurl did not take the request");
	return job;
}

void
postmark_cancel(struct postmark_job **job_p)
{
	struct postmark_job *job = *job_p;

	if (job == NULL)
		return;
	*job_p = NULL;
	if (!job->failed)
		curl_loop_remove(job->client->curl, job->easy);
	job_unlink(job);
	job_free(job);
}

/* --- ends --------------------------------------------------------------------------------- */

/*
 * What is known about a request without a complete answer.  handed_out counts what libcurl took
 * from us: some of it may still be in its buffer, but that it is not on the wire cannot be proved.
 * Of a request without a body, its head.
 */
static enum postmark_end
end_of(const struct postmark_job *job, CURLcode code)
{
	long head_bytes = 0;

	if (code == CURLE_OK || (code == CURLE_WRITE_ERROR && job->cut))
		return POSTMARK_ANSWERED;
	/* Not for one with a body: what a proxy was asked first counts here as well. */
	if (job->pieces.bytes == 0)
		curl_easy_getinfo(job->easy, CURLINFO_REQUEST_SIZE, &head_bytes);
	return job->pieces.handed_out > 0 || head_bytes > 0 ? POSTMARK_LOST : POSTMARK_NOT_SENT;
}

static const char *
error_words(const struct postmark_job *job, CURLcode code)
{
	if (job->pieces.unreadable)
		return "the stored message could not be read";
	if (code == CURLE_SEND_FAIL_REWIND)
		return "connection closed without an answer";
	return job->error[0] != '\0' ? job->error : curl_easy_strerror(code);
}

/* The job is out of the multi handle.  Its done() may free the client. */
static void
job_end(struct postmark_job *job, CURLcode code)
{
	struct postmark_client *client = job->client;
	struct postmark_answer answer = {
		.end = end_of(job, code), .error = "", .body = "", .type = "", .request_id = ""
	};
	bool freed = false, *outer = client->freed_r;
	char *type = NULL;
	long status = 0;

	job_unlink(job);
	answer.elapsed_ms = clock_mono_ms() - job->started_ms;
	answer.retry_after_ms = -1;
	if (answer.end == POSTMARK_ANSWERED) {
		curl_easy_getinfo(job->easy, CURLINFO_RESPONSE_CODE, &status);
		answer.status = (int)status;
		answer.retry_after_ms = job->retry_after_ms;
		curl_easy_getinfo(job->easy, CURLINFO_CONTENT_TYPE, &type);
		if (type != NULL)
			answer.type = type;
		answer.request_id = job->request_id;
		answer.cut = job->cut;
		answer.len = job->body.len;
		if (job->body.len > 0)
			answer.body = job->body.data;
	} else {
		answer.error = error_words(job, code);
	}

	client->freed_r = &freed;
	job->done(job->ctx, &answer);
	if (freed) {
		/* The client went without this job, and took its easy handles along. */
		if (outer != NULL)
			*outer = true;
		curl_easy_cleanup(job->easy);
		headers_free(job->headers);
		buf_free(&job->body);
		free(job);
		return;
	}
	client->freed_r = outer;
	job_free(job);
}

static void
transfer_finished(void *ctx, CURL *easy, CURLcode code)
{
	struct postmark_job *job = NULL;

	(void)ctx;
	curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&job);
	job_end(job, code);
}

static struct postmark_job *
job_failed_first(const struct postmark_client *client)
{
	struct postmark_job *job = client->jobs;

	while (job != NULL && !job->failed)
		job = job->next;
	return job;
}

static void
end_failed(void *ctx)
{
	struct postmark_client *client = ctx;
	struct postmark_job *job;
	bool freed = false;

	while ((job = job_failed_first(client)) != NULL) {
		client->freed_r = &freed;
		job_end(job, CURLE_FAILED_INIT);
		if (freed)
			return;
		client->freed_r = NULL;
	}
}

/* --- life --------------------------------------------------------------------------------- */

static char *
url_without_slash(const char *base_url)
{
	char *url = mem_string(base_url);
	size_t len = strlen(url);

	while (len > 0 && url[len - 1] == '/')
		url[--len] = '\0';
	return url;
}

/* "https://host" or "http://host", with anything behind it but a query. */
static bool
url_ok(const char *base_url)
{
	CURLU *url = curl_url();
	char *scheme = NULL, *query = NULL;
	bool ok;

	if (url == NULL)
		abort(); /* out of memory, see base/mem.h */
	ok = curl_url_set(url, CURLUPART_URL, base_url, 0) == CURLUE_OK &&
	     curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
	     (strcmp(scheme, "https") == 0 || strcmp(scheme, "http") == 0) &&
	     curl_url_get(url, CURLUPART_QUERY, &query, 0) == CURLUE_NO_QUERY;
	curl_free(scheme);
	curl_free(query);
	curl_url_cleanup(url);
	return ok;
}

static int
smtp_start(struct postmark_client *client, const struct postmark_client_params *params, char *why,
    size_t why_size)
{
	const struct smtp_params smtp = { .loop = params->loop,
		.url = params->smtp_url,
		.starttls = params->smtp_starttls,
		.ca_file = params->ca_file,
		.connect_timeout_ms = params->connect_timeout_ms,
		.most_connections = params->most_smtp_connections };

	if (params->smtp_url == NULL || params->smtp_url[0] == '\0')
		return 0;
	client->smtp = smtp_new(&smtp, why, why_size);
	return client->smtp != NULL ? 0 : -1;
}

struct postmark_client *
postmark_client_new(const struct postmark_client_params *params, char *why, size_t why_size)
{
	struct postmark_client *client;

	if (!url_ok(params->base_url)) {
		snprintf(why, why_size, "%s is not an http or https address", params->base_url);
		return NULL;
	}
	if (params->ca_file != NULL && access(params->ca_file, R_OK) != 0) {
		snprintf(why, why_size, "%s: %s", params->ca_file, strerror(errno));
		return NULL;
	}
	client = mem_new(sizeof(*client));
	client->loop = params->loop;
	client->curl = curl_loop_new(params->loop, transfer_finished, client);
	if (client->curl == NULL) {
		snprintf(why, why_size, "libcurl did not start");
		free(client);
		return NULL;
	}
	client->base_url = url_without_slash(params->base_url);
	client->ca_file = params->ca_file != NULL ? mem_string(params->ca_file) : NULL;
	client->user_agent = mem_string(params->user_agent);
	client->connect_timeout_ms = (long)params->connect_timeout_ms;
	client->fail_call = loop_call_new(params->loop, end_failed, client);
	curl_multi_setopt(curl_loop_multi(client->curl), CURLMOPT_MAX_TOTAL_CONNECTIONS,
	    (long)params->most_connections);
	curl_multi_setopt(
	    curl_loop_multi(client->curl), CURLMOPT_MAXCONNECTS, (long)params->most_connections);
	if (smtp_start(client, params, why, why_size) != 0)
		postmark_client_free(&client);
	return client;
}

struct smtp *
postmark_smtp(struct postmark_client *client)
{
	return client->smtp;
}

void
postmark_client_free(struct postmark_client **client_p)
{
	struct postmark_client *client = *client_p;

	if (client == NULL)
		return;
	*client_p = NULL;
	if (client->freed_r != NULL)
		*client->freed_r = true;
	while (client->jobs != NULL) {
		struct postmark_job *job = client->jobs;

		postmark_cancel(&job);
	}
	smtp_free(&client->smtp);
	curl_loop_free(&client->curl);
	while (client->spare_count > 0)
		curl_easy_cleanup(client->spare[--client->spare_count]);
	loop_call_free(&client->fail_call);
	free(client->base_url);
	free(client->ca_file);
	free(client->user_agent);
	free(client);
}
