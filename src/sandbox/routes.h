#ifndef PMRELAY_SANDBOX_ROUTES_H
#define PMRELAY_SANDBOX_ROUTES_H

#include <stddef.h>

#include "sandbox/api.h"

/* Every call of the API.  The first row that fits a request answers it. */
extern const struct api_route routes[];
extern const size_t routes_count; /* below STATE_ROUTES */

#endif
