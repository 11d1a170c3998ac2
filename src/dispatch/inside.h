#ifndef PMRELAY_DISPATCH_INSIDE_H
#define PMRELAY_DISPATCH_INSIDE_H

#include "base/log.h"
#include "postmark/batch.h"

#include "dispatch/dispatch.h"
#include "dispatch/mix.h"
#include "dispatch/pending.h"
#include "dispatch/route.h"

/* What dispatch.c and keep.c share, and nobody else. */

#define STORE_AGAIN_MS INT64_C(1000)

typedef void hold_done_fn(void *ctx, int store_result);

/* An operator's word before it is known what the store keeps of the route. */
struct early_hold {
	struct early_hold *next;
	bool hold;
	char *by;
	hold_done_fn *done;
	void *ctx;
};

struct request {
	struct request *next, *prev;
	struct route *route;
	struct store_item *items;
	size_t count;
	struct batch batch;
	struct postmark_job *job; /* NULL: waits to leave, or goes by SMTP */
	struct smtp_job *smtp_job;
	struct deliver_job *deliver_job;
	bool probe;      /* of the breaker or of a paused route */
	bool smtp_probe; /* of the breaker of what goes by SMTP */
	bool of_item;    /* what kept it is no matter of the route's */
	int64_t started_ms;
};

struct route {
	struct dispatch *dispatch;
	char *name;
	char *message_stream;
	const struct secret *token;
	struct dispatch_local local;
	struct route_state state;
	struct settle *settle;

	struct request *out;   /* in flight */
	struct request *ready; /* are to leave before anything is claimed: halves, and kinds */
	struct mix mix;        /* claimed, but not yet enough of their kind */
	unsigned in_flight;
	uint64_t memory_bytes; /* of all that is claimed: payloads that are not in files */
	bool claiming;
	bool maybe_due;        /* a claim may bring something */
	bool backlog;          /* the last claim left items behind */
	size_t claimed;        /* by it */
	size_t loners;         /* of those, what goes alone */
	bool asks_next;        /* the store is to be asked what becomes due later */
	int64_t claimed_at_ms; /* monotonic: the last claim for sending */
	int64_t fill_until_ms; /* monotonic; 0: nobody waits for company */

	struct dispatch_counts counts;
	struct loop_timer *save_timer; /* what the store did not take */
	struct early_hold *early;      /* oldest first */

	struct loop_timer *gate_timer; /* something that holds us back is over */
	struct loop_timer *due_timer;
	int64_t due_at_ms; /* wall; INT64_MAX: off */
};

struct dispatch {
	struct loop *loop;
	struct store *store;
	struct postmark_client *client;
	struct dispatch_options options;
	struct route *routes;
	size_t route_count;
	uint64_t random;
	struct pending_list pending; /* calls to the store */
	void (*report)(void *ctx, const struct dispatch_event *);
	void *report_ctx;
	struct loop_timer *read_timer; /* the routes could not be read */
	struct log_gate store_gate;
	bool known; /* what the store keeps of the routes */
	bool draining;
	void (*drained)(void *ctx);
	void *drained_ctx;
	struct loop_call *drain_call;
};

/* dispatch.c */
void route_pump(struct route *);             /* whatever has changed what can leave */
void due_at(struct route *, int64_t due_ms); /* wall clock */
struct pending *route_note(struct route *);  /* of a call to the store */
void drain_check(struct dispatch *);

/* The request is back: it, its verdicts and its items end here. */
void request_judged(
    struct request *, struct item_verdict *verdicts, const struct postmark_answer *);

/* local.c: mails that came in. */
bool route_is_local(const struct route *);
void request_submit_local(struct request *);

/* keep.c: what the store keeps of the routes. */
void keep_read(void *dispatch); /* until the store has answered */
void keep_save(struct route *);
void keep_save_again(void *route);
void keep_forget(struct route *);     /* the pauses that no longer matter */
void keep_tell(const struct route *); /* it stands, or goes again */
void keep_hold(struct route *, bool hold, const char *by, hold_done_fn *done, void *ctx);
void keep_deinit(struct route *);

#endif
