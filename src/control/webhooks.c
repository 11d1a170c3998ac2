/* Webhooks: those of Postmark's server, and among them those that point to this relay. */

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/strlist.h"
#include "base/text.h"
#include "config/config.h"
#include "mail/hook.h"
#include "operations/operation.h"
#include "postmark/client.h"

#include "control/ensure_plan.h"
#include "control/inside.h"

/* "" after request_fail(): instanced webhooks need to know where this relay is reached. */
static const char *
public_url(struct request *r)
{
	const char *url = r->control->config->webhook_public_url;

	if (url[0] == '\0')
		request_fail(r, 409, "public-url",
		    "set public-url in section webhook: where Postmark reaches this relay",
		    "the configuration does not say where webhooks reach this relay");
	return url;
}

bool
webhooks_take(struct request *r)
{
	const struct request *other = r->control->changes_webhooks;

	if (other == NULL) {
		r->control->changes_webhooks = r;
		return true;
	}
	request_fail(r, 409, WEBHOOKS_TAKEN, "try again when it has ended",
	    "%s of %s is under way, and changes the same webhooks", other->operation->name,
	    other->who);
	return false;
}

static bool
points_here(const json_t *webhook, const char *ours)
{
	const char *url = json_string_value(json_object_get(webhook, "Url"));

	return url != NULL && ensure_path_here(url, ours) != NULL;
}

static json_t *
only_ours(const json_t *answer, const char *ours)
{
	json_t *array = json_array(), *each;
	size_t index;

	json_array_foreach(json_object_get(answer, "Webhooks"), index,
	    each) if (points_here(each, ours)) json_array_append(array, each);
	return array;
}

/* --- create --------------------------------------------------------------------------------- */

/* The preset of the argument says nothing: those of the configuration are wanted then. */
static const json_t *
chosen_triggers(const struct request *r)
{
	const struct argument *argument = operation_argument(r->operation, "triggers");
	json_t *given = value_json(r, "triggers");
	json_t *preset = argument != NULL && argument->preset != NULL
			     ? json_loads(argument->preset, 0, NULL)
			     : NULL;
	bool same = preset != NULL && json_equal(preset, given);

	json_decref(preset);
	return same ? NULL : given;
}

void
webhook_create_run(struct request *r)
{
	if (value_true(r, "instance") && value_given(r, "url")) {
		request_fail(r, 400, "arguments", NULL, "give a URL or say instance, not both");
		return;
	}
	if (value_true(r, "instance")) {
		ensure_create(r, chosen_triggers(r));
		return;
	}
	if (!value_given(r, "url")) {
		request_fail(
		    r, 400, "arguments", NULL, "give a URL, or say instance for this relay's own");
		return;
	}
	if (!value_given(r, "stream"))
		json_object_set_new(r->values, "stream", json_string("outbound"));
	remote_run(r);
}

/* --- list ----------------------------------------------------------------------------------- */

struct listing {
	struct hook *hooks;
	size_t count;
};

static void
listing_free(void *work)
{
	struct listing *listing = work;

	hook_list_free(listing->hooks, listing->count);
	free(listing);
}

static bool
secret_is_known(const struct listing *listing, const char *path)
{
	const char *last = strrchr(path, '/');
	size_t len;

	last = last != NULL ? last + 1 : path;
	len = strcspn(last, "?#");
	for (size_t i = 0; i < listing->count; i++)
		if (text_same_secret(
			last, len, listing->hooks[i].path, strlen(listing->hooks[i].path)))
			return true;
	return false;
}

static void
listed_ours(struct request *r, const struct postmark_answer *answer, json_t *json, void *ctx)
{
	const char *ours = r->control->config->webhook_public_url;
	json_t *list, *each;
	size_t index;

	(void)ctx;
	if (!remote_is_good(r, answer, json))
		return;
	list = only_ours(json, ours);
	json_array_foreach(list, index, each)
	{
		const char *url = json_string_value(json_object_get(each, "Url"));
		bool known = secret_is_known(r->work, ensure_path_here(url, ours));

		json_object_set_new(
		    each, "Secret", json_string(known ? "known" : "unknown secret"));
	}
	list = json_pack("{s:o}", "Webhooks", list);
	remote_mask(r, list);
	request_answer(r, list);
}

static void
listed(struct request *r, const struct postmark_answer *answer, json_t *json, void *ctx)
{
	(void)ctx;
	if (!remote_is_good(r, answer, json))
		return;
	remote_mask(r, json);
	request_answer(r, json_incref(json));
}

static void
ask_for_list(struct request *r, const char *path, remote_done_fn *done, void *ctx)
{
	const struct connection *connection = request_connection(r);
	const struct remote_call call = { .method = "GET", .path = path };

	if (connection != NULL)
		remote_submit(r, connection, &call, done, ctx);
}

static void
got_hooks(struct request *r, struct ask *ask)
{
	struct listing *listing = mem_new(sizeof(*listing));
	char *path;

	listing->hooks = ask->hooks.list;
	listing->count = ask->hooks.count;
	ask->hooks.list = NULL;
	ask->hooks.count = 0;
	r->work = listing;
	r->work_free = listing_free;
	path = remote_path(r);
	if (path != NULL)
		ask_for_list(r, path, listed_ours, NULL);
	free(path);
}

void
webhook_list_run(struct request *r)
{
	char *path;

	if (!value_true(r, "all") && value_true(r, "instance")) {
		if (public_url(r)[0] != '\0')
			request_ask(r, request_ask_new(r, ASK_HOOKS, got_hooks));
		return;
	}
	path = remote_path(r);
	if (path != NULL)
		ask_for_list(r, path, listed, NULL);
	free(path);
}

