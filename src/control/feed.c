/* A ring of the newest events under a lock that is never held for longer than a copy. */

#include <pthread.h>
#include <stdlib.h>

#include "base/mem.h"

#include "control/feed.h"

struct feed {
	pthread_mutex_t lock; /* over all of it */
	uint64_t last;        /* number of the newest event */
	void (*wake)(void *ctx);
	void *ctx;
	struct feed_event events[FEED_MOST]; /* number n at n % FEED_MOST */
};

struct feed *
feed_new(void)
{
	struct feed *feed = mem_new(sizeof(*feed)); /* pages that are never used cost nothing */

	pthread_mutex_init(&feed->lock, NULL);
	return feed;
}

void
feed_free(struct feed **feed)
{
	if (*feed == NULL)
		return;
	pthread_mutex_destroy(&(*feed)->lock);
	free(*feed);
	*feed = NULL;
}

void
feed_add(struct feed *feed, const struct feed_event *event)
{
	void (*wake)(void *);
	void *ctx;

	pthread_mutex_lock(&feed->lock);
	feed->last++;
	feed->events[feed->last % FEED_MOST] = *event;
	feed->events[feed->last % FEED_MOST].number = feed->last;
	wake = feed->wake;
	ctx = feed->ctx;
	feed->wake = NULL;
	pthread_mutex_unlock(&feed->lock);
	if (wake != NULL)
		wake(ctx);
}

size_t
feed_read(
    struct feed *feed, uint64_t after, struct feed_event *events, size_t most, uint64_t *missed_r)
{
	uint64_t oldest;
	size_t count = 0;

	pthread_mutex_lock(&feed->lock);
	oldest = feed->last > FEED_MOST ? feed->last - FEED_MOST + 1 : 1;
	*missed_r = after + 1 < oldest ? oldest - after - 1 : 0;
	for (uint64_t n = after + 1 < oldest ? oldest : after + 1; n <= feed->last && count < most;
	     n++)
		events[count++] = feed->events[n % FEED_MOST];
	pthread_mutex_unlock(&feed->lock);
	return count;
}

uint64_t
feed_last(struct feed *feed)
{
	uint64_t last;

	pthread_mutex_lock(&feed->lock);
	last = feed->last;
	pthread_mutex_unlock(&feed->lock);
	return last;
}

void
feed_arm(struct feed *feed, void (*wake)(void *ctx), void *ctx)
{
	pthread_mutex_lock(&feed->lock);
	feed->wake = wake;
	feed->ctx = ctx;
	pthread_mutex_unlock(&feed->lock);
}
