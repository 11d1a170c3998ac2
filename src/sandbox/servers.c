#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#include "sandbox/account.h"
#include "sandbox/fields.h"
#include "sandbox/query.h"
#include "sandbox/server.h"
#include "sandbox/state.h"
#include "sandbox/url.h"
#include "sandbox/servers.h"

#define MOST_NAME 255

const struct fields servers_fields[] = {
	{ "Name", FIELDS_STRING },
	{ "Color", FIELDS_STRING },
	{ "SmtpApiActivated", FIELDS_FLAG },
	{ "RawEmailEnabled", FIELDS_FLAG },
	{ "DeliveryType", FIELDS_STRING },
	{ "InboundHookUrl", FIELDS_STRING },
	{ "BounceHookUrl", FIELDS_STRING },
	{ "OpenHookUrl", FIELDS_STRING },
	{ "DeliveryHookUrl", FIELDS_STRING },
	{ "ClickHookUrl", FIELDS_STRING },
	{ "PostFirstOpenOnly", FIELDS_FLAG },
	{ "InboundDomain", FIELDS_STRING },
	{ "InboundSpamThreshold", FIELDS_INTEGER },
	{ "TrackOpens", FIELDS_FLAG },
	{ "TrackLinks", FIELDS_STRING },
	{ "IncludeBounceContentInHook", FIELDS_FLAG },
	{ "EnableSmtpApiErrorHooks", FIELDS_FLAG },
};
const size_t servers_fields_count = sizeof(servers_fields) / sizeof(servers_fields[0]);

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* How the answer spells what was given in any case; NULL: not one of them. */
static const char *
one_of(const char *const *known, const char *text)
{
	for (; *known != NULL; known++) {
		if (text_same(*known, text))
			return *known;
	}
	return NULL;
}

static const char *const colors[] = { "purple", "blue", "turquoise", "green", "red", "yellow",
	"grey", "orange", NULL };
static const char *const track_links[] = { "None", "HtmlAndText", "HtmlOnly", "TextOnly", NULL };
static const char *const delivery_types[] = { "Live", "Sandbox", NULL };

static const char *
color_of(const char *text)
{
	/* So an old table of Postmark's spells it. */
	return text_same(text, "turqoise") ? "turquoise" : one_of(colors, text);
}

static int
check_name(
    const struct state *state, const struct server *server, const json_t *json, const char **why_r)
{
	const json_t *value = fields_get(json, "Name");
	const char *name = json_string_value(value);
	const struct server *other;

	if (value == NULL)
		return 0;
	if (name[strspn(name, " \t")] == '\0' || strlen(name) > MOST_NAME ||
	    strpbrk(name, "\r\n") != NULL) {
		*why_r = "The 'Name' of the server is missing or not valid.";
		return 608;
	}
	other = account_server_by_name(&state->account, name);
	if (other != NULL && other != server) {
		*why_r = "This server name is already in use.";
		return 603;
	}
	return 0;
}

static int
check_inbound_domain(
    const struct state *state, const struct server *server, const json_t *json, const char **why_r)
{
	const char *domain = fields_text(json, "InboundDomain");

	if (domain == NULL)
		return 0;
	if (text_find_same(domain, "postmarkapp.com") != NULL || strchr(domain, '.') == NULL ||
	    strpbrk(domain, " @/:\t\r\n") != NULL) {
		*why_r = "The 'InboundDomain' is not valid.";
		return 608;
	}
	for (size_t i = 0; i < state->account.servers.count; i++) {
		const struct server *other = state->account.servers.list[i];

		if (other != server && text_same(server_text(other, "InboundDomain"), domain)) {
			*why_r = "The 'InboundDomain' is already in use on another server.";
			return 602;
		}
	}
	return 0;
}

static int
check_values(const json_t *json, const char **why_r)
{
	static const char *const urls[] = { "InboundHookUrl", "BounceHookUrl", "OpenHookUrl",
		"DeliveryHookUrl", "ClickHookUrl" };
	const char *color = fields_text(json, "Color");
	const char *links = fields_text(json, "TrackLinks");
	const char *delivery = fields_text(json, "DeliveryType");
	const json_t *threshold = fields_get(json, "InboundSpamThreshold");

	for (size_t i = 0; i < COUNT(urls); i++) {
		const char *url = fields_text(json, urls[i]);

		if (url == NULL || url_ok(url))
			continue;
		*why_r = "The URL of a hook is not valid.";
		return 606;
	}
	if (color != NULL && color_of(color) == NULL) {
		*why_r = "The 'Color' is none of Purple, Blue, Turquoise, Green, Red, Yellow, Grey "
			 "and Orange.";
		return 607;
	}
	if (threshold != NULL &&
	    (json_integer_value(threshold) < 0 || json_integer_value(threshold) > 30)) {
		*why_r = "The 'InboundSpamThreshold' must be from 0 to 30.";
		return 611;
	}
	if (links != NULL && one_of(track_links, links) == NULL) {
		*why_r = "The 'TrackLinks' is none of None, HtmlAndText, HtmlOnly and TextOnly.";
		return 612;
	}
	if (delivery != NULL && one_of(delivery_types, delivery) == NULL) {
		*why_r = "The 'DeliveryType' is neither Live nor Sandbox.";
		return 613;
	}
	return 0;
}

