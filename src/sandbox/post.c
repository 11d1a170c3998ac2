#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <curl/curl.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/curl_loop.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/text.h"

#include "sandbox/fields.h"
#include "sandbox/post.h"

#define MOST_ANSWER_BYTES ((size_t)1024 * 1024)
#define MOST_KEPT         256 /* connections, and handles of libcurl */
#define SLOW_PIECES       8

struct poster {
	struct loop *loop;
	struct curl_loop *curl;
	char *ca_file; /* NULL: the system's */
	CURL *idle[MOST_KEPT];
	size_t idle_count;
};

struct post {
	struct poster *poster;
	CURL *easy; /* NULL: it never started, or is over */
	bool running;
	struct curl_slist *headers;
	struct loop_call *call;   /* tells what went wrong before the start */
	struct loop_timer *timer; /* until the next piece of a slow body */
	const char *body;
	size_t len;
	size_t sent;
	int64_t slow_ms;
	bool rested; /* the next piece may go */
	size_t answered;
	unsigned redirects;
	int64_t began_us;
	const char *wrong;
	void (*done)(void *ctx, const struct post_end *);
	void *ctx;
};

/* ---- where to ---- */

static bool
is_loopback(const char *host)
{
	size_t len = strlen(host);
	struct in_addr v4;
	struct in6_addr v6;
	char *bare;
	bool is;

	if (text_same(host, "localhost"))
		return true;
	bare = len > 1 && host[0] == '[' ? mem_bytes(host + 1, len - 2) : mem_string(host);
	is = (inet_pton(AF_INET, bare, &v4) == 1 && ntohl(v4.s_addr) >> 24 == 127) ||
	     (inet_pton(AF_INET6, bare, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6));
	free(bare);
	return is;
}

/* A part of the URL, decoded; the caller frees.  NULL: it has none. */
static char *
part_of(CURLU *url, CURLUPart part)
{
	char *text = NULL, *copy = NULL;

	if (curl_url_get(url, part, &text, part == CURLUPART_HOST ? 0 : CURLU_URLDECODE) ==
	    CURLUE_OK) {
		copy = mem_string(text);
		curl_free(text);
	}
	return copy;
}

/* NULL: it may be posted to; else what is wrong with it. */
static const char *
url_wrong(CURLU *url, const char *text)
{
	const char *wrong = NULL;
	char *host;

	if (curl_url_set(url, CURLUPART_URL, text, CURLU_PATH_AS_IS) != CURLUE_OK)
		return "The URL is not valid.";
	host = part_of(url, CURLUPART_HOST);
	if (host == NULL)
		wrong = "The URL is not valid.";
	else if (!is_loopback(host))
		wrong = "The sandbox reaches hosts of the loopback only.";
	free(host);
	return wrong;
}

bool
post_reaches(const char *text)
{
	CURLU *url = curl_url();
	bool reaches;

	if (url == NULL)
		mem_exhausted(0);
	reaches = url_wrong(url, text) == NULL;
	curl_url_cleanup(url);
	return reaches;
}

