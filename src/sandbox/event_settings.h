#ifndef PMRELAY_SANDBOX_EVENT_SETTINGS_H
#define PMRELAY_SANDBOX_EVENT_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

/* How events are fired, and what is wrong with them on purpose. */
struct event_settings {
	int64_t delay_ms;      /* from what happens to its post */
	int64_t webhook_speed; /* a minute of the retry tables is so many times as short */
	int64_t timeout_ms;
	int64_t inbound_timeout_ms;
	int64_t parallel;   /* posts at once */
	int64_t shuffle_ms; /* each event waits up to so much longer */
	int64_t seed;       /* of shuffling and of duplicate_probability */
	int64_t duplicate_every;
	double duplicate_probability;
	bool duplicate_other_trace;
	int64_t wrong_password; /* so many posts from now on, as the next two */
	int64_t no_auth;
	int64_t wrong_path;
	bool old_server_id; /* ServerId */
	bool expect;        /* 100-continue */
	bool chunked;
	int64_t slow_body_ms;
	int64_t open_after_ms;  /* a delivered HTML message is opened by itself; -1: it is not */
	int64_t click_after_ms; /* ... and its first link clicked, after the opening */
	int64_t pause_after;    /* dropped events in a row after which a webhook is unverified */
};

void event_settings_init(struct event_settings *);
json_t *event_settings_json(const struct event_settings *); /* a new reference */
/* Sets those that json names.  0, or -1 with nothing changed and why_r[0..size) filled. */
int event_settings_set(struct event_settings *, const json_t *json, char *why_r, size_t size);

#endif
