#ifndef PMRELAY_SANDBOX_CONTROL_FIRING_H
#define PMRELAY_SANDBOX_CONTROL_FIRING_H

struct api_answer;
struct api_request;
struct state;

/* The part of the control that looks at events and decides how they are fired. */
void control_get_events(struct state *, const struct api_request *, struct api_answer *);
void control_delete_events(struct state *, const struct api_request *, struct api_answer *);
void control_get_event_settings(struct state *, const struct api_request *, struct api_answer *);
void control_put_event_settings(struct state *, const struct api_request *, struct api_answer *);
void control_delete_event_settings(struct state *, const struct api_request *, struct api_answer *);
void control_post_fire(struct state *, const struct api_request *, struct api_answer *);
/* Its Status, as if Postmark had paused it, or had verified it. */
void control_put_webhook(struct state *, const struct api_request *, struct api_answer *);
void control_get_flood(struct state *, const struct api_request *, struct api_answer *);
void control_post_flood(struct state *, const struct api_request *, struct api_answer *);

#endif
