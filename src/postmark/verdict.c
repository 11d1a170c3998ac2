#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/mem.h"
#include "base/text.h"

#include "postmark/client.h"
#include "postmark/message_id.h"
#include "postmark/verdict.h"

/* Words kept of an answer: enough for the history, bounded whatever a peer sends. */
#define WORDS_MOST         2000U
#define FOREIGN_WORDS_MOST 500U

#define NO_CODE       (-1) /* no envelope, or one whose ErrorCode is absent or 0 */
#define ANY_STATUS    INT_MIN, INT_MAX
#define ANY_CODE      NO_CODE, INT_MAX
#define IS_CODE(code) code, code
#define IS(status)    status, status

/*
 * The one table: first row that fits wins.  item is the verdict for a message judged alone (an
 * answer of /email, or its element in a batch's answer, whose status is 200); whole is the
 * verdict for all items when a batch is refused as one.  What one bad message can cause for the
 * whole batch is SPLIT, so that the culprit ends up alone.
 *
 * 408 says that the request never arrived whole (RFC 9110 15.5.9), so nothing was taken.  502 and
 * 504, and a CDN's 520 and 524, come from a gateway that had passed the request on and then got no
 * usable answer: the mail may have been taken, and a search settles it.  500 and 503 are
 * Postmark's own "not accepted".
 */
