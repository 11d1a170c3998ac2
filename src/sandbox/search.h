#ifndef PMRELAY_SANDBOX_SEARCH_H
#define PMRELAY_SANDBOX_SEARCH_H

struct api_answer;
struct api_request;
struct state;

/* The part of Postmark's API that looks for sent messages: /messages/outbound and below. */
void search_messages(struct state *, const struct api_request *, struct api_answer *);
void search_details(struct state *, const struct api_request *, struct api_answer *);
void search_dump(struct state *, const struct api_request *, struct api_answer *);

#endif
