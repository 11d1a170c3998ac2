/* Events as HTTP posts. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/curl_loop.h"
#include "base/digest.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/text.h"
#include "config/config.h"
#include "config/values.h"
#include "mail/event.h"
#include "postmark/retry_after.h"

#include "outlet/inside.h"
#include "outlet/line.h"
#include "outlet/rules.h"

#define CONNECT_MS 10000L

struct post {
	struct entry *entry;
	CURL *easy;
	struct curl_slist *headers;
	struct buf body;
	int64_t retry_after_ms;
	char error[CURL_ERROR_SIZE];
};

static void
post_free(struct post *post)
{
	post->entry->work = NULL;
	curl_easy_cleanup(post->easy);
	curl_slist_free_all(post->headers);
	buf_free(&post->body);
	free(post);
}

/* What they say is nothing to us. */
static size_t
answer_write(char *bytes, size_t size, size_t count, void *ctx)
{
	(void)bytes;
	(void)ctx;
	return size * count;
}

static size_t
answer_header(char *bytes, size_t size, size_t count, void *ctx)
{
	static const char name[] = "Retry-After:";
	struct post *post = ctx;
	size_t len = size * count, name_len = sizeof(name) - 1;

	if (len > name_len && text_same_n(bytes, name, name_len))
		post->retry_after_ms =
		    retry_after_ms(bytes + name_len, len - name_len, clock_wall_ms());
	return len;
}

static void
header_add(struct post *post, const char *name, const char *value)
{
	char *line = mem_format("%s: %s", name, value);
	struct curl_slist *headers = curl_slist_append(post->headers, line);

	if (headers == NULL)
		abort(); /* out of memory, see base/mem.h */
	post->headers = headers;
	free(line);
}

/* Over the time, a point and the body, so that an old post cannot be sent again as a new one. */
static void
sign(struct post *post, const struct secret *secret, const char *time)
{
	unsigned char digest[DIGEST_BYTES];
	char hex[DIGEST_HEX_SIZE], value[sizeof("sha256=") + DIGEST_HEX_SIZE];
	struct buf text;

	buf_init(&text, LINE_MOST_BYTES + 64);
	buf_addf(&text, "%s.", time);
	buf_add(&text, post->body.data, post->body.len);
	digest_hmac(digest, secret_text(secret), secret_len(secret), text.data, text.len);
	digest_print(hex, digest);
	snprintf(value, sizeof(value), "sha256=%s", hex);
	header_add(post, "X-Pmrelay-Signature", value);
	buf_free(&text);
}

static void
headers_make(struct post *post)
{
	const struct entry *entry = post->entry;
	const struct outlet *outlet = entry->consumer->outlet;
	char time[32];

	snprintf(time, sizeof(time), "%lld", (long long)(clock_wall_ms() / 1000));
	header_add(post, "Content-Type", "application/json");
	header_add(post, "X-Pmrelay-Event-Id", entry->facts.event->id);
	header_add(post, "X-Pmrelay-Timestamp", time);
	if (outlet->secret != NULL)
		sign(post, outlet->secret, time);
	/* Without a round trip for "100 Continue". */
	post->headers = curl_slist_append(post->headers, "Expect:");
	if (post->headers == NULL)
		abort(); /* out of memory, see base/mem.h */
}

static void
easy_setup(struct post *post)
{
	const struct outlet *outlet = post->entry->consumer->outlet;
	CURL *easy = post->easy;

	curl_easy_setopt(easy, CURLOPT_PRIVATE, post);
	curl_easy_setopt(easy, CURLOPT_URL, outlet->url); /* copied */
#if LIBCURL_VERSION_NUM >= 0x075500
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
#else
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_USERAGENT, "pmrelay/" PACKAGE_VERSION);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, post->headers);
	curl_easy_setopt(easy, CURLOPT_POSTFIELDS, post->body.data);
	curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)post->body.len);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, answer_write);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, answer_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, post);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, post->error);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)outlet->timeout_ms);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
	    outlet->timeout_ms < CONNECT_MS ? (long)outlet->timeout_ms : CONNECT_MS);
#if LIBCURL_VERSION_NUM >= 0x075700
	/* Or the thread that resolves a name would be waited for. */
	curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
#endif
	/* A proxy's 127.0.0.1 is another machine, and the way there is for all to read. */
	if (value_url_is_local(outlet->url))
		curl_easy_setopt(easy, CURLOPT_PROXY, "");
	if (outlet->ca_file[0] != '\0') {
		curl_easy_setopt(easy, CURLOPT_CAINFO, outlet->ca_file);
		curl_easy_setopt(easy, CURLOPT_CAPATH, NULL); /* these alone */
	}
}

static void
begin(struct entry *entry)
{
	struct post *post = mem_new(sizeof(*post));

	entry->work = post;
	post->entry = entry;
	post->retry_after_ms = -1;
	buf_init(&post->body, LINE_MOST_BYTES);
	line_add(&post->body, &entry->facts, entry->consumer->outlet->payload);
	post->easy = curl_easy_init();
	if (post->easy == NULL)
		abort(); /* out of memory, see base/mem.h */
	headers_make(post);
	easy_setup(post);
	if (curl_loop_add(entry->consumer->outlets->curl, post->easy) != CURLM_OK) {
		post_free(post);
		entry_again(entry, 0, "libcurl would not start a request");
	}
}

void
forward_finished(void *easy, int code)
{
	struct post *post;
	struct entry *entry;
	long status = 0;
	char *why = NULL;
	int64_t after_ms;

	if (curl_easy_getinfo(easy, CURLINFO_PRIVATE, &post) != CURLE_OK)
		abort();
	entry = post->entry;
	after_ms = post->retry_after_ms > 0 ? post->retry_after_ms : 0;
	if (code != CURLE_OK) {
		why = mem_string(
		    post->error[0] != '\0' ? post->error : curl_easy_strerror((CURLcode)code));
	} else {
		curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
		why = mem_format("http %ld", status);
	}
	post_free(post);
	switch (rule_answer(status)) {
	case RULE_TAKEN:
		entry_done(entry);
		break;
	case RULE_AGAIN:
		entry_again(entry, after_ms, why);
		break;
	case RULE_DROP:
		entry_drop(entry, why);
		break;
	}
	free(why);
}

static void
cut(struct entry *entry)
{
	struct post *post = entry->work;

	curl_loop_remove(entry->consumer->outlets->curl, post->easy);
	post_free(post);
}

const struct consumer_kind consumer_forward = {
	.name = "url",
	.begin = begin,
	.cut = cut,
};