/* --- delete --------------------------------------------------------------------------------- */

#define WEBHOOK_NOT_FOUND 1352

bool
webhook_is_gone(const struct postmark_answer *answer, const json_t *json)
{
	return answer->end == POSTMARK_ANSWERED &&
	       json_integer_value(json_object_get(json, "ErrorCode")) == WEBHOOK_NOT_FOUND;
}

struct deletion {
	struct hook *hooks;
	size_t hook_count;
	json_t *left, *deleted;
	struct strlist paths; /* of the secrets of those that are deleted */
};

static void
deletion_free(void *work)
{
	struct deletion *deletion = work;

	hook_list_free(deletion->hooks, deletion->hook_count);
	json_decref(deletion->left);
	json_decref(deletion->deleted);
	strlist_free(&deletion->paths);
	free(deletion);
}

static struct ensure_input
deletion_input(const struct request *r, const struct connection *connection)
{
	const struct deletion *deletion = r->work;
	const struct config *config = r->control->config;

	return (struct ensure_input){ .public_url = config->webhook_public_url,
		.manual_secret =
		    config->webhook_secret != NULL ? secret_text(config->webhook_secret) : NULL,
		.connection = connection->name,
		.hooks = deletion->hooks,
		.hook_count = deletion->hook_count };
}

static json_t *
deletion_half_way(const struct request *r, struct buf *todo)
{
	const struct deletion *deletion = r->work;
	size_t count = json_array_size(deletion->deleted), left = json_array_size(deletion->left);

	if (count == 0)
		return NULL;
	buf_addf(todo, "%zu of %zu are deleted, see deleted", count, count + left);
	return json_pack("{s:O}", "deleted", deletion->deleted);
}

static void delete_next(struct request *);

static void
dropped(struct request *r, struct ask *ask)
{
	const struct deletion *deletion = r->work;

	(void)ask;
	request_answer(r, json_pack("{s:O}", "deleted", deletion->deleted));
}

/* Their secrets go with them. */
static void
drop_hooks(struct request *r)
{
	struct deletion *deletion = r->work;
	struct ask *drop = request_ask_new(r, ASK_HOOKS_DROP, dropped);

	for (size_t i = 0; i < deletion->paths.count; i++)
		strlist_add(&drop->hooks.paths, deletion->paths.items[i]);
	request_ask(r, drop);
}

static void
deleted_one(struct request *r, const struct postmark_answer *answer, json_t *json, void *ctx)
{
	struct deletion *deletion = r->work;
	const struct connection *connection = request_connection(r);
	const json_t *webhook = json_array_get(deletion->left, 0);
	struct ensure_input input;
	int hook;

	(void)ctx;
	if (connection == NULL)
		return;
	/* One that somebody else deleted meanwhile is as good. */
	if (!webhook_is_gone(answer, json) && !remote_is_good(r, answer, json))
		return;
	input = deletion_input(r, connection);
	hook = ensure_hook_of(&input, webhook);
	if (hook >= 0)
		strlist_add(&deletion->paths, deletion->hooks[hook].path);
	json_array_append(deletion->deleted, json_object_get(webhook, "ID"));
	json_array_remove(deletion->left, 0);
	delete_next(r);
}

static void
delete_next(struct request *r)
{
	struct deletion *deletion = r->work;
	const struct connection *connection = request_connection(r);
	struct remote_call call = { .method = "DELETE" };
	json_t *id;
	char *path;

	if (connection == NULL)
		return;
	if (json_array_size(deletion->left) == 0) {
		drop_hooks(r);
		return;
	}
	id = json_object_get(json_array_get(deletion->left, 0), "ID");
	path = mem_format("/webhooks/%lld", (long long)json_integer_value(id));
	call.path = path;
	remote_submit(r, connection, &call, deleted_one, NULL);
	free(path);
}

static void
listed_to_delete(struct request *r, const struct postmark_answer *answer, json_t *json, void *ctx)
{
	struct deletion *deletion = r->work;
	const struct connection *connection = request_connection(r);
	struct ensure_input input;
	json_t *each;
	size_t index;

	(void)ctx;
	if (connection == NULL || !remote_is_good(r, answer, json))
		return;
	input = deletion_input(r, connection);
	deletion->left = json_array();
	json_array_foreach(json_object_get(json, "Webhooks"), index, each)
	{
		if (ensure_is_ours(&input, each))
			json_array_append(deletion->left, each);
	}
	delete_next(r);
}

static void
got_hooks_to_delete(struct request *r, struct ask *ask)
{
	struct deletion *deletion = r->work;

	deletion->hooks = ask->hooks.list;
	deletion->hook_count = ask->hooks.count;
	ask->hooks.list = NULL;
	ask->hooks.count = 0;
	ask_for_list(r, "/webhooks", listed_to_delete, NULL);
}

void
webhook_delete_run(struct request *r)
{
	struct deletion *deletion;

	if (value_true(r, "instance") == value_given(r, "id")) {
		request_fail(r, 400, "arguments", NULL,
		    "give the number of a webhook, or say instance for all that this relay made");
		return;
	}
	if (value_given(r, "id")) {
		remote_run(r);
		return;
	}
	if (public_url(r)[0] == '\0' || !webhooks_take(r))
		return;
	deletion = mem_new(sizeof(*deletion));
	deletion->deleted = json_array();
	r->work = deletion;
	r->work_free = deletion_free;
	r->half_way = deletion_half_way;
	request_ask(r, request_ask_new(r, ASK_HOOKS, got_hooks_to_delete));
}
