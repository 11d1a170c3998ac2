/*
 * Stories out of answers.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/text.h"
#include "operations/operation.h"

#include "console/paint.h"
#include "console/report.h"
#include "console/table.h"

#define NAME_COLUMNS 12
#define BAR_COLUMNS  20

/* --- reading ------------------------------------------------------------------------------- */

static const char *
text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text != NULL ? text : "";
}

static json_int_t
number_of(const json_t *object, const char *name)
{
	return json_integer_value(json_object_get(object, name));
}

static bool
is_state(const json_t *object, const char *state)
{
	return strcmp(text_of(object, "state"), state) == 0;
}

static void
safe(struct buf *out, const char *text)
{
	paint_safe(out, text, strlen(text), 0);
}

/* --- lines --------------------------------------------------------------------------------- */

static void
add_pair_in(
    const struct paint *p, struct buf *out, enum paint_hue hue, const char *name, const char *value)
{
	size_t width;

	if (value[0] == '\0')
		return;
	buf_adds(out, "  ");
	buf_adds(out, paint_begin(p, hue));
	width = paint_safe(out, name, strlen(name), 0);
	buf_adds(out, paint_end(p, hue));
	paint_pad(out, width < NAME_COLUMNS ? NAME_COLUMNS - width : 0);
	buf_adds(out, "  ");
	paint_safe_lines(out, value, strlen(value), NAME_COLUMNS + 4);
	buf_addc(out, '\n');
}

static void
add_pair(const struct paint *p, struct buf *out, const char *name, const char *value)
{
	add_pair_in(p, out, HUE_DIM, name, value);
}

static void
add_list(const struct paint *p, struct buf *out, const char *name, const json_t *list)
{
	const json_t *each;
	struct buf text;
	size_t index;

	buf_init(&text, 1 << 20);
	json_array_foreach(list, index, each) buf_addf(&text, "%s%s", index > 0 ? ", " : "",
	    json_string_value(each) != NULL ? json_string_value(each) : "");
	add_pair(p, out, name, text.data != NULL ? text.data : "");
	buf_free(&text);
}

static void
add_time_pair(const struct paint *p, struct buf *out, const char *name, const char *time)
{
	struct buf text;
	int64_t wall_ms;

	if (paint_parse_time(time, &wall_ms) != 0)
		return;
	buf_init(&text, 256);
	paint_add_time(&text, wall_ms);
	add_pair(p, out, name, text.data);
	buf_free(&text);
}

static void
add_json(struct buf *out, const json_t *json, size_t indent)
{
	char *text = json_dumps(json, JSON_INDENT(2) | JSON_ENCODE_ANY);
	const char *at = text;

	while (at != NULL && *at != '\0') {
		size_t len = strcspn(at, "\n");

		paint_pad(out, indent);
		paint_safe_json(out, at, len);
		buf_addc(out, '\n');
		at += len + (at[len] == '\n');
	}
	free(text);
}

static void
add_title(const struct paint *p, struct buf *out, const char *title)
{
	buf_addc(out, '\n');
	paint_add(p, out, HUE_BOLD, title);
	buf_addc(out, '\n');
}

/* --- the life of an item -------------------------------------------------------------------- */

/* "  2026-11-23 07:29:25  waiting   …" */
static void
add_moment(
    const struct paint *p, struct buf *out, const char *time, const char *state, const char *text)
{
	int64_t wall_ms;
	size_t width = strlen(state) < 12 ? 12 - strlen(state) : 0;

	buf_adds(out, "  ");
	if (paint_parse_time(time, &wall_ms) == 0)
		paint_add_time(out, wall_ms);
	else
		paint_pad(out, 19);
	buf_adds(out, "  ");
	buf_adds(out, paint_begin(p, paint_hue_of(state)));
	safe(out, state);
	buf_adds(out, paint_end(p, paint_hue_of(state)));
	paint_pad(out, width);
	if (text[0] != '\0') {
		buf_addc(out, ' ');
		paint_safe_lines(out, text, strlen(text), 36);
	}
	buf_addc(out, '\n');
}

