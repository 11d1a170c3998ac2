#ifndef PMRELAY_SANDBOX_API_H
#define PMRELAY_SANDBOX_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/buf.h"

struct evkeyvalq;
struct fault;
struct state;

/* Postmark's API: a request becomes an answer.  Knows nothing of sockets and of time to wait. */
#define API_TEST_TOKEN      "POSTMARK_API_TEST"
#define API_MOST_BODY_BYTES ((size_t)52 * 1024 * 1024)
#define API_MOST_ANSWER     ((size_t)192 * 1024 * 1024)

struct api_request {
	const char *method;
	const char *path;              /* lower case, decoded, no slash at the end */
	const struct evkeyvalq *query; /* names are found without regard to case */
	const char *server_token;      /* these three: NULL when not sent */
	const char *account_token;
	const char *content_type;
	const char *body;
	size_t body_len;
	const struct fault *fault; /* what to get wrong in the answer; NULL: nothing */
};

struct api_answer {
	int status;
	int error_code; /* 0: none */
	const char *type;
	int64_t total; /* for X-Total-Count; -1: none */
	struct buf body;
};

/* The body.  NULL: error_r->text tells why, in words that have nothing of the body in them. */
json_t *api_request_json(const struct api_request *, json_error_t *error_r);

void api_answer_init(struct api_answer *);
void api_answer_deinit(struct api_answer *);
/* status, and the envelope of an error. */
void api_answer_error(struct api_answer *, int status, int code, const char *text);

/* Adds it to the body and takes it. */
void api_answer_json(struct api_answer *, json_t *);

/*
 * The number of the request's token, from 1, SIZE_MAX for the test token where that is allowed.
 * false: the request is refused.
 */
bool api_token_ok(struct state *, const struct api_request *, bool test_allowed,
    struct api_answer *, size_t *token_r);
/* A refusal of the whole request: counted and logged. */
void api_refuse_request(
    struct state *, struct api_answer *, int status, int code, const char *text);

void api_handle(struct state *, const struct api_request *, struct api_answer *);
/* The answer of a fault that refuses. */
void api_refuse(struct state *, const struct fault *, struct api_answer *);

const char *api_route_name(size_t route); /* below STATE_ROUTES; NULL: there is none */

#endif
