#include <string.h>

#include "base/text.h"

#include "sandbox/fields.h"
#include "sandbox/query.h"
#include "sandbox/server.h"
#include "sandbox/suppressions.h"
#include "sandbox/inbound.h"

#define MOST_RULES 1000

void
inbound_rules_list(struct state *state, struct server *server, const struct api_request *request,
    struct api_answer *answer)
{
	struct query_page page;
	const char *wrong = query_page(request, false, &page);
	size_t i;
	json_t *one;

	if (wrong != NULL) {
		api_refuse(state, answer, 800, wrong);
		return;
	}
	json_array_foreach(server->inbound_rules, i, one)
	{
		if (query_page_has(&page))
			query_page_add(&page, json_incref(one));
	}
	query_page_answer(&page, answer, "InboundRules");
}

/* An address, or a domain with a dot in it. */
static bool
rule_ok(const char *rule)
{
	size_t len = strlen(rule);

	if (strchr(rule, '@') != NULL && rule[0] != '@')
		return suppressions_address_ok(rule);
	rule += rule[0] == '@';
	len = strlen(rule);
	return len <= 255 && strchr(rule, '.') != NULL && rule[0] != '.' && rule[len - 1] != '.' &&
	       strspn(rule, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.") ==
		   len;
}

void
inbound_rules_create(struct state *state, struct server *server, const struct api_request *request,
    struct api_answer *answer)
{
	static const struct fields fields[] = { { "Rule", FIELDS_STRING } };
	const char *rule;
	size_t i;
	json_t *one;

	if (request->json != NULL && !api_fields_ok(state, request, answer, fields, 1))
		return;
	rule = fields_text(request->json, "Rule");
	if (rule == NULL) {
		api_refuse(state, answer, 809, "The request has no 'Rule'.");
		return;
	}
	if (!rule_ok(rule)) {
		api_refuse(state, answer, 813, "The 'Rule' is neither an address nor a domain.");
		return;
	}
	json_array_foreach(server->inbound_rules, i, one)
	{
		if (text_same(fields_text(one, "Rule"), rule)) {
			api_refuse(state, answer, 810, "This rule exists already.");
			return;
		}
	}
	if (json_array_size(server->inbound_rules) == MOST_RULES) {
		api_refuse(state, answer, 614, "The server has as many rules as it may have.");
		return;
	}
	one = json_pack("{s:I, s:s}", "ID", (json_int_t)server->next_inbound_rule++, "Rule", rule);
	json_array_append(server->inbound_rules, one);
	api_answer_json(answer, one);
}

void
inbound_rules_delete(struct state *state, struct server *server, const struct api_request *request,
    struct api_answer *answer)
{
	const json_int_t id = (json_int_t)query_id(request->parts[0]);
	size_t i;
	json_t *one;

	json_array_foreach(server->inbound_rules, i, one)
	{
		if (json_integer_value(json_object_get(one, "ID")) != id)
			continue;
		api_answer_done(answer, "Rule %s removed.", fields_text(one, "Rule"));
		json_array_remove(server->inbound_rules, i);
		return;
	}
	api_refuse(state, answer, 812, "The rule was not found.");
}
