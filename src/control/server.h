#ifndef PMRELAY_CONTROL_SERVER_H
#define PMRELAY_CONTROL_SERVER_H

struct httpd_request;

/* For struct httpd_params: ctx is the struct control. */
void serve(void *ctx, struct httpd_request *);

#endif
