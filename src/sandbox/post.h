#ifndef PMRELAY_SANDBOX_POST_H
#define PMRELAY_SANDBOX_POST_H

#include <stdint.h>

#include <jansson.h>

struct loop;

/*
 * One HTTP POST to a webhook.  The sandbox sends nothing out into the world: hosts that are not
 * of the loopback fail at once, and so does https.
 */
struct post;

struct post_params {
	struct loop *loop;
	const char *url;
	const json_t *auth;    /* {"Username", "Password"}; NULL, null: user info of the URL */
	const json_t *headers; /* array of {"Name", "Value"}; may be NULL */
	const char *body;
	int64_t timeout_ms;
	/* status 0: no answer came, and why tells; lent during the call. */
	void (*done)(void *ctx, int status, const char *why);
	void *ctx;
};

/*
 * Params are lent for the call.  done(ctx, ...) runs exactly once, from the loop, never within
 * this call, and not after post_free(), which it may call.
 */
struct post *post_new(const struct post_params *);
void post_free(struct post **);

#endif
