/*
 * One command: words, question, request, answer.
 */

#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <langinfo.h>
#include <locale.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include <jansson.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "operations/operation.h"

#include "console/console.h"
#include "console/help.h"
#include "console/http.h"
#include "console/paint.h"
#include "console/path.h"
#include "console/report.h"
#include "console/table.h"
#include "console/terminal.h"
#include "console/top.h"
#include "console/words.h"

#define DEFAULT_SOCKET "/run/pmrelay/control.sock"
#define MOST_FILE      (256U * 1024U * 1024U)
#define MOST_WHY       (64U * 1024U)
#define MOST_OUTPUT    SIZE_MAX
#define USUAL_PAGE     50
/* Looking may take Postmark's time and a few tries, but not for ever. */
#define LOOK_TIMEOUT_MS 180000L
#define BAR_COLUMNS     24

struct console {
	struct words words;
	struct terminal terminal;
	struct paint out, err; /* how the two outputs are to look */
	struct http_target target;

	/* Of an answer in lines. */
	json_t *result, *error;
	bool shows_progress, progress_shown;
	json_t *look; /* of top: the one before */
	size_t lines; /* that were printed */
};

/* --- output --------------------------------------------------------------------------------- */

/* What a reader that has gone leaves unread is no trouble of ours. */
static void
print(FILE *to, const struct buf *text)
{
	if (text->len > 0)
		fwrite(text->data, 1, text->len, to);
	fflush(to);
}

static void
complain(const struct console *c, const char *why)
{
	struct buf text;

	buf_init(&text, MOST_WHY);
	paint_add(&c->err, &text, HUE_BAD, "pmrelayctl: ");
	paint_safe(&text, why, strlen(why), 0);
	buf_addc(&text, '\n');
	print(stderr, &text);
	buf_free(&text);
}

/* --- files ---------------------------------------------------------------------------------- */

static char *
read_file(void *ctx, const char *path, size_t *len_r, struct buf *why)
{
	bool is_input = strcmp(path, "-") == 0;
	FILE *file = is_input ? stdin : fopen(path, "rb");
	struct buf text;
	char piece[16384], shown[512];
	size_t got;
	int error = errno;
	bool failed;

	(void)ctx;
	text_safe(shown, sizeof(shown), path, strlen(path));
	if (file == NULL) {
		buf_addf(why, "%s cannot be read: %s", shown, strerror(error));
		return NULL;
	}
	buf_init(&text, MOST_FILE);
	while ((got = fread(piece, 1, sizeof(piece), file)) > 0)
		buf_add(&text, piece, got);
	failed = ferror(file) != 0;
	error = errno;
	if (!is_input)
		fclose(file);
	if (failed || text.over) {
		buf_addf(why, "%s cannot be read: %s", shown,
		    text.over ? "it is too large" : strerror(error));
		buf_free(&text);
		return NULL;
	}
	*len_r = text.len;
	if (text.len == 0) {
		buf_free(&text);
		return mem_string("");
	}
	return buf_take(&text, len_r);
}

/* --- before anything is destroyed ------------------------------------------------------------ */

/* " 4711" of the words, " --state held" of the options, as they were typed. */
static void
add_given(struct buf *out, const struct operation *o, const char *name, const json_t *value)
{
	const struct argument *a = operation_argument(o, name);
	const json_t *each;
	char *shown;
	size_t index;

	if (json_is_array(value)) {
		json_array_foreach(value, index, each) add_given(out, o, name, each);
		return;
	}
	if (a == NULL || a->place != IN_PATH)
		buf_addf(out, " --%s", name);
	if (json_is_true(value))
		return;
	shown = json_is_string(value) ? mem_string(json_string_value(value))
				      : json_dumps(value, JSON_ENCODE_ANY);
	buf_addc(out, ' ');
	if (shown != NULL)
		paint_safe(out, shown, strlen(shown), 200);
	free(shown);
}

