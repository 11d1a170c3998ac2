/*
 * HTTP to the daemon by libcurl.
 */

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <curl/curl.h>

#include "base/mem.h"
#include "base/text.h"

#include "console/http.h"

#define MOST_BODY         (1024U * 1024U * 1024U)
#define MOST_LINE         (64U * 1024U * 1024U)
#define CONNECT_TIMEOUT_S 10L
#define LOOK_MS           1000

struct call {
	const struct http_request *request;
	struct http_answer *answer;
	CURL *curl;
	struct buf line; /* what has come of it */
	bool knows_type;
	bool stopped;
};

/* --- the answer ---------------------------------------------------------------------------- */

static bool
hand_lines(struct call *c)
{
	const char *end;

	while (c->line.len > 0 && (end = memchr(c->line.data, '\n', c->line.len)) != NULL) {
		size_t len = (size_t)(end - c->line.data);

		if (len > 0 && !c->request->line(c->request->ctx, c->line.data, len))
			return false;
		buf_consume(&c->line, len + 1);
	}
	return true;
}

static size_t
on_bytes(char *bytes, size_t size, size_t count, void *ctx)
{
	struct call *c = ctx;
	struct http_answer *a = c->answer;
	size_t len = size * count;

	if (!c->knows_type) {
		char *type = NULL;
		long status = 0;

		curl_easy_getinfo(c->curl, CURLINFO_CONTENT_TYPE, &type);
		curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &status);
		a->status = (int)status;
		a->lines = type != NULL && text_starts(type, "application/x-ndjson") &&
			   c->request->line != NULL;
		c->knows_type = true;
	}
	if (!a->lines) {
		buf_add(&a->body, bytes, len);
		return a->body.over ? 0 : len;
	}
	buf_add(&c->line, bytes, len);
	if (c->line.over)
		return 0;
	c->stopped = !hand_lines(c);
	return c->stopped ? 0 : len;
}

/* --- what went wrong ------------------------------------------------------------------------ */

/* Whose socket it is, for somebody who may not open it. */
static void
explain_permission(struct http_answer *a, const char *path)
{
	struct stat st;
	struct group *group;

	if (stat(path, &st) == 0) {
		group = getgrgid(st.st_gid);
		if (group != NULL) {
			snprintf(a->why, sizeof(a->why),
			    "no permission to use the control socket %s: root may do all, members "
			    "of the group %s may look",
			    path, group->gr_name);
			return;
		}
	}
	snprintf(a->why, sizeof(a->why),
	    "no permission to use the control socket %s: root and the daemon's user may do all, "
	    "members of its group may look",
	    path);
}

static enum http_end
explain_socket(const struct http_target *t, struct http_answer *a, long system_error)
{
	const char *path = t->socket;

	switch (system_error) {
	case EACCES:
	case EPERM:
		explain_permission(a, path);
		return HTTP_FORBIDDEN;
	case ENOENT:
	case ENOTDIR:
		snprintf(a->why, sizeof(a->why),
		    "there is no control socket %s: is pmrelayd running? --socket names another "
		    "path",
		    path);
		return HTTP_UNREACHABLE;
	case ECONNREFUSED:
		snprintf(a->why, sizeof(a->why),
		    "nobody listens at the control socket %s: pmrelayd is not running", path);
		return HTTP_UNREACHABLE;
	default:
		snprintf(a->why, sizeof(a->why), "the control socket %s cannot be used: %s", path,
		    strerror((int)system_error));
		return HTTP_UNREACHABLE;
	}
}

