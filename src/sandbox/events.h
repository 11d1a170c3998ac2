#ifndef PMRELAY_SANDBOX_EVENTS_H
#define PMRELAY_SANDBOX_EVENTS_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

/*
 * What Postmark posts to webhooks: facts to JSON, each kind with its keys and no others.  Pure.
 * Each function gives a new reference; what it is handed is lent.
 */

/* The message that an event is about. */
struct event_about {
	int64_t server;      /* ID */
	const char *message; /* MessageID */
	const char *stream;
	const char *tag;
	const json_t *metadata; /* an object; NULL: none */
};

/* Times are texts: "2026-09-05T22:01:03.4410021Z". */
json_t *event_delivery(
    const struct event_about *, const char *recipient, const char *details, const char *at);
/* Bounces and complaints: shown is the bounce as the API shows it.  content NULL: left out. */
json_t *event_bounce(const json_t *shown, const char *at, const char *content);
/* Opens and clicks: shown is what the API shows. */
json_t *event_track(const json_t *shown, const json_t *metadata, const char *at);

struct event_change {
	const char *recipient;
	const char *origin; /* "Recipient", "Customer", "Admin" */
	const char *reason; /* NULL: it may be mailed to again */
	const char *at;
};
/* Only a recipient's change tells of the message; ->message and ->tag may be NULL else. */
json_t *event_subscription(const struct event_about *, const struct event_change *);

/* shown is the mail as the API shows it.  raw: its source as UTF-8, NULL: left out. */
json_t *event_inbound(const json_t *shown, const char *raw);

/* What the verification of a webhook posts: no more than any event has. */
json_t *event_probe(const char *kind, const char *stream, int64_t server);

/* The older spelling of ServerID. */
void event_spell_server_id(json_t *event);

#endif
