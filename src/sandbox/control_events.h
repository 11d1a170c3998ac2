#ifndef PMRELAY_SANDBOX_CONTROL_EVENTS_H
#define PMRELAY_SANDBOX_CONTROL_EVENTS_H

struct api_answer;
struct api_request;
struct server;
struct state;

/*
 * What readers and other servers do: the part of the control that makes it happen.  Each takes a
 * JSON object and answers with what it made.
 */
void control_post_open(struct state *, const struct api_request *, struct api_answer *);
void control_post_click(struct state *, const struct api_request *, struct api_answer *);
void control_post_bounce(struct state *, const struct api_request *, struct api_answer *);
void control_post_inbound(struct state *, const struct api_request *, struct api_answer *);

#endif