/* An error of libcurl to an end of ours and a sentence. */
static enum http_end
explain_failure(struct call *c, const struct http_target *t, CURLcode code, const char *detail)
{
	struct http_answer *a = c->answer;
	const char *where = t->socket != NULL ? t->socket : t->url;
	long system_error = 0;

	if (c->stopped)
		return HTTP_STOPPED;
	curl_easy_getinfo(c->curl, CURLINFO_OS_ERRNO, &system_error);
	if (code == CURLE_COULDNT_CONNECT && t->socket != NULL && system_error != 0)
		return explain_socket(t, a, system_error);
	if (detail[0] == '\0')
		detail = curl_easy_strerror(code);
	switch (code) {
	case CURLE_OPERATION_TIMEDOUT:
		snprintf(a->why, sizeof(a->why), "no answer from %s in time", where);
		return HTTP_LATE;
	case CURLE_WRITE_ERROR:
		snprintf(a->why, sizeof(a->why), "the answer from %s is too large", where);
		return HTTP_CUT;
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CACERT_BADFILE:
		snprintf(a->why, sizeof(a->why), "certificate, key or authorities: %s", detail);
		return HTTP_NO_FILE;
	case CURLE_PEER_FAILED_VERIFICATION:
		snprintf(a->why, sizeof(a->why),
		    "%s is not to be trusted: %s; --cacert names its "
		    "authority",
		    where, detail);
		return HTTP_UNREACHABLE;
	case CURLE_COULDNT_CONNECT:
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_URL_MALFORMAT:
	case CURLE_UNSUPPORTED_PROTOCOL:
		snprintf(a->why, sizeof(a->why), "%s cannot be reached: %s", where, detail);
		return HTTP_UNREACHABLE;
	default:
		break;
	}
	/* TLS 1.3 has ended its handshake when the server looks at the certificate: what it does
	 * not like ends the connection before any answer. */
	if (t->socket == NULL && a->status == 0 &&
	    (code != CURLE_SSL_CONNECT_ERROR || strstr(detail, "alert") != NULL)) {
		snprintf(a->why, sizeof(a->why),
		    "%s ended the connection without an answer: it may want another client "
		    "certificate (--cert): %s",
		    where, detail);
		return HTTP_FORBIDDEN;
	}
	if (code == CURLE_SSL_CONNECT_ERROR) {
		snprintf(a->why, sizeof(a->why), "%s cannot be reached: %s", where, detail);
		return HTTP_UNREACHABLE;
	}
	snprintf(a->why, sizeof(a->why), "the answer from %s was cut: %s", where, detail);
	return HTTP_CUT;
}

/* --- the request --------------------------------------------------------------------------- */

/* What is wrong before anything is tried.  HTTP_ANSWERED: nothing. */
static enum http_end
check_target(const struct http_target *t, struct http_answer *a)
{
	const char *files[] = { t->certificate, t->key, t->ca };

	if (t->socket != NULL && strlen(t->socket) >= sizeof(((struct sockaddr_un *)0)->sun_path)) {
		snprintf(a->why, sizeof(a->why),
		    "the path of the control socket is too long: %zu bytes, %zu is the most",
		    strlen(t->socket), sizeof(((struct sockaddr_un *)0)->sun_path) - 1);
		return HTTP_UNREACHABLE;
	}
	if (t->socket == NULL && !text_starts(t->url, "https://")) {
		snprintf(a->why, sizeof(a->why), "--url is https://HOST:PORT, not %.200s", t->url);
		return HTTP_UNREACHABLE;
	}
	for (size_t i = 0; t->socket == NULL && i < sizeof(files) / sizeof(files[0]); i++)
		if (files[i] != NULL && access(files[i], R_OK) != 0) {
			snprintf(a->why, sizeof(a->why), "%s cannot be read: %s", files[i],
			    strerror(errno));
			return HTTP_NO_FILE;
		}
	return HTTP_ANSWERED;
}

static void
set_target(CURL *curl, const struct http_target *t, const char *url)
{
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, CONNECT_TIMEOUT_S);
	curl_easy_setopt(curl, CURLOPT_TCP_KEEPALIVE, 1L);
	if (t->socket != NULL) {
		curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, t->socket);
		return;
	}
	if (t->certificate != NULL)
		curl_easy_setopt(curl, CURLOPT_SSLCERT, t->certificate);
	if (t->key != NULL)
		curl_easy_setopt(curl, CURLOPT_SSLKEY, t->key);
	if (t->ca != NULL) {
		curl_easy_setopt(curl, CURLOPT_CAINFO, t->ca);
		curl_easy_setopt(curl, CURLOPT_CAPATH, NULL); /* these alone */
	}
}

