#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <jansson.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/strlist.h"
#include "base/text.h"

#include "sandbox/messages.h"
#include "sandbox/query.h"
#include "sandbox/records.h"
#include "sandbox/server.h"
#include "sandbox/state.h"
#include "sandbox/stats.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define YEAR_MS      (366LL * 86400 * 1000)

/* ---- which ---- */

struct filter {
	int64_t server;
	const char *tag;    /* NULL: any, as below */
	const char *stream; /* all by default, unlike elsewhere */
	int64_t least_ms;
	int64_t most_ms;
};

/* false: refused. */
static bool
filter_read(struct state *state, const struct server *server, const struct api_request *request,
    struct api_answer *answer, struct filter *filter)
{
	*filter = (struct filter){
		.server = server->id,
		.tag = query_text(request, "tag"),
		.stream = query_text(request, "messagestream"),
		.most_ms = INT64_MAX,
	};
	if (query_time(request, "fromdate", false, &filter->least_ms) != 0 ||
	    query_time(request, "todate", true, &filter->most_ms) != 0)
		api_refuse(state, answer, 900, "A date is not valid.");
	else if (filter->least_ms != 0 && filter->least_ms < clock_wall_ms() - YEAR_MS)
		api_refuse(state, answer, 1500, "The 'fromdate' is more than a year ago.");
	else if (filter->least_ms > filter->most_ms)
		api_refuse(state, answer, 1502, "The 'fromdate' is after the 'todate'.");
	else if (filter->stream != NULL && server_stream(server, filter->stream) == NULL)
		api_refuse(
		    state, answer, 1226, "The message stream for the provided 'ID' was not found.");
	else
		return true;
	return false;
}

static bool
matches(const struct filter *filter, int64_t server, const char *tag, const char *stream,
    int64_t wall_ms)
{
	return server == filter->server && wall_ms >= filter->least_ms &&
	       wall_ms <= filter->most_ms &&
	       (filter->tag == NULL || (tag != NULL && strcmp(tag, filter->tag) == 0)) &&
	       (filter->stream == NULL || (stream != NULL && text_same(stream, filter->stream)));
}

static const struct message *
next_message(const struct state *state, const struct filter *filter, size_t *index)
{
	const struct message *message;

	while ((message = messages_at(state->messages, (*index)++)) != NULL) {
		if (matches(
			filter, message->server, message->tag, message->stream, message->wall_ms))
			return message;
	}
	return NULL;
}

static const char *
text_of(const struct record *record, const char *key)
{
	return json_string_value(json_object_get(record->json, key));
}

static const struct record *
next_record(const struct records *records, const struct filter *filter, size_t *index)
{
	const struct record *record;

	while ((record = records_at(records, (*index)++)) != NULL) {
		if (matches(filter, record->server, text_of(record, "Tag"),
			text_of(record, "MessageStream"), record->wall_ms))
			return record;
	}
	return NULL;
}

static int64_t
mailed(const struct message *message)
{
	return (int64_t)(message->recipients.count - message->suppressed.count);
}

/* ---- by day ---- */

struct tally {
	json_t *days;   /* by date, in the order in which they came */
	json_t *totals; /* by key */
};

static void
tally_add_to(json_t *counts, const char *key, int64_t more)
{
	json_int_t count = json_integer_value(json_object_get(counts, key));

	json_object_set_new(counts, key, json_integer(count + more));
}

/* A count of nothing leaves no key. */
static void
tally_add(struct tally *tally, int64_t wall_ms, const char *key, int64_t more)
{
	time_t seconds = (time_t)(wall_ms / 1000) + STATE_EASTERN_MINUTES * 60;
	char date[32];
	struct tm tm;
	json_t *day;

	if (more == 0)
		return;
	gmtime_r(&seconds, &tm);
	strftime(date, sizeof(date), "%Y-%m-%d", &tm);
	day = json_object_get(tally->days, date);
	if (day == NULL) {
		json_object_set_new(tally->days, date, json_pack("{s:s}", "Date", date));
		day = json_object_get(tally->days, date);
	}
	tally_add_to(day, key, more);
	tally_add_to(tally->totals, key, more);
}

typedef void count_fn(const struct state *, const struct filter *, struct tally *);

static void
count_sends(const struct state *state, const struct filter *filter, struct tally *tally)
{
	const struct message *message;
	size_t i = 0;

	while ((message = next_message(state, filter, &i)) != NULL)
		tally_add(tally, message->wall_ms, "Sent", mailed(message));
}

static void
count_tracked(const struct state *state, const struct filter *filter, struct tally *tally)
{
	const struct message *message;
	size_t i = 0;

	while ((message = next_message(state, filter, &i)) != NULL) {
		if (message->track_opens)
			tally_add(tally, message->wall_ms, "Tracked", mailed(message));
	}
}

static bool
is_complaint(const struct record *record)
{
	const char *type = text_of(record, "Type");

	return type != NULL && strcmp(type, "SpamComplaint") == 0;
}

