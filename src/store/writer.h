#ifndef PMRELAY_STORE_WRITER_H
#define PMRELAY_STORE_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/backend.h"
#include "store/op.h"
#include "store/store.h"

/*
 * The thread that writes.  It takes all that has been asked for meanwhile as one transaction, so
 * that one sync serves all of it, and hands it back when that sync is over: nobody is told of a
 * commit that is not on the disk.
 */
struct writer;

struct writer_params {
	const struct backend *backend;
	void *handle; /* of the backend; lent for life */
	uint64_t min_free_bytes;
	/* From the writer's thread: these are done.  Takes them. */
	void (*finished)(void *ctx, struct op_list *);
	void *ctx;
};

struct writer *writer_start(const struct writer_params *); /* NULL: errno */
void writer_add(struct writer *, struct op_list *);        /* takes them */
/* Ends the thread when it has written what changes something; questions go unanswered. */
void writer_stop(struct writer **);

#endif
