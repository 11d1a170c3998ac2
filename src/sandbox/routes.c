#include "sandbox/bounces.h"
#include "sandbox/domains.h"
#include "sandbox/hook_calls.h"
#include "sandbox/inbound.h"
#include "sandbox/removals.h"
#include "sandbox/search.h"
#include "sandbox/send.h"
#include "sandbox/senders.h"
#include "sandbox/servers.h"
#include "sandbox/state.h"
#include "sandbox/stats.h"
#include "sandbox/streams.h"
#include "sandbox/suppressions.h"
#include "sandbox/template_api.h"
#include "sandbox/tracks.h"
#include "sandbox/routes.h"

const struct api_route routes[] = {
	{ "POST", "/email", API_SENDING, API_OBJECT, send_email },
	{ "POST", "/email/batch", API_SENDING, API_ARRAY, send_emails },
	{ "POST", "/email/withtemplate", API_SENDING, API_OBJECT, template_send },
	{ "POST", "/email/batchwithtemplates", API_SENDING, API_OBJECT, template_send_all },

	{ "GET", "/templates", API_SERVER, API_NO_BODY, template_list },
	{ "POST", "/templates", API_SERVER, API_OBJECT, template_create },
	{ "POST", "/templates/validate", API_SERVER, API_OBJECT, template_validate },
	{ "PUT", "/templates/push", API_ACCOUNT, API_OBJECT, template_push },
	{ "GET", "/templates/{id}", API_SERVER, API_NO_BODY, template_get },
	{ "PUT", "/templates/{id}", API_SERVER, API_OBJECT, template_edit },
	{ "DELETE", "/templates/{id}", API_SERVER, API_NO_BODY, template_delete },

	{ "GET", "/servers", API_ACCOUNT, API_NO_BODY, servers_list },
	{ "POST", "/servers", API_ACCOUNT, API_OBJECT, servers_create },
	{ "GET", "/servers/{id}", API_ACCOUNT, API_NO_BODY, servers_get },
	{ "PUT", "/servers/{id}", API_ACCOUNT, API_OBJECT, servers_edit },
	{ "DELETE", "/servers/{id}", API_ACCOUNT, API_NO_BODY, servers_delete },
	{ "GET", "/server", API_SERVER, API_NO_BODY, servers_own },
	{ "PUT", "/server", API_SERVER, API_OBJECT, servers_edit_own },

	{ "GET", "/message-streams", API_SERVER, API_NO_BODY, streams_list },
	{ "POST", "/message-streams", API_SERVER, API_OBJECT, streams_create },
	{ "GET", "/message-streams/{id}", API_SERVER, API_NO_BODY, streams_get },
	{ "PATCH", "/message-streams/{id}", API_SERVER, API_OBJECT, streams_edit },
	{ "POST", "/message-streams/{id}/archive", API_SERVER, API_NO_BODY, streams_archive },
	{ "POST", "/message-streams/{id}/unarchive", API_SERVER, API_NO_BODY, streams_unarchive },
	{ "GET", "/message-streams/{id}/suppressions/dump", API_SERVER, API_NO_BODY,
	    suppressions_dump },
	{ "POST", "/message-streams/{id}/suppressions", API_SERVER, API_OBJECT,
	    suppressions_create },
	{ "POST", "/message-streams/{id}/suppressions/delete", API_SERVER, API_OBJECT,
	    suppressions_delete },

	{ "GET", "/messages/outbound", API_SERVER, API_NO_BODY, search_messages },
	{ "GET", "/messages/outbound/opens", API_SERVER, API_NO_BODY, tracks_opens },
	{ "GET", "/messages/outbound/opens/{id}", API_SERVER, API_NO_BODY,
	    tracks_opens_of_message },
	{ "GET", "/messages/outbound/clicks", API_SERVER, API_NO_BODY, tracks_clicks },
	{ "GET", "/messages/outbound/clicks/{id}", API_SERVER, API_NO_BODY,
	    tracks_clicks_of_message },
	{ "GET", "/messages/outbound/{id}/details", API_SERVER, API_NO_BODY, search_details },
	{ "GET", "/messages/outbound/{id}/dump", API_SERVER, API_NO_BODY, search_dump },
	{ "GET", "/messages/inbound", API_SERVER, API_NO_BODY, inbound_list },
	{ "GET", "/messages/inbound/{id}/details", API_SERVER, API_NO_BODY, inbound_details },
	{ "PUT", "/messages/inbound/{id}/bypass", API_SERVER, API_NO_BODY, inbound_bypass },
	{ "PUT", "/messages/inbound/{id}/retry", API_SERVER, API_NO_BODY, inbound_retry },
	{ "GET", "/triggers/inboundrules", API_SERVER, API_NO_BODY, inbound_rules_list },
	{ "POST", "/triggers/inboundrules", API_SERVER, API_OBJECT, inbound_rules_create },
	{ "DELETE", "/triggers/inboundrules/{id}", API_SERVER, API_NO_BODY, inbound_rules_delete },

	{ "GET", "/deliverystats", API_SERVER, API_NO_BODY, bounces_stats },
	{ "GET", "/bounces", API_SERVER, API_NO_BODY, bounces_list },
	{ "GET", "/bounces/{id}", API_SERVER, API_NO_BODY, bounces_get },
	{ "GET", "/bounces/{id}/dump", API_SERVER, API_NO_BODY, bounces_dump },
	{ "PUT", "/bounces/{id}/activate", API_SERVER, API_NO_BODY, bounces_activate },

	{ "GET", "/stats/outbound", API_SERVER, API_NO_BODY, stats_overview },
	{ "GET", "/stats/outbound/sends", API_SERVER, API_NO_BODY, stats_by_day },
	{ "GET", "/stats/outbound/bounces", API_SERVER, API_NO_BODY, stats_by_day },
	{ "GET", "/stats/outbound/spam", API_SERVER, API_NO_BODY, stats_by_day },
	{ "GET", "/stats/outbound/tracked", API_SERVER, API_NO_BODY, stats_by_day },
	{ "GET", "/stats/outbound/opens", API_SERVER, API_NO_BODY, stats_by_day },
	{ "GET", "/stats/outbound/opens/platforms", API_SERVER, API_NO_BODY, stats_by_day },
	{ "GET", "/stats/outbound/opens/emailclients", API_SERVER, API_NO_BODY, stats_by_day },
	{ "GET", "/stats/outbound/clicks", API_SERVER, API_NO_BODY, stats_by_day },
	{ "GET", "/stats/outbound/clicks/browserfamilies", API_SERVER, API_NO_BODY, stats_by_day },
	{ "GET", "/stats/outbound/clicks/platforms", API_SERVER, API_NO_BODY, stats_by_day },
	{ "GET", "/stats/outbound/clicks/location", API_SERVER, API_NO_BODY, stats_by_day },

	{ "GET", "/domains", API_ACCOUNT, API_NO_BODY, domains_list },
	{ "POST", "/domains", API_ACCOUNT, API_OBJECT, domains_create },
	{ "GET", "/domains/{id}", API_ACCOUNT, API_NO_BODY, domains_get },
	{ "PUT", "/domains/{id}", API_ACCOUNT, API_OBJECT, domains_edit },
	{ "DELETE", "/domains/{id}", API_ACCOUNT, API_NO_BODY, domains_delete },
	{ "PUT", "/domains/{id}/verifydkim", API_ACCOUNT, API_NO_BODY, domains_verify_dkim },
	{ "PUT", "/domains/{id}/verifyreturnpath", API_ACCOUNT, API_NO_BODY,
	    domains_verify_return_path },
	{ "POST", "/domains/{id}/verifyspf", API_ACCOUNT, API_NO_BODY, domains_verify_spf },
	{ "POST", "/domains/{id}/rotatedkim", API_ACCOUNT, API_NO_BODY, domains_rotate_dkim },

	{ "GET", "/senders", API_ACCOUNT, API_NO_BODY, senders_list },
	{ "POST", "/senders", API_ACCOUNT, API_OBJECT, senders_create },
	{ "GET", "/senders/{id}", API_ACCOUNT, API_NO_BODY, senders_get },
	{ "PUT", "/senders/{id}", API_ACCOUNT, API_OBJECT, senders_edit },
	{ "DELETE", "/senders/{id}", API_ACCOUNT, API_NO_BODY, senders_delete },
	{ "POST", "/senders/{id}/resend", API_ACCOUNT, API_NO_BODY, senders_resend },
	{ "POST", "/senders/{id}/verifyspf", API_ACCOUNT, API_NO_BODY, senders_verify_spf },
	{ "POST", "/senders/{id}/requestnewdkim", API_ACCOUNT, API_NO_BODY, senders_new_dkim },

	{ "GET", "/webhooks", API_SERVER, API_NO_BODY, hook_calls_list },
	{ "POST", "/webhooks", API_SERVER, API_OBJECT, hook_calls_create },
	{ "GET", "/webhooks/{id}", API_SERVER, API_NO_BODY, hook_calls_get },
	{ "PUT", "/webhooks/{id}", API_SERVER, API_OBJECT, hook_calls_edit },
	{ "DELETE", "/webhooks/{id}", API_SERVER, API_NO_BODY, hook_calls_delete },
	{ "POST", "/webhooks/{id}/verify", API_SERVER, API_NO_BODY, hook_calls_verify },
	{ "GET", "/webhooks/{id}/statistics", API_SERVER, API_NO_BODY, hook_calls_statistics },

	{ "POST", "/data-removals", API_ACCOUNT, API_OBJECT, removals_create },
	{ "GET", "/data-removals/{id}", API_ACCOUNT, API_NO_BODY, removals_get },
};

const size_t routes_count = sizeof(routes) / sizeof(routes[0]);

_Static_assert(sizeof(routes) / sizeof(routes[0]) < STATE_ROUTES, "each row has its counter");