/* "try 2: HTTP 422, code 406: You tried to send to …"; a reply of SMTP begins with its code. */
static void
add_attempt(const struct paint *p, struct buf *out, const json_t *item, const json_t *line)
{
	bool smtp = strcmp(text_of(item, "kind"), "smtp") == 0;
	json_int_t attempt = number_of(line, "attempt"), status = number_of(line, "http_status"),
		   code = number_of(line, "error_code");
	const char *answer = text_of(line, "answer");
	struct buf text;

	buf_init(&text, 1 << 20);
	if (attempt > 0)
		buf_addf(&text, "try %" JSON_INTEGER_FORMAT, attempt);
	if (status > 0 && !smtp)
		buf_addf(&text, "%sHTTP %" JSON_INTEGER_FORMAT, text.len > 0 ? ": " : "", status);
	if (code > 0)
		buf_addf(&text, "%scode %" JSON_INTEGER_FORMAT, text.len > 0 ? ", " : "", code);
	if (answer[0] != '\0')
		buf_addf(&text, "%s%s", text.len > 0 ? ": " : "", answer);
	add_moment(
	    p, out, text_of(line, "at"), text_of(line, "to"), text.data != NULL ? text.data : "");
	buf_free(&text);
}

static void
add_history(const struct paint *p, struct buf *out, const json_t *item)
{
	const json_t *line;
	struct buf from;
	size_t index;

	buf_init(&from, 1 << 16);
	if (text_of(item, "client")[0] != '\0')
		buf_addf(&from, "from %s", text_of(item, "client"));
	if (text_of(item, "listener")[0] != '\0')
		buf_addf(&from, "%sat %s", from.len > 0 ? " " : "", text_of(item, "listener"));
	add_moment(
	    p, out, text_of(item, "accepted"), "accepted", from.data != NULL ? from.data : "");
	buf_free(&from);
	json_array_foreach(json_object_get(item, "history"), index, line)
	    add_attempt(p, out, item, line);
	json_array_foreach(json_object_get(item, "events"), index, line)
	    add_moment(p, out, text_of(line, "at"), text_of(line, "kind"), text_of(line, "text"));
}

/* What somebody can do now.  Nothing for an item whose way goes on by itself. */
static void
add_todo(const struct paint *p, struct buf *out, const json_t *item, int64_t now_ms)
{
	const char *id = text_of(item, "id"), *route = text_of(item, "route");
	const char *todo = text_of(item, "todo");
	int64_t due_ms;
	bool has_due = paint_parse_time(text_of(item, "due"), &due_ms) == 0;

	if (json_is_true(json_object_get(item, "put_aside"))) {
		buf_adds(
		    out, "  Its message cannot be read any more; it was put aside. See the log.\n");
		return;
	}
	if (todo[0] != '\0') {
		buf_adds(out, "  ");
		safe(out, todo);
		buf_addc(out, '\n');
	}
	if (is_state(item, "held")) {
		buf_adds(out, "  It waits for you. When what is written above is put right: ");
		paint_add(p, out, HUE_BOLD, "pmrelayctl queue release ");
		safe(out, id);
		buf_adds(out, ", or give it up: pmrelayctl queue delete ");
		safe(out, id);
		buf_addc(out, '\n');
	} else if (is_state(item, "failed")) {
		bool has_message = !json_is_false(json_object_get(item, "has_message"));

		buf_adds(out, "  It will not be sent. ");
		if (has_message) {
			buf_adds(out, "When the reason is put right: ");
			paint_add(p, out, HUE_BOLD, "pmrelayctl queue retry ");
			safe(out, id);
		} else {
			buf_adds(out, "Its message is no longer kept: it must be sent anew.");
		}
		buf_addc(out, '\n');
	} else if (is_state(item, "captured")) {
		buf_adds(out, "  Its route keeps it and does not send it. To send it after all: ");
		paint_add(p, out, HUE_BOLD, "pmrelayctl queue retry ");
		safe(out, id);
		buf_addc(out, '\n');
	} else if (is_state(item, "unsure")) {
		buf_adds(out,
		    "  A request went out and no answer came. Postmark is asked whether it "
		    "has the mail before it goes out again");
		if (has_due && due_ms > now_ms) {
			buf_adds(out, ", in ");
			paint_add_span(out, due_ms - now_ms);
		}
		buf_adds(out, ".\n");
	} else if (is_state(item, "waiting") || is_state(item, "spooled")) {
		if (has_due && due_ms > now_ms) {
			buf_adds(out, "  Next try in ");
			paint_add_span(out, due_ms - now_ms);
			buf_adds(out, "; now: ");
			paint_add(p, out, HUE_BOLD, "pmrelayctl queue retry ");
			safe(out, id);
			buf_addc(out, '\n');
		} else {
			buf_adds(out, "  Due now. If it does not move, its route may stand: "
				      "pmrelayctl route list");
			if (route[0] != '\0') {
				buf_adds(out, " (");
				safe(out, route);
				buf_addc(out, ')');
			}
			buf_addc(out, '\n');
		}
	}
}