static void
count_bounces(const struct state *state, const struct filter *filter, struct tally *tally)
{
	const struct record *record;
	size_t i = 0;

	while ((record = next_record(state->bounces, filter, &i)) != NULL) {
		const char *type = text_of(record, "Type");

		if (type != NULL && !is_complaint(record))
			tally_add(tally, record->wall_ms, type, 1);
	}
}

static void
count_spam(const struct state *state, const struct filter *filter, struct tally *tally)
{
	const struct record *record;
	size_t i = 0;

	while ((record = next_record(state->bounces, filter, &i)) != NULL) {
		if (is_complaint(record))
			tally_add(tally, record->wall_ms, "SpamComplaint", 1);
	}
}

static void
count_opens(const struct state *state, const struct filter *filter, struct tally *tally)
{
	const struct record *record;
	size_t i = 0;

	while ((record = next_record(state->opens, filter, &i)) != NULL) {
		tally_add(tally, record->wall_ms, "Opens", 1);
		if (json_is_true(json_object_get(record->json, "FirstOpen")))
			tally_add(tally, record->wall_ms, "Unique", 1);
	}
}

/* true: no other click before this one had the same link, mail and recipient. */
static bool
first_click(json_t *seen, const struct record *record)
{
	const char *recipient = text_of(record, "Recipient"),
		   *link = text_of(record, "OriginalLink");
	char *key = mem_format("%s\n%s\n%s", record->message, recipient != NULL ? recipient : "",
	    link != NULL ? link : "");
	bool first = json_object_get(seen, key) == NULL;

	json_object_set_new(seen, key, json_true());
	free(key);
	return first;
}

static void
count_clicks(const struct state *state, const struct filter *filter, struct tally *tally)
{
	const struct record *record;
	json_t *seen = json_object();
	size_t i = 0;

	while ((record = next_record(state->clicks, filter, &i)) != NULL) {
		tally_add(tally, record->wall_ms, "Clicks", 1);
		tally_add(tally, record->wall_ms, "Unique", first_click(seen, record));
	}
	json_decref(seen);
}

/* One count for each value of the member; object: the member is that of an object. */
static void
count_values(const struct records *records, const struct filter *filter, struct tally *tally,
    const char *object, const char *member)
{
	const struct record *record;
	size_t i = 0;

	while ((record = next_record(records, filter, &i)) != NULL) {
		const json_t *holder =
		    object != NULL ? json_object_get(record->json, object) : record->json;
		const char *value = json_string_value(json_object_get(holder, member));

		/* Date is the name of the day. */
		if (value == NULL || value[0] == '\0' || strcmp(value, "Date") == 0)
			value = "Unknown";
		tally_add(tally, record->wall_ms, value, 1);
	}
}

static void
count_open_platforms(const struct state *state, const struct filter *filter, struct tally *tally)
{
	count_values(state->opens, filter, tally, NULL, "Platform");
}

static void
count_open_clients(const struct state *state, const struct filter *filter, struct tally *tally)
{
	count_values(state->opens, filter, tally, "Client", "Name");
}

static void
count_click_browsers(const struct state *state, const struct filter *filter, struct tally *tally)
{
	count_values(state->clicks, filter, tally, "Client", "Family");
}

static void
count_click_platforms(const struct state *state, const struct filter *filter, struct tally *tally)
{
	count_values(state->clicks, filter, tally, NULL, "Platform");
}

static void
count_click_locations(const struct state *state, const struct filter *filter, struct tally *tally)
{
	count_values(state->clicks, filter, tally, NULL, "ClickLocation");
}

static const struct {
	const char *path; /* below /stats/outbound */
	count_fn *count;
} kinds[] = {
	{ "/sends", count_sends },
	{ "/bounces", count_bounces },
	{ "/spam", count_spam },
	{ "/tracked", count_tracked },
	{ "/opens", count_opens },
	{ "/opens/platforms", count_open_platforms },
	{ "/opens/emailclients", count_open_clients },
	{ "/clicks", count_clicks },
	{ "/clicks/browserfamilies", count_click_browsers },
	{ "/clicks/platforms", count_click_platforms },
	{ "/clicks/location", count_click_locations },
};

/* What the path of the request has below /stats/outbound. */
static bool
is_kind(const struct api_request *request, const char *path)
{
	const struct strlist *segments = request->segments;

	for (size_t i = 2; i < segments->count; i++) {
		const char *segment = segments->items[i];

		if (*path++ != '/' || !text_same_n(path, segment, strlen(segment)))
			return false;
		path += strlen(segment);
	}
	return *path == '\0';
}

void
stats_by_day(struct state *state, struct server *server, const struct api_request *request,
    struct api_answer *answer)
{
	struct tally tally;
	struct filter filter;
	const char *date;
	json_t *days, *day;
	size_t i = 0;

	if (!filter_read(state, server, request, answer, &filter))
		return;
	while (i + 1 < COUNT(kinds) && !is_kind(request, kinds[i].path))
		i++;
	tally = (struct tally){ .days = json_object(), .totals = json_object() };
	kinds[i].count(state, &filter, &tally);
	days = json_array();
	json_object_foreach(tally.days, date, day) json_array_append(days, day);
	json_object_set_new(tally.totals, "Days", days);
	json_decref(tally.days);
	api_answer_json(answer, tally.totals);
}