/* CURLOPT_OPENSOCKETFUNCTION: the last word on what is of the loopback. */
static curl_socket_t
open_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *address)
{
	const struct sockaddr *to = &address->addr;
	bool local = false;

	(void)ctx;
	(void)purpose;
	if (to->sa_family == AF_INET)
		local =
		    ntohl(((const struct sockaddr_in *)(const void *)to)->sin_addr.s_addr) >> 24 ==
		    127;
	else if (to->sa_family == AF_INET6)
		local = IN6_IS_ADDR_LOOPBACK(
		    &((const struct sockaddr_in6 *)(const void *)to)->sin6_addr);
	if (!local)
		return CURL_SOCKET_BAD;
	return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* ---- the request ---- */

static void __attribute__((format(printf, 2, 3)))
add_header(struct post *post, const char *format, ...)
{
	struct curl_slist *more;
	char *line;
	va_list args;

	va_start(args, format);
	if (vasprintf(&line, format, args) < 0)
		mem_exhausted(0);
	va_end(args);
	more = curl_slist_append(post->headers, line);
	free(line);
	if (more == NULL)
		mem_exhausted(0);
	post->headers = more;
}

static void
add_auth(struct post *post, const struct post_params *params, CURLU *url)
{
	const char *user = fields_text(params->auth, "Username");
	const char *password = fields_text(params->auth, "Password");
	char *url_user = part_of(url, CURLUPART_USER), *url_password, *plain, *encoded;

	url_password = part_of(url, CURLUPART_PASSWORD);
	/* The header says it, so that libcurl does not. */
	curl_url_set(url, CURLUPART_USER, NULL, 0);
	curl_url_set(url, CURLUPART_PASSWORD, NULL, 0);
	if (user == NULL && password == NULL) {
		user = url_user;
		password = url_password;
	}
	if ((user != NULL || password != NULL) && params->spoil != POST_NO_AUTH) {
		plain = mem_format("%s:%s%s", user != NULL ? user : "",
		    password != NULL ? password : "",
		    params->spoil == POST_WRONG_PASSWORD ? "x" : "");
		encoded = base64_encode(plain, strlen(plain));
		add_header(post, "Authorization: Basic %s", encoded);
		free(encoded);
		free(plain);
	}
	free(url_user);
	free(url_password);
}

static void
add_headers(struct post *post, const struct post_params *params, CURLU *url)
{
	size_t i;
	json_t *one;

	add_header(post, "Content-Type: application/json");
	add_header(post, "User-Agent: Postmark");
	add_header(post, "Accept:");
	add_header(post, params->expect ? "Expect: 100-continue" : "Expect:");
	if (params->retries_remaining >= 0)
		add_header(post, "X-PM-Retries-Remaining: %d", params->retries_remaining);
	if (params->trace != NULL)
		add_header(post, "X-PM-Webhook-Trace-Id: %s", params->trace);
	if (params->event != NULL)
		add_header(post, "X-PM-Webhook-Event-Id: %s", params->event);
	if (params->chunked)
		add_header(post, "Transfer-Encoding: chunked");
	add_auth(post, params, url);
	if (params->spoil == POST_NO_AUTH)
		return;
	json_array_foreach((json_t *)params->headers, i, one)
	{
		const char *name = json_string_value(json_object_get(one, "Name"));
		const char *value = json_string_value(json_object_get(one, "Value"));

		/* libcurl leaves "Name:" out, and sends "Name;" as that. */
		if (value == NULL || value[0] == '\0')
			add_header(post, "%s;", name);
		else
			add_header(post, "%s: %s%s", name, value,
			    params->spoil == POST_WRONG_PASSWORD ? "x" : "");
	}
}

/* CURLOPT_READFUNCTION: the body in pieces, each after a rest. */
static size_t
read_body(char *to, size_t size, size_t count, void *ctx)
{
	struct post *post = ctx;
	size_t most = size * count, len = post->len - post->sent;

	if (post->slow_ms > 0) {
		size_t piece = post->len / SLOW_PIECES + 1;

		if (len > 0 && !post->rested) {
			loop_timer_set(post->timer, post->slow_ms / SLOW_PIECES);
			return CURL_READFUNC_PAUSE;
		}
		post->rested = false;
		len = len < piece ? len : piece;
	}
	len = len < most ? len : most;
	memcpy(to, post->body + post->sent, len);
	post->sent += len;
	return len;
}

static void
on_rested(void *ctx)
{
	struct post *post = ctx;

	post->rested = true;
	curl_easy_pause(post->easy, CURLPAUSE_CONT);
}

/* CURLOPT_SEEKFUNCTION: a connection that was kept was closed, so all goes again. */
static int
seek_body(void *ctx, curl_off_t offset, int origin)
{
	struct post *post = ctx;

	if (origin != SEEK_SET || offset < 0 || (size_t)offset > post->len)
		return CURL_SEEKFUNC_FAIL;
	post->sent = (size_t)offset;
	return CURL_SEEKFUNC_OK;
}

/* CURLOPT_WRITEFUNCTION: nobody reads it, but it has an end. */
static size_t
take_answer(char *bytes, size_t size, size_t count, void *ctx)
{
	struct post *post = ctx;

	(void)bytes;
	post->answered += size * count;
	return post->answered <= MOST_ANSWER_BYTES ? size * count : 0;
}

static void
set_body(struct post *post, bool chunked)
{
	CURL *easy = post->easy;

	curl_easy_setopt(easy, CURLOPT_POST, 1L);
	if (!chunked && post->slow_ms == 0) {
		curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)post->len);
		curl_easy_setopt(easy, CURLOPT_POSTFIELDS, post->body);
		return;
	}
	if (!chunked)
		curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)post->len);
	curl_easy_setopt(easy, CURLOPT_READFUNCTION, read_body);
	curl_easy_setopt(easy, CURLOPT_READDATA, post);
	curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, seek_body);
	curl_easy_setopt(easy, CURLOPT_SEEKDATA, post);
}

static void
set_options(struct post *post, const struct post_params *params)
{
	CURL *easy = post->easy;

	curl_easy_setopt(easy, CURLOPT_PRIVATE, post);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
#if LIBCURL_VERSION_NUM >= 0x075500
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
#else
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)params->timeout_ms);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_answer);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, post);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, post->headers);
	if (post->poster->ca_file != NULL) {
		curl_easy_setopt(easy, CURLOPT_CAINFO, post->poster->ca_file);
		curl_easy_setopt(easy, CURLOPT_CAPATH, NULL); /* these alone */
	}
	set_body(post, params->chunked);
}

static void
spoil_path(CURLU *url)
{
	char *path = part_of(url, CURLUPART_PATH), *wrong = mem_format("%sx", path);

	curl_url_set(url, CURLUPART_PATH, wrong, CURLU_URLENCODE);
	free(path);
	free(wrong);
}