/* What became of each recipient of whom something is known. */
static void
add_fates(const struct paint *p, struct buf *out, const json_t *item)
{
	const json_t *each;
	size_t index;

	json_array_foreach(json_object_get(item, "fates"), index, each)
	{
		const char *fate = text_of(each, "fate");

		add_pair_in(p, out, paint_hue_of(fate), fate, text_of(each, "address"));
	}
}

static void
add_item(const struct paint *p, struct buf *out, const json_t *item, int64_t now_ms)
{
	const char *state = text_of(item, "state");

	paint_add(p, out, HUE_BOLD, "Item ");
	buf_adds(out, paint_begin(p, HUE_BOLD));
	safe(out, text_of(item, "id"));
	buf_adds(out, paint_end(p, HUE_BOLD));
	buf_adds(out, "  ");
	buf_adds(out, paint_begin(p, paint_hue_of(state)));
	safe(out, state);
	buf_adds(out, paint_end(p, paint_hue_of(state)));
	buf_addc(out, '\n');
	add_pair(p, out, "from", text_of(item, "from"));
	add_list(p, out, "to", json_object_get(item, "recipients"));
	add_pair(p, out, "subject", text_of(item, "subject"));
	add_pair(p, out, "message-id", text_of(item, "message_id"));
	add_pair(p, out, "postmark id", text_of(item, "postmark_id"));
	add_pair(p, out, "route", text_of(item, "route"));
	add_pair(p, out, "changed", text_of(item, "ledger"));
	add_pair(p, out, "inactive", text_of(item, "inactive"));
	add_fates(p, out, item);
	buf_addc(out, '\n');
	add_history(p, out, item);
	add_todo(p, out, item, now_ms);
}

static bool
add_status(const struct paint *p, struct buf *out, const json_t *answer, int64_t now_ms)
{
	const json_t *items = json_object_get(answer, "items"), *item;
	size_t index;

	json_array_foreach(items, index, item)
	{
		if (index > 0)
			buf_addc(out, '\n');
		add_item(p, out, item, now_ms);
	}
	return json_array_size(items) > 0;
}

/* One that goes by SMTP: its lines, safe to look at. */
static void
add_mail(struct buf *out, const char *text)
{
	while (*text != '\0') {
		size_t len = strcspn(text, "\r\n");

		paint_safe(out, text, len, 0);
		buf_addc(out, '\n');
		text += len;
		text += *text == '\r';
		text += *text == '\n';
	}
}

static void
add_shown(const struct paint *p, struct buf *out, const json_t *item, int64_t now_ms)
{
	const json_t *message = json_object_get(item, "message");
	struct buf size;

	add_item(p, out, item, now_ms);
	add_title(p, out, "Envelope");
	add_pair(p, out, "return path",
	    text_of(item, "reverse_path")[0] != '\0' ? text_of(item, "reverse_path") : "<>");
	add_pair(p, out, "client", text_of(item, "client"));
	add_pair(p, out, "hello", text_of(item, "helo"));
	add_pair(p, out, "listener", text_of(item, "listener"));
	add_pair(p, out, "kind", text_of(item, "kind"));
	add_time_pair(p, out, "ended", text_of(item, "ended"));
	buf_init(&size, 64);
	paint_add_size(p, &size, (uint64_t)number_of(item, "bytes"));
	add_pair(p, out, "bytes", size.data);
	buf_free(&size);
	if (json_is_null(message) && json_is_false(json_object_get(item, "has_message")))
		buf_adds(out, "\nIts message is no longer kept.\n");
	if (message == NULL || json_is_null(message))
		return;
	add_title(p, out, "Message, as Postmark gets it");
	if (json_is_string(json_object_get(message, "mail")))
		add_mail(out, text_of(message, "mail"));
	else
		add_json(out, message, 0);
}

/* --- what would become of a mail ------------------------------------------------------------- */

