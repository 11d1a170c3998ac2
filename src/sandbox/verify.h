#ifndef PMRELAY_SANDBOX_VERIFY_H
#define PMRELAY_SANDBOX_VERIFY_H

#include <stdint.h>

#include <jansson.h>

#include "sandbox/api.h"

struct poster;

/*
 * The verification of a webhook: each enabled trigger is posted once, all at the same time, and
 * wants 200 exactly.
 */
struct verify_params {
	struct poster *poster;
	int64_t server;
	int64_t webhook;     /* 0: it is not kept yet */
	const json_t *shown; /* of the webhook; shared */
	/*
	 * Writes the answer.  result is the object of section 13.3 with Id, Url, Success, Message
	 * and Results; lent for the call, as shown is.
	 */
	void (*finish)(struct state *, int64_t server, int64_t webhook, json_t *shown,
	    const json_t *result, struct api_answer *);
};

/* For api_answer.wait. */
struct api_wait *verify_new(const struct verify_params *);
/* The result where nothing is posted: all is well. */
json_t *verify_result_untried(int64_t webhook, const json_t *shown);

#endif