/* "Delete server 4711? [y/N] " */
static char *
make_question(const struct operation *o, const json_t *given)
{
	const char *verb = strrchr(o->name, ' ');
	const json_t *value;
	const char *name;
	struct buf text;
	size_t len;

	verb = verb != NULL ? verb + 1 : o->name;
	buf_init(&text, MOST_FILE);
	buf_addc(&text, (char)toupper((unsigned char)verb[0]));
	buf_adds(&text, verb + 1);
	if (o->run == RUN_QUEUE_CHANGE) {
		buf_adds(&text, json_object_get(given, "id") != NULL ? " from the queue:"
								     : " items of the queue:");
	} else if (verb != o->name) {
		buf_addc(&text, ' ');
		buf_add(&text, o->name, (size_t)(verb - o->name) - 1);
	}
	json_object_foreach((json_t *)(uintptr_t)given, name, value)
	{
		if (strcmp(name, "reason") != 0)
			add_given(&text, o, name, value);
	}
	buf_adds(&text, "? [y/N] ");
	return buf_take(&text, &len);
}

/* EX_OK: go on. */
static int
ask_first(const struct console *c)
{
	const struct operation *o = c->words.operation;
	char *question;
	bool yes;

	if (!o->destroys || c->words.yes)
		return EX_OK;
	if (!c->terminal.in || !c->terminal.err) {
		char *why = mem_format("%s asks before it does that; where nobody can be asked, it "
				       "takes --yes",
		    o->name);

		complain(c, why);
		free(why);
		return EX_USAGE;
	}
	question = make_question(o, c->words.given);
	yes = terminal_ask(&c->terminal, question);
	free(question);
	if (!yes)
		fputs("Nothing was done.\n", stderr);
	return yes ? EX_OK : EXIT_FAILURE;
}

/* --- an answer in lines ---------------------------------------------------------------------- */

static void
clear_progress(struct console *c)
{
	if (c->progress_shown)
		fputs("\r\033[K", stderr);
	c->progress_shown = false;
}

/* "[########........] 120 of 500 sent" on one line that is written over. */
static void
show_progress(struct console *c, const json_t *progress)
{
	json_int_t done = json_integer_value(json_object_get(progress, "done"));
	json_int_t of = json_integer_value(json_object_get(progress, "of"));
	const char *text = json_string_value(json_object_get(progress, "text"));
	size_t full =
	    of > 0 && done >= 0 ? (size_t)(done < of ? done : of) * BAR_COLUMNS / (size_t)of : 0;
	struct buf line;

	if (!c->shows_progress)
		return;
	buf_init(&line, 4096);
	buf_adds(&line, "\r[");
	for (size_t i = 0; i < BAR_COLUMNS; i++)
		buf_addc(&line, i < full ? '#' : '.');
	buf_addf(&line, "] %" JSON_INTEGER_FORMAT, done);
	if (of > 0)
		buf_addf(&line, " of %" JSON_INTEGER_FORMAT, of);
	if (text != NULL) {
		buf_addc(&line, ' ');
		paint_safe(&line, text, strlen(text), 30);
	}
	buf_adds(&line, "\033[K");
	print(stderr, &line);
	buf_free(&line);
	c->progress_shown = true;
}

static void
print_json_text(const struct console *c, const char *text, size_t len)
{
	struct buf out;

	buf_init(&out, MOST_OUTPUT);
	if (c->out.terminal)
		paint_safe_json(&out, text, len);
	else
		buf_add(&out, text, len);
	if (len == 0 || text[len - 1] != '\n')
		buf_addc(&out, '\n');
	print(stdout, &out);
	buf_free(&out);
}

/* Top on a screen of its own. */
static void
draw_look(struct console *c, const json_t *look, bool screen)
{
	struct buf lines, out;

	terminal_look(&c->terminal);
	c->out.columns = c->terminal.out ? c->terminal.columns : 0;
	buf_init(&lines, MOST_OUTPUT);
	buf_init(&out, MOST_OUTPUT);
	top_draw(&c->out, &lines, screen ? c->terminal.rows : 0, c->look, look);
	if (screen) {
		/* Each line is ended by what clears the rest of it: nothing flickers. */
		buf_adds(&out, "\033[H");
		for (const char *at = lines.data; at != NULL && *at != '\0';) {
			size_t len = strcspn(at, "\n");

			buf_add(&out, at, len);
			at += len + (at[len] == '\n');
			buf_adds(&out, *at != '\0' ? "\033[K\n" : "\033[K");
		}
		buf_adds(&out, "\033[J");
	} else {
		if (c->lines > 0)
			buf_addc(&out, '\n');
		buf_add(&out, lines.data, lines.len);
	}
	print(stdout, &out);
	buf_free(&lines);
	buf_free(&out);
}

