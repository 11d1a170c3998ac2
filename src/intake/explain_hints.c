/* What nobody refuses, and what a person who looks at a mail wants to know all the same. */

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/pattern.h"
#include "base/text.h"
#include "config/config.h"
#include "mail/address.h"
#include "mail/mime.h"
#include "routing/routing.h"

#include "intake/explain_inside.h"
#include "intake/rules.h"

/* A header and an HTML can be of any size, and nobody is to wait for what is said about them. */
#define MOST_NAMED     3    /* of addresses or images in one sentence */
#define MOST_STRANGERS 1000 /* addresses that are not in the envelope: more are not counted */
#define MOST_CIDS      100  /* beyond these two nothing is said of images */
#define MOST_URLS      10000

/* "a, b, c and 4 more" */
static char *
some_of(const struct strlist *list)
{
	struct buf out;

	buf_init(&out, SIZE_MAX / 4);
	for (size_t i = 0; i < list->count && i < MOST_NAMED; i++)
		buf_addf(&out, "%s%.100s", i > 0 ? ", " : "", list->items[i]);
	if (list->count > MOST_NAMED)
		buf_addf(&out, " and %zu more", list->count - MOST_NAMED);
	return buf_take(&out, NULL);
}

/* ---- the header -------------------------------------------------------------------------- */

static int
compare_addresses(const void *a, const void *b)
{
	return strcasecmp(*(char *const *)a, *(char *const *)b);
}

/* The strings are the list's. */
static char **
recipients_sorted(const struct strlist *recipients)
{
	char **sorted = mem_array(recipients->count + 1, sizeof(sorted[0]));

	for (size_t i = 0; i < recipients->count; i++)
		sorted[i] = recipients->items[i];
	qsort(sorted, recipients->count, sizeof(sorted[0]), compare_addresses);
	return sorted;
}

/* Those of a list that are not among the recipients, which are sorted. */
static void
strangers_of(
    struct strlist *strangers, const struct mailbox_list *list, char *const *sorted, size_t count)
{
	for (size_t i = 0; i < list->count && strangers->count < MOST_STRANGERS; i++) {
		char *address = list->boxes[i].address;

		if (bsearch(&address, sorted, count, sizeof(sorted[0]), compare_addresses) ==
			NULL &&
		    !strlist_has(strangers, address))
			strlist_add(strangers, address);
	}
}

static void
hint_shown(struct explanation *e)
{
	const struct strlist *recipients = &e->envelope.recipients;
	struct strlist strangers = { 0 };
	char **sorted = NULL, *named;

	for (size_t i = 0; i < e->plan.mime.field_count; i++) {
		const struct mime_field *field = &e->plan.mime.fields[i];
		struct mailbox_list list;

		if (!mime_field_is(field, "To") && !mime_field_is(field, "Cc"))
			continue;
		if (sorted == NULL)
			sorted = recipients_sorted(recipients);
		mailbox_list_parse(&list, field->value, field->value_len);
		strangers_of(&strangers, &list, sorted, recipients->count);
		mailbox_list_free(&list);
	}
	if (strangers.count > 0) {
		named = some_of(&strangers);
		explain_warn(e,
		    "To and Cc have %s%zu addresses that are not in the envelope, and no message "
		    "shows them: %s.",
		    strangers.count == MOST_STRANGERS ? "at least " : "", strangers.count, named);
		free(named);
	}
	strlist_free(&strangers);
	free(sorted);
}

/* The address that the route's word is about: the author's, before a rewrite. */
static void
hint_author(
    struct explanation *e, const struct plan_group *group, const struct convert_facts *facts)
{
	const struct strlist *authorised = group->options.from_authorised;
	bool rewritten = (facts->ledger.set & 1U << LEDGER_FROM_REWRITTEN) != 0;

	if (authorised == NULL || authorised->count == 0 || !facts->has_headers ||
	    facts->author[0] == '\0')
		return;
	for (size_t i = 0; i < authorised->count; i++)
		if (pattern_glob(authorised->items[i], facts->author))
			return;
	explain_warn(e, "From %.200s is not in from-authorised of the route %s%s.", facts->author,
	    group->options.route,
	    rewritten ? ", and the route's own address takes its place"
		      : ", and the route lets it stay");
}

/* ---- images ------------------------------------------------------------------------------ */

static int
hex_digit(char c)
{
	const char *digits = "0123456789abcdef", *at;

	if (c >= 'A' && c <= 'F')
		c = (char)(c + ('a' - 'A'));
	at = c == '\0' ? NULL : strchr(digits, c);
	return at == NULL ? -1 : (int)(at - digits);
}

/* RFC 2392: the Content-ID in a URL, with what a URL cannot have as %XX. */
static void
cid_add(struct strlist *cids, const char *url, size_t len)
{
	char *id = mem_new(len + 1);
	size_t out = 0;

	for (size_t i = 0; i < len; i++) {
		int high = url[i] == '%' && len - i > 2 ? hex_digit(url[i + 1]) : -1;
		int low = high >= 0 ? hex_digit(url[i + 2]) : -1;

		if (low > 0 || (low == 0 && high > 0)) {
			id[out++] = (char)(high * 16 + low);
			i += 2;
		} else {
			id[out++] = url[i];
		}
	}
	if (out > 0 && !strlist_has(cids, id))
		strlist_take(cids, id);
	else
		free(id);
}

/* Adds to *urls how many there were; stops where there are too many. */
static void
cids_of_html(struct strlist *cids, size_t *urls, const char *html)
{
	const char *at = html;

	while (cids->count < MOST_CIDS && *urls < MOST_URLS &&
	       (at = text_find_same(at, "cid:")) != NULL) {
		/* In the middle of a word it is no URL. */
		bool begins = at == html || strchr("\"'=(<> \t\n", at[-1]) != NULL;
		size_t len;

		at += strlen("cid:");
		len = strcspn(at, "\"'<>() \t\n");
		if (begins)
			cid_add(cids, at, len);
		at += len;
		++*urls;
	}
}

