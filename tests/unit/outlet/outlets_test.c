/* Outlets over a real spool, with real files, programs and posts. */

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "../postmark/server.h"
#include "../store/spool.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/ulid.h"
#include "config/config.h"
#include "mail/event.h"
#include "store/reader.h"

#include "outlet/outlets.h"

#define WAIT_MS 15000
#define LOOK_MS 5
#define QUICK   "retry-minimum = 10ms retry-maximum = 20ms "
#define INBOUND "inbound { deliver = \"maildir:/m\" } "

struct lab {
	struct spool *spool;
	struct outlets *outlets;
	struct server *server;
	bool deaf; /* cursors are not carried over, as before a crash */
	unsigned commits;
	char last_mail[ULID_SIZE];

	/* waiting */
	bool (*until)(struct lab *);
	unsigned wanted;
	const char *file;
	struct loop_timer *look;
	int64_t waited, since_ms;

	/* the server */
	int statuses[8]; /* answers, then 200 */
	unsigned stalls; /* requests from this number on get no answer; 0: none */
	struct strlist bodies, heads;
};

/* --- what is wired ------------------------------------------------------------------------ */

struct carried {
	struct lab *lab;
	char *name;
	int64_t key;
	struct mail *mail;
	uint64_t ticket;
};

static void
set_outlet(void *ctx)
{
	struct carried *carried = ctx;

	if (!carried->lab->deaf)
		store_outlet_set(
		    carried->lab->spool->store, carried->name, carried->key, NULL, NULL);
	free(carried->name);
	free(carried);
}

static void
passed(void *ctx, const char *name, int64_t after_key)
{
	struct lab *lab = ctx;
	struct carried *carried = mem_new(sizeof(*carried));

	*carried = (struct carried){ .lab = lab, .name = mem_string(name), .key = after_key };
	loop_post(lab->spool->loop, set_outlet, carried);
}

static void
committed(void *ctx, enum store_result result, bool known)
{
	struct carried *carried = ctx;

	(void)known;
	carried->lab->commits++;
	if (carried->lab->outlets != NULL)
		outlets_committed(carried->lab->outlets, carried->ticket, result == STORE_OK);
	free(carried);
}

static void
commit_mail(void *ctx)
{
	struct carried *carried = ctx;

	memcpy(carried->lab->last_mail, carried->mail->id, ULID_SIZE);
	store_commit(carried->lab->spool->store, carried->mail, committed, carried);
}

static void
commit_asked(void *ctx, struct mail *mail, uint64_t ticket)
{
	struct lab *lab = ctx;
	struct carried *carried = mem_new(sizeof(*carried));

	*carried = (struct carried){ .lab = lab, .mail = mail, .ticket = ticket };
	loop_post(lab->spool->loop, commit_mail, carried);
}

static struct config *
load(const char *text)
{
	struct buf why;
	struct config *config;

	buf_init(&why, 10000);
	config = config_parse(text, strlen(text), "test", &why);
	if (config == NULL)
		fail_msg("%s", why.data);
	buf_free(&why);
	return config;
}

static void
begin(struct lab *lab, const char *text)
{
	struct config *config = load(text);
	struct outlets_params params = { .config = config,
		.backend = SPOOL_BACKEND,
		.folder = lab->spool->folder,
		.passed = passed,
		.commit = commit_asked,
		.ctx = lab };
	char why[256];

	lab->outlets = outlets_start(&params, why, sizeof(why));
	if (lab->outlets == NULL)
		fail_msg("%s", why);
	config_free(&config);
}

static void
end(struct lab *lab)
{
	outlets_stop(&lab->outlets);
	count(lab->spool); /* what was carried over is done */
}

/* --- events ------------------------------------------------------------------------------- */

static void
set(char **text, const char *value)
{
	free(*text);
	*text = mem_string(value);
}

static void
event_done(void *ctx, enum store_result result, const struct event *event,
    const struct store_event_done *did)
{
	struct spool *spool = ctx;

	(void)event;
	(void)did;
	assert_int_equal(result, STORE_OK);
	done_note(spool, result);
}

static unsigned marks;