static struct curl_slist *
set_request(CURL *curl, const struct http_request *r)
{
	struct curl_slist *headers = curl_slist_append(NULL, "Expect:");

	headers = curl_slist_append(headers,
	    r->progress ? "Accept: application/x-ndjson, application/json" : "Accept: */*");
	if (strcmp(r->method, "POST") == 0) {
		headers = curl_slist_append(headers, "Content-Type: application/json");
		curl_easy_setopt(curl, CURLOPT_POST, 1L);
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, r->body != NULL ? r->body : "");
		curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body_len);
	}
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	if (r->timeout_ms > 0)
		curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, r->timeout_ms);
	return headers;
}

/* Turns until the transfer has ended or ready() has enough. */
static CURLcode
drive(struct call *c, CURLM *multi)
{
	const struct http_request *r = c->request;
	struct curl_waitfd watched = { .fd = r->watch_fd, .events = CURL_WAIT_POLLIN };
	unsigned watched_count = r->ready != NULL && r->watch_fd >= 0;
	int running = 1, left;
	CURLMsg *message;

	while (curl_multi_perform(multi, &running) == CURLM_OK && running > 0) {
		watched.revents = 0;
		if (curl_multi_poll(multi, &watched, watched_count, LOOK_MS, NULL) != CURLM_OK)
			break;
		if (r->ready != NULL && !r->ready(r->ctx)) {
			c->stopped = true;
			return CURLE_ABORTED_BY_CALLBACK;
		}
	}
	message = curl_multi_info_read(multi, &left);
	return message != NULL ? message->data.result : CURLE_FAILED_INIT;
}

enum http_end
http_call(const struct http_target *t, const struct http_request *r, struct http_answer *a)
{
	struct call c = { .request = r, .answer = a };
	char detail[CURL_ERROR_SIZE] = "", *url;
	struct curl_slist *headers;
	enum http_end end;
	CURLcode code;
	CURLM *multi;
	size_t len;
	long status = 0;

	memset(a, 0, sizeof(*a));
	buf_init(&a->body, MOST_BODY);
	end = check_target(t, a);
	if (end != HTTP_ANSWERED)
		return end;
	c.curl = curl_easy_init();
	multi = curl_multi_init();
	if (c.curl == NULL || multi == NULL)
		mem_exhausted(sizeof(c));
	buf_init(&c.line, MOST_LINE);
	len = t->socket == NULL ? strlen(t->url) : 0;
	while (len > 0 && t->url[len - 1] == '/')
		len--;
	url = t->socket != NULL ? mem_format("http://pmrelay%s", r->path)
				: mem_format("%.*s%s", (int)len, t->url, r->path);
	set_target(c.curl, t, url);
	headers = set_request(c.curl, r);
	curl_easy_setopt(c.curl, CURLOPT_ERRORBUFFER, detail);
	curl_easy_setopt(c.curl, CURLOPT_WRITEFUNCTION, on_bytes);
	curl_easy_setopt(c.curl, CURLOPT_WRITEDATA, &c);
	curl_multi_add_handle(multi, c.curl);

	code = drive(&c, multi);
	/* An answer that was cut has its status all the same. */
	curl_easy_getinfo(c.curl, CURLINFO_RESPONSE_CODE, &status);
	a->status = (int)status;
	if (code == CURLE_OK && c.line.len > 0 && !r->line(r->ctx, c.line.data, c.line.len))
		c.stopped = true;
	end = code == CURLE_OK && !c.stopped ? HTTP_ANSWERED : explain_failure(&c, t, code, detail);

	curl_multi_remove_handle(multi, c.curl);
	curl_easy_cleanup(c.curl);
	curl_multi_cleanup(multi);
	curl_slist_free_all(headers);
	buf_free(&c.line);
	free(url);
	return end;
}
