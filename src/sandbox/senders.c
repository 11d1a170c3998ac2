#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

#include "sandbox/account.h"
#include "sandbox/domains.h"
#include "sandbox/fields.h"
#include "sandbox/items.h"
#include "sandbox/query.h"
#include "sandbox/rules.h"
#include "sandbox/state.h"
#include "sandbox/senders.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define MOST_TEXT    255
#define MOST_NOTE    400

struct sender {
	int64_t id;
	char *address;
	char *name;
	char *reply_to;
	char *note;
	bool confirmed;
	json_t *details; /* of the domain, as the signature sees it */
};

struct senders {
	struct items items;
	int64_t next;
};

/* ---- the list ---- */

struct senders *
senders_new(void)
{
	struct senders *senders = mem_new(sizeof(*senders));

	senders->next = 1;
	return senders;
}

static void
sender_free(void *item)
{
	struct sender *sender = item;

	free(sender->address);
	free(sender->name);
	free(sender->reply_to);
	free(sender->note);
	json_decref(sender->details);
	free(sender);
}

void
senders_free(struct senders **senders_p)
{
	struct senders *senders = *senders_p;

	if (senders == NULL)
		return;
	items_deinit(&senders->items, sender_free);
	free(senders);
	*senders_p = NULL;
}

static struct sender *
find(const struct senders *senders, const char *address)
{
	for (size_t i = 0; i < senders->items.count; i++) {
		struct sender *sender = senders->items.list[i];

		if (text_same(sender->address, address))
			return sender;
	}
	return NULL;
}

static const char *
domain_of(const struct sender *sender)
{
	return strrchr(sender->address, '@') + 1;
}

static struct sender *
add(struct senders *senders, const char *address, const char *name)
{
	struct sender *sender = mem_new(sizeof(*sender));

	sender->id = senders->next++;
	sender->address = mem_string(address);
	sender->name = mem_string(name);
	sender->reply_to = mem_string("");
	sender->note = mem_string("");
	sender->details = domains_details_new(domain_of(sender));
	items_add(&senders->items, sender);
	return sender;
}

void
senders_add_confirmed(struct senders *senders, const char *address)
{
	struct sender *sender = find(senders, address);

	if (sender == NULL)
		sender = add(senders, address, address);
	sender->confirmed = true;
}

bool
senders_confirmed(const struct senders *senders, const char *address)
{
	const struct sender *sender = find(senders, address);

	return sender != NULL && sender->confirmed;
}

/* ---- calls ---- */

static json_t *
summary_json(const struct sender *sender)
{
	return json_pack("{s:I, s:s, s:s, s:s, s:s, s:b}", "ID", (json_int_t)sender->id, "Domain",
	    domain_of(sender), "EmailAddress", sender->address, "Name", sender->name,
	    "ReplyToEmailAddress", sender->reply_to, "Confirmed", sender->confirmed);
}

static json_t *
full_json(const struct sender *sender)
{
	json_t *json = summary_json(sender);

	json_object_update(json, sender->details);
	json_object_set_new(json, "ConfirmationPersonalNote", json_string(sender->note));
	return json;
}

/* The signature of the path; NULL: refused. */
static struct sender *
wanted(struct state *state, const struct api_request *request, struct api_answer *answer)
{
	struct sender *sender =
	    items_find(&state->account.senders->items, (int64_t)query_id(request->parts[0]));

	if (sender == NULL)
		api_refuse(state, answer, 501, "The sender signature was not found.");
	return sender;
}

/* The address alone, to be freed; NULL: it is none. */
static char *
address_of(const char *text)
{
	struct rules_mailboxes list;
	struct rules_refusal refusal;
	char *address = NULL;

	if (rules_mailboxes_parse("FromEmail", text, &list, &refusal) != 0) {
		rules_refusal_deinit(&refusal);
		return NULL;
	}
	if (list.addresses.count == 1 && list.names.items[0][0] == '\0' &&
	    domains_name_ok(strrchr(list.addresses.items[0], '@') + 1))
		address = mem_string(list.addresses.items[0]);
	rules_mailboxes_deinit(&list);
	return address;
}

