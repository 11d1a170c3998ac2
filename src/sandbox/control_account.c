#include <jansson.h>

#include "sandbox/api.h"
#include "sandbox/control.h"
#include "sandbox/domains.h"
#include "sandbox/senders.h"
#include "sandbox/state.h"
#include "sandbox/control_account.h"

void
control_get_dns(struct state *state, const struct api_request *request, struct api_answer *answer)
{
	(void)request;
	control_json(answer, domains_dns_json(state->account.domains));
}

void
control_put_dns(struct state *state, const struct api_request *request, struct api_answer *answer)
{
	json_error_t unreadable;
	json_t *json = api_request_json(request, &unreadable);

	if (json == NULL)
		control_wrong(answer, 400, unreadable.text);
	else if (domains_dns_set(state->account.domains, json) != 0)
		control_wrong(answer, 422,
		    "wanted an object of domains, each with DKIM and ReturnPath true or false");
	else
		control_get_dns(state, request, answer);
	json_decref(json);
}

void
control_get_senders(
    struct state *state, const struct api_request *request, struct api_answer *answer)
{
	(void)request;
	control_json(answer, senders_confirmed_json(state->account.senders));
}

void
control_put_senders(
    struct state *state, const struct api_request *request, struct api_answer *answer)
{
	json_error_t unreadable;
	json_t *json = api_request_json(request, &unreadable);

	if (json == NULL)
		control_wrong(answer, 400, unreadable.text);
	else if (senders_confirm(state->account.senders, json) != 0)
		control_wrong(answer, 422,
		    "wanted an object of addresses that have a signature, each true or false");
	else
		control_get_senders(state, request, answer);
	json_decref(json);
}
