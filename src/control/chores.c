/*
 * What the control plane does by itself: webhooks are ensured and suppressions synchronised, as
 * operations that nobody asked for.  What fails is tried again, less and less often.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "config/config.h"
#include "operations/operation.h"
#include "operations/values.h"

#include "control/inside.h"

#define FIRST_ENSURE_MS (2 * 1000) /* the fronts listen by then */
#define FIRST_SYNC_MS   (4 * 1000)
#define ENSURE_MS       (60 * 60 * 1000)
#define LEAST_AGAIN_MS  (30 * 1000)
#define WHO             "pmrelayd"

struct chore {
	struct chores *chores;
	const char *operation;
	struct loop_timer *timer;
	int64_t again_ms; /* after the next failure */
	bool runs;
};

struct synced {
	char *connection, *stream;
	int64_t at_ms; /* wall clock */
};

struct chores {
	struct control *control;
	struct chore ensure, sync;
	struct synced *synced;
	size_t synced_count;
};

static int64_t
period_of(const struct chore *chore)
{
	const struct config *config = chore->chores->control->config;

	if (chore == &chore->chores->ensure)
		return config->webhook_ensure && config->webhook_public_url[0] != '\0' ? ENSURE_MS
										       : 0;
	return config->suppression_sync ? config->suppression_refresh_ms : 0;
}

static bool
has_token(const struct config *config)
{
	const struct connection *connection;

	for (size_t i = 0; (connection = config_connection_at(config, i)) != NULL; i++)
		if (connection->server_token != NULL)
			return true;
	return false;
}

static void
on_ended(
    struct control *control, const struct operation *operation, int status, const json_t *answer)
{
	struct chores *chores = control->chores;
	const json_t *error = json_object_get(answer, "error");
	const char *code = json_string_value(json_object_get(error, "code"));
	bool waits = code != NULL && strcmp(code, WEBHOOKS_TAKEN) == 0;
	struct chore *chore;
	bool good = status == 200 && json_integer_value(json_object_get(answer, "Failed")) == 0;
	int64_t period_ms;

	if (chores == NULL || status == 0) /* the end of the thread */
		return;
	chore = strcmp(operation->name, chores->ensure.operation) == 0 ? &chores->ensure
								       : &chores->sync;
	chore->runs = false;
	period_ms = period_of(chore);
	if (status != 200 && !waits)
		log_warning("chore-failed", log_str("operation", operation->name),
		    log_str("why", json_string_value(json_object_get(error, "message"))));
	if (period_ms == 0)
		return;
	if (waits) { /* somebody does the same */
		loop_timer_set(chore->timer, LEAST_AGAIN_MS);
		return;
	}
	if (good) {
		chore->again_ms = LEAST_AGAIN_MS;
		loop_timer_set(chore->timer, period_ms);
		return;
	}
	loop_timer_set(chore->timer, chore->again_ms < period_ms ? chore->again_ms : period_ms);
	chore->again_ms = chore->again_ms * 2 < period_ms ? chore->again_ms * 2 : period_ms;
}

static void
on_timer(void *ctx)
{
	struct chore *chore = ctx;
	struct control *control = chore->chores->control;
	size_t words;
	char *names[2];
	char *text;
	struct request *r;
	json_t *none;
	struct buf why;

	if (chore->runs || period_of(chore) == 0 || !has_token(control->config))
		return;
	chore->runs = true;
	text = mem_string(chore->operation);
	names[0] = text;
	names[1] = strchr(text, ' ') + 1;
	names[1][-1] = '\0';
	r = request_new(control, NULL);
	r->operation = operation_by_words(names, 2, &words);
	free(text);
	r->admin = true;
	snprintf(r->who, sizeof(r->who), "%s", WHO);
	r->ended = on_ended;
	none = json_object();
	buf_init(&why, 1000);
	r->values = values_check(r->operation, none, clock_wall_ms(), &why);
	buf_free(&why);
	json_decref(none);
	request_count_as(r, LOAD_REMOTE);
	if (chore == &chore->chores->ensure)
		webhook_ensure_run(r);
	else
		suppression_sync_run(r);
}

static void
chore_init(struct chores *chores, struct chore *chore, const char *operation, int64_t first_ms)
{
	chore->chores = chores;
	chore->operation = operation;
	chore->again_ms = LEAST_AGAIN_MS;
	chore->timer = loop_timer_new(chores->control->loop, on_timer, chore);
	loop_timer_set(chore->timer, first_ms);
}

struct chores *
chores_new(struct control *control)
{
	struct chores *chores = mem_new(sizeof(*chores));

	chores->control = control;
	chore_init(chores, &chores->ensure, "webhook ensure", FIRST_ENSURE_MS);
	chore_init(chores, &chores->sync, "suppression sync", FIRST_SYNC_MS);
	return chores;
}

void
chores_free(struct chores **chores_p)
{
	struct chores *chores = *chores_p;

	if (chores == NULL)
		return;
	*chores_p = NULL;
	loop_timer_free(&chores->ensure.timer);
	loop_timer_free(&chores->sync.timer);
	for (size_t i = 0; i < chores->synced_count; i++) {
		free(chores->synced[i].connection);
		free(chores->synced[i].stream);
	}
	free(chores->synced);
	free(chores);
}

/* Streams, tokens and URLs may be others. */
void
chores_reload(struct chores *chores)
{
	loop_timer_set(chores->ensure.timer, FIRST_ENSURE_MS);
	loop_timer_set(chores->sync.timer, FIRST_SYNC_MS);
}

/* --- when it was synchronised ----------------------------------------------------------------- */

static struct synced *
find(const struct chores *chores, const char *connection, const char *stream)
{
	for (size_t i = 0; i < chores->synced_count; i++)
		if (strcmp(chores->synced[i].connection, connection) == 0 &&
		    strcmp(chores->synced[i].stream, stream) == 0)
			return &chores->synced[i];
	return NULL;
}

void
chores_synced(struct chores *chores, const char *connection, const char *stream, int64_t at_ms)
{
	struct synced *synced = find(chores, connection, stream);

	if (synced == NULL) {
		chores->synced =
		    mem_resize(chores->synced, chores->synced_count + 1, sizeof(*chores->synced));
		synced = &chores->synced[chores->synced_count++];
		synced->connection = mem_string(connection);
		synced->stream = mem_string(stream);
	}
	synced->at_ms = at_ms;
}

int64_t
chores_synced_at(const struct chores *chores, const char *connection, const char *stream)
{
	const struct synced *synced = find(chores, connection, stream);

	return synced != NULL ? synced->at_ms : 0;
}