/* "[#######.............]  35 %" */
static void
add_bar(const struct paint *p, struct buf *out, uint64_t value, uint64_t limit)
{
	double share = limit > 0 ? (double)value / (double)limit : 0;
	size_t full = share >= 1 ? BAR_COLUMNS : (size_t)(share * BAR_COLUMNS);
	enum paint_hue hue = share > 1 ? HUE_BAD : share > 0.8 ? HUE_WAIT : HUE_GOOD;

	buf_addc(out, '[');
	buf_adds(out, paint_begin(p, hue));
	for (size_t i = 0; i < full; i++)
		buf_addc(out, '#');
	buf_adds(out, paint_end(p, hue));
	for (size_t i = full; i < BAR_COLUMNS; i++)
		buf_addc(out, '.');
	buf_addf(out, "] %3.0f %%", share * 100);
}

/* "9.4 MB": in the units in which Postmark counts its limits. */
static void
add_figure(const struct paint *p, struct buf *out, uint64_t figure, const char *unit)
{
	bool of_bytes = strcmp(unit, "bytes") == 0 && p->terminal;

	if (of_bytes && figure >= 1 << 20)
		buf_addf(out, "%.1f MB", (double)figure / (1 << 20));
	else if (of_bytes && figure >= 1 << 10)
		buf_addf(out, "%.1f kB", (double)figure / (1 << 10));
	else if (of_bytes)
		buf_addf(out, "%" PRIu64 " B", figure);
	else
		buf_addf(out, "%" PRIu64, figure);
	if (of_bytes)
		return;
	buf_addc(out, ' ');
	safe(out, strcmp(unit, "UTF-16 units") == 0 ? "characters" : unit);
}

static void
add_sizes(const struct paint *p, struct buf *out, const json_t *sizes)
{
	const json_t *size;
	size_t index;

	json_array_foreach(sizes, index, size)
	{
		uint64_t value = (uint64_t)number_of(size, "bytes");
		uint64_t limit = (uint64_t)number_of(size, "limit");
		const char *what = text_of(size, "what"), *unit = text_of(size, "unit");
		size_t width;

		buf_adds(out, "  ");
		width = paint_safe(out, what, strlen(what), 0);
		paint_pad(out, width < NAME_COLUMNS ? NAME_COLUMNS - width : 0);
		buf_adds(out, "  ");
		add_bar(p, out, value, limit);
		buf_adds(out, "  ");
		add_figure(p, out, value, unit);
		buf_adds(out, " of ");
		add_figure(p, out, limit, unit);
		buf_addc(out, '\n');
	}
}

static void
add_explained_item(
    const struct paint *p, struct buf *out, const json_t *item, size_t place, size_t count)
{
	char title[64];

	snprintf(title, sizeof(title), "Item %zu of %zu", place, count);
	add_title(p, out, title);
	add_pair(p, out, "route", text_of(item, "route"));
	if (strcmp(text_of(item, "kind"), "smtp") == 0)
		add_list(p, out, "recipients", json_object_get(item, "recipients"));
	add_pair(p, out, "To", text_of(item, "to"));
	add_pair(p, out, "Cc", text_of(item, "cc"));
	add_pair(p, out, "Bcc", text_of(item, "bcc"));
	add_pair(p, out, "kind", text_of(item, "kind"));
	buf_adds(out, "  ");
	paint_add(p, out, HUE_DIM, "size          ");
	add_figure(p, out, (uint64_t)number_of(item, "bytes"), "bytes");
	buf_addc(out, '\n');
}

/* "192.0.2.1 at 127.0.0.1:2525, user shop" */
static void
add_origin(const struct paint *p, struct buf *out, const json_t *origin)
{
	const char *client = text_of(origin, "client"), *listener = text_of(origin, "listener");
	const char *user = text_of(origin, "user");
	struct buf text;

	buf_init(&text, 1 << 16);
	buf_adds(&text, client);
	if (listener[0] != '\0')
		buf_addf(&text, "%sat %s", text.len > 0 ? " " : "", listener);
	if (user[0] != '\0')
		buf_addf(&text, "%suser %s", text.len > 0 ? ", " : "", user);
	add_pair(p, out, "brought by", text.data != NULL ? text.data : "");
	buf_free(&text);
}

