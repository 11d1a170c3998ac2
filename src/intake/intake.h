#ifndef PMRELAY_INTAKE_INTAKE_H
#define PMRELAY_INTAKE_INTAKE_H

#include <stddef.h>
#include <stdint.h>

#include "smtp/session.h"

struct frame_head;
struct loop;
struct peer;
struct rules;

/*
 * What a front does with a received mail: converts it, asks the core to store it, and tells the
 * client what came of it.  A mail that waits for the core's answer is kept until it comes: when
 * the core dies meanwhile, the same mail is asked for again under the same id.  Where the core asks
 * what would become of a mail, it answers with what explain.h says.
 */
struct intake;

struct intake_params {
	struct loop *loop;
	const struct rules *rules;  /* lent for life, or until intake_reload() */
	uint64_t most_memory_bytes; /* of contents and mails at once: 452 beyond */
	int64_t most_wait_ms;       /* for the core: 451 beyond, and the mail is forgotten here */
};

struct intake *intake_new(const struct intake_params *);
void intake_free(struct intake **);
void intake_reload(struct intake *, const struct rules *);

/* For struct smtp_listener_params; ctx is the intake. */
extern const struct smtp_hooks intake_smtp_hooks;

/*
 * Whom Postmark sends nothing to (suppression_table_make()); lent until the next one, or NULL.  They
 * are refused where their route asks for it.
 */
void intake_suppressions(struct intake *, const void *table, size_t len);
uint64_t intake_refused_suppressed(const struct intake *); /* recipients, and mails as a whole */

/* The channel to a core, lent until the next call: every mail that waits is asked for there.  NULL:
 * there is none now. */
void intake_connect(struct intake *, struct peer *);
/* A frame for the intake has come over it: COMMITTED, EXPLAIN.  As the hook frame of a peer. */
int intake_frame(struct intake *, const struct frame_head *, const char *body, int *fds);
/* Mails that wait for the core. */
size_t intake_waiting(const struct intake *);

#endif
