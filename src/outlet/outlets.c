/* The thread of the outlets: its beginning, what is said to it, its end. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/curl_loop.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/text.h"
#include "config/config.h"
#include "config/options.h"

#include "outlet/inside.h"
#include "outlet/outlets.h"

#define NICE    10
#define WAKE_MS 20 /* events that come one after the other are read together */

/* --- which there are ---------------------------------------------------------------------- */

static bool
has_notices(const struct config *config)
{
	bool found = config->notice_bounces != NOTICE_OFF || config->notice_failures != NOTICE_OFF;

	for (size_t i = 0; i < config->route_count && !found; i++)
		found = config->routes[i].notice == NOTICE_SENDER ||
			config->routes[i].notice == NOTICE_POSTMASTER;
	return found;
}

static void
add_missing(struct outlets *outlets, const struct outlet *outlet, int64_t after_key)
{
	struct consumer **last = &outlets->consumers;
	const char *name = outlet == NULL ? NOTICE_NAME : outlet->name;

	for (; *last != NULL; last = &(*last)->next)
		if (text_same((*last)->name, name))
			return;
	*last = consumer_new(outlets, outlet, after_key);
}

static void
make_consumers(struct outlets *outlets)
{
	const struct config *config = outlets->config;

	for (size_t i = 0; i < config->outlet_count; i++)
		add_missing(outlets, &config->outlets[i], -1);
	if (has_notices(config))
		add_missing(outlets, NULL, -1);
}

/* The outlet of that name in other settings; NULL: there is none. */
static const struct outlet *
outlet_in(const struct config *config, const char *name)
{
	struct option_place place;

	return option_place_find(config, "outlet", name, &place) ? place.base : NULL;
}

static bool
is_unchanged(const struct outlet *before, const struct outlet *after)
{
	for (const struct option_row *o = option_section_find("outlet")->rows; o->section != NULL;
	     o++)
		if (!option_same(o, before, after))
			return false;
	return true;
}

/* --- what comes from other threads --------------------------------------------------------- */

struct message {
	struct outlets *outlets;
	struct config *config;
	uint64_t ticket;
	bool durable;
};

/* The consumer in new settings: as it is, begun again, or gone.  Returns what stands in its place.
 */
static struct consumer *
settle_consumer(struct outlets *outlets, struct consumer *consumer, const struct config *config)
{
	bool notices = consumer->outlet == NULL;
	const struct outlet *outlet = notices ? NULL : outlet_in(config, consumer->name);
	char *name;

	if (notices ? has_notices(config)
		    : outlet != NULL && is_unchanged(consumer->outlet, outlet)) {
		consumer_set_outlet(consumer, outlet);
		return consumer;
	}
	if (outlet != NULL)
		return consumer_new(outlets, outlet, consumer_free(&consumer));
	name = mem_string(consumer->name);
	consumer_free(&consumer);
	log_info("outlet-gone", log_str("outlet", name));
	outlets->passed(outlets->ctx, name, -1);
	free(name);
	return NULL;
}

static void
take_settings(void *ctx)
{
	struct message *message = ctx;
	struct outlets *outlets = message->outlets;
	struct config *old = outlets->config;
	struct consumer **at = &outlets->consumers, *next;

	outlets->config = message->config;
	while (*at != NULL) {
		next = (*at)->next;
		*at = settle_consumer(outlets, *at, message->config);
		if (*at != NULL) {
			(*at)->next = next;
			at = &(*at)->next;
		} else {
			*at = next;
		}
	}
	config_free(&old);
	make_consumers(outlets);
	free(message);
}

void
outlets_reload(struct outlets *outlets, const struct config *config)
{
	struct message *message = mem_new(sizeof(*message));

	message->outlets = outlets;
	message->config = config_copy(config);
	loop_post(outlets->loop, take_settings, message);
}

static void
take_wake(void *ctx)
{
	struct outlets *outlets = ctx;

	loop_timer_set(outlets->wake, WAKE_MS);
}