static void
add_refusal(const struct paint *p, struct buf *out, const char *begin, const json_t *refusal)
{
	paint_add(p, out, HUE_BAD, begin);
	buf_addf(out, ": %" JSON_INTEGER_FORMAT " ", number_of(refusal, "code"));
	safe(out, text_of(refusal, "status"));
	buf_addc(out, ' ');
	safe(out, text_of(refusal, "text"));
	buf_addc(out, '\n');
}

static void
add_explained_head(const struct paint *p, struct buf *out, const json_t *answer)
{
	const json_t *envelope = json_object_get(answer, "envelope");

	if (json_is_true(json_object_get(answer, "ok"))) {
		paint_add(p, out, HUE_GOOD, "It would be taken.");
		buf_addc(out, '\n');
	} else {
		add_refusal(p, out, "It would be refused", json_object_get(answer, "refusal"));
	}
	add_pair(p, out, "From", text_of(answer, "from"));
	add_pair(p, out, "Subject", text_of(answer, "subject"));
	add_pair(p, out, "Message-ID", text_of(answer, "message_id"));
	add_pair(p, out, "return path",
	    text_of(envelope, "reverse_path")[0] != '\0' ? text_of(envelope, "reverse_path")
							 : "<>");
	add_list(p, out, "recipients", json_object_get(envelope, "recipients"));
	if (json_is_true(json_object_get(envelope, "from_headers")))
		buf_adds(out, "                (none were given: these stand in its headers)\n");
	add_origin(p, out, json_object_get(answer, "origin"));
}

/* What staging does. */
static void
add_fate(const struct paint *p, struct buf *out, const json_t *route)
{
	const char *fate = text_of(route, "fate");

	if (strcmp(fate, "redirected") == 0)
		add_list(p, out, "redirected", json_object_get(route, "redirected_to"));
	else if (strcmp(fate, "captured") == 0)
		add_pair(p, out, "captured", "the relay keeps it and sends nothing");
	if (json_is_true(json_object_get(route, "sandbox")))
		add_pair(p, out, "sandbox", "Postmark checks it and delivers nothing");
}

/* "signed: smtp, date: convert": of what the mail has. */
static void
add_policies(const struct paint *p, struct buf *out, const json_t *policies)
{
	const json_t *policy;
	struct buf text;
	size_t index;

	buf_init(&text, 1 << 16);
	json_array_foreach(policies, index, policy)
	{
		if (json_is_true(json_object_get(policy, "applies")))
			buf_addf(&text, "%s%s: %s", text.len > 0 ? ", " : "",
			    text_of(policy, "word"), text_of(policy, "policy"));
	}
	add_pair(p, out, "policies", text.data != NULL ? text.data : "");
	buf_free(&text);
}

/* The words alone: the sentences follow for all routes together. */
static void
add_lost_words(const struct paint *p, struct buf *out, const json_t *lost)
{
	const json_t *each;
	struct buf text;
	size_t index;

	buf_init(&text, 1 << 16);
	json_array_foreach(lost, index, each)
	    buf_addf(&text, "%s%s", text.len > 0 ? ", " : "", text_of(each, "word"));
	add_pair(p, out, "loses", text.data != NULL ? text.data : "");
	buf_free(&text);
}

static void
add_route(const struct paint *p, struct buf *out, const json_t *route, bool is_only)
{
	const json_t *reasons = json_object_get(route, "why_not"), *reason;
	char *title = NULL;
	struct buf text;
	size_t index;

	buf_init(&text, 1 << 16);
	buf_adds(&text, "Route ");
	safe(&text, text_of(route, "name"));
	title = buf_take(&text, NULL);
	add_title(p, out, title);
	free(title);
	if (json_is_object(json_object_get(route, "refusal")))
		add_refusal(p, out, "  It refuses the mail", json_object_get(route, "refusal"));
	add_list(p, out, "for", json_object_get(route, "recipients"));
	add_fate(p, out, route);
	add_pair(p, out, "connection", text_of(route, "connection"));
	add_pair(p, out, "stream", text_of(route, "stream"));
	add_pair(p, out, "tag", text_of(route, "tag"));
	add_pair(p, out, "template", text_of(route, "template"));
	if (strcmp(text_of(route, "reply"), "queued") != 0)
		add_pair(p, out, "reply", text_of(route, "reply"));
	if (strcmp(text_of(route, "way"), "smtp") == 0)
		add_pair(p, out, "by", "SMTP, the mail as it is");
	add_policies(p, out, json_object_get(route, "policies"));
	if (!is_only)
		add_lost_words(p, out, json_object_get(route, "lost"));
	json_array_foreach(reasons, index, reason)
	{
		buf_init(&text, 1 << 16);
		buf_addf(&text, "not %s", text_of(reason, "route"));
		add_pair(p, out, text.data, text_of(reason, "why"));
		buf_free(&text);
	}
}

