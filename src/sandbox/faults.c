#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

#include "sandbox/chance.h"
#include "sandbox/faults.h"

#define MOST_RULES 1000

struct rule {
	char *method; /* NULL: any */
	char *path;
	int64_t times; /* -1: for ever */
	int64_t after;
	double probability;
	uint64_t random; /* state of the generator */
	uint64_t met;
	uint64_t fired;
	json_t *written; /* as it was given */
	struct fault fault;
};

struct faults {
	struct rule *rules;
	size_t count;
};

static const char *const answers[] = {
	[FAULT_ANSWER_USUAL] = "usual",
	[FAULT_ANSWER_HTML] = "html",
	[FAULT_ANSWER_EMPTY] = "empty",
	[FAULT_ANSWER_TRUNCATED] = "truncated",
	[FAULT_ANSWER_NO_ERROR_CODE] = "no-error-code",
	[FAULT_ANSWER_DELAYED_TEXT] = "delayed-text",
	[FAULT_ANSWER_WRONG_LENGTH] = "wrong-length",
};

struct faults *
faults_new(void)
{
	return mem_new(sizeof(struct faults));
}

void
fault_deinit(struct fault *fault)
{
	free(fault->message);
	fault->message = NULL;
}

bool
fault_refuses(const struct fault *fault)
{
	return (fault->status != 0 || fault->error_code != 0) && !fault->accept;
}

static void
rules_free(struct rule *rules, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free(rules[i].method);
		free(rules[i].path);
		json_decref(rules[i].written);
		fault_deinit(&rules[i].fault);
	}
	free(rules);
}

void
faults_clear(struct faults *faults)
{
	rules_free(faults->rules, faults->count);
	faults->rules = NULL;
	faults->count = 0;
}

void
faults_free(struct faults **faults_p)
{
	if (*faults_p == NULL)
		return;
	faults_clear(*faults_p);
	free(*faults_p);
	*faults_p = NULL;
}

/* ---- rules from JSON: each reader returns false for a value of the wrong kind ---- */

static bool
read_number(const json_t *value, int64_t least, int64_t most, int64_t *number_r)
{
	if (!json_is_integer(value) || json_integer_value(value) < least ||
	    json_integer_value(value) > most)
		return false;
	*number_r = json_integer_value(value);
	return true;
}

static bool
read_int(const json_t *value, int least, int most, int *number_r)
{
	int64_t number;

	if (!read_number(value, least, most, &number))
		return false;
	*number_r = (int)number;
	return true;
}

static bool
read_flag(const json_t *value, bool *flag_r)
{
	*flag_r = json_is_true(value);
	return json_is_boolean(value);
}

static bool
read_text(const json_t *value, char **text_r)
{
	if (!json_is_string(value))
		return false;
	free(*text_r);
	*text_r = mem_string(json_string_value(value));
	return true;
}

static bool
read_answer(const json_t *value, enum fault_answer *answer_r)
{
	for (size_t i = 0; json_is_string(value) && i < sizeof(answers) / sizeof(answers[0]); i++) {
		if (strcmp(json_string_value(value), answers[i]) == 0) {
			*answer_r = (enum fault_answer)i;
			return true;
		}
	}
	return false;
}

static bool
read_cut(const json_t *value, enum fault_cut *cut_r)
{
	const char *text = json_string_value(value);

	if (text != NULL && strcmp(text, "before") == 0)
		*cut_r = FAULT_CUT_BEFORE;
	else if (text != NULL && strcmp(text, "after") == 0)
		*cut_r = FAULT_CUT_AFTER;
	else
		return false;
	return true;
}

static bool
read_framing(const json_t *value, bool *chunked_r)
{
	const char *text = json_string_value(value);

	*chunked_r = text != NULL && strcmp(text, "chunked") == 0;
	return *chunked_r || (text != NULL && strcmp(text, "content-length") == 0);
}

