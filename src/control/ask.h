#ifndef PMRELAY_CONTROL_ASK_H
#define PMRELAY_CONTROL_ASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "base/strlist.h"
#include "store/store.h"

struct hook;
struct mail;
struct suppression;

/*
 * What the control plane asks of the rest of the core.  It runs on a thread and a loop of its own,
 * so that no request, however large, holds up mail; everything that belongs to the core's loop is
 * asked for with one of these.  Whoever wires the two (programs/) carries an ask over, fills its
 * answer and carries it back.
 */
enum ask_kind {
	ASK_COMMIT, /* mails to be made durable */
	ASK_CHANGE, /* items */
	ASK_COUNTS, /* store and dispatcher, and how each route is */
	ASK_ROUTE,  /* hold it or let it go */
	ASK_WAKE, /* flush: whatever waits is due now, and breakers and pauses of ours are tried */
	ASK_EXPLAIN,   /* a front converts a mail and tells what became of it */
	ASK_RELOAD,    /* read the configuration again, as SIGHUP does */
	ASK_LOG_LEVEL, /* of all processes, until the next reload */
	ASK_HOOKS,     /* the instanced webhooks */
	ASK_HOOK_SET,  /* keep one: durable, and told to the fronts, when the answer comes */
	ASK_HOOKS_DROP,
	ASK_SUPPRESSIONS,       /* the list of one stream, as Postmark has it */
	ASK_SUPPRESSION_CHANGE, /* addresses that somebody suppressed or lifted just now */
	ASK_SUPPRESSION_FIND,   /* what is known of an address */
};

struct ask_route { /* see struct dispatch_route_state */
	char *name, *message_stream, *mode, *why;
	int64_t since_ms, next_probe_ms, last_success_ms;
	unsigned in_flight, window, batch_items;
	uint64_t sent, refused, waiting, unsure, requests;
};

struct ask {
	enum ask_kind kind;
	/* For the control plane: runs on its loop when the answer is in; frees the ask. */
	void (*done)(struct ask *);
	void *ctx;
	bool given_up; /* nobody waits any more: done() only frees; the control thread's own */

	/* The answer: 0, or an HTTP status with a sentence for people. */
	int status;
	char *why;

	union {
		struct {
			struct mail **mails; /* taken, NULL afterwards */
			enum store_result *results;
			size_t count, left; /* left: not answered yet; the carrier's own */
		} commit;
		struct {
			enum store_action action;
			struct strlist ids;
			unsigned states;
			char *route; /* NULL: any */
			char *by;
			struct store_changed changed; /* answer */
		} change;
		struct {
			struct store_counts store; /* answers */
			struct ask_route *routes;
			size_t route_count;
			unsigned fronts;
			int64_t started_ms;
			uint64_t accepted, refused; /* mails since start, as the core knows them */
			bool spool_durable;
		} counts;
		struct {
			char *route;
			bool hold;
			char *by;
		} route;
		struct {
			struct strlist recipients;
			char *reverse_path, *listener, *client, *user; /* "": not said */
			char *content;                                 /* owned */
			size_t content_len;
			char *json; /* answer: an object */
			size_t json_len;
		} explain;
		struct {
			char *text; /* answer: what was applied or what waits for a restart */
		} reload;
		struct {
			enum log_level level;
		} log_level;
		struct {
			struct hook *list; /* answer of HOOKS; the one of HOOK_SET */
			size_t count;
			struct strlist paths; /* HOOKS_DROP */
		} hooks;
		struct {
			char *connection, *stream;
			char *address;           /* FIND */
			int64_t since_ms;        /* wall clock: when SUPPRESSIONS was asked for */
			struct suppression *add; /* SUPPRESSIONS: all.  FIND: answer */
			size_t add_count;
			struct strlist lift;    /* CHANGE */
			uint64_t added, lifted; /* answers */
		} suppressions;
	};
};

struct ask *ask_new(enum ask_kind, void (*done)(struct ask *), void *ctx);
void ask_free(struct ask **);
/* The answer of one that failed: status and a sentence. */
void ask_fail(struct ask *, int status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
