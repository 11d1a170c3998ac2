#include "sandbox/bounces.h"
#include "sandbox/hook_calls.h"
#include "sandbox/inbound.h"
#include "sandbox/removals.h"
#include "sandbox/search.h"
#include "sandbox/send.h"
#include "sandbox/servers.h"
#include "sandbox/state.h"
#include "sandbox/streams.h"
#include "sandbox/suppressions.h"
#include "sandbox/tracks.h"
#include "sandbox/routes.h"

const struct api_route routes[] = {
	{ "POST", "/email", API_SENDING, API_OBJECT, send_email },
	{ "POST", "/email/batch", API_SENDING, API_ARRAY, send_emails },

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