static void
wake_all(void *ctx)
{
	struct outlets *outlets = ctx;

	atomic_store(&outlets->woken, false);
	for (struct consumer *consumer = outlets->consumers; consumer != NULL;
	     consumer = consumer->next)
		consumer_pump(consumer);
}

void
outlets_wake(struct outlets *outlets)
{
	if (!atomic_exchange(&outlets->woken, true))
		loop_post(outlets->loop, take_wake, outlets);
}

static void
take_commit(void *ctx)
{
	struct message *message = ctx;

	for (struct consumer *consumer = message->outlets->consumers; consumer != NULL;
	     consumer = consumer->next)
		if (consumer->outlet == NULL)
			notice_committed(consumer, message->ticket, message->durable);
	free(message);
}

void
outlets_committed(struct outlets *outlets, uint64_t ticket, bool durable)
{
	struct message *message = mem_new(sizeof(*message));

	message->outlets = outlets;
	message->ticket = ticket;
	message->durable = durable;
	loop_post(outlets->loop, take_commit, message);
}

static void
take_reopen(void *ctx)
{
	struct outlets *outlets = ctx;

	for (struct consumer *consumer = outlets->consumers; consumer != NULL;
	     consumer = consumer->next)
		if (consumer->kind->reopen != NULL)
			consumer->kind->reopen(consumer);
}

void
outlets_reopen(struct outlets *outlets)
{
	loop_post(outlets->loop, take_reopen, outlets);
}

/* --- life --------------------------------------------------------------------------------- */

static void
finished(void *ctx, CURL *easy, CURLcode code)
{
	(void)ctx;
	forward_finished(easy, (int)code);
}

static void
stop_now(void *ctx)
{
	struct outlets *outlets = ctx;

	loop_stop(outlets->loop);
}

static void *
run(void *ctx)
{
	struct outlets *outlets = ctx;

	/* Where there are fewer cores than work, mail goes first.  On Linux it is the thread's. */
	(void)setpriority(PRIO_PROCESS, (id_t)gettid(), NICE);
	make_consumers(outlets);
	loop_run(outlets->loop);
	while (outlets->consumers != NULL) {
		struct consumer *consumer = outlets->consumers;

		outlets->consumers = consumer->next;
		consumer_free(&consumer);
	}
	return NULL;
}

static void
free_all(struct outlets *outlets)
{
	curl_loop_free(&outlets->curl);
	store_reader_close(&outlets->reader);
	loop_timer_free(&outlets->wake);
	loop_free(&outlets->loop);
	config_free(&outlets->config);
	free(outlets);
}

struct outlets *
outlets_start(const struct outlets_params *params, char *why, size_t why_size)
{
	struct outlets *outlets = mem_new(sizeof(*outlets));

	outlets->config = config_copy(params->config);
	outlets->passed = params->passed;
	outlets->commit = params->commit;
	outlets->ctx = params->ctx;
	outlets->loop = loop_new();
	if (outlets->loop == NULL) {
		snprintf(why, why_size, "a loop for outlets: out of descriptors?");
		goto fail;
	}
	outlets->wake = loop_timer_new(outlets->loop, wake_all, outlets);
	outlets->curl = curl_loop_new(outlets->loop, finished, outlets);
	if (outlets->curl == NULL) {
		snprintf(why, why_size, "libcurl would not start");
		goto fail;
	}
	outlets->reader = store_reader_open(params->backend, params->folder, why, why_size);
	if (outlets->reader == NULL)
		goto fail;
	if (pthread_create(&outlets->thread, NULL, run, outlets) != 0) {
		snprintf(why, why_size, "a thread for outlets cannot be had");
		goto fail;
	}
	return outlets;

fail:
	free_all(outlets);
	return NULL;
}

void
outlets_stop(struct outlets **outlets_p)
{
	struct outlets *outlets = *outlets_p;

	if (outlets == NULL)
		return;
	*outlets_p = NULL;
	loop_post(outlets->loop, stop_now, outlets);
	pthread_join(outlets->thread, NULL);
	free_all(outlets);
}