static void
tell_of(struct lab *lab, enum event_kind kind, const char *tag, const char *relay_id)
{
	struct event *event = mail_event_new();

	ulid_make(event->id, clock_wall_ms());
	event->kind = kind;
	marks++;
	memcpy(event->mark, &marks, sizeof(marks));
	event->received_ms = event->at_ms = clock_wall_ms();
	set(&event->stream, "outbound");
	set(&event->tag, tag);
	set(&event->relay_id, relay_id);
	set(&event->recipient, "a@recipient.example");
	set(&event->type, kind == EVENT_BOUNCE ? "HardBounce" : "");
	set(&event->json, "{\"RecordType\":\"x\"}");
	event->json_len = strlen(event->json);
	lab->spool->waiting++;
	store_event(lab->spool->store, event, event_done, lab->spool);
	wait_answers(lab->spool);
	if (lab->outlets != NULL)
		outlets_wake(lab->outlets);
}

static void
tell(struct lab *lab, const char *tag)
{
	tell_of(lab, EVENT_DELIVERY, tag, "");
}

/* --- waiting ------------------------------------------------------------------------------ */

/* base/clock stands still. */
static int64_t
real_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void
look(void *ctx)
{
	struct lab *lab = ctx;

	lab->waited = real_ms() - lab->since_ms;
	if (lab->until(lab) || lab->waited > WAIT_MS)
		loop_stop(lab->spool->loop);
	else
		loop_timer_set(lab->look, LOOK_MS);
}

static void
wait_until(struct lab *lab, bool (*until)(struct lab *))
{
	lab->until = until;
	lab->waited = 0;
	lab->since_ms = real_ms();
	loop_timer_set(lab->look, 0);
	loop_run(lab->spool->loop);
	if (!until(lab))
		fail_msg("waited in vain");
}

static bool
never(struct lab *lab)
{
	return lab->waited >= 300;
}

static void
wait_a_while(struct lab *lab)
{
	lab->until = never;
	lab->waited = 0;
	lab->since_ms = real_ms();
	loop_timer_set(lab->look, 0);
	loop_run(lab->spool->loop);
}

/* Tags of the lines in a file, each with a space behind; "!" for a line that is no event. */
static char *
tags_of(const char *path)
{
	FILE *file = fopen(path, "r");
	char *line = NULL;
	size_t room = 0;
	ssize_t len;
	struct buf out;

	buf_init(&out, 100000);
	buf_adds(&out, "");
	while (file != NULL && (len = getline(&line, &room, file)) > 0) {
		json_t *object = json_loadb(line, (size_t)len, 0, NULL);
		const char *tag = json_string_value(json_object_get(object, "tag"));

		buf_addf(&out, "%s ", tag == NULL || line[len - 1] != '\n' ? "!" : tag);
		json_decref(object);
	}
	free(line);
	if (file != NULL)
		fclose(file);
	return out.data != NULL ? buf_take(&out, NULL) : mem_string("");
}

static unsigned
spaces(const char *text)
{
	unsigned found = 0;

	for (; *text != '\0'; text++)
		found += *text == ' ';
	return found;
}

static bool
has_lines(struct lab *lab)
{
	char *tags = tags_of(lab->file);
	unsigned found = spaces(tags);

	free(tags);
	return found >= lab->wanted;
}

static void
expect_lines(struct lab *lab, const char *file, const char *expected)
{
	char *tags;

	lab->file = file;
	lab->wanted = spaces(expected);
	wait_until(lab, has_lines);
	tags = tags_of(file);
	assert_string_equal(tags, expected);
	free(tags);
}

static int64_t
cursor_of(struct lab *lab, const char *name)
{
	char why[256];
	struct store_reader *reader =
	    store_reader_open(SPOOL_BACKEND, lab->spool->folder, why, sizeof(why));
	int64_t key = -1;

	assert_non_null(reader);
	if (store_reader_outlet(reader, name, &key) != 0)
		key = -1;
	store_reader_close(&reader);
	return key;
}

static const char *cursor_name;

static bool
has_cursor(struct lab *lab)
{
	return cursor_of(lab, cursor_name) >= (int64_t)lab->wanted;
}

