#ifndef PMRELAY_SANDBOX_SANDBOX_H
#define PMRELAY_SANDBOX_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct loop;

/*
 * A strict local Postmark on an HTTP port of the loopback: says what the real one would say, and
 * misbehaves on request.  It reads Postmark's rules with its own code and never calls the
 * converter: two independent readings that must agree.
 */
struct sandbox;
struct smtp_setup;
struct state;

struct sandbox_params {
	struct loop *loop;
	const char *address; /* "127.0.0.1" */
	uint16_t port;       /* 0: one that is free, see sandbox_port() */
	/* NULL-terminated.  Tokens of the first server, besides POSTMARK_API_TEST, and of the
	 * account; empty: what the config says, else the usual ones. */
	const char *const *server_tokens;
	const char *const *account_tokens;
	const char *config_file;           /* JSON, pmrelay-sandbox(8); NULL: none */
	size_t most_messages;              /* the oldest are dropped beyond */
	uint64_t most_bytes;               /* of what is kept */
	const char *const *sender_domains; /* NULL-terminated; empty: every From is confirmed */
	const char *base_path; /* "/postmark": may stand before the paths of the API; or NULL */
	int64_t search_lag_ms; /* how long after acceptance a search finds a message */
	bool to_optional;      /* a message may have Cc or Bcc only */
	int64_t webhook_speed; /* 0: as the config says, as the next two: -1, NULL */
	int64_t webhook_delay_ms;
	const char *webhook_ca_file; /* PEM */
};

/* Params and what they point at are lent for the sandbox's life, the struct itself for the call.
 * NULL: why tells what is wrong. */
struct sandbox *sandbox_new(const struct sandbox_params *, char *why, size_t why_size);
uint16_t sandbox_port(const struct sandbox *);
struct state *sandbox_state(struct sandbox *); /* lent: for submit.h */
void sandbox_free(struct sandbox **);

#endif
