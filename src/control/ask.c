/* Asks of the core, see ask.h. */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "mail/hook.h"
#include "mail/mail.h"
#include "mail/suppression.h"

#include "control/ask.h"

struct ask *
ask_new(enum ask_kind kind, void (*done)(struct ask *), void *ctx)
{
	struct ask *ask = mem_new(sizeof(*ask));

	ask->kind = kind;
	ask->done = done;
	ask->ctx = ctx;
	return ask;
}

static void
routes_free(struct ask_route *routes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free(routes[i].name);
		free(routes[i].message_stream);
		free(routes[i].mode);
		free(routes[i].why);
	}
	free(routes);
}

void
ask_free(struct ask **ask)
{
	struct ask *a = *ask;

	if (a == NULL)
		return;
	*ask = NULL;
	switch (a->kind) {
	case ASK_COMMIT:
		for (size_t i = 0; a->commit.mails != NULL && i < a->commit.count; i++)
			mail_free(&a->commit.mails[i]);
		free(a->commit.mails);
		free(a->commit.results);
		break;
	case ASK_CHANGE:
		strlist_free(&a->change.ids);
		free(a->change.route);
		free(a->change.by);
		break;
	case ASK_COUNTS:
		routes_free(a->counts.routes, a->counts.route_count);
		break;
	case ASK_ROUTE:
		free(a->route.route);
		free(a->route.by);
		break;
	case ASK_EXPLAIN:
		strlist_free(&a->explain.recipients);
		free(a->explain.reverse_path);
		free(a->explain.listener);
		free(a->explain.client);
		free(a->explain.user);
		free(a->explain.content);
		free(a->explain.json);
		break;
	case ASK_RELOAD:
		free(a->reload.text);
		break;
	case ASK_HOOKS:
	case ASK_HOOK_SET:
	case ASK_HOOKS_DROP:
		hook_list_free(a->hooks.list, a->hooks.count);
		strlist_free(&a->hooks.paths);
		break;
	case ASK_SUPPRESSIONS:
	case ASK_SUPPRESSION_CHANGE:
	case ASK_SUPPRESSION_FIND:
		suppression_list_free(a->suppressions.add, a->suppressions.add_count);
		strlist_free(&a->suppressions.lift);
		free(a->suppressions.connection);
		free(a->suppressions.stream);
		free(a->suppressions.address);
		break;
	case ASK_WAKE:
	case ASK_LOG_LEVEL:
		break;
	}
	free(a->why);
	free(a);
}

void
ask_fail(struct ask *ask, int status, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	free(ask->why);
	ask->status = status;
	ask->why = mem_string(text);
}
