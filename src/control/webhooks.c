/* Webhooks: those of Postmark's server, and among them those that point to this relay. */

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "config/config.h"
#include "operations/operation.h"
#include "postmark/client.h"

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

/* Below our URL: the same, or followed by a path or a query; user and password do not count. */
static bool
points_here(const json_t *webhook, const char *ours)
{
	const char *url = json_string_value(json_object_get(webhook, "Url"));
	const char *host, *our_host, *at;
	size_t len;

	host = url != NULL ? strstr(url, "://") : NULL;
	our_host = strstr(ours, "://");
	if (host == NULL || our_host == NULL || host - url != our_host - ours ||
	    strncmp(url, ours, (size_t)(host - url)) != 0)
		return false;
	host += 3;
	our_host += 3;
	at = memrchr(host, '@', strcspn(host, "/?#"));
	if (at != NULL)
		host = at + 1;
	len = strlen(our_host);
	while (len > 0 && our_host[len - 1] == '/')
		len--;
	return strncmp(host, our_host, len) == 0 && strchr("/?#", host[len]) != NULL;
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

void
webhook_create_run(struct request *r)
{
	if (value_true(r, "instance")) {
		const char *url = public_url(r);

		if (url[0] == '\0')
			return;
		if (value_given(r, "url")) {
			request_fail(
			    r, 400, "arguments", NULL, "give a URL or say instance, not both");
			return;
		}
		json_object_set_new(r->values, "url", json_string(url));
	} else if (!value_given(r, "url")) {
		request_fail(
		    r, 400, "arguments", NULL, "give a URL, or say instance for this relay's own");
		return;
	}
	remote_run(r);
}

/* --- list ----------------------------------------------------------------------------------- */

static void
listed(struct request *r, const struct postmark_answer *answer, json_t *json, void *ctx)
{
	bool all = ctx != NULL;

	if (!remote_is_good(r, answer, json))
		return;
	remote_mask(r, json);
	if (all)
		request_answer(r, json_incref(json));
	else
		request_answer(r, json_pack("{s:o}", "Webhooks",
				      only_ours(json, r->control->config->webhook_public_url)));
}

static void
ask_for_list(struct request *r, const char *path, remote_done_fn *done, void *ctx)
{
	const struct connection *connection = request_connection(r);
	const struct remote_call call = { .method = "GET", .path = path };

	if (connection != NULL)
		remote_submit(r, connection, &call, done, ctx);
}

void
webhook_list_run(struct request *r)
{
	bool all = value_true(r, "all") || !value_true(r, "instance");
	char *path;

	if (!all && public_url(r)[0] == '\0')
		return;
	path = remote_path(r);
	if (path != NULL)
		ask_for_list(r, path, listed, all ? r : NULL);
	free(path);
}

/* --- delete --------------------------------------------------------------------------------- */

struct deletion {
	json_t *left, *deleted;
};

static void
deletion_free(void *work)
{
	struct deletion *deletion = work;

	json_decref(deletion->left);
	json_decref(deletion->deleted);
	free(deletion);
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
deleted_one(struct request *r, const struct postmark_answer *answer, json_t *json, void *ctx)
{
	struct deletion *deletion = r->work;
	json_t *id = json_object_get(json_array_get(deletion->left, 0), "ID");

	(void)ctx;
	/* One that somebody else deleted meanwhile is as good. */
	if ((answer->end != POSTMARK_ANSWERED || answer->status != 404) &&
	    !remote_is_good(r, answer, json))
		return;
	json_array_append(deletion->deleted, id);
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
		request_answer(r, json_pack("{s:O}", "deleted", deletion->deleted));
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

	(void)ctx;
	if (!remote_is_good(r, answer, json))
		return;
	deletion->left = only_ours(json, r->control->config->webhook_public_url);
	delete_next(r);
}

void
webhook_delete_run(struct request *r)
{
	struct deletion *deletion;

	if (value_true(r, "instance") == value_given(r, "id")) {
		request_fail(r, 400, "arguments", NULL,
		    "give the number of a webhook, or say instance for all that point to this "
		    "relay");
		return;
	}
	if (value_given(r, "id")) {
		remote_run(r);
		return;
	}
	if (public_url(r)[0] == '\0')
		return;
	deletion = mem_new(sizeof(*deletion));
	deletion->deleted = json_array();
	r->work = deletion;
	r->work_free = deletion_free;
	r->half_way = deletion_half_way;
	ask_for_list(r, "/webhooks", listed_to_delete, NULL);
}
