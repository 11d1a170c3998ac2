#ifndef PMRELAY_CONTROL_INSIDE_H
#define PMRELAY_CONTROL_INSIDE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/log.h"

#include "control/ask.h"

struct buf;
struct config;
struct connection;
struct feed;
struct httpd;
struct httpd_request;
struct loop;
struct loop_timer;
struct operation;
struct postmark_answer;
struct postmark_client;
struct request;
struct store_reader;

/*
 * What the files of this folder share: the control plane, and one request to it.  All of it
 * belongs to the control thread.
 */
struct raw;
struct raw_queue {     /* raw.c */
	unsigned open; /* calls under way, and turns that were given */
	struct raw *first, *last;
};

/* What a request keeps busy: each kind has a bound of its own, so that none shuts out another. */
enum request_load {
	LOAD_NONE, /* it is not known yet what it wants */
	LOAD_SEND,
	LOAD_RAW,
	LOAD_REMOTE, /* Postmark */
	LOAD_FOLLOW, /* goes on for as long as somebody looks, or the queue takes */
	LOAD_LOOK,   /* is answered at once */
	LOAD_COUNT,
};

struct control {
	struct loop *loop;
	struct config *config;
	struct httpd *httpd;
	struct store_reader *reader; /* NULL: could not be opened yet */
	struct postmark_client *client;
	struct postmark_client *health_client; /* its own: hanging calls leave it alone */
	struct feed *feed;
	struct request *requests;         /* under way */
	size_t loads[LOAD_COUNT];         /* how many of each kind */
	struct request *changes_webhooks; /* of this instance; NULL: none does */
	struct raw_queue raws;
	struct health_memory {
		json_t *answer; /* the last one; NULL: none yet */
		int status;
		int64_t at_ms;  /* monotonic */
		unsigned asked; /* checks under way */
	} health;
	struct waits *waits;
	struct chores *chores;
	struct ticket *tickets; /* of asks and calls that are out */
	void (*ask)(void *ctx, struct ask *);
	void *ask_ctx;
	int64_t started_ms;
	pthread_t thread;
	int unix_fd, tcp_fd;
	struct log_gate reader_gate;
	char why[256];
};

/* The answer in it is good enough for whoever may only look. */
bool health_is_known(const struct health_memory *, int64_t now_ms);

/*
 * Held by what is out for a request (an ask, a call to Postmark), which may come back after the
 * request has ended: then request is NULL.
 */
struct ticket {
	struct ticket *next, *prev;
	struct control *control;
	struct request *request;
	void (*asked)(struct request *, struct ask *); /* of an ask */
	void *more;                                    /* of who made it, freed with it */
	void (*more_free)(void *);
};
struct ticket *ticket_new(struct request *);
void ticket_free(struct ticket **);
/* The calls to Postmark were cut: requests that wait for one fail. */
void tickets_cut(struct control *);

/* --- a request (request.c) ---------------------------------------------------------------- */

struct request {
	struct control *control;
	struct httpd_request *http; /* NULL: the client has gone; the work may go on to its end */
	const struct operation *operation;
	enum request_load load; /* set by request_count_as() */
	json_t *values;         /* checked arguments, by name */
	bool admin;
	char who[96];     /* "root", "uid 1000", "CN relay-admin": for logs and histories */
	bool lines;       /* the client wants progress: JSON lines */
	bool begun;       /* some of them are out */
	int64_t began_ms; /* monotonic */

	/* What an operation keeps while it waits; freed with the request. */
	void *work;
	void (*work_free)(void *);
	/* Of a chore: it has ended with that status and answer (lent), before it is freed; status
	 * 0: it was cut. */
	void (*ended)(struct control *, const struct operation *, int status, const json_t *answer);
	/* The client has gone: streams end themselves here.  NULL: the work goes on. */
	void (*gone)(struct request *);
	/*
	 * The request fails: what was done by then, as members for the error's "postmark", and in
	 * todo what to mind when the rest is repeated.  NULL: nothing was done yet, or the
	 * operation is one that does all or nothing.
	 */
	json_t *(*half_way)(const struct request *, struct buf *todo);