static void
hint_images(struct explanation *e)
{
	const struct mime *mime = &e->plan.mime;
	struct strlist asked = { 0 }, there = { 0 }, missing = { 0 }, idle = { 0 };
	bool has_html = false;
	size_t urls = 0;
	char *named;

	for (size_t i = 0; i < mime->part_count; i++) {
		const struct mime_part *part = &mime->parts[i];

		if (part->kind == MIME_LEAF && strcmp(part->type, "text/html") == 0 &&
		    !mime_part_is_attachment(part)) {
			struct buf html;

			buf_init(&html, SIZE_MAX / 4);
			mime_part_text(part, &html);
			cids_of_html(&asked, &urls, html.data != NULL ? html.data : "");
			buf_free(&html);
			has_html = true;
		} else if (part->kind == MIME_LEAF && part->content_id != NULL) {
			strlist_add(&there, part->content_id);
		}
	}
	if (asked.count == MOST_CIDS || urls == MOST_URLS)
		goto free_lists;
	for (size_t i = 0; i < asked.count; i++)
		if (!strlist_has(&there, asked.items[i]))
			strlist_add(&missing, asked.items[i]);
	for (size_t i = 0; has_html && i < mime->part_count; i++) {
		const struct mime_part *part = &mime->parts[i];

		if (part->content_id != NULL && text_starts(part->type, "image/") &&
		    !mime_part_is_attachment(part) && !strlist_has(&asked, part->content_id))
			strlist_add(&idle, part->content_id);
	}
	if (idle.count > 0) {
		named = some_of(&idle);
		explain_warn(
		    e, "The HTML does not show %zu of the inline images: %s.", idle.count, named);
		free(named);
	}
	if (missing.count > 0) {
		named = some_of(&missing);
		explain_warn(
		    e, "The HTML wants %zu images that no part has: cid:%s.", missing.count, named);
		free(named);
	}

free_lists:
	strlist_free(&asked);
	strlist_free(&there);
	strlist_free(&missing);
	strlist_free(&idle);
}

/* ---- sizes ------------------------------------------------------------------------------- */

static void
hint_sizes(struct explanation *e)
{
	struct explain_figure sizes[SIZE_COUNT];
	const struct config *config = e->rules->config;

	explain_sizes(e, sizes);
	for (size_t i = 0; i < SIZE_COUNT; i++) {
		const struct explain_figure *size = &sizes[i];

		if (!size->known || i == SIZE_RECIPIENTS || size->limit == 0 ||
		    size->figure * 100 < size->limit * EXPLAIN_NEAR_PERCENT ||
		    size->figure > size->limit)
			continue;
		explain_warn(e,
		    "%s is near its limit: %" PRIu64 " of %" PRIu64
		    " %s; a little more of it would be refused.",
		    size->what, size->figure, size->limit, size->unit);
	}
	if (e->envelope.recipients.count > config->smtp_recipients)
		explain_warn(e,
		    "A transaction of SMTP has at most %u recipients (smtp.recipients): a client "
		    "has to send this mail in several.",
		    config->smtp_recipients);
}

/* ---- routes ------------------------------------------------------------------------------ */

static void
hint_origin(struct explanation *e)
{
	const struct config *config = e->rules->config;
	bool client = false, listener = false;

	for (size_t i = 0; i < config->route_count; i++) {
		client = client || config->routes[i].client.count > 0;
		listener = listener || config->routes[i].listener.count > 0;
	}
	if (client && e->origin.client[0] == '\0')
		explain_warn(
		    e, "Routes ask for the client, and none was given: they do not match.");
	if (listener && e->origin.listener[0] == '\0')
		explain_warn(
		    e, "Routes ask for the listener, and none was given: they do not match.");
}

void
explain_hints(struct explanation *e)
{
	const char *gave_up = e->plan.choice != NULL ? routing_gave_up(e->plan.choice) : NULL;
	bool converted = false, no_id = false;
	size_t undecodable = 0;

	hint_origin(e);
	if (gave_up != NULL)
		explain_warn(e,
		    "A pattern is too much work for this mail, and counts as no match: %s.",
		    gave_up);
	for (size_t i = 0; e->groups != NULL && i < e->plan.group_count; i++) {
		const struct convert_facts *facts = &e->groups[i].facts;

		converted = converted || !facts->verbatim;
		no_id = no_id || (facts->has_headers && facts->message_id[0] == '\0');
		if (facts->ledger.undecodable > undecodable)
			undecodable = facts->ledger.undecodable;
		hint_author(e, &e->plan.groups[i], facts);
		if (facts->gave_up != NULL)
			explain_warn(e,
			    "A pattern of the template of the route %s is too much work for this "
			    "mail, and counts as no match: %.200s.",
			    e->plan.groups[i].options.route, facts->gave_up);
		if (facts->guard != NULL)
			explain_warn(e, "The guard stops this mail: %s.", facts->guard);
	}
	if (e->items_left_out > 0)
		explain_warn(e,
		    "The messages of %zu items are not shown whole: they are too large together.",
		    e->items_left_out);
	if (e->groups == NULL)
		return;
	/* Of a mail that goes as it is, they stay. */
	if (converted)
		hint_shown(e);
	if (no_id)
		explain_warn(e, "There is no Message-ID: Postmark makes one of its own.");
	if (undecodable > 0)
		explain_warn(e,
		    "The text is not in the charset it claims: what %zu of its "
		    "sequences meant is lost.",
		    undecodable);
	if (converted)
		hint_images(e);
	hint_sizes(e);
}