static bool
lengths_ok(const json_t *json)
{
	static const struct {
		const char *field;
		size_t most;
	} limits[] = { { "FromEmail", MOST_TEXT }, { "Name", MOST_TEXT },
		{ "ReplyToEmail", MOST_TEXT }, { "ReturnPathDomain", MOST_TEXT },
		{ "ConfirmationPersonalNote", MOST_NOTE } };

	for (size_t i = 0; i < COUNT(limits); i++) {
		const char *text = fields_text(json, limits[i].field);

		if (text != NULL && text_utf16_units(text, strlen(text)) > limits[i].most)
			return false;
	}
	return true;
}

static bool
body_ok(struct state *state, const struct api_request *request, struct api_answer *answer)
{
	static const struct fields fields[] = {
		{ "FromEmail", FIELDS_STRING },
		{ "Name", FIELDS_STRING },
		{ "ReplyToEmail", FIELDS_STRING },
		{ "ReturnPathDomain", FIELDS_STRING },
		{ "ConfirmationPersonalNote", FIELDS_STRING },
	};
	const char *reply_to;
	char *address;

	if (!api_body_ok(
		state, request, answer, 502, "The request has no data.", fields, COUNT(fields)))
		return false;
	if (!lengths_ok(request->json)) {
		api_refuse(state, answer, 521, "A field is too long.");
		return false;
	}
	reply_to = fields_text(request->json, "ReplyToEmail");
	if (reply_to == NULL)
		return true;
	address = address_of(reply_to);
	if (address == NULL)
		api_refuse(state, answer, 522, "The 'ReplyToEmail' is not an address.");
	free(address);
	return address != NULL;
}

static void
set_text(char **text, const char *value)
{
	if (value == NULL)
		return;
	free(*text);
	*text = mem_string(value);
}

/* false: the return path is not right, and nothing has changed. */
static bool
apply(struct sender *sender, const json_t *json)
{
	const char *path = fields_text(json, "ReturnPathDomain");

	if (path != NULL &&
	    !domains_details_set_return_path(sender->details, domain_of(sender), path))
		return false;
	set_text(&sender->name, fields_text(json, "Name"));
	set_text(&sender->reply_to, fields_text(json, "ReplyToEmail"));
	set_text(&sender->note, fields_text(json, "ConfirmationPersonalNote"));
	return true;
}

void
senders_list(struct state *state, struct server *none, const struct api_request *request,
    struct api_answer *answer)
{
	const struct senders *senders = state->account.senders;
	struct query_page page;
	const char *wrong = query_page(request, false, &page);

	(void)none;
	if (wrong != NULL) {
		api_refuse(state, answer, 500, wrong);
		return;
	}
	for (size_t i = 0; i < senders->items.count; i++) {
		if (query_page_has(&page))
			query_page_add(&page, summary_json(senders->items.list[i]));
	}
	query_page_answer(&page, answer, "SenderSignatures");
}

void
senders_get(struct state *state, struct server *none, const struct api_request *request,
    struct api_answer *answer)
{
	const struct sender *sender = wanted(state, request, answer);

	(void)none;
	if (sender != NULL)
		api_answer_json(answer, full_json(sender));
}

static int
check_new(
    const struct senders *senders, const json_t *json, const char *address, const char **why_r)
{
	if (fields_text(json, "FromEmail") == NULL) {
		*why_r = "The 'FromEmail' is missing.";
		return 520;
	}
	if (address == NULL) {
		*why_r = "The 'FromEmail' is not an address.";
		return 522;
	}
	if (fields_text(json, "Name") == NULL) {
		*why_r = "The 'Name' is missing.";
		return 511;
	}
	if (domains_name_public(strrchr(address, '@') + 1)) {
		*why_r = "The address is that of a public mail provider.";
		return 503;
	}
	if (find(senders, address) != NULL) {
		*why_r = "The sender signature exists already.";
		return 504;
	}
	if (senders->items.count == SENDERS_MOST) {
		*why_r = "The account has as many sender signatures as it may have.";
		return 614;
	}
	return 0;
}

