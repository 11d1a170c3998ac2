#ifndef PMRELAY_INTAKE_RULES_H
#define PMRELAY_INTAKE_RULES_H

#include <stdbool.h>
#include <stddef.h>

#include "convert/convert.h"

struct config;
struct routing;

/*
 * The settings as the conversion wants them: one struct convert_options for each route, and what
 * decides between the routes.  The strings are the configuration's.
 */
struct rules {
	const struct config *config; /* lent */
	struct routing *routing;
	struct convert_options *options; /* of each route; the last is the default's */
	struct template_rule **templates;
	struct convert_limits limits;
};

/* config is lent for life.  NULL and why: a sentence (a template's entry that cannot be used). */
struct rules *rules_new(const struct config *, char *why, size_t why_size);
void rules_free(struct rules **);

/* Where mails of a route go: what suppressions are looked up for.  All lent by the settings. */
struct rules_target {
	bool refuses; /* recipients that get nothing there */
	const char *connection, *stream;
};
struct rules_target rules_target(const struct rules *, size_t route);

/* route: an index into config->routes, or ROUTING_DEFAULT. */
const struct convert_options *rules_options(const struct rules *, size_t route);

#endif
