#ifndef PMRELAY_SANDBOX_SERVER_H
#define PMRELAY_SANDBOX_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/strlist.h"

#include "sandbox/stream.h"

struct templates;
struct webhooks;

/*
 * One server of the account and what is its alone.  Messages, bounces and other events of all
 * servers are in struct state and carry the server's ID.
 */
struct server {
	int64_t id;
	struct strlist tokens;
	json_t *shown; /* all of section 12's fields but ApiTokens, see server_json() */
	struct message_stream *streams[STREAM_MOST];
	size_t stream_count;
	struct templates *templates;
	struct webhooks *webhooks;
	json_t *inbound_rules; /* an array of {"ID", "Rule"} */
	int64_t next_inbound_rule;
};

/* With the three usual streams, the defaults of all fields, and no token. */
struct server *server_new(int64_t id, const char *name);
void server_free(struct server **);

json_t *server_json(const struct server *); /* a new reference */
const char *server_text(const struct server *, const char *field);
bool server_flag(const struct server *, const char *field);
bool server_sandboxed(const struct server *); /* DeliveryType */
void server_new_token(struct server *);       /* adds a fresh one */

/* By ID, in any case; archived ones as well.  NULL: there is none. */
struct message_stream *server_stream(const struct server *, const char *id);
/* Takes the stream; there must be room. */
void server_add_stream(struct server *, struct message_stream *);

#endif
