/*
 * pmrelayd --explain: one mail through the same code as in a front, and behind the same fence,
 * because a mail to be looked at is often one that somebody else wrote.
 */

#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include <jansson.h>

#include "base/buf.h"
#include "base/privs.h"
#include "base/text.h"
#include "config/config.h"
#include "mail/refusal.h"
#include "operations/operation.h"
#include "channel/frame.h"
#include "convert/convert.h"
#include "console/paint.h"
#include "console/report.h"
#include "console/terminal.h"
#include "intake/explain.h"
#include "intake/rules.h"

#include "programs/explain.h"

/* Of messages in the answer: those of a mail of any size that is looked at. */
#define MOST_BYTES (512U * 1024U * 1024U)

/* 0, or -1 and errno.  A mail over the limit is read so far that this can be seen. */
static int
read_mail(const char *path, struct buf *mail)
{
	bool is_input = strcmp(path, "-") == 0;
	FILE *file = is_input ? stdin : fopen(path, "rb");
	char piece[16384];
	size_t got;
	int error;

	if (file == NULL)
		return -1;
	while (mail->len <= FRAME_MOST_PAYLOAD && (got = fread(piece, 1, sizeof(piece), file)) > 0)
		buf_add(mail, piece, got);
	error = ferror(file) != 0 ? errno : 0;
	if (!is_input)
		fclose(file);
	errno = error;
	return error == 0 ? 0 : -1;
}

static void
paint_look(struct paint *paint)
{
	const char *term = getenv("TERM");
	struct terminal terminal;

	terminal_look(&terminal);
	*paint = (struct paint){ .terminal = terminal.out,
		.columns = terminal.out ? terminal.columns : 0,
		.colour = terminal.out && getenv("NO_COLOR") == NULL && term != NULL &&
			  strcmp(term, "dumb") != 0 };
	/* Widths of characters are those of UTF-8. */
	setlocale(LC_CTYPE, "C.UTF-8");
}

/* What cannot be fenced in is read all the same. */
static void
fence(const struct config *config)
{
	struct privs_fence facts;
	char why[256];

	privs_harden();
	if (config->confine &&
	    privs_fence_front(privs_iconv_folders(), &facts, why, sizeof(why)) != 0)
		fprintf(stderr, "pmrelayd: %s\n", why);
}

static void
ask(const struct rules *rules, const struct explain_arguments *a, const struct buf *mail,
    struct buf *answer)
{
	const struct explain_input input = { .reverse_path = a->from,
		.recipients = &a->to,
		.listener = a->listener,
		.client = a->client,
		.user = a->user,
		.content = mail->len > 0 ? mail->data : "",
		.content_len = mail->len,
		.most_bytes = MOST_BYTES };
	struct refusal refusal;

	if (mail->len <= FRAME_MOST_PAYLOAD) {
		explain(rules, &input, answer);
		return;
	}
	refusal_set(&refusal, 552, "5.3.4",
	    "the mail has more than the %u bytes that are looked at", FRAME_MOST_PAYLOAD);
	explain_refused(rules, &input, &refusal, answer);
}

static void
report(const struct paint *paint, const json_t *object, struct buf *out)
{
	char word[] = "explain", *words[] = { word };
	size_t used;

	report_add(paint, out, operation_by_words(words, 1, &used), object, 0);
}

/* The whole answer; what a reader that has gone leaves unread is no trouble of ours.  0, or -1. */
static int
print(const struct paint *paint, const struct explain_arguments *a, const struct buf *answer,
    const json_t *object)
{
	struct buf out;
	int result = -1;

	buf_init(&out, SIZE_MAX / 4);
	if (!a->json)
		report(paint, object, &out);
	else if (paint->terminal)
		paint_safe_json(&out, answer->data, answer->len);
	else
		buf_add(&out, answer->data, answer->len);
	if (a->json)
		buf_addc(&out, '\n');
	if ((fwrite(out.data, 1, out.len, stdout) == out.len && fflush(stdout) == 0) ||
	    errno == EPIPE)
		result = 0;
	else
		fprintf(stderr, "pmrelayd: the answer cannot be written: %s\n", strerror(errno));
	buf_free(&out);
	return result;
}

int
explain_main(const struct explain_arguments *a, const struct config *config)
{
	struct buf mail, answer;
	struct rules *rules;
	struct paint paint;
	char why[512], shown[400];
	json_t *object;
	int status = EX_SOFTWARE;

	buf_init(&mail, SIZE_MAX / 4);
	buf_init(&answer, SIZE_MAX / 4);
	if (read_mail(a->path, &mail) != 0) {
		fprintf(stderr, "pmrelayd: %s cannot be read: %s\n",
		    text_safe(shown, sizeof(shown), a->path, strlen(a->path)), strerror(errno));
		status = EX_NOINPUT;
		goto free_mail;
	}
	rules = rules_new(config, why, sizeof(why));
	if (rules == NULL) {
		fprintf(stderr, "pmrelayd: %s\n", why);
		status = EX_CONFIG;
		goto free_mail;
	}
	paint_look(&paint);
	convert_setup();
	fence(config);
	ask(rules, a, &mail, &answer);
	object = json_loadb(answer.data, answer.len, 0, NULL);
	if (object != NULL) {
		status = json_is_true(json_object_get(object, "ok")) ? EX_OK : EX_DATAERR;
		if (print(&paint, a, &answer, object) != 0)
			status = EX_IOERR;
		json_decref(object);
	}
	rules_free(&rules);

free_mail:
	buf_free(&mail);
	buf_free(&answer);
	return status;
}