	struct request *next, *prev;
};

struct request *request_new(struct control *, struct httpd_request *); /* NULL: a chore */
void request_count_as(struct request *, enum request_load);
/* Each of these ends the request and frees it. */
void request_answer(struct request *, json_t *answer); /* takes; 200 */
void request_answer_status(struct request *, int status, json_t *answer);
void request_answer_bytes(struct request *, const char *type, const void *bytes, size_t len);
/* code: a word for programs; todo: what to do next, or NULL. */
void request_fail(struct request *, int status, const char *code, const char *todo,
    const char *format, ...) __attribute__((format(printf, 5, 6)));
/* postmark: the envelope {"ErrorCode","Message"} or NULL; taken. */
void request_fail_postmark(struct request *, int status, const char *code, const char *todo,
    json_t *postmark, const char *message);
void request_begin_lines(struct request *); /* of a stream, before there is one to tell */
void request_end_lines(struct request *);
void request_drop(struct request *); /* without an answer: at the end of the thread */

/* A line of an answer that streams, or of progress; takes.  Nothing when the client has gone. */
void request_line(struct request *, json_t *line);
/* Only when the client asked for it. */
void request_progress(struct request *, uint64_t done, uint64_t of, const char *text);
bool request_is_slow(const struct request *); /* the client does not read what it asked for */

/* Arguments; lent. */
const char *value_string(const struct request *, const char *name); /* NULL: not given */
json_t *value_json(const struct request *, const char *name);       /* NULL: not given */
int64_t value_integer(const struct request *, const char *name, int64_t otherwise);
bool value_true(const struct request *, const char *name);
bool value_given(const struct request *, const char *name);
/* The connection that the request names; NULL after request_fail(). */
const struct connection *request_connection(struct request *);

/* --- what runs the operations ------------------------------------------------------------- */

typedef void run_fn(struct request *);
run_fn remote_run, remote_pages_run, raw_run, send_run, send_batch_run, webhook_create_run,
    webhook_list_run, webhook_delete_run, webhook_ensure_run, suppression_change_run,
    suppression_check_run, suppression_sync_run, queue_list_run, queue_show_run, queue_change_run,
    queue_flush_run, queue_drain_run, queue_count_run, route_list_run, route_change_run, status_run,
    events_run, explain_run, top_run, healthcheck_run, config_run, reload_run, log_level_run,
    version_run, openapi_run;

/* --- asking the core ---------------------------------------------------------------------- */

/*
 * An ask to be filled and sent off.  done(request, ask) runs when it has come back fine, unless
 * the request has ended; when it has failed the request is failed with its words.
 */
typedef void request_asked_fn(struct request *, struct ask *);
struct ask *request_ask_new(struct request *, enum ask_kind, request_asked_fn *done);
void request_ask(struct request *, struct ask *);

/* --- small helpers that several operations need --------------------------------------------- */

json_t *json_time(int64_t wall_ms); /* "2026-…Z"; null for 0 and INT64_MAX */
/* Foreign bytes: what is no UTF-8 is replaced; null for NULL. */
json_t *json_text(const char *text);
struct item_facts;
json_t *json_item(const struct item_facts *, bool whole);
json_t *json_history(struct control *, int64_t key);
struct event_facts;
json_t *json_happened(const struct event_facts *); /* what a webhook told */
/* What happened to an item after it was sent: "events", and "fates", one for each recipient of
 * whom something is known. */
void json_add_events(struct control *, const struct item_facts *, json_t *json);
struct feed_event;
json_t *json_event(const struct feed_event *);
struct ask_route;
json_t *json_route(const struct ask_route *);
struct store_counts;
json_t *json_counts(const struct store_counts *); /* items by the name of their state */
/* Opens it when it is not yet.  NULL: it cannot be opened, and the log knows why. */
struct store_reader *control_reader(struct control *);
/* The same.  NULL after request_fail(). */
struct store_reader *request_reader(struct request *);
/* Who and why, for histories and the log: "root: wrong price list".  Cut to what people read;
 * caller frees. */