static bool
is_screen(const struct console *c)
{
	return c->words.operation->run == RUN_TOP && c->terminal.in && c->terminal.out &&
	       !c->words.once && !c->words.json && !c->words.quiet;
}

static void
print_line(struct console *c, const json_t *line, const char *text, size_t len)
{
	struct buf out;

	if (c->words.json) {
		print_json_text(c, text, len);
	} else if (c->words.operation->run == RUN_TOP) {
		draw_look(c, line, is_screen(c));
		json_decref(c->look);
		c->look = json_incref((json_t *)(uintptr_t)line);
	} else if (!c->words.quiet) {
		buf_init(&out, MOST_OUTPUT);
		if (c->words.operation->run == RUN_EVENTS)
			report_add_event(&c->out, &out, line);
		else
			table_add(&c->out, &out, c->words.operation, line);
		print(stdout, &out);
		buf_free(&out);
	}
	c->lines++;
}

/* A line is progress, the end of it, or what was asked for. */
static bool
on_line(void *ctx, const char *text, size_t len)
{
	struct console *c = ctx;
	json_t *line = json_loadb(text, len, JSON_DECODE_ANY, NULL), *member;

	if (line == NULL)
		return true;
	if ((member = json_object_get(line, "progress")) != NULL) {
		show_progress(c, member);
	} else if (!c->words.operation->streams && json_object_get(line, "result") != NULL) {
		json_decref(c->result);
		c->result = json_incref(json_object_get(line, "result"));
	} else if (json_object_size(line) == 1 && json_is_object(json_object_get(line, "error"))) {
		json_decref(c->error);
		c->error = json_incref(json_object_get(line, "error"));
	} else {
		print_line(c, line, text, len);
	}
	json_decref(line);
	return !ferror(stdout);
}

static bool
on_key(void *ctx)
{
	int key;

	(void)ctx;
	if (terminal_was_signalled())
		return false;
	while ((key = terminal_key()) != 0)
		if (key == 'q' || key == 'Q' || key == 3 || key == 4)
			return false;
	return true;
}

/* --- the answer ------------------------------------------------------------------------------ */

static int
status_of_http(int status)
{
	switch (status) {
	case 400:
	case 405:
		return EX_USAGE;
	case 401:
	case 403:
		return EX_NOPERM;
	case 408:
	case 429:
	case 503:
	case 504:
		return EX_TEMPFAIL;
	case 500:
		return EX_SOFTWARE;
	default:
		return EXIT_FAILURE;
	}
}

static int
status_of_end(enum http_end end)
{
	switch (end) {
	case HTTP_ANSWERED:
	case HTTP_STOPPED:
		return EX_OK;
	case HTTP_UNREACHABLE:
		return EX_UNAVAILABLE;
	case HTTP_FORBIDDEN:
		return EX_NOPERM;
	case HTTP_LATE:
	case HTTP_CUT:
		return EX_TEMPFAIL;
	case HTTP_NO_FILE:
		return EX_NOINPUT;
	}
	return EX_SOFTWARE;
}

/* The two ends are of different age. */
static void
complain_of_age(const struct console *c)
{
	char *why = mem_format("the daemon does not know \"%s\": it is older than this pmrelayctl "
			       "(%s); pmrelayctl version shows its version",
	    c->words.operation->name, PACKAGE_VERSION);

	complain(c, why);
	free(why);
}

static int
print_error(struct console *c, int http_status, const json_t *error)
{
	const char *code = json_string_value(json_object_get(error, "code"));
	struct buf text;

	if (http_status == 404 && code != NULL && strcmp(code, "unknown") == 0) {
		complain_of_age(c);
		return EX_UNAVAILABLE;
	}
	buf_init(&text, MOST_OUTPUT);
	report_add_error(&c->err, &text, error);
	print(stderr, &text);
	buf_free(&text);
	return status_of_http(http_status);
}

