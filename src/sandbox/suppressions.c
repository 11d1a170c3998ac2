#include <string.h>

#include "base/text.h"

#include "sandbox/fields.h"
#include "sandbox/notify.h"
#include "sandbox/query.h"
#include "sandbox/rules.h"
#include "sandbox/state.h"
#include "sandbox/stream.h"
#include "sandbox/streams.h"
#include "sandbox/suppressions.h"

#define MOST_ENTRIES 50

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *
one_of(const char *const *known, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++) {
		if (text_same(known[i], name))
			return known[i];
	}
	return NULL;
}

const char *
suppressions_reason(const char *name)
{
	static const char *const known[] = { "HardBounce", "SpamComplaint", "ManualSuppression" };

	return one_of(known, COUNT(known), name);
}

const char *
suppressions_origin(const char *name)
{
	static const char *const known[] = { "Recipient", "Customer", "Admin" };

	return one_of(known, COUNT(known), name);
}

bool
suppressions_address_ok(const char *address)
{
	struct rules_mailboxes list;
	struct rules_refusal refusal;
	bool ok;

	if (rules_mailboxes_parse("EmailAddress", address, &list, &refusal) != 0) {
		rules_refusal_deinit(&refusal);
		return false;
	}
	/* A bare one: no name, no brackets. */
	ok = list.addresses.count == 1 && strcmp(list.addresses.items[0], address) == 0;
	rules_mailboxes_deinit(&list);
	return ok;
}

/* ---- the dump ---- */

struct filter {
	const char *reason; /* NULL: any, as for those below */
	const char *origin;
	const char *email;
	const char *from_day; /* "2026-09-05", compared as text */
	const char *to_day;
};

static const char *
text_of(const json_t *one, const char *key)
{
	return json_string_value(json_object_get(one, key));
}

static bool
matches(const struct filter *filter, const json_t *one)
{
	const char *created = text_of(one, "CreatedAt");

	return (filter->reason == NULL ||
		   strcmp(text_of(one, "SuppressionReason"), filter->reason) == 0) &&
	       (filter->origin == NULL || strcmp(text_of(one, "Origin"), filter->origin) == 0) &&
	       (filter->email == NULL || text_same(text_of(one, "EmailAddress"), filter->email)) &&
	       (filter->from_day == NULL || strncmp(created, filter->from_day, 10) >= 0) &&
	       (filter->to_day == NULL || strncmp(created, filter->to_day, 10) <= 0);
}

void
suppressions_dump(struct state *state, struct server *server, const struct api_request *request,
    struct api_answer *answer)
{
	const struct message_stream *stream = streams_wanted(state, server, request, answer);
	const char *reason = query_text(request, "SuppressionReason");
	const char *origin = query_text(request, "Origin");
	struct filter filter = {
		.email = query_text(request, "EmailAddress"),
		.from_day = query_text(request, "fromdate"),
		.to_day = query_text(request, "todate"),
	};
	int64_t ms;
	const char *key;
	json_t *list, *one;

	if (stream == NULL)
		return;
	if (reason != NULL && (filter.reason = suppressions_reason(reason)) == NULL) {
		api_refuse(state, answer, 1404, "The 'SuppressionReason' is not known.");
		return;
	}
	if (origin != NULL && (filter.origin = suppressions_origin(origin)) == NULL) {
		api_refuse(state, answer, 1405, "The 'Origin' is not known.");
		return;
	}
	if (query_time(request, "fromdate", false, &ms) != 0 ||
	    query_time(request, "todate", true, &ms) != 0) {
		api_refuse(state, answer, 900, "A date is not valid.");
		return;
	}
	if (filter.email != NULL && !suppressions_address_ok(filter.email)) {
		api_refuse(state, answer, 1408, "An invalid email address was provided.");
		return;
	}
	list = json_array();
	json_object_foreach(stream->suppressions, key, one)
	{
		if (matches(&filter, one))
			json_array_append(list, one);
	}
	api_answer_json(answer, json_pack("{s:o}", "Suppressions", list));
}

/* ---- changes ---- */

