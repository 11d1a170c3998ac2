#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/loop.h"
#include "base/mem.h"
#include "config/config.h"
#include "mail/mail.h"
#include "store/store.h"
#include "outlet/outlets.h"

#include "programs/passing.h"

#define CURSOR_LOG_MS (60 * 1000)

/* What the outlets' thread has asked for, and a notice that the store has not answered yet. */
struct wish {
	struct wish *next, *prev;
	struct passing *passing;
	char *outlet; /* how far it is; NULL: a notice */
	int64_t after_key;
	struct mail *mail;
	uint64_t ticket;
	char id[ULID_SIZE];
	char *route;
};

struct passing {
	struct passing_params params;
	struct outlets *outlets;

	pthread_mutex_t lock; /* over the next two */
	struct wish *first, **end;

	struct wish *asked; /* notices in the store's hands */
};

static void
wish_free(struct wish *wish)
{
	free(wish->outlet);
	free(wish->route);
	mail_free(&wish->mail);
	free(wish);
}

/* --- notices ------------------------------------------------------------------------------- */

static void
on_stored(void *ctx, enum store_result result, bool known)
{
	struct wish *wish = ctx;
	struct passing *p = wish->passing;

	if (wish->prev != NULL)
		wish->prev->next = wish->next;
	else
		p->asked = wish->next;
	if (wish->next != NULL)
		wish->next->prev = wish->prev;
	if (!known)
		p->params.stored(p->params.ctx, wish->id, wish->route, result == STORE_OK);
	if (p->outlets != NULL)
		outlets_committed(p->outlets, wish->ticket, result == STORE_OK);
	wish_free(wish);
}

static void
commit(struct passing *p, struct wish *wish)
{
	struct mail *mail = wish->mail;

	wish->mail = NULL;
	memcpy(wish->id, mail->id, sizeof(wish->id));
	wish->route = mem_string(mail->route);
	wish->prev = NULL;
	wish->next = p->asked;
	if (wish->next != NULL)
		wish->next->prev = wish;
	p->asked = wish;
	store_commit(p->params.store, mail, on_stored, wish);
}

/* The next one says the same and more; a restart before that passes some events on again. */
static void
on_cursor(void *ctx, enum store_result result)
{
	static struct log_gate gate;
	int64_t left_out;

	(void)ctx;
	if (result != STORE_OK && log_gate_pass(&gate, CURSOR_LOG_MS, &left_out))
		log_error("outlet-cursor", log_str("why", "the spool cannot keep it now"),
		    log_num("left_out", left_out));
}

/* --- from the outlets' thread to the loop -------------------------------------------------- */

static void
take(void *ctx)
{
	struct passing *p = ctx;
	struct wish *wish, *next;

	pthread_mutex_lock(&p->lock);
	wish = p->first;
	p->first = NULL;
	p->end = &p->first;
	pthread_mutex_unlock(&p->lock);
	for (; wish != NULL; wish = next) {
		next = wish->next;
		if (p->outlets == NULL) {
			wish_free(wish);
		} else if (wish->outlet == NULL) {
			commit(p, wish);
		} else {
			store_outlet_set(
			    p->params.store, wish->outlet, wish->after_key, on_cursor, NULL);
			wish_free(wish);
		}
	}
}

static void
wish_for(struct passing *p, struct wish *wish)
{
	bool first;

	wish->passing = p;
	pthread_mutex_lock(&p->lock);
	first = p->first == NULL;
	*p->end = wish;
	p->end = &wish->next;
	pthread_mutex_unlock(&p->lock);
	if (first)
		loop_post(p->params.loop, take, p);
}

static void
on_passed(void *ctx, const char *name, int64_t after_key)
{
	struct wish *wish = mem_new(sizeof(*wish));

	wish->outlet = mem_string(name);
	wish->after_key = after_key;
	wish_for(ctx, wish);
}

static void
on_notice(void *ctx, struct mail *mail, uint64_t ticket)
{
	struct wish *wish = mem_new(sizeof(*wish));

	wish->mail = mail;
	wish->ticket = ticket;
	wish_for(ctx, wish);
}

/* --- life ---------------------------------------------------------------------------------- */

struct passing *
passing_open(const struct passing_params *params, char *why, size_t why_size)
{
	struct passing *p = mem_new(sizeof(*p));

	p->params = *params;
	p->end = &p->first;
	pthread_mutex_init(&p->lock, NULL);
	p->outlets = outlets_start(&(struct outlets_params){ .config = params->config,
				       .backend = params->backend,
				       .folder = params->config->spool_folder,
				       .passed = on_passed,
				       .commit = on_notice,
				       .ctx = p },
	    why, why_size);
	if (p->outlets == NULL)
		passing_free(&p);
	return p;
}

void
passing_wake(struct passing *p)
{
	if (p != NULL)
		outlets_wake(p->outlets);
}

void
passing_reload(struct passing *p, const struct config *config)
{
	if (p == NULL)
		return;
	outlets_reload(p->outlets, config);
	outlets_reopen(p->outlets);
}

void
passing_stop(struct passing *p)
{
	if (p == NULL)
		return;
	outlets_stop(&p->outlets);
	/* How far they have come is worth a last word to the store; notices come again. */
	for (struct wish *wish = p->first; wish != NULL; wish = wish->next)
		if (wish->outlet != NULL)
			store_outlet_set(
			    p->params.store, wish->outlet, wish->after_key, on_cursor, NULL);
}

void
passing_free(struct passing **passing)
{
	struct passing *p = *passing;
	struct wish *next;

	if (p == NULL)
		return;
	for (struct wish *wish = p->first; wish != NULL; wish = next) {
		next = wish->next;
		wish_free(wish);
	}
	for (struct wish *wish = p->asked; wish != NULL; wish = next) {
		next = wish->next;
		wish_free(wish);
	}
	pthread_mutex_destroy(&p->lock);
	free(p);
	*passing = NULL;
}
