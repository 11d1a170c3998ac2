#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>

#include <event2/event.h>

#include "base/loop.h"
#include "base/mem.h"

#include "base/curl_loop.h"

struct curl_loop {
	struct loop *loop;
	CURLM *multi;
	struct loop_timer *timer;
	curl_loop_finished_fn *finished;
	void *ctx;
	bool *freed_r; /* set while finished() runs: tells that the struct is gone */
};

/* One socket of libcurl's. */
struct watch {
	struct event *event;
	short kinds;
};

static void
multi_reap(struct curl_loop *curl)
{
	bool freed = false;
	CURLMsg *message;
	int left;

	/* Nested only through a caller's mistake; the outer call goes on with the rest. */
	if (curl->freed_r != NULL)
		return;
	curl->freed_r = &freed;
	while ((message = curl_multi_info_read(curl->multi, &left)) != NULL) {
		CURL *easy = message->easy_handle;
		CURLcode code = message->data.result;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_multi_remove_handle(curl->multi, easy); /* message is gone */
		curl->finished(curl->ctx, easy, code);
		if (freed)
			return;
	}
	curl->freed_r = NULL;
}

static void
multi_act(struct curl_loop *curl, curl_socket_t fd, int kinds)
{
	int running;

	curl_multi_socket_action(curl->multi, fd, kinds, &running);
	multi_reap(curl);
}

static void
watch_fired(evutil_socket_t fd, short kinds, void *ctx)
{
	struct curl_loop *curl = ctx;
	int action = 0;

	if ((kinds & EV_READ) != 0)
		action |= CURL_CSELECT_IN;
	if ((kinds & EV_WRITE) != 0)
		action |= CURL_CSELECT_OUT;
	multi_act(curl, fd, action);
}

static void
timer_fired(void *ctx)
{
	struct curl_loop *curl = ctx;

	multi_act(curl, CURL_SOCKET_TIMEOUT, 0);
}

static void
watch_free(struct watch *watch)
{
	if (watch == NULL)
		return;
	event_free(watch->event);
	free(watch);
}

/* CURLMOPT_SOCKETFUNCTION */
static int
socket_changed(CURL *easy, curl_socket_t fd, int what, void *ctx, void *of_socket)
{
	struct curl_loop *curl = ctx;
	struct watch *watch = of_socket;
	short kinds = EV_PERSIST;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		watch_free(watch);
		curl_multi_assign(curl->multi, fd, NULL);
		return 0;
	}
	if (what == CURL_POLL_IN || what == CURL_POLL_INOUT)
		kinds |= EV_READ;
	if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT)
		kinds |= EV_WRITE;
	if (watch != NULL && watch->kinds == kinds)
		return 0;
	if (watch == NULL) {
		watch = mem_new(sizeof(*watch));
		curl_multi_assign(curl->multi, fd, watch);
	} else {
		event_free(watch->event);
	}
	watch->kinds = kinds;
	watch->event = event_new(loop_base(curl->loop), fd, kinds, watch_fired, curl);
	if (watch->event == NULL || event_add(watch->event, NULL) != 0)
		abort(); /* libevent is out of memory, see base/mem.h */
	return 0;
}

/* CURLMOPT_TIMERFUNCTION.  Even 0 goes through the loop: libcurl must not be entered from here. */
static int
timer_changed(CURLM *multi, long after_ms, void *ctx)
{
	struct curl_loop *curl = ctx;

	(void)multi;
	if (after_ms < 0)
		loop_timer_clear(curl->timer);
	else
		loop_timer_set(curl->timer, after_ms);
	return 0;
}

/*
 * SIGPIPE: with CURLOPT_NOSIGNAL libcurl leaves it alone, and OpenSSL writes to its socket by
 * write(2).
 */
bool
curl_start(void)
{
	static bool started;

	if (!started) {
		if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
			return false;
		signal(SIGPIPE, SIG_IGN);
		started = true;
	}
	return true;
}

struct curl_loop *
curl_loop_new(struct loop *loop, curl_loop_finished_fn *finished, void *ctx)
{
	struct curl_loop *curl;

	if (!curl_start())
		return NULL;
	curl = mem_new(sizeof(*curl));
	curl->loop = loop;
	curl->finished = finished;
	curl->ctx = ctx;
	curl->multi = curl_multi_init();
	if (curl->multi == NULL) {
		free(curl);
		return NULL;
	}
	curl->timer = loop_timer_new(loop, timer_fired, curl);
	curl_multi_setopt(curl->multi, CURLMOPT_SOCKETFUNCTION, socket_changed);
	curl_multi_setopt(curl->multi, CURLMOPT_SOCKETDATA, curl);
	curl_multi_setopt(curl->multi, CURLMOPT_TIMERFUNCTION, timer_changed);
	curl_multi_setopt(curl->multi, CURLMOPT_TIMERDATA, curl);
	return curl;
}

void
curl_loop_free(struct curl_loop **curl_p)
{
	struct curl_loop *curl = *curl_p;

	if (curl == NULL)
		return;
	*curl_p = NULL;
	if (curl->freed_r != NULL)
		*curl->freed_r = true;
	curl_multi_cleanup(curl->multi); /* closes connections: socket_changed() still runs */
	loop_timer_free(&curl->timer);
	free(curl);
}

CURLM *
curl_loop_multi(struct curl_loop *curl)
{
	return curl->multi;
}

CURLMcode
curl_loop_add(struct curl_loop *curl, CURL *easy)
{
	return curl_multi_add_handle(curl->multi, easy);
}

void
curl_loop_remove(struct curl_loop *curl, CURL *easy)
{
	curl_multi_remove_handle(curl->multi, easy);
}