static void
expect_cursor(struct lab *lab, const char *name, unsigned least)
{
	cursor_name = name;
	lab->wanted = least;
	wait_until(lab, has_cursor);
}

/* --- files -------------------------------------------------------------------------------- */

static char *
path_in(struct lab *lab, const char *name)
{
	return mem_format("%s/%s", lab->spool->folder, name);
}

static void
test_file(void **state)
{
	struct lab *lab = *state;
	char *path = path_in(lab, "events"), *text;
	struct stat st;

	text = mem_format("outlet o { file = %s kinds = {delivery, open} tags = {\"*\"} }", path);
	tell(lab, "before");
	begin(lab, text);
	expect_cursor(lab, "o", 1); /* it begins behind what there was */
	tell(lab, "a");
	tell_of(lab, EVENT_BOUNCE, "not-this", "");
	tell_of(lab, EVENT_OPEN, "b", "");
	expect_lines(lab, path, "a b ");
	expect_cursor(lab, "o", 4);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777 & ~0640U, 0);
	end(lab);

	tell(lab, "while-away");
	begin(lab, text);
	tell(lab, "c");
	expect_lines(lab, path, "a b while-away c ");
	end(lab);
	free(path);
	free(text);
}

/* What is in the file but not in the cursor is not written again; a torn line is ended. */
static void
test_file_after_a_crash(void **state)
{
	struct lab *lab = *state;
	char *path = path_in(lab, "events"), *text = mem_format("outlet o { file = %s }", path);
	FILE *file;

	begin(lab, text);
	expect_cursor(lab, "o", 0);
	lab->deaf = true;
	tell(lab, "a");
	tell(lab, "b");
	expect_lines(lab, path, "a b ");
	end(lab);
	lab->deaf = false;
	assert_int_equal(cursor_of(lab, "o"), 0);
	begin(lab, text);
	tell(lab, "c");
	expect_lines(lab, path, "a b c ");
	end(lab);

	file = fopen(path, "a");
	fputs("{\"id\":\"01", file);
	fclose(file);
	begin(lab, text);
	tell(lab, "d");
	expect_lines(lab, path, "a b c ! d ");
	end(lab);
	free(path);
	free(text);
}

/* Lines that nobody has brought to the disk may go with a power cut: they are written again. */
static void
test_file_after_a_crash_without_sync(void **state)
{
	struct lab *lab = *state;
	char *path = path_in(lab, "events"), *text = mem_format("outlet o { file = %s }", path);

	begin(lab, text);
	expect_cursor(lab, "o", 0);
	lab->deaf = true;
	tell(lab, "a");
	expect_lines(lab, path, "a ");
	end(lab);
	lab->deaf = false;
	syncs_to_fail = 1;
	begin(lab, text);
	expect_lines(lab, path, "a a ");
	assert_int_equal(syncs_to_fail, 0);
	expect_cursor(lab, "o", 1);
	end(lab);
	free(path);
	free(text);
}

/* Many that the filter leaves out take several turns, and the one behind them comes all the same.
 */
static void
test_one_of_many(void **state)
{
	struct lab *lab = *state;
	char *path = path_in(lab, "events"),
	     *text = mem_format("outlet o { file = %s tags = {z} }", path);

	begin(lab, text);
	expect_cursor(lab, "o", 0);
	for (int i = 0; i < 1000; i++)
		tell(lab, "a");
	tell(lab, "z");
	expect_lines(lab, path, "z ");
	expect_cursor(lab, "o", 1001);
	end(lab);
	free(path);
	free(text);
}

/* The file is of another spool: its numbers are not ours. */
static void
test_file_of_another(void **state)
{
	struct lab *lab = *state;
	char *path = path_in(lab, "events"), *text = mem_format("outlet o { file = %s }", path);
	FILE *file = fopen(path, "w");

	fputs("{\"id\":\"01KB9ZZZZZZZZZZZZZZZZZZZZ1\",\"key\":2,\"tag\":\"x\"}\n", file);
	fclose(file);
	begin(lab, text);
	expect_cursor(lab, "o", 0);
	end(lab);
	tell(lab, "a");
	tell(lab, "b");
	begin(lab, text);
	expect_lines(lab, path, "x a b ");
	end(lab);
	free(path);
	free(text);
}