/* NULL, or what is wrong. */
static const char *
begin(struct post *post, const struct post_params *params, CURLU *url)
{
	const char *wrong = url_wrong(url, params->url);
	char *text = NULL;

	if (wrong != NULL)
		return wrong;
	add_headers(post, params, url);
	if (params->spoil == POST_WRONG_PATH)
		spoil_path(url);
	curl_url_set(url, CURLUPART_FRAGMENT, NULL, 0);
	if (curl_url_get(url, CURLUPART_URL, &text, 0) != CURLUE_OK)
		return "The URL is not valid.";
	if (post->poster->idle_count > 0)
		post->easy = post->poster->idle[--post->poster->idle_count];
	else
		post->easy = curl_easy_init();
	if (post->easy == NULL)
		mem_exhausted(0);
	set_options(post, params);
	curl_easy_setopt(post->easy, CURLOPT_URL, text);
	curl_free(text);
	if (curl_loop_add(post->poster->curl, post->easy) != CURLM_OK)
		return "The connection could not be made.";
	post->running = true;
	return NULL;
}

/* ---- the answer ---- */

static void
tell(struct post *post, int status, const char *why)
{
	const struct post_end end = {
		.status = status,
		.why = why,
		.us = clock_mono_us() - post->began_us,
	};

	post->done(post->ctx, &end);
}

static void
on_wrong(void *ctx)
{
	struct post *post = ctx;

	tell(post, 0, post->wrong);
}

static const char *
why_of(CURLcode code)
{
	if (code == CURLE_OPERATION_TIMEDOUT)
		return "The remote server did not answer in time.";
	if (code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST)
		return "The remote server could not be reached.";
	if (code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE ||
	    code == CURLE_SSL_CONNECT_ERROR)
		return "The remote server's certificate could not be verified.";
	return "The remote server did not answer properly.";
}

/* true: the post goes on to where the answer points. */
static bool
follow(struct post *post, long status)
{
	char *to = NULL;

	if (status < 300 || status >= 400 || post->redirects == 0)
		return false;
	curl_easy_getinfo(post->easy, CURLINFO_REDIRECT_URL, &to);
	if (to == NULL || !post_reaches(to))
		return false;
	post->redirects--;
	post->sent = 0;
	to = mem_string(to); /* libcurl's own goes with the change */
	curl_easy_setopt(post->easy, CURLOPT_URL, to);
	free(to);
	post->running = curl_loop_add(post->poster->curl, post->easy) == CURLM_OK;
	return post->running;
}

static void
on_finished(void *ctx, CURL *easy, CURLcode code)
{
	struct post *post;
	long status = 0;

	(void)ctx;
	curl_easy_getinfo(easy, CURLINFO_PRIVATE, &post);
	post->running = false;
	loop_timer_clear(post->timer);
	if (code != CURLE_OK) {
		tell(post, 0, why_of(code));
		return;
	}
	curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
	if (!follow(post, status))
		tell(post, (int)status, NULL);
}

/* ---- life ---- */

struct post *
post_new(const struct post_params *params)
{
	struct poster *poster = params->poster;
	struct post *post = mem_new(sizeof(*post));
	CURLU *url = curl_url();

	if (url == NULL)
		mem_exhausted(0);
	post->poster = poster;
	post->body = params->body;
	post->len = params->len;
	post->slow_ms = params->slow_ms;
	post->redirects = params->redirects;
	post->done = params->done;
	post->ctx = params->ctx;
	post->began_us = clock_mono_us();
	post->timer = loop_timer_new(poster->loop, on_rested, post);
	post->wrong = begin(post, params, url);
	if (post->wrong != NULL) {
		post->call = loop_call_new(poster->loop, on_wrong, post);
		loop_call_ask(post->call);
	}
	curl_url_cleanup(url);
	return post;
}

void
post_free(struct post **post_p)
{
	struct post *post = *post_p;
	struct poster *poster;

	if (post == NULL)
		return;
	poster = post->poster;
	loop_call_free(&post->call);
	loop_timer_free(&post->timer);
	if (post->running)
		curl_loop_remove(poster->curl, post->easy);
	if (post->easy != NULL && poster->idle_count < MOST_KEPT) {
		curl_easy_reset(post->easy);
		poster->idle[poster->idle_count++] = post->easy;
	} else if (post->easy != NULL) {
		curl_easy_cleanup(post->easy);
	}
	curl_slist_free_all(post->headers);
	free(post);
	*post_p = NULL;
}

struct poster *
poster_new(struct loop *loop)
{
	struct poster *poster = mem_new(sizeof(*poster));

	poster->loop = loop;
	poster->curl = curl_loop_new(loop, on_finished, poster);
	if (poster->curl == NULL) {
		free(poster);
		return NULL;
	}
	curl_multi_setopt(curl_loop_multi(poster->curl), CURLMOPT_MAXCONNECTS, (long)MOST_KEPT);
	return poster;
}

void
poster_set_ca_file(struct poster *poster, const char *file)
{
	free(poster->ca_file);
	poster->ca_file = file != NULL && file[0] != '\0' ? mem_string(file) : NULL;
}

void
poster_free(struct poster **poster_p)
{
	struct poster *poster = *poster_p;

	if (poster == NULL)
		return;
	while (poster->idle_count > 0)
		curl_easy_cleanup(poster->idle[--poster->idle_count]);
	curl_loop_free(&poster->curl);
	free(poster->ca_file);
	free(poster);
	*poster_p = NULL;
}
