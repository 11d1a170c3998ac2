#ifndef PMRELAY_SANDBOX_WEBHOOKS_H
#define PMRELAY_SANDBOX_WEBHOOKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

struct server;
struct state;

/* The webhooks of one server, and what they may be. */
#define WEBHOOKS_MOST     10 /* of a stream */
#define WEBHOOKS_TRIGGERS 6

enum webhook_trigger {
	WEBHOOK_OPEN,
	WEBHOOK_CLICK,
	WEBHOOK_DELIVERY,
	WEBHOOK_BOUNCE,
	WEBHOOK_SPAM_COMPLAINT,
	WEBHOOK_SUBSCRIPTION_CHANGE,
};

struct webhook {
	int64_t id; /* 0: not kept yet */
	/* As the API shows it: ID, Url, MessageStream, HttpAuth, HttpHeaders, Triggers, Status. */
	json_t *shown;
	/* Posts by trigger, and how many of them were answered as they should be. */
	uint64_t posts[WEBHOOKS_TRIGGERS];
	uint64_t successes[WEBHOOKS_TRIGGERS];
	uint64_t failures; /* events that were dropped, since one was not */
};

struct webhooks;

struct webhooks *webhooks_new(void);
void webhooks_free(struct webhooks **);
size_t webhooks_count(const struct webhooks *);
struct webhook *webhooks_at(const struct webhooks *, size_t index); /* by ID */
struct webhook *webhooks_find(const struct webhooks *, int64_t id); /* NULL: there is none */
size_t webhooks_of_stream(const struct webhooks *, const char *stream);
/* Takes shown, of a webhook that is new; number is its ID. */
struct webhook *webhooks_add(struct webhooks *, int64_t id, json_t *shown);
void webhooks_remove(struct webhooks *, struct webhook *);

const char *webhook_trigger_name(enum webhook_trigger);
bool webhook_enabled(const json_t *shown, enum webhook_trigger);
/* What the trigger has besides Enabled: PostFirstOpenOnly, IncludeContent. */
bool webhook_flag(const json_t *shown, enum webhook_trigger);
bool webhook_verified(const json_t *shown); /* else it gets nothing */

/*
 * What becomes of a webhook (old NULL: a new one) by a body whose fields have the right types:
 * *shown_r, for the caller to release.  0, or the code of what is wrong and *why_r, lent for ever.
 */
int webhook_change(const struct server *, const json_t *old, const json_t *body, json_t **shown_r,
    const char **why_r) __attribute__((warn_unused_result));

#endif
