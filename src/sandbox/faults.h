#ifndef PMRELAY_SANDBOX_FAULTS_H
#define PMRELAY_SANDBOX_FAULTS_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

/*
 * Misbehaviour on demand: a list of rules, each of which names requests and what goes wrong with
 * them.  The first rule that fires decides; its chances come from a generator with a known seed,
 * so that a test that failed fails again.  Rules are written as JSON (pmrelay-sandbox(8)).
 */
struct faults;

enum fault_cut {
	FAULT_CUT_NEVER,
	FAULT_CUT_BEFORE, /* the connection ends, and nothing was accepted */
	FAULT_CUT_AFTER,  /* ... and all was accepted */
};

enum fault_answer {
	FAULT_ANSWER_USUAL,
	FAULT_ANSWER_HTML,
	FAULT_ANSWER_EMPTY,
	FAULT_ANSWER_TRUNCATED,
	FAULT_ANSWER_NO_ERROR_CODE, /* OK without the key ErrorCode */
	FAULT_ANSWER_DELAYED_TEXT,  /* "Message accepted, but delivery may be delayed." */
	FAULT_ANSWER_WRONG_LENGTH,  /* of a batch: the last element is missing */
};

/* What goes wrong with one request. */
struct fault {
	int status;     /* 0: as the request deserves */
	int error_code; /* 0: none */
	char *message;  /* NULL: one that fits; owned */
	bool accept;    /* with status or error_code: the request is obeyed all the same */
	int64_t delay_before_ms;
	int64_t delay_after_ms;
	int retry_after_seconds; /* -1: no such header */
	enum fault_cut cut;
	enum fault_answer answer;
	bool partial_suppression;
	bool chunked;
	bool connection_close;
};

struct faults *faults_new(void);
void faults_free(struct faults **);

/* Replaces all rules.  0, or -1 with all as it was and *why_r for the caller to free. */
int faults_set(struct faults *, const json_t *rules, char **why_r)
    __attribute__((warn_unused_result));
void faults_clear(struct faults *);
json_t *faults_json(const struct faults *); /* with how often each was met and has fired */

/* Of SMTP; only a rule that names it as its method means a command. */
#define FAULTS_SMTP "SMTP"
/* path is lower case.  true: fault_r is filled, to be ended by fault_deinit(). */
bool faults_pick(struct faults *, const char *method, const char *path, struct fault *fault_r);
void fault_deinit(struct fault *);

/* Nothing is accepted because of status or error_code. */
bool fault_refuses(const struct fault *);

#endif
