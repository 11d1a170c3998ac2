#ifndef PMRELAY_SANDBOX_CONTROL_H
#define PMRELAY_SANDBOX_CONTROL_H

#include <stdbool.h>

#include <jansson.h>

struct api_answer;
struct api_request;
struct server;
struct state;

/*
 * The sandbox's own side: what it got, what it counted, what it shall get wrong.  All of it below
 * /sandbox/, and the list of messages at / too.  Asks for no token and knows no faults, so that a
 * test can always get through.
 */
bool control_wants(const char *path);
void control_handle(struct state *, const struct api_request *, struct api_answer *);

/* ---- for the parts of the control ---- */

void control_json(struct api_answer *, json_t *); /* takes it */
void control_wrong(struct api_answer *, int status, const char *why);
/* The server that ?server=ID names, else the first.  NULL: there is none. */
struct server *control_server(struct state *, const struct api_request *);

#endif
