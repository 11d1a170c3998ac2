#ifndef PMRELAY_OUTLET_INSIDE_H
#define PMRELAY_OUTLET_INSIDE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "store/reader.h"

struct config;
struct consumer;
struct curl_loop;
struct loop;
struct loop_call;
struct loop_timer;
struct mail;
struct outlet;

#define NOTICE_NAME "notice"

struct outlets {
	struct loop *loop;
	pthread_t thread;
	struct config *config;
	struct store_reader *reader;
	struct curl_loop *curl;
	struct consumer *consumers;
	atomic_bool woken;
	struct loop_timer *wake;
	uint64_t last_ticket;
	void (*passed)(void *ctx, const char *name, int64_t after_key);
	void (*commit)(void *ctx, struct mail *mail, uint64_t ticket);
	void *ctx;
};

/* An event that a consumer has begun with.  They stand in the order of the events. */
struct entry {
	struct entry *next;
	struct consumer *consumer;
	struct event_facts facts; /* its event is the entry's */
	bool running;             /* begin() was called, and none of the ends yet */
	bool done;
	unsigned tries;           /* that failed */
	int64_t first_ms;         /* mono, of the first try */
	struct loop_timer *timer; /* to begin again */
	void *work;               /* of the kind, while running */
};

/* What a kind of consumer does.  All are called on the thread of the outlets. */
struct consumer_kind {
	const char *name;
	bool patient; /* never gives an event up */
	/* NULL: nothing to do, in these all but begin. */
	void (*open)(struct consumer *);
	void (*close)(struct consumer *);
	/* The cursor is the spool's; may be set further, for what was passed on all the same and is
	 * durable. */
	void (*start)(struct consumer *);
	/* One attempt: ends with one of the entry_… below, at once or later. */
	void (*begin)(struct entry *);
	/* An attempt under way is to end without telling. */
	void (*cut)(struct entry *);
	/* All that was done is to be durable now.  0, or -1: it is to be done again. */
	int (*settle)(struct consumer *);
	void (*reopen)(struct consumer *);
};
extern const struct consumer_kind consumer_file, consumer_command, consumer_forward,
    consumer_notice;

struct consumer {
	struct consumer *next;
	struct outlets *outlets;
	const struct consumer_kind *kind;
	const struct outlet *outlet; /* of outlets->config; NULL: it makes notices */
	char *name;
	void *own; /* of the kind */
	bool started;
	int64_t resume_key; /* of consumer_new() */
	unsigned kinds;     /* for the reader */
	unsigned parallel;  /* entries at once */
	int64_t read_key;   /* all events up to it are entries, in the page, or need nothing */
	int64_t saved_key;
	bool saving;              /* the timer is set */
	struct event_facts *page; /* read, and no entries yet; from page_at on */
	size_t page_count, page_at;
	struct entry *first, **last;
	unsigned count;
	struct loop_call *pump;
	struct loop_timer *again, *save;
};

/* outlet NULL: makes notices.  after_key: its cursor, as the one before it has told, which the
 * spool need not know yet; -1: the spool's. */
struct consumer *consumer_new(struct outlets *, const struct outlet *, int64_t after_key);
/* Cuts what is under way, and tells how far it has come: the cursor, or -1 when it has none. */
int64_t consumer_free(struct consumer **);
void consumer_pump(struct consumer *); /* soon: there may be something to do */
void consumer_set_outlet(struct consumer *, const struct outlet *); /* the same, of new settings */

/* The ends of an attempt. */
void entry_done(struct entry *);
void entry_drop(struct entry *, const char *why);
/* after_ms: not before, or 0. */
void entry_again(struct entry *, int64_t after_ms, const char *why);
/* No attempt at all: not before. */
void entry_wait(struct entry *, int64_t after_ms);

void notice_committed(struct consumer *, uint64_t ticket, bool durable);
void forward_finished(void *easy, int code); /* CURL *, CURLcode */

#endif
