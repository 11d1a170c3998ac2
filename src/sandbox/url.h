#ifndef PMRELAY_SANDBOX_URL_H
#define PMRELAY_SANDBOX_URL_H

#include <stdbool.h>

/* The URL of a hook: http or https, a host, and nothing that would break a request.  Pure. */
bool url_ok(const char *url);

#endif