static const struct rule {
	int status_least, status_most;
	int code_least, code_most;
	enum verdict item, whole;
} rules[] = {
	/* The status alone decides. */
	{ IS(401), ANY_CODE, VERDICT_OPERATOR, VERDICT_OPERATOR },
	{ IS(407), ANY_CODE, VERDICT_OPERATOR, VERDICT_OPERATOR }, /* a proxy's password */
	{ IS(408), ANY_CODE, VERDICT_WEATHER, VERDICT_WEATHER },
	{ IS(413), ANY_CODE, VERDICT_REFUSED, VERDICT_SPLIT },
	{ IS(415), ANY_CODE, VERDICT_OUR_FAULT, VERDICT_OUR_FAULT },
	{ IS(429), ANY_CODE, VERDICT_THROTTLED, VERDICT_THROTTLED },
	{ IS(502), ANY_CODE, VERDICT_UNSURE, VERDICT_UNSURE },
	{ IS(504), ANY_CODE, VERDICT_UNSURE, VERDICT_UNSURE },
	{ IS(520), ANY_CODE, VERDICT_UNSURE, VERDICT_UNSURE },
	{ IS(524), ANY_CODE, VERDICT_UNSURE, VERDICT_UNSURE },
	{ 500, INT_MAX, ANY_CODE, VERDICT_WEATHER, VERDICT_WEATHER },
	{ 300, 399, ANY_CODE, VERDICT_WEATHER, VERDICT_WEATHER }, /* never Postmark's */
	{ INT_MIN, 199, ANY_CODE, VERDICT_UNSURE, VERDICT_UNSURE },

	/* A status with nothing readable behind it. */
	{ 200, 299, IS_CODE(NO_CODE), VERDICT_UNSURE, VERDICT_UNSURE },
	{ IS(402), IS_CODE(NO_CODE), VERDICT_OUR_FAULT, VERDICT_SPLIT },
	{ IS(409), IS_CODE(NO_CODE), VERDICT_OUR_FAULT, VERDICT_OUR_FAULT },
	{ IS(410), IS_CODE(NO_CODE), VERDICT_OUR_FAULT, VERDICT_SPLIT },
	{ 400, 499, IS_CODE(NO_CODE), VERDICT_WEATHER,
	    VERDICT_WEATHER }, /* HTML 403 and its like */

	/* An envelope. */
	{ IS(403), ANY_CODE, VERDICT_OPERATOR, VERDICT_OPERATOR }, /* not on the allow-list */
	{ ANY_STATUS, IS_CODE(10), VERDICT_OPERATOR, VERDICT_OPERATOR },
	{ ANY_STATUS, IS_CODE(14), VERDICT_OPERATOR, VERDICT_OPERATOR },
	{ ANY_STATUS, 100, 101, VERDICT_WEATHER, VERDICT_WEATHER },
	{ ANY_STATUS, IS_CODE(300), VERDICT_REFUSED, VERDICT_SPLIT },
	{ ANY_STATUS, 400, 401, VERDICT_OPERATOR, VERDICT_SPLIT },
	{ ANY_STATUS, IS_CODE(402), VERDICT_OUR_FAULT, VERDICT_SPLIT },
	{ ANY_STATUS, IS_CODE(403), VERDICT_REFUSED, VERDICT_SPLIT },
	{ ANY_STATUS, IS_CODE(405), VERDICT_OPERATOR, VERDICT_OPERATOR },
	{ ANY_STATUS, IS_CODE(406), VERDICT_REFUSED, VERDICT_SPLIT },
	{ ANY_STATUS, IS_CODE(409), VERDICT_OUR_FAULT, VERDICT_OUR_FAULT },
	{ ANY_STATUS, IS_CODE(410), VERDICT_OUR_FAULT, VERDICT_SPLIT },
	{ ANY_STATUS, IS_CODE(411), VERDICT_REFUSED, VERDICT_SPLIT },
	{ ANY_STATUS, IS_CODE(412), VERDICT_OPERATOR, VERDICT_SPLIT },
	{ ANY_STATUS, IS_CODE(413), VERDICT_OPERATOR, VERDICT_OPERATOR },
	{ ANY_STATUS, IS_CODE(422), VERDICT_OPERATOR, VERDICT_OPERATOR },
	{ ANY_STATUS, IS_CODE(429), VERDICT_THROTTLED, VERDICT_THROTTLED },
	{ ANY_STATUS, IS_CODE(501), VERDICT_OPERATOR, VERDICT_SPLIT },  /* signature unknown */
	{ ANY_STATUS, IS_CODE(709), VERDICT_WEATHER, VERDICT_WEATHER }, /* its DKIM is broken */
	/*
	 * A template that is not there (1101) is rather one that an operator has not made yet, or
	 * not pushed to this server, than a mistake of the sender's: the item is kept, and goes out
	 * when it is released.  It does not hold up its route, since other mails need other
	 * templates.  What else is wrong with a template's request lies in this message.
	 */
	{ ANY_STATUS, IS_CODE(1101), VERDICT_OUR_FAULT, VERDICT_SPLIT },
	{ ANY_STATUS, 1100, 1131, VERDICT_REFUSED, VERDICT_SPLIT },
	{ ANY_STATUS, IS_CODE(1226), VERDICT_OPERATOR, VERDICT_OPERATOR },
	{ ANY_STATUS, 1235, 1236, VERDICT_OPERATOR, VERDICT_OPERATOR },
	{ ANY_STATUS, IS_CODE(1350), VERDICT_OPERATOR, VERDICT_OPERATOR }, /* stream archived */
	{ ANY_STATUS, IS_CODE(1480), VERDICT_OPERATOR, VERDICT_OPERATOR },

	/*
	 * The other codes belong to endpoints we do not call (6xx servers, 7xx messages, 8xx rules,
	 * 10xx bounces, 12xx to 15xx streams and webhooks), or are new.  Kept and loud: a mail is
	 * not bounced for a code that nobody here understands.
	 */
	{ ANY_STATUS, ANY_CODE, VERDICT_OUR_FAULT, VERDICT_SPLIT },
};

const char *
verdict_name(enum verdict verdict)
{
	switch (verdict) {
	case VERDICT_SENT:
		return "sent";
	case VERDICT_REFUSED:
		return "refused";
	case VERDICT_OPERATOR:
		return "operator";
	case VERDICT_THROTTLED:
		return "throttled";
	case VERDICT_WEATHER:
		return "weather";
	case VERDICT_OUR_FAULT:
		return "our-fault";
	case VERDICT_SPLIT:
		return "split";
	case VERDICT_UNSURE:
		return "unsure";
	}
	return "unknown";
}