/* ---- in all ---- */

static int64_t
links_in(const json_t *request, const char *body)
{
	const char *text = json_string_value(json_object_get(request, body));
	int64_t links = 0;

	while (text != NULL && (text = strstr(text, "://")) != NULL) {
		links++;
		text += 3;
	}
	return links;
}

/* Links of the mail that are tracked, for one recipient. */
static int64_t
tracked_links(const struct message *message)
{
	json_t *request;
	int64_t links = 0;

	if (!message->track_html_links && !message->track_text_links)
		return 0;
	request = json_loadb(message->json, message->json_len, 0, NULL);
	if (message->track_html_links)
		links += links_in(request, "HtmlBody");
	if (message->track_text_links)
		links += links_in(request, "TextBody");
	json_decref(request);
	return links;
}

struct overview {
	int64_t sent, bounced, smtp_errors, complaints;
	int64_t opens, unique_opens, tracked, link_tracking, open_tracking, links;
	int64_t clicks, unique_clicks, with_client, with_platform;
};

static void
overview_messages(const struct state *state, const struct filter *filter, struct overview *all)
{
	const struct message *message;
	size_t i = 0;

	while ((message = next_message(state, filter, &i)) != NULL) {
		int64_t count = mailed(message);
		bool links = message->track_html_links || message->track_text_links;

		all->sent += count;
		all->open_tracking += message->track_opens ? count : 0;
		all->link_tracking += links ? count : 0;
		all->tracked += message->track_opens || links ? count : 0;
		all->links += count * tracked_links(message);
	}
}

/* Those that say that the mail did not arrive. */
static bool
is_failure(const char *type)
{
	static const char *const others[] = { "Transient", "Unsubscribe", "Subscribe",
		"AutoResponder", "AddressChange", "OpenRelayTest", "ChallengeVerification",
		"InboundError" };

	for (size_t i = 0; i < COUNT(others); i++) {
		if (strcmp(type, others[i]) == 0)
			return false;
	}
	return true;
}

static void
overview_bounces(const struct state *state, const struct filter *filter, struct overview *all)
{
	const struct record *record;
	size_t i = 0;

	while ((record = next_record(state->bounces, filter, &i)) != NULL) {
		const char *type = text_of(record, "Type");

		if (type == NULL)
			continue;
		if (is_complaint(record))
			all->complaints++;
		else if (strcmp(type, "SMTPApiError") == 0)
			all->smtp_errors++;
		else if (is_failure(type))
			all->bounced++;
	}
}

static void
overview_tracks(const struct state *state, const struct filter *filter, struct overview *all)
{
	const struct record *record;
	json_t *seen = json_object();
	size_t i = 0;

	while ((record = next_record(state->opens, filter, &i)) != NULL) {
		const char *client = json_string_value(
		    json_object_get(json_object_get(record->json, "Client"), "Name"));
		const char *platform = text_of(record, "Platform");

		all->opens++;
		all->unique_opens += json_is_true(json_object_get(record->json, "FirstOpen"));
		all->with_client += client != NULL && client[0] != '\0';
		all->with_platform += platform != NULL && strcmp(platform, "Unknown") != 0;
	}
	for (i = 0; (record = next_record(state->clicks, filter, &i)) != NULL;) {
		all->clicks++;
		all->unique_clicks += first_click(seen, record);
	}
	json_decref(seen);
}

/* In percent, with three digits. */
static double
rate(int64_t part, int64_t whole)
{
	if (whole == 0)
		return 0;
	return (double)(int64_t)((double)part * 100000 / (double)whole + 0.5) / 1000;
}

void
stats_overview(struct state *state, struct server *server, const struct api_request *request,
    struct api_answer *answer)
{
	struct overview all = { 0 };
	struct filter filter;

	if (!filter_read(state, server, request, answer, &filter))
		return;
	overview_messages(state, &filter, &all);
	overview_bounces(state, &filter, &all);
	overview_tracks(state, &filter, &all);
	api_answer_json(answer,
	    json_pack("{s:I, s:I, s:I, s:f, s:I, s:f, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I,"
		      " s:I}",
		"Sent", (json_int_t)all.sent, "Bounced", (json_int_t)all.bounced, "SMTPApiErrors",
		(json_int_t)all.smtp_errors, "BounceRate", rate(all.bounced, all.sent),
		"SpamComplaints", (json_int_t)all.complaints, "SpamComplaintsRate",
		rate(all.complaints, all.sent), "Opens", (json_int_t)all.opens, "UniqueOpens",
		(json_int_t)all.unique_opens, "Tracked", (json_int_t)all.tracked,
		"WithLinkTracking", (json_int_t)all.link_tracking, "WithOpenTracking",
		(json_int_t)all.open_tracking, "TotalTrackedLinksSent", (json_int_t)all.links,
		"UniqueLinksClicked", (json_int_t)all.unique_clicks, "TotalClicks",
		(json_int_t)all.clicks, "WithClientRecorded", (json_int_t)all.with_client,
		"WithPlatformRecorded", (json_int_t)all.with_platform));
}
