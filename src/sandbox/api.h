#ifndef PMRELAY_SANDBOX_API_H
#define PMRELAY_SANDBOX_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/buf.h"

struct api_answer;
struct evkeyvalq;
struct fault;
struct fields;
struct loop;
struct server;
struct state;
struct strlist;

/*
 * Postmark's API: a request becomes an answer.  What all calls share is done here, in the order
 * token, headers, JSON; the calls are rows of routes.c, each with a function.
 */
#define API_TEST_TOKEN      "POSTMARK_API_TEST"
#define API_MOST_BODY_BYTES ((size_t)52 * 1024 * 1024)
#define API_MOST_ANSWER     ((size_t)192 * 1024 * 1024)
#define API_MOST_PARTS      3

struct api_request {
	const char *method;
	const char *path;               /* lower case, decoded, no slash at the end */
	const struct strlist *segments; /* of the path, decoded, in the case in which they came */
	const struct evkeyvalq *query;  /* names are found without regard to case */
	const char *server_token;       /* these three: NULL when not sent */
	const char *account_token;
	const char *content_type;
	const char *body;
	size_t body_len;
	const struct fault *fault; /* what to get wrong in the answer; NULL: nothing */

	/* Filled by api_handle() for the function of a row. */
	const char *parts[API_MOST_PARTS]; /* what stands for the {...} of the row's path */
	json_t *json;                      /* the body; NULL: there was none */
	size_t token;                      /* which of the server's tokens, from 1 */
};

/*
 * What an answer may wait for.  start() runs once and later calls ready(ctx) from the loop, at
 * most once; finish() then writes the answer; free() ends the wait whether or not it is ready.
 */
struct api_wait {
	void (*start)(struct api_wait *, struct loop *, void (*ready)(void *ctx), void *ctx);
	void (*finish)(struct api_wait *, struct state *, struct api_answer *);
	void (*free)(struct api_wait *);
};

struct api_answer {
	int status;
	int error_code; /* 0: none */
	const char *type;
	int64_t total; /* for X-Total-Count; -1: none */
	struct buf body;
	struct api_wait *wait; /* the answer is not ready; owned.  NULL: it is */
};

/* ---- rows ---- */

enum api_token {
	API_SERVER,  /* X-Postmark-Server-Token */
	API_SENDING, /* ... or the test token, then without a server */
	API_ACCOUNT, /* X-Postmark-Account-Token; without a server */
};

/* Without a body request->json is NULL in any case; a body of another shape is refused. */
enum api_body {
	API_NO_BODY, /* what may come is not looked at */
	API_OBJECT,
	API_ARRAY,
};

/* server is the token's; NULL where there is none. */
typedef void api_fn(
    struct state *, struct server *, const struct api_request *, struct api_answer *);

struct api_route {
	const char *method;
	const char *path; /* lower case; {name} stands for one step */
	enum api_token token;
	enum api_body body;
	api_fn *run;
};

/* ---- answers ---- */

void api_answer_init(struct api_answer *);
void api_answer_deinit(struct api_answer *);
/* status, and the envelope of an error. */
void api_answer_error(struct api_answer *, int status, int code, const char *text);
/* Adds it to the body and takes it. */
void api_answer_json(struct api_answer *, json_t *);
/* {"ErrorCode":0,"Message":"..."} */
void api_answer_done(struct api_answer *, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* An object of an error, as it stands in a batch. */
void api_add_error(struct buf *, int code, const char *text);

/* A refusal of the whole request: counted and logged. */
void api_refuse_request(
    struct state *, struct api_answer *, int status, int code, const char *text);
/* The same with status 422. */
void api_refuse(struct state *, struct api_answer *, int code, const char *text);
/* false: the body is empty, and the request is refused with that code and text; or as below. */
bool api_body_ok(struct state *, const struct api_request *, struct api_answer *, int code,
    const char *text, const struct fields *, size_t);
/* false: a field has the wrong type, and the request is refused with 403. */
bool api_fields_ok(
    struct state *, const struct api_request *, struct api_answer *, const struct fields *, size_t);

/* ---- requests ---- */

/* The body.  NULL: error_r->text tells why, in words that have nothing of the body in them. */
json_t *api_request_json(const struct api_request *, json_error_t *error_r);

void api_handle(struct state *, const struct api_request *, struct api_answer *);
/* The answer of a fault that refuses. */
void api_answer_fault(struct state *, const struct fault *, struct api_answer *);

/* Rows in the order of the table, then "other"; NULL: there is none. */
const char *api_route_name(size_t route);

#endif