bool
verdict_code_is_streams(int error_code)
{
	return error_code == 1235 || error_code == 1236;
}

bool
verdict_code_is_one_senders(int error_code)
{
	return error_code == 400 || error_code == 401 || error_code == 412 || error_code == 501 ||
	       verdict_code_is_streams(error_code);
}

static const struct rule *
rule_find(int status, int code)
{
	const struct rule *rule = rules;

	while (status < rule->status_least || status > rule->status_most ||
	       code < rule->code_least || code > rule->code_most)
		rule++; /* the last row fits everything */
	return rule;
}

/* --- reading ------------------------------------------------------------------------------ */

static int
code_clamp(double code)
{
	if (isnan(code) || code == 0)
		return NO_CODE;
	/* No code is negative; one that is, is none we know. */
	return code < 0 || code >= INT_MAX ? INT_MAX : (int)code;
}

/* An integer by the documents; a number in a string is read as well. */
static int
code_read(const json_t *envelope)
{
	const json_t *code = json_object_get(envelope, "ErrorCode");
	uint64_t number;

	if (json_is_number(code))
		return code_clamp(json_number_value(code));
	if (json_is_string(code) && text_number(json_string_value(code), json_string_length(code),
					0, INT_MAX, &number) == 0)
		return code_clamp((double)number);
	return NO_CODE;
}

/*
 * Code 11 is several errors at once, {"Errors":{"From":[{"ErrorCode":300,…}]}}: the verdict is that
 * of the gravest.  A message that is refused for one of them stays refused when an operator has
 * mended the rest; one that waits for an operator does so whatever the weather is.
 */
#define SEVERAL_ERRORS 11

static int
verdict_weight(enum verdict verdict)
{
	switch (verdict) {
	case VERDICT_REFUSED:
		return 5;
	case VERDICT_OUR_FAULT:
		return 4;
	case VERDICT_OPERATOR:
		return 3;
	case VERDICT_THROTTLED:
		return 2;
	case VERDICT_WEATHER:
		return 1;
	case VERDICT_SENT:
	case VERDICT_SPLIT:
	case VERDICT_UNSURE:
		return 0;
	}
	return 0;
}

static const json_t *
gravest_error(int status, const json_t *envelope)
{
	json_t *errors = json_object_get(envelope, "Errors"), *list;
	const json_t *gravest = NULL, *error;
	const char *field;
	size_t i;
	int most = 0;

	json_object_foreach(errors, field, list)
	{
		json_array_foreach(list, i, error)
		{
			int code = code_read(error), weight;

			if (code == NO_CODE || code == SEVERAL_ERRORS)
				continue;
			weight = verdict_weight(rule_find(status, code)->item);
			if (weight > most) {
				most = weight;
				gravest = error;
			}
		}
	}
	return gravest;
}

/* At most WORDS_MOST bytes, not cut inside a character. */
static char *
words_copy(const char *text, size_t len)
{
	if (len > WORDS_MOST) {
		len = WORDS_MOST;
		while (len > 0 && ((unsigned char)text[len] & 0xC0U) == 0x80U)
			len--;
	}
	return mem_bytes(text, len);
}

static char *
message_read(const json_t *envelope)
{
	const json_t *message = json_object_get(envelope, "Message");

	if (!json_is_string(message))
		return NULL;
	return words_copy(json_string_value(message), json_string_length(message));
}

/* Of several errors, the one that decides follows what is said about all. */
static char *
errors_words(const json_t *envelope, const json_t *gravest)
{
	char *all = message_read(envelope);
	char *one = gravest != NULL ? message_read(gravest) : NULL, *both;

	if (all == NULL || one == NULL)
		return all != NULL ? all : one;
	both = mem_format("%s %s", all, one);
	free(all);
	free(one);
	all = words_copy(both, strlen(both));
	free(both);
	return all;
}