/* The same message with the contents of its attachments told by their length alone. */
static json_t *
cut_attachments(const json_t *message)
{
	json_t *cut = json_copy((json_t *)message), *attachments;
	const json_t *each;
	size_t index;

	if (!json_is_array(json_object_get(message, "Attachments")))
		return cut;
	attachments = json_array();
	json_array_foreach(json_object_get(message, "Attachments"), index, each)
	{
		json_t *attachment = json_copy((json_t *)each);
		size_t len = json_string_length(json_object_get(each, "Content"));
		const char *content = json_string_value(json_object_get(each, "Content"));
		size_t pads =
		    len < 2 ? 0 : (size_t)(content[len - 1] == '=') + (content[len - 2] == '=');

		json_object_set_new(
		    attachment, "Content", json_sprintf("... %zu bytes ...", len / 4 * 3 - pads));
		json_array_append_new(attachments, attachment);
	}
	json_object_set_new(cut, "Attachments", attachments);
	return cut;
}

static void
add_explained_message(const struct paint *p, struct buf *out, const json_t *item, size_t place)
{
	const json_t *message = json_object_get(item, "json");
	char title[64];
	json_t *cut;

	if (strcmp(text_of(item, "kind"), "smtp") == 0) {
		snprintf(title, sizeof(title), "In front of item %zu", place);
		add_title(p, out, title);
		add_mail(out, text_of(item, "head"));
		if (json_array_size(json_object_get(item, "removed")) > 0) {
			snprintf(title, sizeof(title), "Taken out of item %zu", place);
			add_title(p, out, title);
			add_list(p, out, "fields", json_object_get(item, "removed"));
		}
	} else if (json_is_object(message)) {
		snprintf(title, sizeof(title), "JSON of item %zu", place);
		add_title(p, out, title);
		cut = cut_attachments(message);
		add_json(out, cut, 0);
		json_decref(cut);
	}
}

static void
add_explained(const struct paint *p, struct buf *out, const json_t *answer)
{
	const json_t *routes = json_object_get(answer, "routes");
	const json_t *items = json_object_get(answer, "items"), *each;
	size_t index;

	add_explained_head(p, out, answer);
	json_array_foreach(routes, index, each)
	    add_route(p, out, each, json_array_size(routes) == 1);
	json_array_foreach(items, index, each)
	    add_explained_item(p, out, each, index + 1, json_array_size(items));
	if (json_array_size(json_object_get(answer, "sizes")) > 0) {
		add_title(p, out, "Sizes against the limits");
		add_sizes(p, out, json_object_get(answer, "sizes"));
	}
	if (json_array_size(json_object_get(answer, "lost")) > 0) {
		add_title(p, out, "What a message of Postmark cannot carry");
		json_array_foreach(json_object_get(answer, "lost"), index, each)
		    add_pair(p, out, text_of(each, "word"), text_of(each, "text"));
	}
	if (json_array_size(json_object_get(answer, "warnings")) > 0) {
		add_title(p, out, "Warnings");
		json_array_foreach(json_object_get(answer, "warnings"), index, each)
		{
			buf_adds(out, "  ");
			safe(out, json_string_value(each) != NULL ? json_string_value(each) : "");
			buf_addc(out, '\n');
		}
	}
	json_array_foreach(items, index, each) add_explained_message(p, out, each, index + 1);
}

/* --- events, health, errors ------------------------------------------------------------------ */

/* An event does not say how its item went.  250 is no status of HTTP's, and a refusal is told with
 * its code: "550 5.7.1 …", "<a@b.example>: 550 …". */
static bool
is_smtp_reply(json_int_t status, const char *text)
{
	const char *reply = text[0] == '<' ? strstr(text, ">: ") : NULL;
	char code[24];

	snprintf(code, sizeof(code), "%" JSON_INTEGER_FORMAT " ", status);
	return status == 250 || strncmp(reply != NULL ? reply + 3 : text, code, strlen(code)) == 0;
}