/* What the daemon says of its answer, where a table shows the rows alone. */
static void
print_note(const struct console *c, const json_t *answer)
{
	const char *note = json_string_value(json_object_get(answer, "note"));
	struct buf text;

	if (note == NULL || c->words.json || c->words.operation->rows == NULL)
		return;
	buf_init(&text, MOST_WHY);
	buf_adds(&text, "Note: ");
	paint_safe(&text, note, strlen(note), 0);
	buf_addc(&text, '\n');
	print(stderr, &text);
	buf_free(&text);
}

static int
print_answer(struct console *c, const json_t *answer, const char *as_it_came, size_t len)
{
	const struct operation *o = c->words.operation;
	struct buf out;
	char *text;

	buf_init(&out, MOST_OUTPUT);
	if (c->words.json && c->out.terminal) {
		text = json_dumps(answer, JSON_INDENT(2) | JSON_ENCODE_ANY);
		print_json_text(c, text != NULL ? text : "null", text != NULL ? strlen(text) : 4);
		free(text);
	} else if (c->words.json) {
		print_json_text(c, as_it_came, len);
	} else if (c->words.quiet) {
		table_add_ids(&out, o, answer);
	} else if (!report_add(&c->out, &out, o, answer, clock_wall_ms())) {
		fputs("Nothing was found.\n", stderr);
	}
	print(stdout, &out);
	print_note(c, answer);
	buf_free(&out);
	/* Nobody has such an id: a script asks by the status. */
	if (o->run == RUN_STATUS && json_array_size(json_object_get(answer, "items")) == 0)
		return EXIT_FAILURE;
	return report_is_failure(o, answer) ? EXIT_FAILURE : EX_OK;
}

/* The answer of an HTTP exchange that came whole, as JSON; NULL: it is none. */
static json_t *
answer_json(const struct http_answer *a)
{
	return a->body.len > 0 ? json_loadb(a->body.data, a->body.len, JSON_DECODE_ANY, NULL)
			       : NULL;
}

/* A whole answer that is no line. */
static int
take_answer(struct console *c, const struct http_answer *a)
{
	bool good = a->status >= 200 && a->status < 300;
	json_t *answer = answer_json(a), *error = json_object_get(answer, "error");
	int status;

	if (answer == NULL) {
		complain(c, "what answered is not pmrelayd, or is of another age: the answer is no "
			    "JSON");
		return EX_SOFTWARE;
	}
	/* An unhealthy relay answers 503 and says all the same what is wrong. */
	if (!good && c->words.operation->run == RUN_HEALTHCHECK &&
	    json_is_boolean(json_object_get(answer, "healthy")))
		good = true;
	if (good) {
		status = print_answer(c, answer, a->body.data, a->body.len);
	} else {
		if (c->words.json)
			print_json_text(c, a->body.data, a->body.len);
		status = print_error(c, a->status, json_is_object(error) ? error : answer);
	}
	json_decref(answer);
	return status;
}

/* What the last line said. */
static int
take_last_line(struct console *c)
{
	json_int_t status;
	char *text;
	int result;

	if (c->error != NULL) {
		status = json_integer_value(json_object_get(c->error, "status"));
		if (c->words.json) {
			text = json_dumps(c->error, JSON_COMPACT);
			if (text != NULL)
				printf("{\"error\":%s}\n", text);
			free(text);
		}
		return print_error(c, status > 0 ? (int)status : 500, c->error);
	}
	if (c->result == NULL) {
		complain(c, "the answer ended before it was complete");
		return EX_TEMPFAIL;
	}
	text = json_dumps(c->result, JSON_COMPACT | JSON_ENCODE_ANY);
	result = print_answer(
	    c, c->result, text != NULL ? text : "null", text != NULL ? strlen(text) : 4);
	free(text);
	return result;
}

/* --- one exchange ---------------------------------------------------------------------------- */

