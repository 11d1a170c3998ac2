/*
 * Rules between options.
 */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/strlist.h"
#include "base/text.h"

#include "config/check.h"
#include "config/config.h"
#include "config/inbound_value.h"
#include "config/options.h"
#include "config/parse.h"
#include "config/route_value.h"
#include "config/values.h"

static void complain(const struct check *, const struct option_place *, const char *name,
    const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Of an option in a place; name NULL: of the place itself. */
static void
complain(const struct check *c, const struct option_place *place, const char *name,
    const char *format, ...)
{
	const struct option_section *s = place->section;
	char text[400];
	unsigned line = 0;
	va_list args;

	if (name != NULL) {
		const struct option_row *o = option_find(s->name, name);

		if (o == NULL)
			abort();
		line = *lines_at(c->given, place, o);
	}
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	buf_adds(c->why, c->name);
	if (line > 0)
		buf_addf(c->why, ":%u", line);
	buf_addf(c->why, ": %s%s%s%s%s: %s\n", s->name, place->title == NULL ? "" : ".",
	    place->title == NULL ? "" : place->title, name == NULL ? "" : ".",
	    name == NULL ? "" : name, text);
}

static struct option_place
section_place(const struct check *c, const char *section)
{
	struct option_place place;

	if (!option_place_find(c->config, section, NULL, &place))
		abort();
	return place;
}

/* ---- sections that stand once ------------------------------------------------------------ */

static void
check_smtp(const struct check *c)
{
	const struct config *config = c->config;
	const struct option_place smtp = section_place(c, "smtp");

	if (config->smtp_memory_bytes < config->smtp_message_bytes)
		complain(c, &smtp, "memory",
		    "found less than smtp.message-size, wanted room for one mail at least");
	if (config->listen.count == 0)
		complain(c, &smtp, "listen", "found none, wanted an address at least");
	for (size_t i = 0; i < config->listen.count; i++) {
		const char *listener = config->listen.items[i];

		if (!value_listener_is_local(listener) && !c->allow_given)
			complain(c, &smtp, "listen",
			    "found %s, which others can reach, and no smtp.allow: wanted the "
			    "networks "
			    "that may send",
			    listener);
		for (size_t j = 0; j < i; j++)
			if (strcmp(listener, config->listen.items[j]) == 0)
				complain(c, &smtp, "listen", "found %s twice", listener);
	}
}

static void
check_postmark(const struct check *c)
{
	const struct config *config = c->config;
	const struct option_place postmark = section_place(c, "postmark");
	char shown[200];

	if (!value_url_is_safe(config->postmark_url))
		complain(c, &postmark, "url",
		    "found %s, wanted https: the token would be sent for all to read",
		    text_safe(
			shown, sizeof(shown), config->postmark_url, strlen(config->postmark_url)));
	if (!config->postmark_smtp_starttls && !value_url_is_local(config->postmark_smtp_url))
		complain(c, &postmark, "smtp-starttls",
		    "found no for %s, wanted yes: the token would be sent for all to read",
		    text_safe(shown, sizeof(shown), config->postmark_smtp_url,
			strlen(config->postmark_smtp_url)));
}

static void
check_control(const struct check *c)
{
	static const char wanted[] = "found none, wanted it for control.listen";
	const struct config *config = c->config;
	const struct option_place control = section_place(c, "control");

	if (config->control_listen[0] == '\0')
		return;
	if (config->control_certificate_file[0] == '\0')
		complain(c, &control, "certificate-file", "%s", wanted);
	if (config->control_key_file[0] == '\0')
		complain(c, &control, "key-file", "%s", wanted);
	if (config->control_client_ca_file[0] == '\0')
		complain(c, &control, "client-ca-file", "%s", wanted);
	if (config->control_admins.count == 0 && config->control_readers.count == 0)
		complain(c, &control, "listen",
		    "found %s, but nobody in control.admins or control.readers who may do "
		    "anything there",
		    config->control_listen);
}

static void
check_webhook_listen(const struct check *c, const struct option_place *webhook)
{
	const struct config *config = c->config;

	for (size_t i = 0; i < config->webhook_listen.count; i++) {
		const char *listener = config->webhook_listen.items[i];

		if (strlist_has(&config->listen, listener))
			complain(c, webhook, "listen", "found %s, which smtp.listen has", listener);
		if (strcmp(listener, config->control_listen) == 0)
			complain(
			    c, webhook, "listen", "found %s, which is control.listen", listener);
		for (size_t j = 0; j < i; j++)
			if (strcmp(listener, config->webhook_listen.items[j]) == 0)
				complain(c, webhook, "listen", "found %s twice", listener);
	}
}

static void
check_webhook(const struct check *c)
{
	const struct config *config = c->config;
	const struct option_place webhook = section_place(c, "webhook");

	check_webhook_listen(c, &webhook);
	if (config->webhook_certificate_file[0] != '\0' && config->webhook_key_file[0] == '\0')
		complain(c, &webhook, "key-file", "found none, wanted that of certificate-file");
	if (config->webhook_certificate_file[0] == '\0' && config->webhook_key_file[0] != '\0')
		complain(c, &webhook, "certificate-file", "found none, wanted that of key-file");
	if (config->webhook_ensure && config->webhook_public_url[0] == '\0')
		complain(c, &webhook, "ensure",
		    "found yes without public-url, wanted that: where are they to point to?");
	if (config->webhook_memory_bytes < config->webhook_body_bytes ||
	    config->webhook_memory_bytes < config->webhook_inbound_bytes)
		complain(c, &webhook, "memory",
		    "found less than body-size or inbound-size, wanted room for one post at least");
	if (config_connection(config, config->webhook_connection) == NULL)
		complain(c, &webhook, "connection", "found %s, wanted default%s",
		    config->webhook_connection,
		    config->connection_count > 0 ? " or the name of a connection"
						 : ", for there are no connections");
}

/* ---- outlets and notices ----------------------------------------------------------------- */

static void
check_outlet(const struct check *c, const struct outlet *o)
{
	int ways = (o->file[0] != '\0') + (o->command[0] != '\0') + (o->url[0] != '\0');
	struct option_place place;

	if (!option_place_find(c->config, "outlet", o->name, &place))
		abort();
	if (ways != 1)
		complain(c, &place, NULL, "found %s of file, command and url, wanted one",
		    ways == 0 ? "none" : "several");
	for (const struct outlet *other = c->config->outlets; other != o; other++)
		if (o->file[0] != '\0' && strcmp(other->file, o->file) == 0)
			complain(c, &place, "file",
			    "found that of outlet.%s, wanted another: each looks for its own last "
			    "line",
			    other->name);
	if (o->url[0] != '\0' && !value_url_is_safe(o->url))
		complain(c, &place, "url",
		    "found http to another host, wanted https: addresses would be sent for all to "
		    "read");
	if (o->retry_most_ms < o->retry_least_ms)
		complain(c, &place, "retry-maximum",
		    "found less than retry-minimum, wanted at least as much");
}

static bool
notice_reaches(const struct config *config, enum notice_to to)
{
	bool found = config->notice_bounces == (int)to || config->notice_failures == (int)to;

	for (size_t i = 0; i < config->route_count; i++)
		found = found || config->routes[i].notice == (int)to;
	return found;
}

static void
check_notice(const struct check *c)
{
	const struct config *config = c->config;
	const struct option_place notice = section_place(c, "notice");
	bool postmaster = notice_reaches(config, NOTICE_POSTMASTER);
	bool somebody = postmaster || notice_reaches(config, NOTICE_SENDER);

	if (config_connection(config, config->notice_connection) == NULL)
		complain(c, &notice, "connection", "found %s, wanted the name of a connection",
		    config->notice_connection);
	if (postmaster && config->notice_postmaster[0] == '\0')
		complain(c, &notice, "postmaster", "found none, wanted whom notices go to");
	if (somebody && config->notice_via == NOTICE_VIA_INBOUND &&
	    config->inbound_deliver[0] == '\0')
		complain(c, &notice, "via",
		    "found inbound without inbound.deliver, wanted that, or notice.via postmark: "
		    "where are notices to go?");
	if (somebody && config->notice_via == NOTICE_VIA_POSTMARK && config->notice_from[0] == '\0')
		complain(c, &notice, "from",
		    "found none, wanted an address that Postmark takes for notice.via postmark");
}

/* ---- routes ------------------------------------------------------------------------------ */

static bool
has_condition(const struct route *r)
{
	return r->listener.count + r->client.count + r->user.count + r->envelope_from.count +
		   r->envelope_to.count + r->header_from.count + r->header.count >
	       0;
}

static void
check_route_listener(const struct check *c, const struct option_place *place, const struct route *r)
{
	for (size_t i = 0; i < r->listener.count; i++)
		if (!strlist_has(&c->config->listen, r->listener.items[i]))
			complain(c, place, "listener", "found %s, wanted one that smtp.listen has",
			    r->listener.items[i]);
}

/* Postmark takes no two keys that are equal but for their case. */
static void
check_route_metadata(const struct check *c, const struct option_place *place, const struct route *r)
{
	for (size_t i = 0; i < r->metadata.count; i++) {
		const char *key = r->metadata.items[i];
		size_t len = strcspn(key, "=") + 1;

		for (size_t j = 0; j < i; j++)
			if (text_same_n(key, r->metadata.items[j], len))
				complain(
				    c, place, "metadata", "found %.*s twice", (int)len - 1, key);
	}
}

static bool
is_within(const char *inner, const char *outer)
{
	size_t len = strlen(outer);

	return strncmp(inner, outer, len) == 0 && inner[len] == '.';
}

/* A name may come twice, the later one counts; but not as a text and a list or an object. */
static void
check_route_model(const struct check *c, const struct option_place *place, const struct route *r)
{
	struct strlist names = { 0 }, texts = { 0 };
	size_t lists, matches;

	for (size_t i = 0; i < r->template_match.count; i++)
		route_value_match_names(r->template_match.items[i], &names, &texts);
	lists = names.count;
	for (size_t i = 0; i < texts.count; i++)
		strlist_add(&names, texts.items[i]);
	matches = names.count;
	for (size_t i = 0; i < r->template_model.count; i++)
		strlist_add_bytes(
		    &names, r->template_model.items[i], strcspn(r->template_model.items[i], "="));

	for (size_t i = 0; i < names.count; i++) {
		const char *option = i < matches ? "template-match" : "template-model";
		const char *name = names.items[i], *other;

		for (size_t j = 0; j < i; j++) {
			other = names.items[j];
			if (strcmp(name, other) == 0 && j < lists)
				complain(c, place, option, "found %s a second time, wanted it once",
				    name);
			else if (is_within(name, other) || is_within(other, name))
				complain(c, place, option,
				    "found %s and %s, wanted one of them: one is within the other",
				    other, name);
		}
	}
	strlist_free(&names);
	strlist_free(&texts);
}

static void
check_route_staging(const struct check *c, const struct option_place *place, const struct route *r)
{
	static const char besides[] = "found beside capture, which sends nothing, wanted one of "
				      "them";

	if (!r->capture)
		return;
	if (r->redirect_to.count > 0)
		complain(c, place, "redirect-to", "%s", besides);
	if (r->allow_recipients.count > 0)
		complain(c, place, "allow-recipients", "%s", besides);
	if (r->reply != 0)
		complain(c, place, "reply",
		    "found a wait for Postmark beside capture, which sends nothing, wanted "
		    "queued");
}

static void
check_route(const struct check *c, const struct option_place *place, const struct route *r)
{
	const struct config *config = c->config;

	if (text_same(r->name, INBOUND_ROUTE))
		complain(c, place, NULL,
		    "found the name of the route of mails that come in, wanted another");
	for (size_t i = 0; i < config->connection_count; i++)
		if (text_same(r->name, config->connections[i].name))
			complain(c, place, NULL,
			    "found the name of a connection, wanted another: each is a route of "
			    "its own");
	if (config_connection(config, r->connection) == NULL)
		complain(c, place, "connection", "found %s, wanted default%s", r->connection,
		    config->connection_count > 0 ? " or the name of a connection"
						 : ", for there are no connections");
	else if (r->sandbox && !text_same(r->connection, "default"))
		complain(c, place, "sandbox",
		    "found yes with connection %s, wanted one of them: the sandbox has a token of "
		    "its own",
		    r->connection);
	if (r->from_rewrite != 0 && r->from[0] == '\0')
		complain(c, place, "from-rewrite", "found no from, wanted it");
	if (r->template[0] == '\0' && r->template_match.count > 0)
		complain(c, place, "template-match", "found no template, wanted it");
	if (r->template[0] == '\0' && r->template_model.count > 0)
		complain(c, place, "template-model", "found no template, wanted it");
	check_route_listener(c, place, r);
	check_route_metadata(c, place, r);
	check_route_model(c, place, r);
	check_route_staging(c, place, r);
}

static void
check_routes(const struct check *c)
{
	const struct config *config = c->config;
	struct option_place place;

	for (size_t i = 0; i < config->route_count; i++) {
		const struct route *r = &config->routes[i];

		if (!option_place_find(config, "route", r->name, &place))
			abort();
		check_route(c, &place, r);
		if (!has_condition(r) && i + 1 < config->route_count)
			complain(c, &place, NULL,
			    "found no condition, so that %s after it is never reached: wanted it "
			    "last",
			    config->routes[i + 1].name);
	}
}

static void
check_connections(const struct check *c)
{
	struct option_place place;

	for (size_t i = 0; i < c->config->connection_count; i++) {
		const char *name = c->config->connections[i].name;

		if (!text_same(name, INBOUND_ROUTE))
			continue;
		if (!option_place_find(c->config, "connection", name, &place))
			abort();
		complain(c, &place, NULL,
		    "found the name of the route of mails that come in, wanted another");
	}
}

/* ---- all --------------------------------------------------------------------------------- */

void
check_all(const struct check *c)
{
	const struct config *config = c->config;
	const struct option_place retry = section_place(c, "retry"),
				  process = section_place(c, "process");

	if (config->retry_most_ms < config->retry_least_ms)
		complain(c, &retry, "max", "found less than retry.min, wanted at least as much");
	check_smtp(c);
	check_postmark(c);
	if (config->user[0] == '\0' && config->group[0] != '\0')
		complain(c, &process, "group", "found a group without process.user");
	check_control(c);
	check_connections(c);
	check_webhook(c);
	check_routes(c);
	for (size_t i = 0; i < config->outlet_count; i++)
		check_outlet(c, &config->outlets[i]);
	check_notice(c);
}

int
check_loaded(const struct config *config, struct buf *why)
{
	const struct connection *notices = config_connection(config, config->notice_connection);
	size_t before = why->len;
	bool user = config->webhook_user[0] != '\0', header = config->webhook_header[0] != '\0';

	if (user && config->webhook_password == NULL)
		buf_adds(why, "webhook.user: found no password, wanted it or password-file\n");
	if (!user && config->webhook_password != NULL)
		buf_adds(why, "webhook.password: found no user, wanted it\n");
	if (header && config->webhook_header_value == NULL)
		buf_adds(why, "webhook.header: found no header-value, wanted it or "
			      "header-value-file\n");
	if (!header && config->webhook_header_value != NULL)
		buf_adds(why, "webhook.header-value: found no header, wanted its name\n");
	/* Without one for the connection called default, mails and notices wait for it alike. */
	if (config->notice_via == NOTICE_VIA_POSTMARK && notices->server_token == NULL &&
	    !text_same(notices->name, "default"))
		buf_addf(why,
		    "notice.connection: found %s, which has no server token, wanted one that has\n",
		    notices->name);
	return why->len == before ? 0 : -1;
}

/* Two that each take the other's webhooks for too many would never come to rest. */
static void
warn_of_connections(const struct config *config, struct buf *out)
{
	const struct connection *connection, *first;

	for (size_t i = 1; (connection = config_connection_at(config, i)) != NULL; i++) {
		first = config_connection_first(config, connection);
		if (first == NULL || first == connection)
			continue;
		buf_addf(out,
		    "connection %s: it has the server token of connection %s, whose webhooks are "
		    "made for both, and whose name events have\n",
		    connection->name, first->name);
	}
}

void
config_warn(const struct config *config, struct buf *out)
{
	const char *url = config->webhook_public_url;

	for (size_t i = 0; i < config->webhook_listen.count; i++) {
		const char *listener = config->webhook_listen.items[i];

		if (config->webhook_certificate_file[0] == '\0' &&
		    !value_listener_is_local(listener))
			buf_addf(out,
			    "webhook.listen: %s can be reached by others, and without "
			    "certificate-file secrets are sent there for all to read\n",
			    listener);
	}
	if (url[0] != '\0' && !value_url_is_safe(url))
		buf_addf(out,
		    "webhook.public-url: %s is not https: Postmark sends secrets there for all "
		    "to read\n",
		    url);
	warn_of_connections(config, out);
}