static void
test_file_is_turned_over(void **state)
{
	struct lab *lab = *state;
	char *path = path_in(lab, "events"), *old = path_in(lab, "events.1");
	char *text = mem_format("outlet o { file = %s }", path);

	begin(lab, text);
	expect_cursor(lab, "o", 0);
	tell(lab, "a");
	expect_lines(lab, path, "a ");
	assert_int_equal(rename(path, old), 0);
	tell(lab, "b");
	expect_lines(lab, path, "b ");
	expect_lines(lab, old, "a ");
	outlets_reopen(lab->outlets);
	tell(lab, "c");
	expect_lines(lab, path, "b c ");
	end(lab);
	free(path);
	free(old);
	free(text);
}

static void
test_file_cannot_be_written(void **state)
{
	struct lab *lab = *state;
	char *folder = path_in(lab, "later"), *path = path_in(lab, "later/events");
	char *text = mem_format("outlet o { file = %s }", path);

	begin(lab, text);
	expect_cursor(lab, "o", 0);
	tell(lab, "a");
	wait_a_while(lab);
	assert_int_equal(cursor_of(lab, "o"), 0);
	assert_int_equal(mkdir(folder, 0700), 0);
	expect_lines(lab, path, "a ");
	expect_cursor(lab, "o", 1);
	end(lab);
	free(folder);
	free(path);
	free(text);
}

/* Nobody knows what is on the disk: the lines come again. */
static void
test_file_is_not_synced(void **state)
{
	struct lab *lab = *state;
	char *path = path_in(lab, "events"), *text = mem_format("outlet o { file = %s }", path);

	begin(lab, text);
	expect_cursor(lab, "o", 0);
	tell(lab, "a");
	expect_lines(lab, path, "a ");
	syncs_to_fail = 1;
	expect_lines(lab, path, "a a ");
	assert_int_equal(syncs_to_fail, 0);
	expect_cursor(lab, "o", 1);
	end(lab);
	free(path);
	free(text);
}

/* --- commands ----------------------------------------------------------------------------- */

static char *
script(struct lab *lab, const char *body)
{
	char *path = path_in(lab, "script");
	FILE *file = fopen(path, "w");

	fprintf(file, "#!/bin/sh\n%s\n", body);
	fclose(file);
	assert_int_equal(chmod(path, 0700), 0);
	return path;
}

static void
test_command(void **state)
{
	struct lab *lab = *state;
	char *out = path_in(lab, "out"), *seen = path_in(lab, "seen"), *text, *path, *have;
	FILE *file;
	char line[500] = "";

	/* The first attempt at each fails after the program has read all of it. */
	text = mem_format("line=$(cat)\n"
			  "[ -e %s.$PMRELAY_EVENT_ID ] || { : >%s.$PMRELAY_EVENT_ID; "
			  "echo no >&2; exit 3; }\n"
			  "printf '%%s\\n' \"$line\" >>\"$1\"\n"
			  "echo \"$2 $PMRELAY_EVENT_KIND $PMRELAY_EVENT_RECIPIENT $HOME $(pwd) "
			  "$(ls /proc/self/fd | wc -l)\" >%s",
	    out, out, seen);
	path = script(lab, text);
	free(text);
	text = mem_format("outlet o { command = \"%s %s 'two words'\" " QUICK "}", path, out);
	setenv("HOME", "/of-the-relay", 1);
	begin(lab, text);
	expect_cursor(lab, "o", 0);
	tell(lab, "a");
	tell(lab, "b");
	tell(lab, "c");
	expect_lines(lab, out, "a b c ");
	expect_cursor(lab, "o", 3);
	end(lab);
	file = fopen(seen, "r");
	assert_non_null(fgets(line, sizeof(line), file));
	fclose(file);
	/* No environment of ours, no descriptors but three and that of ls itself. */
	have = mem_format("two words delivery a@recipient.example  / 4\n");
	assert_string_equal(line, have);
	free(have);
	free(text);
	free(path);
	free(out);
	free(seen);
}

