#include <string.h>

#include "sandbox/fields.h"
#include "sandbox/query.h"
#include "sandbox/records.h"
#include "sandbox/state.h"
#include "sandbox/suppressions.h"
#include "sandbox/removals.h"

/* Requests belong to the account, to no server. */
#define NO_SERVER 0

static json_t *
shown(const struct record *record)
{
	return json_pack("{s:I, s:O}", "ID", (json_int_t)record->number, "Status",
	    json_object_get(record->json, "Status"));
}

void
removals_create(struct state *state, struct server *none, const struct api_request *request,
    struct api_answer *answer)
{
	static const struct fields fields[] = {
		{ "RequestedBy", FIELDS_STRING },
		{ "RequestedFor", FIELDS_STRING },
		{ "NotifyWhenCompleted", FIELDS_FLAG },
	};
	const char *by = fields_text(request->json, "RequestedBy");
	const char *for_whom = fields_text(request->json, "RequestedFor");
	const struct record *record;

	(void)none;
	if (request->json != NULL &&
	    !api_fields_ok(state, request, answer, fields, sizeof(fields) / sizeof(fields[0])))
		return;
	if (by == NULL || for_whom == NULL || !suppressions_address_ok(by) ||
	    !suppressions_address_ok(for_whom)) {
		api_refuse(state, answer, 1300,
		    "'RequestedBy' and 'RequestedFor' are required, and must be addresses.");
		return;
	}
	record = records_add(state->removals, NO_SERVER, NULL,
	    json_pack("{s:s, s:s, s:s}", "Status", "Pending", "RequestedBy", by, "RequestedFor",
		for_whom),
	    NULL);
	api_answer_json(answer, shown(record));
}

void
removals_get(struct state *state, struct server *none, const struct api_request *request,
    struct api_answer *answer)
{
	struct record *record =
	    records_find(state->removals, NO_SERVER, query_id(request->parts[0]));

	(void)none;
	if (record == NULL) {
		api_refuse(state, answer, 1301, "The request was not found.");
		return;
	}
	/* It is done by the time somebody asks again. */
	json_object_set_new(record->json, "Status", json_string("Done"));
	api_answer_json(answer, shown(record));
}
