#ifndef PMRELAY_STORE_THREAD_H
#define PMRELAY_STORE_THREAD_H

#include <pthread.h>
#include <signal.h>

/* A thread with a small stack that takes no signals: those belong to the loop.  0, or an errno. */
static inline int
thread_start(pthread_t *thread_r, void *(*run)(void *), void *ctx)
{
	sigset_t all, before;
	pthread_attr_t attr;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, (size_t)512 * 1024);
	error = pthread_create(thread_r, &attr, run, ctx);
	pthread_attr_destroy(&attr);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return error;
}

#endif