static bool
is_gone(struct lab *lab)
{
	FILE *file = fopen(lab->file, "r");
	int pid = 0;
	bool gone = false;

	if (file != NULL) {
		gone = fscanf(file, "%d", &pid) == 1 && pid > 1 && kill(pid, 0) != 0;
		fclose(file);
	}
	return gone;
}

static void
test_command_is_late(void **state)
{
	struct lab *lab = *state;
	char *out = path_in(lab, "out"), *pid = path_in(lab, "pid"), *text, *path;

	/* A grandchild, too, ends with it. */
	text = mem_format(
	    "if [ -e %s ]; then cat >>%s; else sleep 60 & echo $! >%s; wait; fi", pid, out, pid);
	path = script(lab, text);
	free(text);
	text = mem_format("outlet o { command = %s timeout = 200ms " QUICK "}", path);
	begin(lab, text);
	expect_cursor(lab, "o", 0);
	tell(lab, "a");
	lab->file = pid;
	wait_until(lab, is_gone);
	expect_lines(lab, out, "a ");
	end(lab);
	free(text);
	free(path);
	free(out);
	free(pid);
}

static void
test_command_is_given_up(void **state)
{
	struct lab *lab = *state;
	char *out = path_in(lab, "out"), *text, *path;

	text = mem_format("line=$(cat); case $line in *'\"bad\"'*) exit 1;; esac; "
			  "printf '%%s\\n' \"$line\" >>%s",
	    out);
	path = script(lab, text);
	free(text);
	text = mem_format("outlet o { command = %s give-up = 1h " QUICK "}", path);
	begin(lab, text);
	expect_cursor(lab, "o", 0);
	tell(lab, "bad");
	tell(lab, "good");
	wait_a_while(lab);
	assert_int_equal(access(out, F_OK), -1); /* one after the other */
	clock_fake_advance(3600 * 1000);
	expect_lines(lab, out, "good ");
	expect_cursor(lab, "o", 2);
	end(lab);
	free(text);
	free(path);
	free(out);
}

static void
test_command_is_not_there(void **state)
{
	struct lab *lab = *state;
	char *out = path_in(lab, "out"), *path, *text;

	text = mem_format("cat >>%s", out);
	path = script(lab, text);
	free(text);
	text = mem_format("outlet o { command = %s " QUICK "}", path);
	assert_int_equal(chmod(path, 0600), 0);
	begin(lab, text);
	expect_cursor(lab, "o", 0);
	tell(lab, "a");
	wait_a_while(lab);
	assert_int_equal(chmod(path, 0700), 0);
	expect_lines(lab, out, "a ");
	end(lab);
	free(text);
	free(path);
	free(out);
}

/* --- posts -------------------------------------------------------------------------------- */

static void
serve(void *ctx, const struct server_request *request, struct server_reply *reply)
{
	struct lab *lab = ctx;

	if (lab->stalls > 0 && request->number >= lab->stalls) {
		reply->fate = SERVER_STALLS;
		return;
	}
	strlist_add_bytes(&lab->bodies, request->body, request->len);
	strlist_add(&lab->heads, request->head);
	if (request->number <= sizeof(lab->statuses) / sizeof(lab->statuses[0]))
		reply->status = lab->statuses[request->number - 1];
	if (reply->status == 429)
		reply->headers = "Retry-After: 1\r\n";
}

static bool
has_posts(struct lab *lab)
{
	return lab->bodies.count >= lab->wanted;
}

static void
expect_posts(struct lab *lab, const char *expected)
{
	struct buf tags;

	lab->wanted = spaces(expected);
	wait_until(lab, has_posts);
	buf_init(&tags, 10000);
	for (size_t i = 0; i < lab->bodies.count; i++) {
		json_t *object = json_loads(lab->bodies.items[i], 0, NULL);

		buf_addf(&tags, "%s ", json_string_value(json_object_get(object, "tag")));
		json_decref(object);
	}
	assert_string_equal(tags.data, expected);
	buf_free(&tags);
}