static enum http_end
call(struct console *c, const json_t *given, struct http_answer *answer)
{
	const struct operation *o = c->words.operation;
	struct http_request request = { .method = o->changes ? "POST" : "GET",
		.progress = o->progresses && c->shows_progress,
		.timeout_ms = o->changes || o->streams || o->progresses ? 0 : LOOK_TIMEOUT_MS,
		.line = on_line,
		.watch_fd = -1,
		.ctx = c };
	bool screen = is_screen(c);
	enum http_end end;
	char *body, *path = path_make(o, given, &body);

	request.path = path;
	request.body = body;
	request.body_len = body != NULL ? strlen(body) : 0;
	if (screen) {
		request.watch_fd = STDIN_FILENO;
		request.ready = on_key;
		terminal_enter();
	}
	end = http_call(&c->target, &request, answer);
	if (screen)
		terminal_leave();
	clear_progress(c);
	free(path);
	free(body);
	return end;
}

static int
run_once(struct console *c)
{
	struct http_answer answer;
	enum http_end end = call(c, c->words.given, &answer);
	int status;

	if (end != HTTP_ANSWERED && end != HTTP_STOPPED) {
		complain(c, answer.why);
		status = status_of_end(end);
	} else if (end == HTTP_STOPPED) {
		status = EX_OK;
	} else if (answer.lines && c->words.operation->streams) {
		status = c->error != NULL ? take_last_line(c) : EX_OK;
	} else if (answer.lines) {
		status = take_last_line(c);
	} else {
		status = take_answer(c, &answer);
	}
	buf_free(&answer.body);
	return status;
}

/* --- the list of the queue, page after page ----------------------------------------------------
 */

/* Prints what has been gathered. */
static int
print_pages(struct console *c, json_t *items, const json_t *last, bool single,
    const struct http_answer *answer)
{
	const json_t *next = json_object_get(last, "next");
	char *text;
	int status;
	json_t *all = json_pack("{s:O,s:O,s:O}", "items", items, "next", next, "scanned_all",
	    json_object_get(last, "scanned_all"));

	if (all == NULL)
		all = json_pack("{s:O}", "items", items);
	text = json_dumps(all, JSON_COMPACT);
	status = print_answer(
	    c, all, single ? answer->body.data : text, single ? answer->body.len : strlen(text));
	if (!c->words.json && !c->words.quiet && c->out.terminal && json_is_string(next))
		fputs("There are more: --count NUMBER or --all.\n", stderr);
	free(text);
	json_decref(all);
	return status;
}

static int
run_pages(struct console *c)
{
	json_t *given = json_deep_copy(c->words.given), *items = json_array(), *page, *next;
	uint64_t wanted = c->words.all         ? UINT64_MAX
			  : c->words.count > 0 ? c->words.count
					       : USUAL_PAGE;
	unsigned pages = 0;
	int status;

	if (c->words.all && c->words.count == 0)
		json_object_set_new(given, "count", json_integer(500));
	for (;;) {
		struct http_answer answer;
		enum http_end end = call(c, given, &answer);

		if (end != HTTP_ANSWERED) {
			complain(c, answer.why);
			status = status_of_end(end);
			buf_free(&answer.body);
			break;
		}
		page = answer_json(&answer);
		if (answer.status != 200 || !json_is_array(json_object_get(page, "items"))) {
			json_decref(page);
			status = take_answer(c, &answer);
			buf_free(&answer.body);
			break;
		}
		pages++;
		json_array_extend(items, json_object_get(page, "items"));
		next = json_object_get(page, "next");
		if (!json_is_string(next) || json_array_size(items) >= wanted) {
			status = print_pages(c, items, page, pages == 1, &answer);
			json_decref(page);
			buf_free(&answer.body);
			break;
		}
		if (wanted - json_array_size(items) < 500)
			json_object_set_new(given, "count",
			    json_integer((json_int_t)(wanted - json_array_size(items))));
		json_object_set(given, "from", next);
		json_decref(page);
		buf_free(&answer.body);
	}
	json_decref(given);
	json_decref(items);
	return status;
}

/* --- all of it ------------------------------------------------------------------------------- */

static const char *
variable(char *const *environment, const char *name)
{
	size_t len = strlen(name);

	for (; environment != NULL && *environment != NULL; environment++)
		if (strncmp(*environment, name, len) == 0 && (*environment)[len] == '=')
			return (*environment)[len + 1] != '\0' ? *environment + len + 1 : NULL;
	return NULL;
}

