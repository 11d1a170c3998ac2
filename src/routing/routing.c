/*
 * Conditions of routes.  Those that are the same for all recipients of a mail are asked when the
 * first recipient comes to them and then known; envelope-to is asked for each.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/network.h"
#include "base/pattern.h"
#include "base/strlist.h"
#include "base/text.h"
#include "config/config.h"
#include "mail/address.h"
#include "mail/envelope.h"
#include "mail/mime.h"

#include "routing/routing.h"

#define MOST_SEEN_BYTES   100 /* of a value in a sentence */
#define MOST_SHOWN_VALUES 3   /* in a sentence */
#define MOST_SHOWN_WANTED 5

/* Of From: a mail with more in its address fields is refused, whatever its route. */
#define MOST_AUTHOR_BYTES 262144

/* What of a route is not text. */
struct rule {
	const struct route *route;
	struct network *networks;
	size_t network_count;
	struct header {
		char *name;
		struct pattern *pattern;
	} * headers;
	struct strlist redirects;
};

struct routing {
	const struct config *config;
	struct rule *rules; /* one for each route */
};

/* What a mail has for the conditions of one route. */
struct answer {
	bool asked;
	const struct condition *failed; /* the first that does not hold; NULL: all do */
	size_t header;                  /* which one, where the condition is header */
	bool gave_up;                   /* its pattern ran into its limit */
};

struct routing_choice {
	struct routing *routing;
	struct routing_mail mail;
	struct answer *answers; /* one for each route */
	size_t asked;

	/* Read when they are asked for the first time. */
	char **values; /* decoded, one for each header field; NULL: not read */
	bool has_client, has_authors;
	bool client_is_address;
	unsigned char client[NETWORK_ADDRESS_BYTES];
	struct mailbox_list authors;

	char *gave_up;
};

/* ---- the rules --------------------------------------------------------------------------- */

static void
rule_init(struct rule *rule, const struct route *route)
{
	rule->route = route;
	rule->networks = mem_array(route->client.count + 1, sizeof(*rule->networks));
	for (size_t i = 0; i < route->client.count; i++)
		if (network_parse(&rule->networks[rule->network_count], route->client.items[i]) ==
		    0)
			rule->network_count++;

	rule->headers = mem_array(route->header.count + 1, sizeof(*rule->headers));
	for (size_t i = 0; i < route->header.count; i++) {
		struct header *header = &rule->headers[i];
		const char *item = route->header.items[i], *pattern = item + strcspn(item, ":");
		char why[200] = "";

		header->name = mem_bytes(item, (size_t)(pattern - item));
		pattern += *pattern == ':';
		pattern += strspn(pattern, " ");
		header->pattern = pattern_new(pattern, strlen(pattern), true, why, sizeof(why));
	}

	for (size_t i = 0; i < route->redirect_to.count; i++) {
		const char *item = route->redirect_to.items[i];
		char address[ADDRESS_SIZE];

		if (address_canonical(item, strlen(item), address) == ADDRESS_OK &&
		    !strlist_has(&rule->redirects, address))
			strlist_add(&rule->redirects, address);
	}
}

struct routing *
routing_new(const struct config *config)
{
	struct routing *routing = mem_new(sizeof(*routing));

	routing->config = config;
	routing->rules = mem_array(config->route_count + 1, sizeof(*routing->rules));
	for (size_t i = 0; i < config->route_count; i++)
		rule_init(&routing->rules[i], &config->routes[i]);
	return routing;
}

void
routing_free(struct routing **routing_p)
{
	struct routing *routing = *routing_p;

	if (routing == NULL)
		return;
	for (size_t i = 0; i < routing->config->route_count; i++) {
		struct rule *rule = &routing->rules[i];

		for (size_t j = 0; j < rule->route->header.count; j++) {
			free(rule->headers[j].name);
			pattern_free(&rule->headers[j].pattern);
		}
		free(rule->headers);
		free(rule->networks);
		strlist_free(&rule->redirects);
	}
	free(routing->rules);
	free(routing);
	*routing_p = NULL;
}

/* ---- what a mail has --------------------------------------------------------------------- */

static const char *
text_or(const char *text, const char *otherwise)
{
	return text == NULL || text[0] == '\0' ? otherwise : text;
}

/* A header field for people: decoded. */
static const char *
field_value(struct routing_choice *choice, size_t index)
{
	const struct mime *mime = choice->mail.mime;
	const struct mime_field *field = &mime->fields[index];

	if (choice->values == NULL)
		choice->values = mem_array(mime->field_count, sizeof(*choice->values));
	if (choice->values[index] == NULL)
		choice->values[index] = mime_decode_value(field->value, field->value_len);
	return choice->values[index];
}

