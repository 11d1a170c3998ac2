/* Webhooks as they should be against webhooks as they are, see ensure_plan.h. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/strlist.h"
#include "base/text.h"
#include "mail/hook.h"

#include "control/ensure_plan.h"

#define BASE64URL "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

struct plan {
	const struct ensure_input *in;
	struct ensure_step *steps;
	size_t count;
	bool *used; /* of the hooks */
};

/* --- URLs ----------------------------------------------------------------------------------- */

const char *
ensure_path_here(const char *url, const char *ours)
{
	const char *host = strstr(url, "://"), *our_host = strstr(ours, "://"), *at;
	size_t len;

	if (host == NULL || our_host == NULL || host - url != our_host - ours ||
	    !text_same_n(url, ours, (size_t)(host - url)))
		return NULL;
	host += 3;
	our_host += 3;
	at = memrchr(host, '@', strcspn(host, "/?#"));
	if (at != NULL)
		host = at + 1;
	len = strlen(our_host);
	while (len > 0 && our_host[len - 1] == '/')
		len--;
	if (strlen(host) < len || strncmp(host, our_host, len) != 0 ||
	    strchr("/?#", host[len]) == NULL)
		return NULL;
	return host[len] == '/' ? host + len + 1 : host + len;
}

char *
ensure_url(const char *public_url, const char *path)
{
	size_t len = strlen(public_url);

	while (len > 0 && public_url[len - 1] == '/')
		len--;
	return mem_format("%.*s/%s", (int)len, public_url, path);
}

/* As ensure makes them.  Whatever else lies below that URL may be an application's of that host. */
static bool
is_made_here(const char *url, const char *public_url)
{
	const char *path = ensure_path_here(url, public_url);

	return path != NULL && strlen(path) == ENSURE_SECRET_LETTERS &&
	       strspn(path, BASE64URL) == ENSURE_SECRET_LETTERS;
}

/* The last part of a path, without a query. */
static bool
ends_in(const char *url, const char *secret)
{
	size_t len = strcspn(url, "?#"), want = strlen(secret);

	return want > 0 && len > want && url[len - want - 1] == '/' &&
	       text_same_secret(url + len - want, want, secret, want);
}

/* --- webhooks as they are -------------------------------------------------------------------- */

static const char *
text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text != NULL ? text : "";
}

static bool
is_of(const struct ensure_input *in, size_t index)
{
	return strcmp(in->hooks[index].connection, in->connection) == 0;
}

static bool
is_active(const struct hook *hook)
{
	return hook->ends_ms == 0 && strcmp(hook->stream, "inbound") != 0;
}

int
ensure_hook_of(const struct ensure_input *in, const json_t *webhook)
{
	const char *url = text_of(webhook, "Url");
	int64_t id = (int64_t)json_integer_value(json_object_get(webhook, "ID"));

	for (size_t i = 0; i < in->hook_count; i++)
		if (is_of(in, i) && is_active(&in->hooks[i]) && ends_in(url, in->hooks[i].path))
			return (int)i;
	for (size_t i = 0; i < in->hook_count; i++)
		if (is_of(in, i) && is_active(&in->hooks[i]) && id != 0 &&
		    in->hooks[i].webhook_id == id)
			return (int)i;
	return -1;
}

bool
ensure_is_ours(const struct ensure_input *in, const json_t *webhook)
{
	const char *url = text_of(webhook, "Url");

	if (in->manual_secret != NULL && ends_in(url, in->manual_secret))
		return false;
	return ensure_hook_of(in, webhook) >= 0 || is_made_here(url, in->public_url);
}

static bool
auth_is_right(const json_t *webhook, const struct hook *hook)
{
	const json_t *auth = json_object_get(webhook, "HttpAuth");

	return strcmp(text_of(auth, "Username"), hook->user) == 0 &&
	       strcmp(text_of(auth, "Password"), hook->password) == 0;
}

static void
add_word(struct ensure_step *step, const char *word)
{
	size_t len = strlen(step->wrong);

	snprintf(step->wrong + len, sizeof(step->wrong) - len, "%s%s", len > 0 ? ", " : "", word);
	step->faults++;
}

/* It gets nothing until it is verified. */
static bool
is_paused(const json_t *webhook)
{
	return json_is_string(json_object_get(webhook, "Status")) &&
	       !text_same(text_of(webhook, "Status"), "verified");
}