/* Widths are counted in UTF-8, whatever the locale says: it is what everything here is in. */
static void
set_locale(void)
{
	setlocale(LC_CTYPE, "");
	if (strcmp(nl_langinfo(CODESET), "UTF-8") != 0)
		setlocale(LC_CTYPE, "C.UTF-8");
}

static void
look_around(struct console *c, char *const *environment)
{
	const char *term = variable(environment, "TERM");
	bool plain =
	    variable(environment, "NO_COLOR") != NULL || term == NULL || strcmp(term, "dumb") == 0;

	terminal_look(&c->terminal);
	c->out.terminal = c->terminal.out;
	c->out.columns = c->terminal.out ? c->terminal.columns : 0;
	c->out.colour = c->terminal.out && !plain;
	c->err.terminal = c->terminal.err;
	c->err.colour = c->terminal.err && !plain;
}

static void
choose_color(struct console *c)
{
	switch (c->words.color) {
	case COLOR_AUTO:
		return;
	case COLOR_ALWAYS:
	case COLOR_NEVER:
		c->out.colour = c->err.colour = c->words.color == COLOR_ALWAYS;
		return;
	}
}

static void
choose_target(struct console *c, char *const *environment)
{
	const struct words *w = &c->words;
	const char *socket = w->socket;

	if (socket == NULL)
		socket = variable(environment, "PMRELAYCTL_SOCKET");
	if (socket == NULL)
		socket = variable(environment, "PMRELAY_CONTROL_SOCKET");
	if (socket == NULL)
		socket = DEFAULT_SOCKET;
	c->target.socket = w->url != NULL ? NULL : socket;
	c->target.url = w->url;
	c->target.certificate = w->certificate;
	c->target.key = w->key;
	c->target.ca = w->ca;
}

static int
print_own(struct console *c)
{
	const struct words *w = &c->words;
	struct buf out;

	buf_init(&out, MOST_OUTPUT);
	switch (w->task) {
	case TASK_HELP:
		if (w->operation != NULL)
			help_operation(&c->out, &out, w->operation);
		else if (w->topic != NULL)
			help_noun(&c->out, &out, w->topic);
		else
			help_all(&c->out, &out);
		break;
	case TASK_VERSION:
		buf_adds(&out, "pmrelayctl " PACKAGE_VERSION "\n");
		break;
	case TASK_COMPLETION:
		complete_script(&out, w->topic);
		break;
	case TASK_MANUAL:
		help_manual(&out);
		break;
	case TASK_RUN:
		break;
	}
	print(stdout, &out);
	buf_free(&out);
	return ferror(stdout) ? EX_IOERR : EX_OK;
}

static int
run(struct console *c)
{
	int status = ask_first(c);

	if (status != EX_OK)
		return status;
	if (c->words.once)
		json_object_set_new(c->words.given, "count", json_integer(1));
	c->shows_progress = c->terminal.err && !c->words.quiet;
	if (c->words.operation->run == RUN_QUEUE_LIST)
		return run_pages(c);
	return run_once(c);
}

int
console_main(int argc, char **argv, char *const *environment)
{
	static const struct words_reader reader = { .read = read_file };
	struct console c = { 0 };
	struct buf why;
	int status = EX_SOFTWARE;

	set_locale();
	look_around(&c, environment);
	buf_init(&why, MOST_WHY);
	switch (words_read(&c.words, argc - 1, argv + 1, &reader, clock_wall_ms(), &why)) {
	case WORDS_FINE:
		choose_color(&c);
		choose_target(&c, environment);
		status = c.words.task == TASK_RUN ? run(&c) : print_own(&c);
		break;
	case WORDS_WRONG:
		choose_color(&c);
		complain(&c, why.len > 0 ? why.data : "wrong usage");
		status = EX_USAGE;
		break;
	case WORDS_NO_FILE:
		choose_color(&c);
		complain(&c, why.len > 0 ? why.data : "a file cannot be read");
		status = EX_NOINPUT;
		break;
	}
	buf_free(&why);
	json_decref(c.result);
	json_decref(c.error);
	json_decref(c.look);
	words_free(&c.words);
	return status;
}