/* The list of the body; NULL: refused. */
static const json_t *
entries(struct state *state, const struct api_request *request, struct api_answer *answer)
{
	const json_t *list = fields_get(request->json, "Suppressions");
	const json_t *one;
	size_t i;

	if (request->json == NULL || list == NULL || json_array_size(list) == 0) {
		if (list != NULL && !json_is_array(list))
			api_refuse(state, answer, 403, "Invalid request field(s): 'Suppressions'.");
		else
			api_refuse(state, answer, 1409, "The request has no suppressions.");
		return NULL;
	}
	if (json_array_size(list) > MOST_ENTRIES) {
		api_refuse(state, answer, 1410,
		    "You may only change up to 50 suppressions in a single request.");
		return NULL;
	}
	json_array_foreach(list, i, one)
	{
		const json_t *address = fields_get(one, "EmailAddress");

		if (!json_is_object(one) || (address != NULL && !json_is_string(address))) {
			api_refuse(state, answer, 403, "Invalid request field(s): 'Suppressions'.");
			return NULL;
		}
		if (fields_text(one, "EmailAddress") == NULL) {
			api_refuse(state, answer, 1411, "The 'EmailAddress' is missing.");
			return NULL;
		}
	}
	return list;
}

/* NULL: done; else why not. */
static const char *
suppress(struct state *state, const struct server *server, struct message_stream *stream,
    const char *address)
{
	/* What is suppressed for another reason stays so. */
	if (message_stream_suppression(stream, address) != NULL)
		return NULL;
	message_stream_suppress(stream, address, "ManualSuppression", "Customer");
	notify_suppression(state, server, stream, NULL, address, "ManualSuppression", "Customer");
	return NULL;
}

static const char *
unsuppress(struct state *state, const struct server *server, struct message_stream *stream,
    const char *address)
{
	const json_t *one = message_stream_suppression(stream, address);
	bool hard, manual;

	if (one == NULL)
		return NULL;
	hard = strcmp(text_of(one, "SuppressionReason"), "HardBounce") == 0 &&
	       strcmp(text_of(one, "Origin"), "Recipient") == 0;
	manual = strcmp(text_of(one, "SuppressionReason"), "ManualSuppression") == 0 &&
		 strcmp(text_of(one, "Origin"), "Customer") == 0;
	if (!hard && !manual)
		return "You do not have the required authority to change this suppression.";
	message_stream_unsuppress(stream, address);
	notify_suppression(state, server, stream, NULL, address, NULL, "Customer");
	return NULL;
}

typedef const char *change_fn(
    struct state *, const struct server *, struct message_stream *, const char *address);

static void
change(struct state *state, struct server *server, const struct api_request *request,
    struct api_answer *answer, const char *status, change_fn *run)
{
	struct message_stream *stream = streams_wanted(state, server, request, answer);
	const json_t *list, *one;
	json_t *out;
	size_t i;

	if (stream == NULL)
		return;
	list = entries(state, request, answer);
	if (list == NULL)
		return;
	if (stream->type == STREAM_TYPE_INBOUND) {
		api_refuse(state, answer, 1236, "An inbound stream has no suppressions.");
		return;
	}
	out = json_array();
	json_array_foreach(list, i, one)
	{
		const char *address = fields_text(one, "EmailAddress");
		const char *why = suppressions_address_ok(address)
				      ? run(state, server, stream, address)
				      : "An invalid email address was provided.";

		json_array_append_new(
		    out, json_pack("{s:s, s:s, s:s?}", "EmailAddress", address, "Status",
			     why == NULL ? status : "Failed", "Message", why));
	}
	api_answer_json(answer, json_pack("{s:o}", "Suppressions", out));
}

void
suppressions_create(struct state *state, struct server *server, const struct api_request *request,
    struct api_answer *answer)
{
	change(state, server, request, answer, "Suppressed", suppress);
}

void
suppressions_delete(struct state *state, struct server *server, const struct api_request *request,
    struct api_answer *answer)
{
	change(state, server, request, answer, "Deleted", unsuppress);
}