static const struct mailbox_list *
authors(struct routing_choice *choice)
{
	const struct mime *mime = choice->mail.mime;
	size_t bytes = 0;

	for (size_t i = 0; !choice->has_authors && i < mime->field_count; i++) {
		const struct mime_field *field = &mime->fields[i];
		struct mailbox_list more;

		if (!mime_field_is(field, "From"))
			continue;
		bytes += field->value_len;
		if (bytes > MOST_AUTHOR_BYTES)
			break;
		mailbox_list_parse(&more, field->value, field->value_len);
		mailbox_list_join(&choice->authors, &more);
	}
	choice->has_authors = true;
	return &choice->authors;
}

/* ---- conditions -------------------------------------------------------------------------- */

static bool
one_holds(const struct strlist *globs, const char *text)
{
	for (size_t i = 0; i < globs->count; i++)
		if (pattern_glob(globs->items[i], text))
			return true;
	return false;
}

static bool
holds_listener(struct routing_choice *choice, const struct rule *rule)
{
	return strlist_has(&rule->route->listener, text_or(choice->mail.origin->listener, ""));
}

static bool
holds_client(struct routing_choice *choice, const struct rule *rule)
{
	const char *client = text_or(choice->mail.origin->client, "");

	if (!choice->has_client) {
		choice->client_is_address = network_address_parse(choice->client, client) == 0;
		choice->has_client = true;
	}
	if (!choice->client_is_address)
		return strlist_has(&rule->route->client, client);
	for (size_t i = 0; i < rule->network_count; i++)
		if (network_has(&rule->networks[i], choice->client))
			return true;
	return false;
}

static bool
holds_user(struct routing_choice *choice, const struct rule *rule)
{
	const char *user = text_or(choice->mail.origin->user, "");

	return user[0] != '\0' && strlist_has(&rule->route->user, user);
}

static bool
holds_sender(struct routing_choice *choice, const struct rule *rule)
{
	const struct strlist *globs = &rule->route->envelope_from;

	/* "*" is any address, and <> is none. */
	if (choice->mail.reverse_path[0] == '\0')
		return strlist_has(globs, "<>");
	return one_holds(globs, choice->mail.reverse_path);
}

static bool
holds_author(struct routing_choice *choice, const struct rule *rule)
{
	const struct mailbox_list *list = authors(choice);

	for (size_t i = 0; i < list->count; i++)
		if (one_holds(&rule->route->header_from, list->boxes[i].address))
			return true;
	return false;
}

/* Whether a field of that name matches. */
static bool
header_holds(struct routing_choice *choice, const struct rule *rule, size_t index)
{
	const struct mime *mime = choice->mail.mime;
	const struct header *header = &rule->headers[index];

	for (size_t i = 0; i < mime->field_count && header->pattern != NULL; i++) {
		const char *value;
		size_t at = 0;

		if (!mime_field_is(&mime->fields[i], header->name))
			continue;
		value = field_value(choice, i);
		switch (pattern_match(
		    header->pattern, value, strlen(value), &at, choice->mail.patterns)) {
		case PATTERN_MATCH:
			return true;
		case PATTERN_NONE:
			break;
		case PATTERN_LIMIT:
			choice->answers[rule - choice->routing->rules].gave_up = true;
			if (choice->gave_up == NULL)
				choice->gave_up = mem_format(
				    "route %s: header %zu", rule->route->name, index + 1);
			break;
		}
	}
	return false;
}

static bool
holds_headers(struct routing_choice *choice, const struct rule *rule)
{
	struct answer *answer = &choice->answers[rule - choice->routing->rules];

	for (size_t i = 0; i < rule->route->header.count; i++) {
		answer->header = i;
		answer->gave_up = false;
		if (!header_holds(choice, rule, i))
			return false;
	}
	return true;
}

/* ---- why not ----------------------------------------------------------------------------- */

static void
tell_value(const char *text, struct buf *out)
{
	char shown[MOST_SEEN_BYTES];

	buf_adds(out, text_safe(shown, sizeof(shown), text, strlen(text)));
}

static void
tell_wanted(const struct strlist *wanted, struct buf *out)
{
	buf_adds(out, wanted->count > 1 ? " is none of " : " is not ");
	for (size_t i = 0; i < wanted->count && i < MOST_SHOWN_WANTED; i++) {
		buf_adds(out, i > 0 ? ", " : "");
		tell_value(wanted->items[i], out);
	}
	if (wanted->count > MOST_SHOWN_WANTED)
		buf_addf(out, " and %zu more", wanted->count - MOST_SHOWN_WANTED);
}