static void
field(const char *head, const char *name, char *out, size_t room)
{
	const char *at = strstr(head, name);

	assert_non_null(at);
	at += strlen(name) + 2;
	snprintf(out, room, "%.*s", (int)strcspn(at, "\r\n"), at);
}

static void
test_post(void **state)
{
	struct lab *lab = *state;
	unsigned char digest[DIGEST_BYTES];
	char hex[DIGEST_HEX_SIZE], time[100], signature[200], id[100], *text, *signed_text, *right;

	lab->statuses[1] = 500;
	lab->statuses[2] = 301;
	lab->statuses[4] = 410;
	text = mem_format(
	    "outlet o { url = \"%s/in\" secret = s3cret " QUICK "}", server_url(lab->server));
	setenv("ALL_PROXY", "http://127.0.0.1:1", 1); /* is nothing to this machine's own */
	begin(lab, text);
	expect_cursor(lab, "o", 0);
	tell(lab, "a");
	tell(lab, "b");
	tell(lab, "c");
	tell(lab, "d");
	/* b twice again, c once and for all. */
	expect_posts(lab, "a b b b c d ");
	expect_cursor(lab, "o", 4);
	end(lab);
	unsetenv("ALL_PROXY");

	assert_memory_equal(lab->heads.items[0], "POST /in HTTP/1.1\r\n", 19);
	field(lab->heads.items[0], "X-Pmrelay-Timestamp", time, sizeof(time));
	field(lab->heads.items[0], "X-Pmrelay-Signature", signature, sizeof(signature));
	field(lab->heads.items[0], "X-Pmrelay-Event-Id", id, sizeof(id));
	assert_true(ulid_ok(id));
	assert_int_equal(atoll(time), clock_wall_ms() / 1000);
	assert_non_null(strstr(lab->heads.items[0], "Content-Type: application/json\r\n"));
	signed_text = mem_format("%s.%s", time, lab->bodies.items[0]);
	digest_hmac(digest, "s3cret", 6, signed_text, strlen(signed_text));
	digest_print(hex, digest);
	right = mem_format("sha256=%s", hex);
	assert_string_equal(signature, right);
	free(right);
	free(signed_text);
	free(text);
}

static void
test_post_waits_as_told(void **state)
{
	struct lab *lab = *state;
	char *text = mem_format("outlet o { url = \"%s\" " QUICK "}", server_url(lab->server));

	lab->statuses[0] = 429;
	begin(lab, text);
	expect_cursor(lab, "o", 0);
	tell(lab, "a");
	expect_posts(lab, "a ");
	expect_posts(lab, "a a ");
	assert_true(lab->waited >= 700);
	end(lab);
	free(text);
}

/* One that does not answer holds up nobody, keeps its cursor, and gets all of it later. */
static void
test_one_blocks_no_other(void **state)
{
	struct lab *lab = *state;
	char *path = path_in(lab, "events"), *text;

	text = mem_format("outlet slow { url = \"%s\" parallel = 2 " QUICK "}\n"
			  "outlet o { file = %s }",
	    server_url(lab->server), path);
	lab->stalls = 1;
	begin(lab, text);
	expect_cursor(lab, "slow", 0);
	expect_cursor(lab, "o", 0);
	for (int i = 0; i < 300; i++)
		tell(lab, "x");
	lab->file = path;
	lab->wanted = 300;
	wait_until(lab, has_lines);
	expect_cursor(lab, "o", 300);
	assert_int_equal(cursor_of(lab, "slow"), 0);
	assert_int_equal(server_requests(lab->server), 2);
	end(lab); /* cuts the two */
	lab->stalls = 0;
	begin(lab, text);
	lab->wanted = 300;
	wait_until(lab, has_posts);
	expect_cursor(lab, "slow", 300);
	assert_int_equal(lab->bodies.count, 300);
	end(lab);
	free(path);
	free(text);
}

/* --- settings ----------------------------------------------------------------------------- */

static bool
has_no_cursor(struct lab *lab)
{
	return cursor_of(lab, cursor_name) == -1;
}

static void
reload(struct lab *lab, const char *format, const char *path)
{
	char *text = mem_format("%s%s%s", format, path, " }");
	struct config *config = load(text);

	outlets_reload(lab->outlets, config);
	config_free(&config);
	free(text);
}

