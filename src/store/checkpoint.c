#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include <sqlite3.h>

#include "base/mem.h"

#include "store/checkpoint.h"
#include "store/thread.h"

struct checkpoint {
	sqlite3 *db;
	pthread_t thread;
	pthread_mutex_t lock; /* over all below */
	pthread_cond_t wake;
	bool asked;
	bool stop;
	bool ended;
	int done_frames;
};

static void *
checkpoint_run(void *ctx)
{
	struct checkpoint *c = ctx;

	pthread_mutex_lock(&c->lock);
	for (;;) {
		int in_log = 0, done = 0;

		while (!c->asked && !c->stop)
			pthread_cond_wait(&c->wake, &c->lock);
		if (c->stop)
			break;
		pthread_mutex_unlock(&c->lock);
		/* A failure shows as no progress; the writer then meets the reason itself. */
		if (sqlite3_wal_checkpoint_v2(
			c->db, NULL, SQLITE_CHECKPOINT_PASSIVE, &in_log, &done) != SQLITE_OK)
			done = 0;
		pthread_mutex_lock(&c->lock);
		c->asked = false;
		c->ended = true;
		c->done_frames = done;
	}
	pthread_mutex_unlock(&c->lock);
	return NULL;
}

struct checkpoint *
checkpoint_start(const char *path, const char *vfs)
{
	struct checkpoint *c = mem_new(sizeof(*c));

	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->wake, NULL);
	/* The first statement makes the connection read the schema and join the log. */
	if (sqlite3_open_v2(path, &c->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, vfs) !=
		SQLITE_OK ||
	    sqlite3_exec(c->db,
		"PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=0; PRAGMA cache_size=16;"
		"SELECT count(*) FROM tally",
		NULL, NULL, NULL) != SQLITE_OK)
		goto close_db;
	if (thread_start(&c->thread, checkpoint_run, c) != 0)
		goto close_db;
	return c;

close_db:
	sqlite3_close(c->db);
	pthread_cond_destroy(&c->wake);
	pthread_mutex_destroy(&c->lock);
	free(c);
	return NULL;
}

void
checkpoint_stop(struct checkpoint **checkpoint)
{
	struct checkpoint *c = *checkpoint;

	if (c == NULL)
		return;
	pthread_mutex_lock(&c->lock);
	c->stop = true;
	pthread_cond_signal(&c->wake);
	pthread_mutex_unlock(&c->lock);
	pthread_join(c->thread, NULL);
	sqlite3_close(c->db);
	pthread_cond_destroy(&c->wake);
	pthread_mutex_destroy(&c->lock);
	free(c);
	*checkpoint = NULL;
}

void
checkpoint_ask(struct checkpoint *c)
{
	pthread_mutex_lock(&c->lock);
	if (!c->asked) {
		c->asked = true;
		c->ended = false;
		pthread_cond_signal(&c->wake);
	}
	pthread_mutex_unlock(&c->lock);
}

int
checkpoint_ended(struct checkpoint *c)
{
	int done = -1;

	pthread_mutex_lock(&c->lock);
	if (c->ended) {
		c->ended = false;
		done = c->done_frames;
	}
	pthread_mutex_unlock(&c->lock);
	return done;
}