void
report_add_event(const struct paint *p, struct buf *out, const json_t *event)
{
	const char *kind = text_of(event, "kind");
	json_int_t attempt = number_of(event, "attempt"), code = number_of(event, "error_code");
	json_int_t status = number_of(event, "http_status");
	enum paint_hue hue = paint_hue_of(kind);
	int64_t wall_ms;
	size_t width;

	if (json_object_get(event, "missed") != NULL) {
		paint_add(p, out, HUE_WAIT, "(some events came and went before they were read)");
		buf_addc(out, '\n');
		return;
	}
	if (paint_parse_time(text_of(event, "at"), &wall_ms) == 0)
		paint_add_time(out, wall_ms);
	buf_adds(out, "  ");
	buf_adds(out, paint_begin(p, hue));
	width = paint_safe(out, kind, strlen(kind), 0);
	buf_adds(out, paint_end(p, hue));
	paint_pad(out, width < 12 ? 12 - width : 0);
	for (int i = 0; i < 2; i++) {
		const char *text = text_of(event, i == 0 ? "item" : "route");

		if (text[0] != '\0') {
			buf_adds(out, "  ");
			safe(out, text);
		}
	}
	if (attempt > 1)
		buf_addf(out, "  try %" JSON_INTEGER_FORMAT, attempt);
	if (status > 0 && status != 200 && !is_smtp_reply(status, text_of(event, "text")))
		buf_addf(out, "  HTTP %" JSON_INTEGER_FORMAT, status);
	if (code > 0)
		buf_addf(out, "  code %" JSON_INTEGER_FORMAT, code);
	if (text_of(event, "text")[0] != '\0') {
		buf_adds(out, "  ");
		safe(out, text_of(event, "text"));
	}
	buf_addc(out, '\n');
}

static void
add_health(const struct paint *p, struct buf *out, const json_t *answer)
{
	bool healthy = json_is_true(json_object_get(answer, "healthy"));
	const json_t *checks = json_object_get(answer, "checks"), *each;
	size_t index, columns = NAME_COLUMNS;

	json_array_foreach(checks, index, each) if (strlen(text_of(each, "name")) > columns)
	    columns = strlen(text_of(each, "name"));
	paint_add(p, out, healthy ? HUE_GOOD : HUE_BAD, healthy ? "healthy" : "not healthy");
	buf_addc(out, '\n');
	json_array_foreach(checks, index, each)
	{
		bool ok = json_is_true(json_object_get(each, "ok"));
		const char *name = text_of(each, "name");
		size_t width;

		buf_adds(out, "  ");
		paint_add(p, out, ok ? HUE_GOOD : HUE_BAD, ok ? "ok    " : "FAILED");
		buf_adds(out, "  ");
		width = paint_safe(out, name, strlen(name), 0);
		paint_pad(out, width < columns ? columns - width : 0);
		buf_adds(out, "  ");
		safe(out, text_of(each, "text"));
		buf_addc(out, '\n');
		if (!ok && text_of(each, "todo")[0] != '\0') {
			paint_pad(out, columns + 12);
			safe(out, text_of(each, "todo"));
			buf_addc(out, '\n');
		}
	}
}

void
report_add_error(const struct paint *p, struct buf *out, const json_t *error)
{
	const json_t *postmark = json_object_get(error, "postmark");
	const char *message = text_of(error, "message");

	paint_add(p, out, HUE_BAD, "pmrelayctl: ");
	safe(out, message[0] != '\0' ? message : "the daemon could not do it and did not say why");
	buf_addc(out, '\n');
	if (number_of(postmark, "ErrorCode") > 0) {
		buf_addf(out, "  Postmark's code %" JSON_INTEGER_FORMAT,
		    number_of(postmark, "ErrorCode"));
		if (text_of(postmark, "Message")[0] != '\0' &&
		    strstr(message, text_of(postmark, "Message")) == NULL) {
			buf_adds(out, ": ");
			safe(out, text_of(postmark, "Message"));
		}
		buf_addc(out, '\n');
	}
	if (text_of(postmark, "item")[0] != '\0') {
		buf_adds(out, "  item ");
		safe(out, text_of(postmark, "item"));
		buf_addc(out, '\n');
	}
	if (text_of(error, "todo")[0] != '\0') {
		buf_adds(out, "  ");
		safe(out, text_of(error, "todo"));
		buf_addc(out, '\n');
	}
}