static void
find_wrong(const struct plan *plan, const json_t *webhook, struct ensure_step *step)
{
	const json_t *has = json_object_get(webhook, "Triggers"), *wanted;
	const char *name;

	if (step->hook < 0) {
		add_word(step, "unknown secret");
	} else {
		const struct hook *hook = &plan->in->hooks[step->hook];
		char *url = ensure_url(plan->in->public_url, hook->path);

		if (strcmp(text_of(webhook, "Url"), url) != 0)
			add_word(step, "wrong URL");
		if (!auth_is_right(webhook, hook))
			add_word(step, "wrong secret");
		free(url);
	}
	json_object_foreach((json_t *)plan->in->triggers, name, wanted)
	{
		char text[48];

		if (!json_is_true(json_object_get(wanted, "Enabled")) ||
		    json_is_true(json_object_get(json_object_get(has, name), "Enabled")))
			continue;
		snprintf(text, sizeof(text), "no trigger %s", name);
		add_word(step, text);
	}
	if (is_paused(webhook))
		add_word(step, "paused");
}

/* --- the plan --------------------------------------------------------------------------------- */

static struct ensure_step *
add_step(struct plan *plan, enum ensure_do what, const char *stream, int64_t id)
{
	struct ensure_step *step;

	plan->steps = mem_resize(plan->steps, plan->count + 1, sizeof(*plan->steps));
	step = &plan->steps[plan->count++];
	*step = (struct ensure_step){
		.what = what, .stream = mem_string(stream), .id = id, .hook = -1, .old = -1
	};
	return step;
}

/* Secrets that were kept for that stream before a webhook was made with them. */
static int
spare_hook(const struct plan *plan, const char *stream)
{
	for (size_t i = 0; i < plan->in->hook_count; i++)
		if (is_of(plan->in, i) && is_active(&plan->in->hooks[i]) && !plan->used[i] &&
		    strcmp(plan->in->hooks[i].stream, stream) == 0)
			return (int)i;
	return -1;
}

/* Secrets that are known weigh most, for they stay; then that events come, then how much is right.
 */
static bool
is_better(const struct plan *plan, const json_t *one, const json_t *other)
{
	struct ensure_step a = { .hook = ensure_hook_of(plan->in, one) };
	struct ensure_step b = { .hook = ensure_hook_of(plan->in, other) };

	if ((a.hook >= 0) != (b.hook >= 0))
		return a.hook >= 0;
	if (is_paused(one) != is_paused(other))
		return is_paused(other);
	find_wrong(plan, one, &a);
	find_wrong(plan, other, &b);
	return a.faults < b.faults;
}

/* The best one of a stream.  NULL: none points here. */
static const json_t *
best_of(const struct plan *plan, const char *stream)
{
	const json_t *best = NULL, *each;
	size_t index;

	json_array_foreach(plan->in->webhooks, index, each)
	{
		if (!text_same(text_of(each, "MessageStream"), stream) ||
		    !ensure_is_ours(plan->in, each))
			continue;
		if (best == NULL || is_better(plan, each, best))
			best = each;
	}
	return best;
}

static void
plan_stream(struct plan *plan, const char *stream)
{
	const json_t *best = best_of(plan, stream), *each;
	struct ensure_step *step;
	size_t index;

	if (best == NULL) {
		step = add_step(plan, ENSURE_MAKE, stream, 0);
		step->hook = spare_hook(plan, stream);
		if (step->hook >= 0)
			plan->used[step->hook] = true;
		add_word(step, "missing");
		return;
	}
	step = add_step(
	    plan, ENSURE_FINE, stream, (int64_t)json_integer_value(json_object_get(best, "ID")));
	step->hook = ensure_hook_of(plan->in, best);
	find_wrong(plan, best, step);
	if (step->hook >= 0) {
		plan->used[step->hook] = true;
		step->adopts = plan->in->hooks[step->hook].webhook_id != step->id;
	} else if ((step->hook = spare_hook(plan, stream)) >= 0) {
		plan->used[step->hook] = true;
		step->adopts = true;
	}
	if (plan->in->rotate && step->hook >= 0) {
		step->old = step->hook;
		step->hook = -1;
		add_word(step, "secrets to be changed");
	}
	if (step->wrong[0] != '\0')
		step->what = ENSURE_MEND;
	json_array_foreach(plan->in->webhooks, index, each)
	{
		int hook;

		if (each == best || !text_same(text_of(each, "MessageStream"), stream) ||
		    !ensure_is_ours(plan->in, each))
			continue;
		hook = ensure_hook_of(plan->in, each);
		step = add_step(plan, ENSURE_REMOVE, stream,
		    (int64_t)json_integer_value(json_object_get(each, "ID")));
		add_word(step, "one too many");
		if (hook >= 0 && !plan->used[hook]) {
			step->old = hook;
			plan->used[hook] = true;
		}
	}
}

