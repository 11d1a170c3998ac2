/*
 * The live view: what is in the answer of "top", drawn.
 */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"

#include "console/paint.h"
#include "console/table.h"
#include "console/top.h"

#define MOST_LINE    4096
#define NAME_COLUMNS 16
/* Lines that are kept for events, when there are many routes. */
#define LEAST_EVENTS 5

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

/* Milliseconds from before to now; 0: not known. */
static int64_t
span_of(const json_t *before, const json_t *now)
{
	int64_t from, to;

	if (before == NULL || paint_parse_time(text_of(before, "now"), &from) != 0 ||
	    paint_parse_time(text_of(now, "now"), &to) != 0 || to <= from)
		return 0;
	return to - from;
}

/* What a counter did in a second, "12.3/s"; "-" at the first look, and when it began anew. */
static void
add_rate(
    struct buf *out, const json_t *before, const json_t *now, const char *name, int64_t span_ms)
{
	json_int_t more = number_of(now, name) - number_of(before, name);

	if (span_ms <= 0 || before == NULL || more < 0)
		buf_adds(out, "-");
	else
		buf_addf(out, "%.1f/s", (double)more * 1000 / (double)span_ms);
}

static void
end_line(struct buf *out, size_t *left)
{
	buf_addc(out, '\n');
	if (*left > 0)
		(*left)--;
}

/* A line without any hue, cut to the terminal. */
static void
add_plain(const struct paint *p, struct buf *out, const struct buf *line, size_t *left)
{
	if (line->len > 0)
		paint_safe(out, line->data, line->len, p->columns);
	end_line(out, left);
}

static void
add_head(
    const struct paint *p, struct buf *out, const json_t *before, const json_t *now, size_t *left)
{
	int64_t span_ms = span_of(before, now), now_ms, started_ms;
	struct buf line;

	buf_init(&line, MOST_LINE);
	buf_addf(&line, "pmrelay %s", text_of(now, "version"));
	if (paint_parse_time(text_of(now, "now"), &now_ms) == 0) {
		if (paint_parse_time(text_of(now, "started"), &started_ms) == 0) {
			buf_adds(&line, "   up ");
			paint_add_span(&line, now_ms - started_ms);
		}
		buf_addf(&line, "   fronts %" JSON_INTEGER_FORMAT "   ", number_of(now, "fronts"));
		paint_add_time(&line, now_ms);
	}
	buf_adds(out, paint_begin(p, HUE_BOLD));
	paint_safe(out, line.data, line.len, p->columns);
	buf_adds(out, paint_end(p, HUE_BOLD));
	end_line(out, left);

	buf_clear(&line);
	buf_addf(&line, "accepted %" JSON_INTEGER_FORMAT " (", number_of(now, "accepted"));
	add_rate(&line, before, now, "accepted", span_ms);
	buf_addf(
	    &line, ")   refused %" JSON_INTEGER_FORMAT "   commits ", number_of(now, "refused"));
	add_rate(&line, before, now, "commits", span_ms);
	buf_adds(&line, "   syncs ");
	add_rate(&line, before, now, "syncs", span_ms);
	add_plain(p, out, &line, left);
	buf_free(&line);
}

static void
add_queue(const struct paint *p, struct buf *out, const json_t *now, size_t *left)
{
	static const char *const states[] = { "spooled", "sending", "waiting", "unsure", "held",
		"sent", "failed", "captured" };
	const json_t *queue = json_object_get(now, "queue");
	int64_t now_ms, oldest_ms;
	struct buf line;
	size_t used = 0;

	buf_init(&line, MOST_LINE);
	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		json_int_t count = number_of(queue, states[i]);
		char text[64];
		int len =
		    snprintf(text, sizeof(text), "%s %" JSON_INTEGER_FORMAT, states[i], count);

		if (p->columns > 0 && used + (size_t)len + 3 > p->columns)
			break;
		if (used > 0)
			buf_adds(out, "   ");
		paint_add(p, out, count > 0 ? paint_hue_of(states[i]) : HUE_DIM, text);
		used += (size_t)len + (used > 0 ? 3 : 0);
	}
	end_line(out, left);
	if (paint_parse_time(text_of(now, "oldest"), &oldest_ms) == 0 &&
	    paint_parse_time(text_of(now, "now"), &now_ms) == 0) {
		buf_adds(&line, "oldest waits for ");
		paint_add_span(&line, now_ms - oldest_ms);
	} else {
		buf_adds(&line, "nothing waits");
	}
	if (number_of(now, "put_aside") > 0)
		buf_addf(&line, "   put aside, unreadable: %" JSON_INTEGER_FORMAT,
		    number_of(now, "put_aside"));
	add_plain(p, out, &line, left);
	end_line(out, left);
	buf_free(&line);
}

static const json_t *
route_named(const json_t *look, const char *name)
{
	const json_t *route;
	size_t index;

	json_array_foreach(json_object_get(look, "routes"), index,
	    route) if (strcmp(text_of(route, "name"), name) == 0) return route;
	return NULL;
}

