#ifndef PMRELAY_SANDBOX_CONTROL_ACCOUNT_H
#define PMRELAY_SANDBOX_CONTROL_ACCOUNT_H

struct api_answer;
struct api_request;
struct state;

/*
 * What the account cannot find out by itself: what DNS says of its domains, and which of its
 * senders have confirmed.  GET shows, PUT adds an object to what is known.
 */
void control_get_dns(struct state *, const struct api_request *, struct api_answer *);
void control_put_dns(struct state *, const struct api_request *, struct api_answer *);
void control_get_senders(struct state *, const struct api_request *, struct api_answer *);
void control_put_senders(struct state *, const struct api_request *, struct api_answer *);

#endif