static void
test_reload(void **state)
{
	struct lab *lab = *state;
	char *one = path_in(lab, "one"), *two = path_in(lab, "two");

	begin(lab, "");
	tell(lab, "a");
	reload(lab, "outlet O { file = ", one);
	expect_cursor(lab, "o", 1);
	tell(lab, "b");
	expect_lines(lab, one, "b ");
	/* Another file: it goes on there, and nothing is left out. */
	reload(lab, "outlet O { file = ", two);
	tell(lab, "c");
	expect_lines(lab, two, "c ");
	expect_lines(lab, one, "b ");
	/* The same again. */
	reload(lab, "outlet O { file = ", two);
	tell(lab, "d");
	expect_lines(lab, two, "c d ");
	/* Another outlet: the first is forgotten. */
	reload(lab, "outlet other { file = ", one);
	cursor_name = "o";
	wait_until(lab, has_no_cursor);
	expect_cursor(lab, "other", 3);
	tell(lab, "e");
	expect_lines(lab, one, "b e ");
	end(lab);
	free(one);
	free(two);
}

/* --- notices ------------------------------------------------------------------------------ */

static bool
has_commits(struct lab *lab)
{
	return lab->commits >= lab->wanted;
}

static void
expect_commits(struct lab *lab, unsigned count)
{
	lab->wanted = count;
	wait_until(lab, has_commits);
	assert_int_equal(lab->commits, count);
}

static void
test_notice(void **state)
{
	struct lab *lab = *state;
	struct mail *mail = mail_make(NULL, 1, 100, NOW_MS);
	char id[ITEM_ID_SIZE], first[ULID_SIZE], why[256];
	struct store_reader *reader;
	struct item_facts *items;
	size_t count_of_items;
	struct buf payload;

	item_id(id, mail->id, 1);
	assert_int_equal(commit(lab->spool, mail), STORE_OK);
	begin(lab, INBOUND "notice { bounces = sender most-per-hour = 2 }");
	expect_cursor(lab, "notice", 0);
	tell_of(lab, EVENT_BOUNCE, "", "nobody's");
	tell_of(lab, EVENT_DELIVERY, "", id);
	tell_of(lab, EVENT_BOUNCE, "", id);
	expect_commits(lab, 1);
	expect_cursor(lab, "notice", 3);
	memcpy(first, lab->last_mail, ULID_SIZE);

	reader = store_reader_open(SPOOL_BACKEND, lab->spool->folder, why, sizeof(why));
	assert_non_null(reader);
	assert_int_equal(store_reader_find(reader, first, 10, &items, &count_of_items), 0);
	assert_int_equal(count_of_items, 1);
	assert_string_equal(items[0].route, "inbound");
	assert_string_equal(items[0].listener, "notice");
	assert_string_equal(items[0].recipients.items[0], "app@sender.example");
	buf_init(&payload, 100000);
	assert_int_equal(store_reader_payload(reader, items[0].key, &payload), 0);
	assert_non_null(strstr(payload.data, "Final-Recipient: rfc822; a@recipient.example\r\n"));
	assert_non_null(strstr(payload.data, id));
	buf_free(&payload);
	item_facts_free(&items[0]);
	free(items);
	store_reader_close(&reader);

	/* The third within an hour is left out, one of the next hour is not. */
	tell_of(lab, EVENT_BOUNCE, "", id);
	expect_commits(lab, 2);
	tell_of(lab, EVENT_BOUNCE, "", id);
	expect_cursor(lab, "notice", 5);
	assert_int_equal(lab->commits, 2);
	clock_fake_advance(3600 * 1000);
	tell_of(lab, EVENT_BOUNCE, "", id);
	expect_commits(lab, 3);
	end(lab);
}

