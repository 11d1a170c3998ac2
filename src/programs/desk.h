#ifndef PMRELAY_PROGRAMS_DESK_H
#define PMRELAY_PROGRAMS_DESK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct config;
struct dispatch;
struct dispatch_event;
struct frame_explain;
struct instanced;
struct loop;
struct mail;
struct store;
struct suppressions;

/*
 * The core's desk for the control plane: starts its thread, carries what it asks over to the
 * core's loop, does it there, and carries the answer back.  Also where the core tells what
 * happened.  All functions belong to the core's loop.
 */
struct desk;

struct desk_params {
	struct loop *loop;
	const struct config *config;
	int unix_fd, tcp_fd; /* taken; -1: none */
	struct store *store;
	struct instanced *instanced;
	struct suppressions *suppressions;
	/* What changes in the life of a core. */
	struct dispatch *(*dispatch)(void *ctx); /* NULL: it is starting anew */
	unsigned (*fronts)(void *ctx);
	/* To some front: its number; -1: there is none. */
	int (*explain)(
	    void *ctx, uint64_t serial, const struct frame_explain *question, int content_fd);
	int (*supervisor)(void *ctx); /* for handover_send(); -1: it has gone */
	void (*released)(void *ctx);  /* an operator let items go that had ended or were held */
	void *ctx;
};

/* NULL and why: the relay goes on without. */
struct desk *desk_open(const struct desk_params *, char *why, size_t why_size);
void desk_close(struct desk **);

void desk_reload(struct desk *, const struct config *); /* these four: desk may be NULL */
void desk_reloaded(struct desk *, int number, int fd);  /* HANDOVER_RELOADED; takes fd */
void desk_explained(struct desk *, int front, uint64_t serial, const char *json, size_t len);
void desk_front_lost(struct desk *, int front);

/* A mail that came by SMTP: durable, or refused because the spool could not take it. */
void desk_mail(struct desk *, const char *mail_id, const char *route, bool durable);
/* Its client was told to come again, and nothing of it was sent. */
void desk_taken_back(struct desk *, const char *mail_id, const char *route);
void desk_report(struct desk *, const struct dispatch_event *);
/* What a webhook told, durable. */
struct event;
struct store_event_done;
void desk_event(struct desk *, const struct event *, const struct store_event_done *);

#endif
