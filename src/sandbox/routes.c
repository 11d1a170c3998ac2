#include "sandbox/bounces.h"
#include "sandbox/search.h"
#include "sandbox/send.h"
#include "sandbox/servers.h"
#include "sandbox/state.h"
#include "sandbox/streams.h"
#include "sandbox/suppressions.h"
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
	{ "GET", "/messages/outbound/{id}/details", API_SERVER, API_NO_BODY, search_details },
	{ "GET", "/messages/outbound/{id}/dump", API_SERVER, API_NO_BODY, search_dump },

	{ "GET", "/deliverystats", API_SERVER, API_NO_BODY, bounces_stats },
	{ "GET", "/bounces", API_SERVER, API_NO_BODY, bounces_list },
	{ "GET", "/bounces/{id}", API_SERVER, API_NO_BODY, bounces_get },
	{ "GET", "/bounces/{id}/dump", API_SERVER, API_NO_BODY, bounces_dump },
	{ "PUT", "/bounces/{id}/activate", API_SERVER, API_NO_BODY, bounces_activate },
};

const size_t routes_count = sizeof(routes) / sizeof(routes[0]);

_Static_assert(sizeof(routes) / sizeof(routes[0]) < STATE_ROUTES, "each row has its counter");