void
senders_create(struct state *state, struct server *none, const struct api_request *request,
    struct api_answer *answer)
{
	struct senders *senders = state->account.senders;
	const char *from, *why;
	struct sender *sender;
	char *address;
	int code;

	(void)none;
	if (!body_ok(state, request, answer))
		return;
	from = fields_text(request->json, "FromEmail");
	address = from != NULL ? address_of(from) : NULL;
	code = check_new(senders, request->json, address, &why);
	if (code != 0) {
		api_refuse(state, answer, code, why);
		goto free_address;
	}
	sender = add(senders, address, "");
	sender->confirmed = domains_verified(state->account.domains, domain_of(sender));
	if (!apply(sender, request->json)) {
		items_remove(&senders->items, sender);
		sender_free(sender);
		api_refuse(state, answer, 511,
		    "The 'ReturnPathDomain' must be a subdomain of the address's domain.");
		goto free_address;
	}
	api_answer_json(answer, full_json(sender));

free_address:
	free(address);
}

void
senders_edit(struct state *state, struct server *none, const struct api_request *request,
    struct api_answer *answer)
{
	struct sender *sender = wanted(state, request, answer);

	(void)none;
	if (sender == NULL || !body_ok(state, request, answer))
		return;
	if (!apply(sender, request->json))
		api_refuse(state, answer, 511,
		    "The 'ReturnPathDomain' must be a subdomain of the address's domain.");
	else
		api_answer_json(answer, full_json(sender));
}

void
senders_delete(struct state *state, struct server *none, const struct api_request *request,
    struct api_answer *answer)
{
	struct sender *sender = wanted(state, request, answer);

	(void)none;
	if (sender == NULL)
		return;
	api_answer_done(answer, "Signature %s removed.", sender->address);
	items_remove(&state->account.senders->items, sender);
	sender_free(sender);
}

void
senders_resend(struct state *state, struct server *none, const struct api_request *request,
    struct api_answer *answer)
{
	const struct sender *sender = wanted(state, request, answer);

	(void)none;
	if (sender == NULL)
		return;
	if (sender->confirmed)
		api_refuse(state, answer, 506, "The sender signature is confirmed already.");
	else
		api_answer_done(answer, "Confirmation email for Sender Signature %s was re-sent.",
		    sender->address);
}

void
senders_verify_spf(struct state *state, struct server *none, const struct api_request *request,
    struct api_answer *answer)
{
	struct sender *sender = wanted(state, request, answer);

	(void)none;
	if (sender == NULL)
		return;
	domains_details_verify_spf(sender->details);
	api_answer_json(answer, full_json(sender));
}

void
senders_new_dkim(struct state *state, struct server *none, const struct api_request *request,
    struct api_answer *answer)
{
	struct sender *sender = wanted(state, request, answer);

	(void)none;
	if (sender == NULL)
		return;
	if (domains_details_rotate(sender->details, domain_of(sender)) != 0)
		api_refuse(state, answer, 505, "The renewal of the DKIM key is running already.");
	else
		api_answer_json(answer, full_json(sender));
}

/* ---- control ---- */

json_t *
senders_confirmed_json(const struct senders *senders)
{
	json_t *json = json_object();

	for (size_t i = 0; i < senders->items.count; i++) {
		const struct sender *sender = senders->items.list[i];

		json_object_set_new(json, sender->address, json_boolean(sender->confirmed));
	}
	return json;
}

int
senders_confirm(struct senders *senders, const json_t *confirmed)
{
	const char *address;
	json_t *value;

	if (!json_is_object(confirmed))
		return -1;
	json_object_foreach((json_t *)confirmed, address, value)
	{
		if (!json_is_boolean(value) || find(senders, address) == NULL)
			return -1;
	}
	json_object_foreach((json_t *)confirmed, address, value) find(senders, address)->confirmed =
	    json_is_true(value);
	return 0;
}
