#ifndef PMRELAY_BASE_WORKERS_H
#define PMRELAY_BASE_WORKERS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct loop;

/*
 * Threads for what would make the loop wait: libraries that block, file systems.  Each takes one
 * job after the other; more are started up to a limit while jobs wait, and end when there is
 * nothing to do.  All functions belong to the loop's thread.
 */
struct workers;

/* One job: the first member of the caller's own struct, which the callbacks cast it to. */
struct work {
	struct work *next;
	struct workers *workers;
	struct worker *worker; /* WORK_RUNS: who does it */
	enum {
		WORK_QUEUED,
		WORK_RUNS,
		WORK_DONE,
	} state;
	bool abandoned; /* WORK_RUNS: nobody waits for it any more */
};

struct workers_kind {
	/* What a thread keeps from job to job, zeroed at its begin; 0: nothing. */
	size_t own_bytes;
	/* In the thread, at its begin and its end.  NULL: nothing is to be done. */
	void (*open)(void *own, void *ctx);
	void (*close)(void *own);
	/* In a thread.  *cut becomes true when it is to come to an end at once. */
	void (*run)(void *own, struct work *, const atomic_bool *cut);
	/*
	 * In the loop's thread, after *cut has become true, for what waits in run() without looking
	 * at it, or in close(): then work is NULL.
	 */
	void (*cut)(void *own, struct work *);
	/* In the loop: it has run. */
	void (*done)(struct work *);
	/* It is over: after done(), or because it was cancelled.  In any thread. */
	void (*free)(struct work *);
};

struct workers_params {
	struct loop *loop;
	const struct workers_kind *kind;
	void *ctx; /* for open() */
	unsigned most;
	int64_t idle_ms; /* after which a thread without a job ends */
};

/* NULL: errno.  Threads are started when they are needed. */
struct workers *workers_new(const struct workers_params *);
/* Takes the work.  0; or -1 and errno, and it is the caller's still: there is no thread. */
int workers_submit(struct workers *, struct work *);
/* Takes the work as one that has run: done() is called from the loop. */
void workers_pass(struct workers *, struct work *);
/* done() will not be called; whatever runs is cut. */
void workers_cancel(struct work *);
/* The same for all of them, and waits until all threads have ended.  Also from done(). */
void workers_free(struct workers **);

#endif
