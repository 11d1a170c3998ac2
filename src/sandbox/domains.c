#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

#include "sandbox/account.h"
#include "sandbox/fields.h"
#include "sandbox/items.h"
#include "sandbox/query.h"
#include "sandbox/state.h"
#include "sandbox/uuid.h"
#include "sandbox/domains.h"

#define COUNT(array)     (sizeof(array) / sizeof((array)[0]))
#define MOST_NAME        255
#define MOST_DNS         10000
#define RETURN_PATH_HOST "pm.mtasv.net"

struct domain {
	int64_t id;
	char *name;
	json_t *details; /* all that the API shows but ID and Name */
};

struct domains {
	struct items items;
	int64_t next;
	json_t *dns; /* by name in lower case: what DNS has been told to say */
};

/* ---- names ---- */

bool
domains_name_ok(const char *name)
{
	static const char others[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
	bool dot = false;
	size_t len;

	for (;; name += len + 1) {
		len = strspn(name, others);
		if (len == 0 || len > 63 || name[0] == '-' || name[len - 1] == '-')
			return false;
		if (name[len] == '\0')
			return dot;
		if (name[len] != '.')
			return false;
		dot = true;
	}
}

bool
domains_name_public(const char *name)
{
	static const char *const known[] = { "gmail.com", "googlemail.com", "yahoo.com",
		"hotmail.com", "outlook.com", "live.com", "aol.com", "icloud.com", "gmx.de",
		"gmx.net", "web.de" };

	for (size_t i = 0; i < COUNT(known); i++) {
		if (text_same(name, known[i]))
			return true;
	}
	return false;
}

/* ---- details ---- */

static const char *
text_of(const json_t *details, const char *key)
{
	const char *text = json_string_value(json_object_get(details, key));

	return text != NULL ? text : "";
}

static void
set_text(json_t *details, const char *key, const char *text)
{
	json_object_set_new(details, key, json_string(text));
}

static void
set_flag(json_t *details, const char *key, bool flag)
{
	json_object_set_new(details, key, json_boolean(flag));
}

static void
add_pending_key(json_t *details, const char *name)
{
	char id[UUID_SIZE];
	char *host, *value;

	uuid_make(id);
	host = mem_format("%.8spm._domainkey.%s", id, name);
	value = mem_format("k=rsa;p=sandbox%.8s", id);
	set_text(details, "DKIMPendingHost", host);
	set_text(details, "DKIMPendingTextValue", value);
	set_text(details, "DKIMUpdateStatus", "Pending");
	free(host);
	free(value);
}

json_t *
domains_details_new(const char *name)
{
	json_t *details = json_pack(
	    "{s:b, s:s, s:s, s:b, s:b, s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:s, s:s, s:b, s:s}",
	    "SPFVerified", 0, "SPFHost", name, "SPFTextValue",
	    "v=spf1 a mx include:spf.mtasv.net ~all", "DKIMVerified", 0, "WeakDKIM", 0, "DKIMHost",
	    "", "DKIMTextValue", "", "DKIMPendingHost", "", "DKIMPendingTextValue", "",
	    "DKIMRevokedHost", "", "DKIMRevokedTextValue", "", "SafeToRemoveRevokedKeyFromDNS", 0,
	    "DKIMUpdateStatus", "Pending", "ReturnPathDomain", "", "ReturnPathDomainVerified", 0,
	    "ReturnPathDomainCNAMEValue", RETURN_PATH_HOST);

	add_pending_key(details, name);
	return details;
}

int
domains_details_rotate(json_t *details, const char *name)
{
	if (text_of(details, "DKIMPendingHost")[0] != '\0')
		return -1;
	add_pending_key(details, name);
	return 0;
}

void
domains_details_verify_spf(json_t *details)
{
	set_flag(details, "SPFVerified", true);
}

bool
domains_details_set_return_path(json_t *details, const char *name, const char *return_path)
{
	size_t len = strlen(name), path_len = strlen(return_path);

	if (path_len <= len + 1 || !domains_name_ok(return_path) ||
	    return_path[path_len - len - 1] != '.' ||
	    !text_same(return_path + path_len - len, name))
		return false;
	if (text_same(text_of(details, "ReturnPathDomain"), return_path))
		return true;
	set_text(details, "ReturnPathDomain", return_path);
	set_flag(details, "ReturnPathDomainVerified", false);
	return true;
}

/* The key that waits takes the place of the one that is used. */
static void
use_pending_key(json_t *details)
{
	if (text_of(details, "DKIMPendingHost")[0] != '\0') {
		set_text(details, "DKIMRevokedHost", text_of(details, "DKIMHost"));
		set_text(details, "DKIMRevokedTextValue", text_of(details, "DKIMTextValue"));
		set_flag(details, "SafeToRemoveRevokedKeyFromDNS",
		    text_of(details, "DKIMHost")[0] != '\0');
		set_text(details, "DKIMHost", text_of(details, "DKIMPendingHost"));
		set_text(details, "DKIMTextValue", text_of(details, "DKIMPendingTextValue"));
		set_text(details, "DKIMPendingHost", "");
		set_text(details, "DKIMPendingTextValue", "");
	}
	set_text(details, "DKIMUpdateStatus", "Verified");
	set_flag(details, "DKIMVerified", true);
}

/* ---- the list ---- */

struct domains *
domains_new(void)
{
	struct domains *domains = mem_new(sizeof(*domains));

	domains->next = 1;
	domains->dns = json_object();
	return domains;
}

static void
domain_free(void *item)
{
	struct domain *domain = item;

	free(domain->name);
	json_decref(domain->details);
	free(domain);
}

void
domains_free(struct domains **domains_p)
{
	struct domains *domains = *domains_p;

	if (domains == NULL)
		return;
	items_deinit(&domains->items, domain_free);
	json_decref(domains->dns);
	free(domains);
	*domains_p = NULL;
}

static struct domain *
find(const struct domains *domains, const char *name)
{
	for (size_t i = 0; i < domains->items.count; i++) {
		struct domain *domain = domains->items.list[i];

		if (text_same(domain->name, name))
			return domain;
	}
	return NULL;
}

static struct domain *
add(struct domains *domains, const char *name)
{
	struct domain *domain = mem_new(sizeof(*domain));

	domain->id = domains->next++;
	domain->name = mem_string(name);
	domain->details = domains_details_new(name);
	items_add(&domains->items, domain);
	return domain;
}

void
domains_add_verified(struct domains *domains, const char *name)
{
	struct domain *domain = find(domains, name);

	if (domain == NULL)
		domain = add(domains, name);
	use_pending_key(domain->details);
}

bool
domains_verified(const struct domains *domains, const char *name)
{
	const struct domain *domain = find(domains, name);

	return domain != NULL && json_is_true(json_object_get(domain->details, "DKIMVerified"));
}

/* ---- calls ---- */

static json_t *
full_json(const struct domain *domain)
{
	json_t *json = json_pack("{s:I, s:s}", "ID", (json_int_t)domain->id, "Name", domain->name);

	json_object_update(json, domain->details);
	return json;
}

static json_t *
summary_json(const struct domain *domain)
{
	static const char *const flags[] = { "SPFVerified", "DKIMVerified", "WeakDKIM",
		"ReturnPathDomainVerified" };
	json_t *json = json_pack("{s:I, s:s}", "ID", (json_int_t)domain->id, "Name", domain->name);

	for (size_t i = 0; i < COUNT(flags); i++)
		json_object_set(json, flags[i], json_object_get(domain->details, flags[i]));
	return json;
}

/* The domain of the path; NULL: refused. */
static struct domain *
wanted(struct state *state, const struct api_request *request, struct api_answer *answer)
{
	struct domain *domain =
	    items_find(&state->account.domains->items, (int64_t)query_id(request->parts[0]));

	if (domain == NULL)
		api_refuse(state, answer, 510, "The domain was not found.");
	return domain;
}

static bool
body_ok(struct state *state, const struct api_request *request, struct api_answer *answer)
{
	static const struct fields fields[] = {
		{ "Name", FIELDS_STRING },
		{ "ReturnPathDomain", FIELDS_STRING },
	};

	return api_body_ok(
	    state, request, answer, 502, "The request has no data.", fields, COUNT(fields));
}

void
domains_list(struct state *state, struct server *none, const struct api_request *request,
    struct api_answer *answer)
{
	const struct domains *domains = state->account.domains;
	struct query_page page;
	const char *wrong = query_page(request, false, &page);

	(void)none;
	if (wrong != NULL) {
		api_refuse(state, answer, 500, wrong);
		return;
	}
	for (size_t i = 0; i < domains->items.count; i++) {
		if (query_page_has(&page))
			query_page_add(&page, summary_json(domains->items.list[i]));
	}
	query_page_answer(&page, answer, "Domains");
}

void
domains_get(struct state *state, struct server *none, const struct api_request *request,
    struct api_answer *answer)
{
	const struct domain *domain = wanted(state, request, answer);

	(void)none;
	if (domain != NULL)
		api_answer_json(answer, full_json(domain));
}

static int
check_name(const struct domains *domains, const char *name, const char **why_r)
{
	if (name == NULL) {
		*why_r = "The 'Name' of the domain is missing.";
		return 514;
	}
	if (strlen(name) > MOST_NAME) {
		*why_r = "The 'Name' of the domain is longer than 255 characters.";
		return 515;
	}
	if (!domains_name_ok(name)) {
		*why_r = "The 'Name' of the domain is not valid.";
		return 516;
	}
	if (domains_name_public(name)) {
		*why_r = "The domain is that of a public mail provider.";
		return 503;
	}
	if (find(domains, name) != NULL) {
		*why_r = "The domain exists already.";
		return 512;
	}
	if (domains->items.count == DOMAINS_MOST) {
		*why_r = "The account has as many domains as it may have.";
		return 614;
	}
	return 0;
}

void
domains_create(struct state *state, struct server *none, const struct api_request *request,
    struct api_answer *answer)
{
	struct domains *domains = state->account.domains;
	const char *name, *path, *why;
	struct domain *domain;
	int code;

	(void)none;
	if (!body_ok(state, request, answer))
		return;
	name = fields_text(request->json, "Name");
	path = fields_text(request->json, "ReturnPathDomain");
	code = check_name(domains, name, &why);
	if (code != 0) {
		api_refuse(state, answer, code, why);
		return;
	}
	domain = add(domains, name);
	if (path != NULL && !domains_details_set_return_path(domain->details, name, path)) {
		items_remove(&domains->items, domain);
		domain_free(domain);
		api_refuse(state, answer, 511,
		    "The 'ReturnPathDomain' must be a subdomain of the domain.");
		return;
	}
	api_answer_json(answer, full_json(domain));
}

void
domains_edit(struct state *state, struct server *none, const struct api_request *request,
    struct api_answer *answer)
{
	struct domain *domain = wanted(state, request, answer);
	const char *path;

	(void)none;
	if (domain == NULL || !body_ok(state, request, answer))
		return;
	path = fields_text(request->json, "ReturnPathDomain");
	if (path != NULL && !domains_details_set_return_path(domain->details, domain->name, path))
		api_refuse(state, answer, 511,
		    "The 'ReturnPathDomain' must be a subdomain of the domain.");
	else
		api_answer_json(answer, full_json(domain));
}

void
domains_delete(struct state *state, struct server *none, const struct api_request *request,
    struct api_answer *answer)
{
	struct domain *domain = wanted(state, request, answer);

	(void)none;
	if (domain == NULL)
		return;
	api_answer_done(answer, "Domain %s removed.", domain->name);
	items_remove(&state->account.domains->items, domain);
	domain_free(domain);
}

/* Whether DNS has the record. */
static bool
dns_has(const struct domains *domains, const struct domain *domain, const char *record)
{
	char *name = mem_string(domain->name);
	const json_t *said;

	text_lower(name);
	said = json_object_get(json_object_get(domains->dns, name), record);
	free(name);
	return !json_is_false(said);
}

void
domains_verify_dkim(struct state *state, struct server *none, const struct api_request *request,
    struct api_answer *answer)
{
	struct domain *domain = wanted(state, request, answer);

	(void)none;
	if (domain == NULL)
		return;
	if (dns_has(state->account.domains, domain, "DKIM"))
		use_pending_key(domain->details);
	else if (text_of(domain->details, "DKIMHost")[0] == '\0')
		set_flag(domain->details, "DKIMVerified", false);
	api_answer_json(answer, full_json(domain));
}

void
domains_verify_return_path(struct state *state, struct server *none,
    const struct api_request *request, struct api_answer *answer)
{
	struct domain *domain = wanted(state, request, answer);

	(void)none;
	if (domain == NULL)
		return;
	if (text_of(domain->details, "ReturnPathDomain")[0] == '\0') {
		api_refuse(state, answer, 523, "The domain has no 'ReturnPathDomain'.");
		return;
	}
	set_flag(domain->details, "ReturnPathDomainVerified",
	    dns_has(state->account.domains, domain, "ReturnPath"));
	api_answer_json(answer, full_json(domain));
}

void
domains_verify_spf(struct state *state, struct server *none, const struct api_request *request,
    struct api_answer *answer)
{
	struct domain *domain = wanted(state, request, answer);

	(void)none;
	if (domain == NULL)
		return;
	/* Since SPF goes by the return path, Postmark says yes to all. */
	domains_details_verify_spf(domain->details);
	api_answer_json(answer, full_json(domain));
}

void
domains_rotate_dkim(struct state *state, struct server *none, const struct api_request *request,
    struct api_answer *answer)
{
	struct domain *domain = wanted(state, request, answer);

	(void)none;
	if (domain == NULL)
		return;
	if (domains_details_rotate(domain->details, domain->name) != 0)
		api_refuse(state, answer, 505, "The renewal of the DKIM key is running already.");
	else
		api_answer_json(answer, full_json(domain));
}

/* ---- control ---- */

json_t *
domains_dns_json(const struct domains *domains)
{
	return json_deep_copy(domains->dns);
}

int
domains_dns_set(struct domains *domains, const json_t *dns)
{
	const char *name, *record;
	json_t *records, *value;

	if (!json_is_object(dns) ||
	    json_object_size(dns) + json_object_size(domains->dns) > MOST_DNS)
		return -1;
	json_object_foreach((json_t *)dns, name, records)
	{
		if (!json_is_object(records))
			return -1;
		json_object_foreach(records, record, value)
		{
			if (!json_is_boolean(value) ||
			    (strcmp(record, "DKIM") != 0 && strcmp(record, "ReturnPath") != 0))
				return -1;
		}
	}
	json_object_foreach((json_t *)dns, name, records)
	{
		char *lower = mem_string(name);
		json_t *known;

		text_lower(lower);
		known = json_object_get(domains->dns, lower);
		if (known == NULL)
			json_object_set_new(domains->dns, lower, json_copy(records));
		else
			json_object_update(known, records);
		free(lower);
	}
	return 0;
}