/* What is not an envelope is told by its status and its first bytes. */
static char *
foreign_words(const struct postmark_answer *answer)
{
	char safe[FOREIGN_WORDS_MOST];

	if (answer->len == 0)
		return mem_format("HTTP %d without a body", answer->status);
	text_safe(safe, sizeof(safe), answer->body, answer->len);
	return mem_format("HTTP %d: %s", answer->status, safe);
}

/* --- inactive recipients ------------------------------------------------------------------ */

static bool
ends_token(char c)
{
	return c == '\0' || c == ',' || c == ';' || c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool
is_wrapping(char c)
{
	return c == '.' || c == ':' || c == '<' || c == '>' || c == '(' || c == ')' || c == '"' ||
	       c == '\'' || c == '`';
}

/* Postmark lower-cases addresses in its texts. */
static bool
token_is(const char *token, size_t len, const char *address)
{
	return strlen(address) == len && text_same_n(token, address, len);
}

static void
token_note(
    const char *token, size_t len, const struct strlist *recipients, struct strlist *inactive)
{
	const char *bare = token;
	size_t bare_len = len;

	while (bare_len > 0 && is_wrapping(bare[0])) {
		bare++;
		bare_len--;
	}
	while (bare_len > 0 && is_wrapping(bare[bare_len - 1]))
		bare_len--;
	/* Without its own end: a local part may itself begin with a quote. */
	while (len > 0 && is_wrapping(token[len - 1]))
		len--;
	for (size_t i = 0; i < recipients->count; i++) {
		const char *address = recipients->items[i];

		if ((token_is(bare, bare_len, address) || token_is(token, len, address)) &&
		    !strlist_has(inactive, address))
			strlist_add(inactive, address);
	}
}

/*
 * The recipients that Postmark's words name as inactive.  Both wordings put the addresses behind
 * "inactive addresses:", and both have changed over the years; so every word after the first
 * "inactive address" is held against this item's recipients, and none of the grammar matters.
 */
static void
inactive_read(const char *words, const struct strlist *recipients, struct strlist *inactive)
{
	const char *at;

	if (words == NULL || recipients == NULL)
		return;
	at = text_find_same(words, "inactive address");
	if (at == NULL)
		return;
	while (*at != '\0') {
		size_t len = 0;

		while (!ends_token(at[len]))
			len++;
		if (memchr(at, '@', len) != NULL)
			token_note(at, len, recipients, inactive);
		at += len;
		while (*at != '\0' && ends_token(*at))
			at++;
	}
}

/* --- judging ------------------------------------------------------------------------------ */

/*
 * One message's answer: of /email with its status, or an element of a batch's answer with 200.
 *
 * 406 with some but not all recipients named: Postmark's documents know 406 only for messages of
 * which nothing was sent, and answer a partly suppressed message with 200; the one who did meet
 * such a 406 found the rest delivered.  So the rest counts as sent and is not sent again (a second
 * try could only be refused again, or mail the rest twice), and the named ones are reported.
 */
static void
message_judge(int status, const json_t *envelope, const struct strlist *recipients,
    struct item_verdict *verdict)
{
	const json_t *id = json_object_get(envelope, "MessageID"), *gravest = NULL;
	int code = code_read(envelope);
	bool has_id = json_is_string(id) && message_id_read(verdict->postmark_id,
						json_string_value(id), json_string_length(id));

	if (code == SEVERAL_ERRORS)
		gravest = gravest_error(status, envelope);
	if (gravest != NULL)
		code = code_read(gravest);
	verdict->message = errors_words(envelope, gravest);
	verdict->error_code = code == NO_CODE ? 0 : code;
	if (has_id && status >= 200 && status <= 299) {
		/* A refusal with an id contradicts itself. */
		verdict->verdict = code == NO_CODE ? VERDICT_SENT : VERDICT_UNSURE;
		if (verdict->verdict == VERDICT_SENT)
			inactive_read(verdict->message, recipients, &verdict->inactive);
		else
			verdict->postmark_id[0] = '\0';
		return;
	}
	verdict->postmark_id[0] = '\0';
	verdict->verdict = rule_find(status, code)->item;
	/* As one of several errors it says nothing about the rest. */
	if (verdict->verdict == VERDICT_REFUSED && code == 406 && gravest == NULL) {
		inactive_read(verdict->message, recipients, &verdict->inactive);
		if (verdict->inactive.count > 0 && verdict->inactive.count < recipients->count)
			verdict->verdict = VERDICT_SENT;
	}
}

static void
all_judge(
    enum verdict all, int code, const char *words, size_t count, struct item_verdict *verdicts)
{
	for (size_t i = 0; i < count; i++) {
		verdicts[i].verdict = all;
		verdicts[i].error_code = code == NO_CODE ? 0 : code;
		verdicts[i].message = words == NULL ? NULL : words_copy(words, strlen(words));
	}
}

/* A batch that was taken: an element for each item, in order. */
static void
elements_judge(const json_t *elements, const struct strlist *const *recipients, size_t count,
    struct item_verdict *verdicts)
{
	for (size_t i = 0; i < count; i++) {
		const json_t *element = json_array_get(elements, i);

		/* What is no object has no MessageID and no code: unsure. */
		message_judge(200, element, recipients[i], &verdicts[i]);
	}
}

static void
whole_judge(const struct postmark_answer *answer, const json_t *root, size_t count,
    struct item_verdict *verdicts)
{
	int code = code_read(root);
	const json_t *gravest = code == SEVERAL_ERRORS ? gravest_error(answer->status, root) : NULL;
	const struct rule *rule;
	char *words = errors_words(root, gravest);

	if (gravest != NULL)
		code = code_read(gravest);
	rule = rule_find(answer->status, code);
	if (words == NULL)
		words = foreign_words(answer);
	/* A 200 that is no array tells nothing about any item, whatever code it shows. */
	if (answer->status >= 200 && answer->status <= 299)
		all_judge(VERDICT_UNSURE, code, words, count, verdicts);
	else
		all_judge(count > 1 ? rule->whole : rule->item, code, words, count, verdicts);
	free(words);
}

static void
answered_judge(const struct postmark_answer *answer, bool batch,
    const struct strlist *const *recipients, size_t count, struct item_verdict *verdicts)
{
	/* jansson bounds the depth of nesting; the client bounds the length. */
	json_t *root =
	    answer->cut ? NULL : json_loadb(answer->body, answer->len, JSON_ALLOW_NUL, NULL);

	if (!batch && json_is_object(root)) {
		message_judge(answer->status, root, recipients[0], &verdicts[0]);
		if (verdicts[0].message == NULL)
			verdicts[0].message = foreign_words(answer);
	} else if (batch && answer->status == 200 && json_is_array(root) &&
		   json_array_size(root) == count) {
		elements_judge(root, recipients, count, verdicts);
	} else if (batch && answer->status == 200 && json_is_array(root)) {
		char *words = mem_format(
		    "a batch of %zu was answered with %zu elements", count, json_array_size(root));

		all_judge(VERDICT_UNSURE, NO_CODE, words, count, verdicts);
		free(words);
	} else {
		whole_judge(answer, root, count, verdicts);
	}
	json_decref(root);
}

void
verdict_judge(const struct postmark_answer *answer, bool batch,
    const struct strlist *const *recipients, size_t count, struct item_verdict *verdicts)
{
	if (count == 0)
		return;
	switch (answer->end) {
	case POSTMARK_ANSWERED:
		answered_judge(answer, batch, recipients, count, verdicts);
		return;
	case POSTMARK_NOT_SENT:
		all_judge(VERDICT_WEATHER, NO_CODE, answer->error, count, verdicts);
		return;
	case POSTMARK_LOST:
		all_judge(VERDICT_UNSURE, NO_CODE, answer->error, count, verdicts);
		return;
	}
}

void
verdicts_free(struct item_verdict *verdicts, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free(verdicts[i].message);
		strlist_free(&verdicts[i].inactive);
		memset(&verdicts[i], 0, sizeof(verdicts[i]));
	}
}
