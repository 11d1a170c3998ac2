#ifndef PMRELAY_SANDBOX_CONTROL_H
#define PMRELAY_SANDBOX_CONTROL_H

#include <stdbool.h>

struct api_answer;
struct api_request;
struct state;

/*
 * The sandbox's own side: what it got, what it counted, what it shall get wrong.  All of it below
 * /sandbox/, and the list of messages at / too.  Asks for no token and knows no faults, so that a
 * test can always get through.
 */
bool control_wants(const char *path);
void control_handle(struct state *, const struct api_request *, struct api_answer *);

#endif