struct ensure_step *
ensure_plan(const struct ensure_input *in, size_t *count_r)
{
	struct plan plan = { .in = in, .used = mem_array(in->hook_count + 1, sizeof(bool)) };
	const json_t *each;
	size_t index;

	for (size_t i = 0; i < in->streams->count; i++)
		plan_stream(&plan, in->streams->items[i]);
	if (in->partial)
		goto end;
	json_array_foreach(in->webhooks, index, each)
	{
		const char *stream = text_of(each, "MessageStream");
		struct ensure_step *step;
		bool in_use = false;
		int hook;

		for (size_t i = 0; i < in->streams->count; i++)
			in_use = in_use || text_same(in->streams->items[i], stream);
		if (in_use || !ensure_is_ours(in, each))
			continue;
		step = add_step(&plan, ENSURE_LEAVE, stream,
		    (int64_t)json_integer_value(json_object_get(each, "ID")));
		add_word(step, "no route uses this stream");
		hook = ensure_hook_of(in, each);
		if (hook >= 0)
			plan.used[hook] = true;
	}
	for (size_t i = 0; i < in->hook_count; i++) {
		const struct hook *hook = &in->hooks[i];
		struct ensure_step *step;

		if (!is_of(in, i) || !is_active(hook) || plan.used[i])
			continue;
		step = add_step(&plan, ENSURE_FORGET, hook->stream, 0);
		step->old = (int)i;
		step->drops = hook->webhook_id == 0 && hook->made_ms < in->now_ms - ENSURE_YOUNG_MS;
		add_word(step, "secrets of no webhook");
	}
end:
	free(plan.used);
	*count_r = plan.count;
	return plan.steps;
}

/* --- mails that come in ----------------------------------------------------------------------- */

static bool
is_of_inbound(const struct hook *hook, const char *connection)
{
	return strcmp(hook->stream, "inbound") == 0 && strcmp(hook->connection, connection) == 0;
}

bool
ensure_is_inbound(const struct hook *hook, const char *connection)
{
	return hook->ends_ms == 0 && is_of_inbound(hook, connection);
}

char *
ensure_inbound_url(const char *public_url, const struct hook *hook)
{
	char *plain = ensure_url(public_url, hook->path);
	const char *host = strstr(plain, "://");
	char *url = host == NULL ? mem_string(plain)
				 : mem_format("%.*s%s:%s@%s", (int)(host + 3 - plain), plain,
				       hook->user, hook->password, host + 3);

	free(plain);
	return url;
}

/* The one that Postmark has, for a change may have been refused; else the newest. */
static int
inbound_hook(const struct ensure_input *in, const char *url)
{
	int newest = -1;

	for (size_t i = 0; i < in->hook_count; i++) {
		if (!ensure_is_inbound(&in->hooks[i], in->connection))
			continue;
		if (ends_in(url, in->hooks[i].path))
			return (int)i;
		if (newest < 0 || in->hooks[i].made_ms > in->hooks[newest].made_ms)
			newest = (int)i;
	}
	return newest;
}

static bool
inbound_is_ours(const struct ensure_input *in, const char *url)
{
	for (size_t i = 0; i < in->hook_count; i++)
		if (is_of_inbound(&in->hooks[i], in->connection) && ends_in(url, in->hooks[i].path))
			return true;
	return is_made_here(url, in->public_url);
}

struct ensure_inbound
ensure_inbound_plan(const struct ensure_input *in, const char *url, bool takes)
{
	bool by_hand = in->manual_secret != NULL && ends_in(url, in->manual_secret);
	struct ensure_inbound plan = { .what = ENSURE_MEND, .hook = inbound_hook(in, url) };
	char *wanted;

	if (by_hand && !takes)
		return (struct ensure_inbound){ .what = ENSURE_FINE, .hook = -1, .wrong = "" };
	plan.others = url[0] != '\0' && (by_hand || !inbound_is_ours(in, url));
	wanted = plan.hook >= 0 ? ensure_inbound_url(in->public_url, &in->hooks[plan.hook]) : NULL;
	if (plan.others) {
		plan.what = takes ? ENSURE_MEND : ENSURE_LEAVE;
		plan.wrong = "another InboundHookUrl";
	} else if (url[0] == '\0') {
		plan.wrong = "no InboundHookUrl";
	} else if (wanted == NULL || strcmp(url, wanted) != 0) {
		plan.wrong = "wrong InboundHookUrl";
	} else if (in->rotate) {
		plan.wrong = "secrets to be changed";
	} else {
		plan.what = ENSURE_FINE;
		plan.wrong = "";
	}
	if (in->rotate)
		plan.hook = -1;
	free(wanted);
	return plan;
}

void
ensure_steps_free(struct ensure_step *steps, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(steps[i].stream);
	free(steps);
}
