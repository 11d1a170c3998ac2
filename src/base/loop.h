#ifndef PMRELAY_BASE_LOOP_H
#define PMRELAY_BASE_LOOP_H

#include <stddef.h>
#include <stdint.h>

struct event_base;

/*
 * The event loop of a process, over libevent.  The promise that every engine keeps: a callback
 * runs from the loop, never inside the call that asked for it, exactly once per cause, and never
 * after its handle was freed.  All functions belong to the loop's thread, but for loop_post().
 */
struct loop;
struct loop_timer;
struct loop_call;

typedef void loop_fn(void *ctx);

struct loop *loop_new(void); /* NULL: errno */
void loop_free(struct loop **);
void loop_run(struct loop *);  /* until loop_stop() */
void loop_stop(struct loop *); /* ends loop_run() after the callback that runs now */

/* For those who glue a library or a descriptor to the loop with struct event. */
struct event_base *loop_base(struct loop *);

/* A timer that is off at birth. */
struct loop_timer *loop_timer_new(struct loop *, loop_fn *, void *ctx);
void loop_timer_set(struct loop_timer *, int64_t after_ms); /* once; moves a timer that is set */
void loop_timer_clear(struct loop_timer *);
void loop_timer_free(struct loop_timer **);

/* A call that can be asked for often and then runs once, at the end of this turn of the loop. */
struct loop_call *loop_call_new(struct loop *, loop_fn *, void *ctx);
void loop_call_ask(struct loop_call *);
void loop_call_free(struct loop_call **);

/* fn(ctx) runs soon in the loop's thread.  From any thread; order is kept per thread. */
void loop_post(struct loop *, loop_fn *, void *ctx);

/* fn(ctx) runs from the loop, not from the signal handler, until the loop is freed. */
int loop_signal(struct loop *, int signal, loop_fn *, void *ctx); /* 0, or -1 and errno */

/* For objects that own themselves (a stream that lingers): fn(ctx) runs inside loop_free(), unless
 * the handle was freed before.  fn frees the handle. */
struct loop_last;
struct loop_last *loop_last_new(struct loop *, loop_fn *, void *ctx);
void loop_last_free(struct loop_last **);

/* One area that all callbacks of the loop share: lent until the callback returns. */
char *loop_scratch(struct loop *, size_t *size_r);

#endif