/* It is made again after a crash, but the spool takes it once. */
static void
test_notice_after_a_crash(void **state)
{
	struct lab *lab = *state;
	struct mail *mail = mail_make(NULL, 1, 100, NOW_MS);
	char id[ITEM_ID_SIZE], first[ULID_SIZE];
	uint64_t before;

	item_id(id, mail->id, 1);
	assert_int_equal(commit(lab->spool, mail), STORE_OK);
	begin(lab, INBOUND "notice { bounces = sender }");
	expect_cursor(lab, "notice", 0);
	lab->deaf = true;
	tell_of(lab, EVENT_BOUNCE, "", id);
	expect_commits(lab, 1);
	memcpy(first, lab->last_mail, ULID_SIZE);
	end(lab);
	lab->deaf = false;
	before = count(lab->spool)->items[ITEM_SPOOLED];
	begin(lab, INBOUND "notice { bounces = sender }");
	expect_commits(lab, 2);
	assert_string_equal(lab->last_mail, first);
	expect_cursor(lab, "notice", 1);
	end(lab);
	assert_int_equal(count(lab->spool)->items[ITEM_SPOOLED], before);
}

static void
told_done(void *ctx, enum store_result result, const struct store_changed *changed)
{
	assert_int_equal(changed->changed, 1);
	done_note(ctx, result);
}

static void
fail_item(struct lab *lab, char id[ITEM_ID_SIZE])
{
	struct mail *mail = mail_make(NULL, 1, 100, NOW_MS);

	item_id(id, mail->id, 1);
	assert_int_equal(commit(lab->spool, mail), STORE_OK);
	assert_int_equal(claim(lab->spool, ITEM_SPOOLED), 1);
	settle(lab->spool, lab->spool->items[0].key, ITEM_FAILED, 0);
	items_free(lab->spool);
}

/* The client may be told in a moment: the notice waits, and is not made when it was. */
static void
test_notice_of_a_failure(void **state)
{
	struct lab *lab = *state;
	char known[ITEM_ID_SIZE], unknown[ITEM_ID_SIZE];
	const char *ids[] = { known };
	struct store_change change = {
		.action = STORE_TOLD, .ids = ids, .count = 1, .at_ms = NOW_MS, .by = ""
	};

	begin(lab, INBOUND "notice { failures = sender }");
	expect_cursor(lab, "notice", 0);
	fail_item(lab, known); /* the spool makes an event of it */
	fail_item(lab, unknown);
	outlets_wake(lab->outlets);
	wait_a_while(lab);
	assert_int_equal(lab->commits, 0);
	assert_int_equal(cursor_of(lab, "notice"), 0);
	lab->spool->waiting++;
	store_change(lab->spool->store, &change, told_done, lab->spool);
	wait_answers(lab->spool);
	clock_fake_advance(16000);
	expect_commits(lab, 1);
	expect_cursor(lab, "notice", 2);
	assert_int_equal(lab->commits, 1);
	end(lab);
}

/* --- all ---------------------------------------------------------------------------------- */

static int
setup(void **state)
{
	struct lab *lab = mem_new(sizeof(*lab));
	void *spool;

	assert_int_equal(spool_setup(&spool), 0);
	lab->spool = spool;
	lab->look = loop_timer_new(lab->spool->loop, look, lab);
	lab->server = server_new(lab->spool->loop, serve, lab);
	*state = lab;
	return 0;
}

static int
teardown(void **state)
{
	struct lab *lab = *state;
	void *spool = lab->spool;

	if (lab->outlets != NULL)
		end(lab);
	loop_timer_free(&lab->look);
	server_free(&lab->server);
	strlist_free(&lab->bodies);
	strlist_free(&lab->heads);
	spool_teardown(&spool);
	free(lab);
	return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_file),
		TEST(test_file_after_a_crash),
		TEST(test_file_after_a_crash_without_sync),
		TEST(test_one_of_many),
		TEST(test_file_of_another),
		TEST(test_file_is_turned_over),
		TEST(test_file_cannot_be_written),
		TEST(test_file_is_not_synced),
		TEST(test_command),
		TEST(test_command_is_late),
		TEST(test_command_is_given_up),
		TEST(test_command_is_not_there),
		TEST(test_post),
		TEST(test_post_waits_as_told),
		TEST(test_one_blocks_no_other),
		TEST(test_reload),
		TEST(test_notice),
		TEST(test_notice_after_a_crash),
		TEST(test_notice_of_a_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