static void
add_route(const struct paint *p, struct buf *out, const json_t *before, const json_t *route,
    int64_t span_ms, size_t *left)
{
	const char *name = text_of(route, "name"), *mode = text_of(route, "mode");
	const json_t *old = route_named(before, name);
	struct buf rate;
	char figures[160];
	size_t used, width;
	int len;

	used = paint_safe(out, name, strlen(name), NAME_COLUMNS);
	paint_pad(out, NAME_COLUMNS + 2 - used);
	buf_adds(out, paint_begin(p, paint_hue_of(mode)));
	width = paint_safe(out, mode, strlen(mode), 9);
	buf_adds(out, paint_end(p, paint_hue_of(mode)));
	paint_pad(out, 10 - width);
	buf_init(&rate, 64);
	add_rate(&rate, old, route, "sent", span_ms);
	len = snprintf(figures, sizeof(figures),
	    "%5" JSON_INTEGER_FORMAT "/%-4" JSON_INTEGER_FORMAT " %9s %9" JSON_INTEGER_FORMAT
	    " %8" JSON_INTEGER_FORMAT " %8" JSON_INTEGER_FORMAT,
	    number_of(route, "in_flight"), number_of(route, "window"), rate.data,
	    number_of(route, "sent"), number_of(route, "refused"), number_of(route, "waiting"));
	buf_free(&rate);
	used = NAME_COLUMNS + 12;
	if (p->columns == 0 || p->columns > used)
		paint_safe(out, figures, (size_t)len, p->columns > 0 ? p->columns - used : 0);
	used += (size_t)len;
	end_line(out, left);
	/* Why it stands has a line of its own: it is what somebody looks for. */
	if (text_of(route, "why")[0] != '\0' && *left > 1) {
		const char *why = text_of(route, "why");

		buf_adds(out, "    ");
		buf_adds(out, paint_begin(p, HUE_WAIT));
		paint_safe(out, why, strlen(why), p->columns > 8 ? p->columns - 4 : 0);
		buf_adds(out, paint_end(p, HUE_WAIT));
		end_line(out, left);
	}
}

static void
add_routes(
    const struct paint *p, struct buf *out, const json_t *before, const json_t *now, size_t *left)
{
	static const char heading[] =
	    "ROUTE             MODE      IN FLIGHT    SENT/S      SENT  REFUSED  WAITING";
	const json_t *routes = json_object_get(now, "routes"), *route;
	size_t index, shown = 0;

	buf_adds(out, paint_begin(p, HUE_BOLD));
	paint_safe(out, heading, strlen(heading), p->columns);
	buf_adds(out, paint_end(p, HUE_BOLD));
	end_line(out, left);
	json_array_foreach(routes, index, route)
	{
		/* Two lines each at most, one to tell of the rest, and the events. */
		if (*left < LEAST_EVENTS + 4)
			break;
		add_route(p, out, before, route, span_of(before, now), left);
		shown++;
	}
	if (shown < json_array_size(routes)) {
		buf_addf(out, "... and %zu more", json_array_size(routes) - shown);
		end_line(out, left);
	}
}

/* "07:29:25  sent       01J8…-1  default  ann@example.com" */
static void
add_event(const struct paint *p, struct buf *out, const json_t *event, size_t *left)
{
	const char *kind = text_of(event, "kind");
	int64_t wall_ms;
	struct buf rest;
	size_t used = 8, width;

	if (paint_parse_time(text_of(event, "at"), &wall_ms) == 0)
		paint_add_clock(out, wall_ms);
	else
		paint_pad(out, 8);
	buf_adds(out, "  ");
	buf_adds(out, paint_begin(p, paint_hue_of(kind)));
	width = paint_safe(out, kind, strlen(kind), 14);
	buf_adds(out, paint_end(p, paint_hue_of(kind)));
	paint_pad(out, width < 9 ? 9 - width : 0);
	used += 2 + (width < 9 ? 9 : width);
	buf_init(&rest, MOST_LINE);
	for (int i = 0; i < 3; i++) {
		const char *text = text_of(event, i == 0 ? "item" : i == 1 ? "route" : "text");

		if (text[0] == '\0')
			continue;
		buf_adds(&rest, "  ");
		paint_safe(&rest, text, strlen(text), 0);
	}
	if (rest.len > 0 && (p->columns == 0 || p->columns > used))
		paint_safe(out, rest.data, rest.len, p->columns > 0 ? p->columns - used : 0);
	buf_free(&rest);
	end_line(out, left);
}

void
top_draw(
    const struct paint *p, struct buf *out, size_t rows, const json_t *before, const json_t *now)
{
	const json_t *events = json_object_get(now, "events");
	size_t left = rows > 0 ? rows : SIZE_MAX, count = json_array_size(events);

	add_head(p, out, before, now, &left);
	end_line(out, &left);
	add_queue(p, out, now, &left);
	add_routes(p, out, before, now, &left);
	/* The newest at the bottom; the last line stays free for the cursor. */
	if (left < 4 || count == 0)
		return;
	end_line(out, &left);
	paint_add(p, out, HUE_BOLD, "EVENTS");
	end_line(out, &left);
	for (size_t i = count > left - 1 ? count - (left - 1) : 0; i < count; i++)
		add_event(p, out, json_array_get(events, i), &left);
}