static void
tell_listener(struct routing_choice *choice, const struct rule *rule, struct buf *out)
{
	tell_value(text_or(choice->mail.origin->listener, "none"), out);
	tell_wanted(&rule->route->listener, out);
}

static void
tell_client(struct routing_choice *choice, const struct rule *rule, struct buf *out)
{
	const struct strlist *wanted = &rule->route->client;

	tell_value(text_or(choice->mail.origin->client, "nobody"), out);
	if (wanted->count == 1 && !strlist_has(wanted, "unix")) {
		buf_adds(out, " is not in ");
		tell_value(wanted->items[0], out);
	} else {
		tell_wanted(wanted, out);
	}
}

static void
tell_user(struct routing_choice *choice, const struct rule *rule, struct buf *out)
{
	const char *user = text_or(choice->mail.origin->user, "");

	tell_value(user[0] == '\0' ? "a client without AUTH" : user, out);
	tell_wanted(&rule->route->user, out);
}

static void
tell_sender(struct routing_choice *choice, const struct rule *rule, struct buf *out)
{
	tell_value(text_or(choice->mail.reverse_path, "<>"), out);
	tell_wanted(&rule->route->envelope_from, out);
}

static void
tell_author(struct routing_choice *choice, const struct rule *rule, struct buf *out)
{
	const struct mailbox_list *list = authors(choice);

	if (list->count == 0)
		buf_adds(out, "a From without any address");
	for (size_t i = 0; i < list->count && i < MOST_SHOWN_VALUES; i++) {
		buf_adds(out, i > 0 ? ", " : "");
		tell_value(list->boxes[i].address, out);
	}
	if (list->count > MOST_SHOWN_VALUES)
		buf_addf(out, " and %zu more", list->count - MOST_SHOWN_VALUES);
	tell_wanted(&rule->route->header_from, out);
}

static void
tell_header(struct routing_choice *choice, const struct rule *rule, struct buf *out)
{
	const struct mime *mime = choice->mail.mime;
	const struct answer *answer = &choice->answers[rule - choice->routing->rules];
	const struct header *header = &rule->headers[answer->header];
	const char *wanted = header->pattern == NULL ? "" : pattern_text(header->pattern);
	size_t count = 0;

	for (size_t i = 0; i < mime->field_count; i++) {
		if (!mime_field_is(&mime->fields[i], header->name) || ++count > MOST_SHOWN_VALUES)
			continue;
		buf_adds(out, count > 1 ? ", \"" : "");
		if (count == 1)
			buf_addf(out, "%s \"", header->name);
		tell_value(field_value(choice, i), out);
		buf_addc(out, '"');
	}
	if (count > MOST_SHOWN_VALUES)
		buf_addf(out, " and %zu more", count - MOST_SHOWN_VALUES);
	if (count == 0)
		buf_addf(
		    out, "there is no %s%s", header->name, wanted[0] == '\0' ? "" : " to match ");
	else if (answer->gave_up)
		buf_adds(out, " took too many steps to match ");
	else
		buf_adds(out, count > 1 ? " do not match " : " does not match ");
	tell_value(wanted, out);
}

/* In the order in which they are asked: what is cheap stands first. */
static const struct condition {
	const char *name;
	bool of_header; /* asks the content */
	size_t at;      /* in struct route: its list */
	bool (*holds)(struct routing_choice *, const struct rule *);
	void (*tell)(struct routing_choice *, const struct rule *, struct buf *out);
} conditions[] = {
	{ "listener", false, offsetof(struct route, listener), holds_listener, tell_listener },
	{ "client", false, offsetof(struct route, client), holds_client, tell_client },
	{ "user", false, offsetof(struct route, user), holds_user, tell_user },
	{ "envelope-from", false, offsetof(struct route, envelope_from), holds_sender,
	    tell_sender },
	{ "header-from", true, offsetof(struct route, header_from), holds_author, tell_author },
	{ "header", true, offsetof(struct route, header), holds_headers, tell_header },
};

/* ---- choosing ---------------------------------------------------------------------------- */

struct routing_choice *
routing_choice_new(struct routing *routing, const struct routing_mail *mail)
{
	struct routing_choice *choice = mem_new(sizeof(*choice));

	choice->routing = routing;
	choice->mail = *mail;
	choice->answers = mem_array(routing->config->route_count + 1, sizeof(*choice->answers));
	return choice;
}