static bool
read_member(struct rule *rule, const char *key, const json_t *value)
{
	struct fault *fault = &rule->fault;
	int64_t seed;

	if (strcmp(key, "method") == 0)
		return read_text(value, &rule->method);
	if (strcmp(key, "path") == 0) {
		if (!read_text(value, &rule->path))
			return false;
		text_lower(rule->path);
		return true;
	}
	if (strcmp(key, "times") == 0)
		return read_number(value, 0, INT64_MAX, &rule->times);
	if (strcmp(key, "after") == 0)
		return read_number(value, 0, INT64_MAX, &rule->after);
	if (strcmp(key, "probability") == 0) {
		rule->probability = json_number_value(value);
		return json_is_number(value) && rule->probability >= 0 && rule->probability <= 1;
	}
	if (strcmp(key, "seed") == 0) {
		if (!read_number(value, INT64_MIN, INT64_MAX, &seed))
			return false;
		rule->random = (uint64_t)seed;
		return true;
	}
	if (strcmp(key, "status") == 0)
		return read_int(value, 200, 599, &fault->status);
	if (strcmp(key, "error_code") == 0)
		return read_int(value, 1, 99999, &fault->error_code);
	if (strcmp(key, "message") == 0)
		return read_text(value, &fault->message);
	if (strcmp(key, "accept") == 0)
		return read_flag(value, &fault->accept);
	if (strcmp(key, "delay_before_ms") == 0)
		return read_number(value, 0, 3600000, &fault->delay_before_ms);
	if (strcmp(key, "delay_after_ms") == 0)
		return read_number(value, 0, 3600000, &fault->delay_after_ms);
	if (strcmp(key, "retry_after") == 0)
		return read_int(value, 0, 86400, &fault->retry_after_seconds);
	if (strcmp(key, "cut") == 0)
		return read_cut(value, &fault->cut);
	if (strcmp(key, "answer") == 0)
		return read_answer(value, &fault->answer);
	if (strcmp(key, "partial_suppression") == 0)
		return read_flag(value, &fault->partial_suppression);
	if (strcmp(key, "framing") == 0)
		return read_framing(value, &fault->chunked);
	if (strcmp(key, "connection_close") == 0)
		return read_flag(value, &fault->connection_close);
	return false;
}

int
faults_set(struct faults *faults, const json_t *list, char **why_r)
{
	size_t count = json_array_size(list);
	struct rule *rules;
	const char *key;
	json_t *value;

	if (!json_is_array(list) || count > MOST_RULES) {
		*why_r = mem_format("wanted a list of at most %d rules", MOST_RULES);
		return -1;
	}
	rules = mem_array(count > 0 ? count : 1, sizeof(*rules));
	for (size_t i = 0; i < count; i++) {
		struct rule *rule = &rules[i];

		rule->written = json_incref(json_array_get(list, i));
		rule->times = -1;
		rule->probability = 1;
		rule->random = i + 1;
		rule->fault.retry_after_seconds = -1;
		if (!json_is_object(rule->written)) {
			*why_r = mem_format("rule %zu is no object", i);
			goto free_rules;
		}
		json_object_foreach(rule->written, key, value)
		{
			if (!read_member(rule, key, value)) {
				*why_r =
				    mem_format("rule %zu: \"%s\" is no known key, or its value "
					       "is of the wrong kind or size",
					i, key);
				goto free_rules;
			}
		}
		if (rule->path == NULL)
			rule->path = mem_string("*");
	}
	faults_clear(faults);
	faults->rules = rules;
	faults->count = count;
	return 0;

free_rules:
	rules_free(rules, count);
	return -1;
}

json_t *
faults_json(const struct faults *faults)
{
	json_t *list = json_array();

	for (size_t i = 0; i < faults->count; i++) {
		json_t *one = json_copy(faults->rules[i].written);

		json_object_set_new(one, "met", json_integer((json_int_t)faults->rules[i].met));
		json_object_set_new(one, "fired", json_integer((json_int_t)faults->rules[i].fired));
		json_array_append_new(list, one);
	}
	return list;
}

/* '*' stands for any run of characters. */
static bool
glob(const char *pattern, const char *text)
{
	const char *star = NULL, *again = NULL;

	while (*text != '\0') {
		if (*pattern == '*') {
			star = pattern++;
			again = text;
		} else if (*pattern == *text) {
			pattern++;
			text++;
		} else if (star != NULL) {
			pattern = star + 1;
			text = ++again;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return *pattern == '\0';
}

static bool
rule_fires(struct rule *rule)
{
	if ((int64_t)rule->met++ < rule->after)
		return false;
	if (rule->times >= 0 && (int64_t)rule->fired >= rule->times)
		return false;
	if (rule->probability < 1 && chance_next(&rule->random) >= rule->probability)
		return false;
	rule->fired++;
	return true;
}

bool
faults_pick(struct faults *faults, const char *method, const char *path, struct fault *fault_r)
{
	for (size_t i = 0; i < faults->count; i++) {
		struct rule *rule = &faults->rules[i];

		if ((rule->method != NULL && !text_same(rule->method, method)) ||
		    (rule->method == NULL && text_same(method, FAULTS_SMTP)) ||
		    !glob(rule->path, path) || !rule_fires(rule))
			continue;
		*fault_r = rule->fault;
		if (fault_r->message != NULL)
			fault_r->message = mem_string(fault_r->message);
		return true;
	}
	return false;
}