char *request_by(const struct request *);

/* --- calls to Postmark (remote.c) --------------------------------------------------------- */

struct remote_call {
	const char *method;
	const char *path;         /* with its query */
	bool account;             /* which token */
	bool health;              /* by the client for that */
	const json_t *body;       /* NULL: none.  Lent for the call to remote_submit() */
	int64_t timeout_ms;       /* 0: the usual */
	size_t most_answer_bytes; /* 0: the usual */
};
/* done gets the answer's JSON (NULL: not JSON), lent.  Runs unless the request ends before. */
typedef void remote_done_fn(
    struct request *, const struct postmark_answer *, json_t *json, void *ctx);
/* -1 after request_fail(): the connection lacks that token. */
int remote_submit(struct request *, const struct connection *, const struct remote_call *,
    remote_done_fn *, void *ctx);
/* No answer, or one that is too long: request_fail() after so many tries. */
void remote_fail_unanswered(struct request *, const struct postmark_answer *, unsigned tries);
void remote_fail_too_long(struct request *, const struct postmark_answer *, size_t most);
/* 200 and JSON; otherwise request_fail…() with what is best said about it, and false. */
bool remote_is_good(struct request *, const struct postmark_answer *, json_t *json);
/* Path and body as the row says: "{id}" and its like filled, the rest as query or JSON. */
/* Percent-encoded for a path or a query. */
void remote_encode(struct buf *, const char *text, bool keep_slash);
char *remote_path(struct request *);                /* caller frees; NULL after request_fail() */
json_t *remote_body(struct request *);              /* by .remote of the arguments, dots nest */
void remote_mask(struct request *, json_t *answer); /* what this one may not see */
/* Without password, and without the secret part of one of ours.  Caller frees. */
char *remote_masked_url(const char *url, const char *public_url);
struct secret;
/* NULL after request_fail(). */
const struct secret *remote_token(struct request *, const struct connection *, bool account);

/* --- webhooks of this instance (ensure.c) and suppressions (suppressions.c) ----------------- */

/* One for each stream in use that has none.  wanted: its triggers; NULL: the configuration's. */
void ensure_create(struct request *, const json_t *wanted);
/*
 * The webhooks of this instance and their secrets are this request's until it ends: two that change
 * them at once would each take what the other has just made for one too many.  false after
 * request_fail(): another one has them.
 */
bool webhooks_take(struct request *);
#define WEBHOOKS_TAKEN "busy" /* its code */
/* Postmark does not know the webhook: somebody else deleted it, or an answer was lost. */
bool webhook_is_gone(const struct postmark_answer *, const json_t *json);
struct strlist;
/* The streams that mails go to over a connection, each once. */
void streams_in_use(const struct config *, const struct connection *, struct strlist *streams_r);

/* --- what the control plane does unasked (chores.c) ----------------------------------------- */

struct chores *chores_new(struct control *);
void chores_free(struct chores **);
void chores_reload(struct chores *);
/* When a stream's suppressions were last read; 0: not since the start. */
void chores_synced(struct chores *, const char *connection, const char *stream, int64_t at_ms);
int64_t chores_synced_at(const struct chores *, const char *connection, const char *stream);

/* --- waiting for items (waits.c) ---------------------------------------------------------- */

struct waits *waits_new(struct control *);
void waits_free(struct waits **);
struct wait;
/* event is lent; NULL: some were overwritten before they could be told, look for yourself. */
typedef void wait_event_fn(struct request *, const struct feed_event *);
/*
 * Events with a number above after: all of them, or of the items that wait_add() names and those
 * that are vague; at most one wait for a request.  Ended by wait_free() or with the request.
 */
struct wait *wait_new(struct waits *, struct request *, uint64_t after, bool all, wait_event_fn *);
void wait_add(struct wait *, const char *item_id);
void wait_look(struct wait *); /* tells at once what is there already; may end the request */
void wait_free(struct wait **);
void waits_forget(struct waits *, const struct request *);
/* An operator's change of some items, without the id of each: which, the spool knows. */
bool event_is_vague(const struct feed_event *);

#endif