void
routing_choice_free(struct routing_choice **choice_p)
{
	struct routing_choice *choice = *choice_p;

	if (choice == NULL)
		return;
	for (size_t i = 0; choice->values != NULL && i < choice->mail.mime->field_count; i++)
		free(choice->values[i]);
	free(choice->values);
	mailbox_list_free(&choice->authors);
	free(choice->answers);
	free(choice->gave_up);
	free(choice);
	*choice_p = NULL;
}

/* What is the same for all recipients. */
static const struct answer *
ask(struct routing_choice *choice, size_t index)
{
	const struct rule *rule = &choice->routing->rules[index];
	struct answer *answer = &choice->answers[index];

	if (answer->asked)
		return answer;
	answer->asked = true;
	for (size_t i = 0; i < sizeof(conditions) / sizeof(conditions[0]); i++) {
		const struct condition *condition = &conditions[i];
		const struct strlist *list =
		    (const void *)((const char *)rule->route + condition->at);

		if (list->count == 0)
			continue;
		choice->asked++;
		if (!condition->holds(choice, rule)) {
			answer->failed = condition;
			break;
		}
	}
	return answer;
}

static bool
holds_recipient(const struct rule *rule, const char *recipient)
{
	return rule->route->envelope_to.count == 0 ||
	       one_holds(&rule->route->envelope_to, recipient);
}

size_t
routing_choose(struct routing_choice *choice, const char *recipient)
{
	for (size_t i = 0; i < choice->routing->config->route_count; i++) {
		const struct answer *answer = &choice->answers[i];

		/* A glob costs less than a pattern that was not asked yet. */
		if (answer->asked && answer->failed != NULL)
			continue;
		if (holds_recipient(&choice->routing->rules[i], recipient) &&
		    ask(choice, i)->failed == NULL)
			return i;
	}
	return ROUTING_DEFAULT;
}

/* Of a route and a mail without content.  true: one does not hold; *header_r: others are left. */
static bool
fails_before(struct routing_choice *choice, const struct rule *rule, bool *header_r)
{
	*header_r = false;
	for (size_t i = 0; i < sizeof(conditions) / sizeof(conditions[0]); i++) {
		const struct condition *condition = &conditions[i];
		const struct strlist *list =
		    (const void *)((const char *)rule->route + condition->at);

		if (list->count == 0)
			continue;
		if (condition->of_header)
			*header_r = true;
		else if (!condition->holds(choice, rule))
			return true;
	}
	return false;
}

bool
routing_foretell(struct routing *routing, const struct routing_mail *mail, const char *recipient,
    size_t *route_r)
{
	struct routing_choice choice = { .routing = routing, .mail = *mail };

	for (size_t i = 0; i < routing->config->route_count; i++) {
		const struct rule *rule = &routing->rules[i];
		bool header;

		if (!holds_recipient(rule, recipient) || fails_before(&choice, rule, &header))
			continue;
		if (header)
			return false;
		*route_r = i;
		return true;
	}
	*route_r = ROUTING_DEFAULT;
	return true;
}

const char *
routing_gave_up(const struct routing_choice *choice)
{
	return choice->gave_up;
}

size_t
routing_asked(const struct routing_choice *choice)
{
	return choice->asked;
}

void
routing_why_not(struct routing_choice *choice, size_t route, const char *recipient, struct buf *out)
{
	const struct rule *rule;
	const struct answer *answer;

	if (route == ROUTING_DEFAULT)
		return;
	rule = &choice->routing->rules[route];
	answer = ask(choice, route);
	if (answer->failed != NULL) {
		buf_addf(out, "%s: ", answer->failed->name);
		answer->failed->tell(choice, rule, out);
	} else if (!holds_recipient(rule, recipient)) {
		buf_adds(out, "envelope-to: ");
		tell_value(recipient, out);
		tell_wanted(&rule->route->envelope_to, out);
	}
}

/* ---- staging ----------------------------------------------------------------------------- */

enum routing_fate
routing_fate(const struct routing *routing, size_t index, const char *recipient)
{
	const struct route *route;

	if (index == ROUTING_DEFAULT)
		return ROUTING_GOES;
	route = routing->rules[index].route;
	if (route->capture)
		return ROUTING_CAPTURED;
	if (one_holds(&route->allow_recipients, recipient))
		return ROUTING_GOES;
	if (route->redirect_to.count > 0)
		return routing->rules[index].redirects.count > 0 ? ROUTING_REDIRECTED
								 : ROUTING_CAPTURED;
	return route->allow_recipients.count > 0 ? ROUTING_CAPTURED : ROUTING_GOES;
}

const struct strlist *
routing_redirects(const struct routing *routing, size_t index)
{
	static const struct strlist none;

	return index == ROUTING_DEFAULT ? &none : &routing->rules[index].redirects;
}
