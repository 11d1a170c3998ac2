#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/strlist.h"
#include "config/config.h"
#include "convert/convert.h"
#include "convert/template.h"
#include "routing/routing.h"

#include "intake/rules.h"

#define MOST_API_BYTES  10485760 /* Postmark: 10 MB a message, after base64 */
#define MOST_BODY_BYTES 5242880  /* Postmark: 5 MB for TextBody and for HtmlBody */
#define MOST_RECIPIENTS 50       /* Postmark: To, Cc and Bcc together */

static const struct {
	const char *name;
	enum convert_control control;
} controls[] = {
	{ "tag", CONTROL_TAG },
	{ "message-stream", CONTROL_MESSAGE_STREAM },
	{ "metadata", CONTROL_METADATA },
	{ "track-opens", CONTROL_TRACK_OPENS },
	{ "track-links", CONTROL_TRACK_LINKS },
	{ "template", CONTROL_TEMPLATE },
};

static unsigned
controls_of(const struct strlist *names)
{
	unsigned set = 0;

	for (size_t i = 0; i < sizeof(controls) / sizeof(controls[0]); i++)
		if (strlist_has(names, controls[i].name))
			set |= 1U << controls[i].control;
	return set;
}

static const char *
either(const char *first, const char *otherwise)
{
	return first[0] != '\0' ? first : otherwise;
}

/* What every route has in common, and a mail that none is for. */
static struct convert_options
options_default(const struct rules *rules)
{
	const struct config *config = rules->config;

	return (struct convert_options){ .route = "default",
		.message_stream = config->postmark.message_stream,
		.default_tag = config->tag,
		.track_opens = config->track_opens,
		.track_links = config->track_links,
		.controls = CONTROLS_ALL,
		.from = "",
		.most_api_bytes = MOST_API_BYTES,
		.most_body_bytes = MOST_BODY_BYTES,
		.most_recipients = MOST_RECIPIENTS,
		.limits = rules->limits };
}

static void
options_policy(struct convert_options *options, const struct route *route)
{
	const struct {
		enum ledger_entry entry;
		int choice;
	} policies[] = {
		{ LEDGER_SIGNED, route->on_signed },
		{ LEDGER_ENCRYPTED, route->on_encrypted },
		{ LEDGER_CALENDAR, route->on_calendar },
		{ LEDGER_ALTERNATIVES, route->on_alternatives },
		{ LEDGER_HTML_PARTS, route->on_html_parts },
		{ LEDGER_MESSAGES, route->on_messages },
		{ LEDGER_TNEF, route->on_tnef },
		{ LEDGER_DATE, route->on_date },
		{ LEDGER_SENDER, route->on_sender },
	};

	_Static_assert((int)FIDELITY_CONVERT == (int)POLICY_CONVERT &&
			   (int)FIDELITY_REJECT == (int)POLICY_REJECT &&
			   (int)FIDELITY_SMTP == (int)POLICY_SMTP,
	    "the configuration's choices are the conversion's policies");
	for (size_t i = 0; i < sizeof(policies) / sizeof(policies[0]); i++)
		options->policy[policies[i].entry] = (enum fidelity_policy)policies[i].choice;
}

static struct convert_options
options_of(const struct rules *rules, const struct route *route)
{
	struct convert_options options = options_default(rules);
	const struct connection *connection = config_connection(rules->config, route->connection);

	options.route = route->name;
	options.message_stream = either(route->message_stream,
	    connection != NULL ? connection->message_stream : options.message_stream);
	options.default_tag = either(route->tag, options.default_tag);
	options.track_links = either(route->track_links, options.track_links);
	if (route->track_opens >= 0)
		options.track_opens = route->track_opens;
	options.metadata = &route->metadata;
	options.controls = controls_of(&route->controls);
	options.from = route->from;
	options.from_rewrite = (enum convert_from)route->from_rewrite;
	options.from_authorised = &route->from_authorised;
	options_policy(&options, route);
	options.captured = route->capture;
	options.reply = (enum reply_mode)route->reply;
	options.reply_within_ms = route->reply_timeout_ms;
	return options;
}

static int
template_of(struct rules *rules, size_t index, char *why, size_t why_size)
{
	const struct route *route = &rules->config->routes[index];
	char about[400] = "";

	if (route->template[0] == '\0')
		return 0;
	rules->templates[index] =
	    template_rule_new(route->template, &route->template_match, &route->template_model,
		route->template_inline_css, route->template_else != 0, about, sizeof(about));
	if (rules->templates[index] == NULL) {
		snprintf(why, why_size, "route %s: %s", route->name, about);
		return -1;
	}
	rules->options[index].template = rules->templates[index];
	return 0;
}

struct rules *
rules_new(const struct config *config, char *why, size_t why_size)
{
	struct rules *rules = mem_new(sizeof(*rules));

	rules->config = config;
	rules->limits = (struct convert_limits){ .depth = config->mime_depth,
		.parts = config->mime_parts,
		.headers = config->mime_headers };
	rules->routing = routing_new(config);
	rules->options = mem_array(config->route_count + 1, sizeof(rules->options[0]));
	rules->templates = mem_array(config->route_count + 1, sizeof(rules->templates[0]));
	for (size_t i = 0; i < config->route_count; i++) {
		rules->options[i] = options_of(rules, &config->routes[i]);
		if (template_of(rules, i, why, why_size) != 0) {
			rules_free(&rules);
			return NULL;
		}
	}
	rules->options[config->route_count] = options_default(rules);
	return rules;
}

void
rules_free(struct rules **rules_p)
{
	struct rules *rules = *rules_p;

	if (rules == NULL)
		return;
	*rules_p = NULL;
	for (size_t i = 0; i < rules->config->route_count; i++)
		template_rule_free(&rules->templates[i]);
	free(rules->templates);
	free(rules->options);
	routing_free(&rules->routing);
	free(rules);
}

const struct convert_options *
rules_options(const struct rules *rules, size_t route)
{
	return &rules->options[route == ROUTING_DEFAULT ? rules->config->route_count : route];
}

struct rules_target
rules_target(const struct rules *rules, size_t index)
{
	const struct config *config = rules->config;
	struct rules_target target = { .refuses = config->refuse_suppressed,
		.connection = config->postmark.name,
		.stream = rules_options(rules, index)->message_stream };

	if (index != ROUTING_DEFAULT) {
		const struct route *route = &config->routes[index];
		const struct connection *connection = config_connection(config, route->connection);

		if (connection != NULL)
			target.connection = connection->name;
		if (route->refuse_suppressed >= 0)
			target.refuses = route->refuse_suppressed > 0;
		/* Postmark's test token delivers nothing to anybody. */
		if (route->sandbox)
			target.refuses = false;
	}
	return target;
}
