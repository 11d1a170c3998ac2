#ifndef PMRELAY_CONTROL_ENSURE_PLAN_H
#define PMRELAY_CONTROL_ENSURE_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

struct hook;
struct strlist;

/*
 * What is to be done about the webhooks of one connection, so that each stream in use has one that
 * points to this relay, with secrets that it knows and the triggers that are wanted.  Pure.
 */
enum ensure_do {
	ENSURE_FINE,   /* nothing */
	ENSURE_MAKE,   /* there is none */
	ENSURE_MEND,   /* by an edit */
	ENSURE_REMOVE, /* one too many */
	ENSURE_FORGET, /* secrets that are kept for no webhook: dropped, or, where posts may still
			* be under way with them, at their end */
	ENSURE_LEAVE,  /* a stream that is not in use: for people to know */
};

struct ensure_step {
	enum ensure_do what;
	char *stream;
	int64_t id;  /* of the webhook; 0: none yet */
	int hook;    /* index of the secrets that it has, or is to have; -1: new ones */
	int old;     /* index of those that stay valid for a while; -1: none */
	bool adopts; /* these secrets were kept without that id */
	bool drops;  /* of ENSURE_FORGET: at once, not at their end */
	unsigned faults;
	char wrong[160]; /* their names */
};

struct ensure_input {
	const char *public_url;
	const char *manual_secret; /* of webhooks made by hand, which are left alone; NULL: none */
	const char *connection;
	const struct strlist *streams; /* in use */
	const struct hook *hooks;      /* of all connections */
	size_t hook_count;
	const json_t *webhooks; /* Postmark's array */
	const json_t *triggers; /* wanted, as Postmark has them */
	int64_t now_ms;         /* wall clock */
	bool rotate;
	bool partial; /* these are not all streams in use: the others are left alone */
};

/* How long posts may come with secrets that a webhook has no longer: Postmark's longest schedule of
 * tries (10 h 20 min), and some. */
#define ENSURE_OLD_MS ((int64_t)11 * 3600 * 1000)

/* Secrets of no webhook that are younger may get one yet: Postmark is slow, or its answer was lost.
 */
#define ENSURE_YOUNG_MS ((int64_t)3600 * 1000)

/* Of the secret part of a URL that ensure makes: base64url. */
#define ENSURE_SECRET_LETTERS 32

struct ensure_step *ensure_plan(const struct ensure_input *, size_t *count_r);
void ensure_steps_free(struct ensure_step *, size_t count); /* with the array */

/* The same of the server's InboundHookUrl.  Not of the input: streams, webhooks, triggers. */
struct ensure_inbound {
	enum ensure_do what; /* ENSURE_FINE, _MEND, or _LEAVE: it is not this relay's */
	int hook;            /* index of the secrets that it has, or is to have; -1: new ones, or of
			      * FINE: it was made by hand */
	bool others;         /* it is not this relay's, whatever is done about it */
	const char *wrong;
};
/* takes: one that is not this relay's is replaced. */
struct ensure_inbound ensure_inbound_plan(const struct ensure_input *, const char *url, bool takes);
bool ensure_is_inbound(const struct hook *, const char *connection);   /* and valid for good */
char *ensure_inbound_url(const char *public_url, const struct hook *); /* caller frees */

/*
 * Of an input without streams and triggers: whose secret stands in the URL of one of Postmark's
 * webhooks, else whose number it has.  -1: nobody's.
 */
int ensure_hook_of(const struct ensure_input *, const json_t *webhook);
/* It has such secrets, or a URL that is public_url and a secret that nobody knows any more. */
bool ensure_is_ours(const struct ensure_input *, const json_t *webhook);

/* What follows our URL and a slash; "" for our URL itself.  User and password do not
 * count.  NULL: it does not point here. */
const char *ensure_path_here(const char *url, const char *public_url);
/* Caller frees. */
char *ensure_url(const char *public_url, const char *path);

#endif