static void
add_raw(const struct paint *p, struct buf *out, const json_t *answer)
{
	const json_t *body = json_object_get(answer, "body");
	json_int_t status = number_of(answer, "status");

	buf_adds(out, paint_begin(p, status < 300 ? HUE_DIM : HUE_BAD));
	buf_addf(out, "HTTP %" JSON_INTEGER_FORMAT ", ", status);
	paint_add_span(out, number_of(answer, "elapsed_ms"));
	if (number_of(answer, "tries") > 1)
		buf_addf(out, ", %" JSON_INTEGER_FORMAT " tries", number_of(answer, "tries"));
	if (strcmp(text_of(answer, "body_type"), "binary") == 0)
		buf_adds(out, ", as base64");
	buf_adds(out, paint_end(p, status < 300 ? HUE_DIM : HUE_BAD));
	buf_addc(out, '\n');
	if (json_is_string(body)) {
		paint_safe_lines(out, json_string_value(body), json_string_length(body), 0);
		buf_addc(out, '\n');
	} else if (!json_is_null(body)) {
		add_json(out, body, 0);
	}
}

/* --- all of them ----------------------------------------------------------------------------- */

bool
report_add(const struct paint *p, struct buf *out, const struct operation *o, const json_t *answer,
    int64_t now_ms)
{
	const char *text;

	if (o->run == RUN_STATUS && json_is_array(json_object_get(answer, "items")))
		return add_status(p, out, answer, now_ms);
	if (o->run == RUN_QUEUE_SHOW && json_is_object(answer)) {
		add_shown(p, out, answer, now_ms);
	} else if (o->run == RUN_EXPLAIN && json_is_boolean(json_object_get(answer, "ok"))) {
		add_explained(p, out, answer);
	} else if (o->run == RUN_HEALTHCHECK && json_is_array(json_object_get(answer, "checks"))) {
		add_health(p, out, answer);
	} else if (o->run == RUN_CONFIG && (text = text_of(answer, "config"))[0] != '\0') {
		paint_safe_lines(out, text, strlen(text), 0);
		buf_addc(out, '\n');
	} else if (o->run == RUN_OPENAPI) {
		add_json(out, answer, 0);
	} else if (o->run == RUN_RAW && json_object_get(answer, "body") != NULL) {
		add_raw(p, out, answer);
	} else if (json_object_size(answer) == 1 && (text = text_of(answer, "Body"))[0] != '\0') {
		/* A dump: a mail as it is. */
		paint_safe_lines(out, text, strlen(text), 0);
		buf_addc(out, '\n');
	} else {
		return table_add(p, out, o, answer);
	}
	return true;
}

static bool
is_bad_result(const json_t *result)
{
	return is_state(result, "failed") || is_state(result, "refused") ||
	       is_state(result, "held") || is_state(result, "deleted") ||
	       is_state(result, "gone") || number_of(result, "error_code") > 0 ||
	       number_of(result, "ErrorCode") > 0;
}

bool
report_is_failure(const struct operation *o, const json_t *answer)
{
	const json_t *each;
	size_t index;

	if (o->run == RUN_HEALTHCHECK)
		return !json_is_true(json_object_get(answer, "healthy"));
	if (o->run == RUN_QUEUE_DRAIN)
		return json_is_false(json_object_get(answer, "drained"));
	/* Named, but not there or not in a state for it. */
	if (o->run == RUN_QUEUE_CHANGE)
		return number_of(answer, "unknown") > 0 || number_of(answer, "unfit") > 0 ||
		       number_of(answer, "in_flight") > 0;
	if (o->run == RUN_EXPLAIN)
		return json_is_false(json_object_get(answer, "ok"));
	if (o->run == RUN_WEBHOOK_ENSURE || o->run == RUN_SUPPRESSION_SYNC)
		return number_of(answer, "Failed") > 0;
	if (o->run == RUN_WEBHOOK_CREATE)
		return number_of(answer, "Failed") > 0;
	if (o->run == RUN_RAW)
		return number_of(answer, "status") >= 300;
	if (o->run == RUN_SEND)
		return is_bad_result(answer);
	if (o->run == RUN_SEND_BATCH)
		json_array_foreach(json_object_get(answer, "results"), index,
		    each) if (is_bad_result(each)) return true;
	return false;
}
