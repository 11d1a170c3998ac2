#ifndef PMRELAY_PROGRAMS_SANDBOX_SMTP_H
#define PMRELAY_PROGRAMS_SANDBOX_SMTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct loop;
struct state;

/* The sandbox's SMTP service: smtp/listener speaks, sandbox/submit decides. */
struct sandbox_smtp;

struct sandbox_smtp_params {
	struct loop *loop;
	struct state *state; /* lent for life */
	const char *address;
	uint16_t port; /* 0: one that is free */
	bool allow_remote;
	/* Both or neither: a certificate is made then, and what it is verified by is written to
	 * ca_file, unless that is NULL. */
	const char *certificate_file;
	const char *key_file;
	const char *ca_file;
};

/* NULL: why tells what is wrong. */
struct sandbox_smtp *sandbox_smtp_new(
    const struct sandbox_smtp_params *, char *why, size_t why_size);
uint16_t sandbox_smtp_port(const struct sandbox_smtp *);
void sandbox_smtp_free(struct sandbox_smtp **);

#endif