int
servers_apply(struct state *state, struct server *server, const json_t *json, bool creating,
    const char **why_r)
{
	const char *text;
	int code = check_name(state, server, json, why_r);

	if (code == 0)
		code = check_inbound_domain(state, server, json, why_r);
	if (code == 0)
		code = check_values(json, why_r);
	if (code == 0 && !creating) {
		text = fields_text(json, "DeliveryType");
		if (text != NULL && !text_same(text, server_text(server, "DeliveryType"))) {
			*why_r = "The 'DeliveryType' of a server cannot be changed.";
			code = 613;
		}
	}
	if (code != 0)
		return code;

	for (size_t i = 0; i < servers_fields_count; i++) {
		const char *name = servers_fields[i].name;
		const json_t *value = fields_get(json, name);

		if (value == NULL)
			continue;
		text = json_string_value(value);
		if (strcmp(name, "Color") == 0 || strcmp(name, "TrackLinks") == 0 ||
		    strcmp(name, "DeliveryType") == 0) {
			if (text[0] == '\0')
				continue;
			text = name[0] == 'C'   ? color_of(text)
			       : name[0] == 'T' ? one_of(track_links, text)
						: one_of(delivery_types, text);
			json_object_set_new(server->shown, name, json_string(text));
		} else {
			json_object_set_new(server->shown, name, json_copy((json_t *)value));
		}
	}
	return 0;
}

/* ---- calls ---- */

/* The server of the path; NULL: refused. */
static struct server *
wanted(struct state *state, const struct api_request *request, struct api_answer *answer)
{
	struct server *server =
	    account_server(&state->account, (int64_t)query_id(request->parts[0]));

	if (server == NULL)
		api_refuse(state, answer, 422, "The server was not found.");
	return server;
}

static bool
body_ok(struct state *state, const struct api_request *request, struct api_answer *answer)
{
	return api_body_ok(state, request, answer, 609, "The request is empty.", servers_fields,
	    servers_fields_count);
}

static void
edit(struct state *state, struct server *server, const struct api_request *request,
    struct api_answer *answer)
{
	const char *why;
	int code;

	if (!body_ok(state, request, answer))
		return;
	code = servers_apply(state, server, request->json, false, &why);
	if (code != 0)
		api_refuse(state, answer, code, why);
	else
		api_answer_json(answer, server_json(server));
}

void
servers_list(struct state *state, struct server *none, const struct api_request *request,
    struct api_answer *answer)
{
	const char *name = query_text(request, "name");
	struct query_page page;
	const char *wrong = query_page(request, false, &page);

	(void)none;
	if (wrong != NULL) {
		api_refuse(state, answer, 600, wrong);
		return;
	}
	for (size_t i = 0; i < state->account.servers.count; i++) {
		const struct server *server = state->account.servers.list[i];

		if ((name == NULL || text_find_same(server_text(server, "Name"), name) != NULL) &&
		    query_page_has(&page))
			query_page_add(&page, server_json(server));
	}
	query_page_answer(&page, answer, "Servers");
}

void
servers_get(struct state *state, struct server *none, const struct api_request *request,
    struct api_answer *answer)
{
	const struct server *server = wanted(state, request, answer);

	(void)none;
	if (server != NULL)
		api_answer_json(answer, server_json(server));
}

void
servers_create(struct state *state, struct server *none, const struct api_request *request,
    struct api_answer *answer)
{
	struct server *server;
	const char *why;
	int code;

	(void)none;
	if (!body_ok(state, request, answer))
		return;
	if (fields_text(request->json, "Name") == NULL) {
		api_refuse(state, answer, 608, "The 'Name' of the server is missing or not valid.");
		return;
	}
	if (state->account.servers.count == ACCOUNT_MOST_SERVERS) {
		api_refuse(state, answer, 614, "The account has as many servers as it may have.");
		return;
	}
	server = account_add_server(&state->account, "");
	code = servers_apply(state, server, request->json, true, &why);
	if (code != 0) {
		account_remove_server(&state->account, server);
		api_refuse(state, answer, code, why);
		return;
	}
	server_new_token(server);
	api_answer_json(answer, server_json(server));
}

void
servers_edit(struct state *state, struct server *none, const struct api_request *request,
    struct api_answer *answer)
{
	struct server *server = wanted(state, request, answer);

	(void)none;
	if (server != NULL)
		edit(state, server, request, answer);
}

void
servers_delete(struct state *state, struct server *none, const struct api_request *request,
    struct api_answer *answer)
{
	struct server *server = wanted(state, request, answer);

	(void)none;
	if (server == NULL)
		return;
	if (!state->switches.delete_servers) {
		api_refuse(state, answer, 604,
		    "You do not have permission to delete servers through the API.");
		return;
	}
	api_answer_done(answer, "Server %s removed.", server_text(server, "Name"));
	account_remove_server(&state->account, server);
}

void
servers_own(struct state *state, struct server *server, const struct api_request *request,
    struct api_answer *answer)
{
	(void)state;
	(void)request;
	api_answer_json(answer, server_json(server));
}

void
servers_edit_own(struct state *state, struct server *server, const struct api_request *request,
    struct api_answer *answer)
{
	edit(state, server, request, answer);
}
