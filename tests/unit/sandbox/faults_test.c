#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <jansson.h>

#include "base/mem.h"
#include "sandbox/faults.h"

/* Rules are written with ' for ". */
static int
set(struct faults *faults, const char *rules, char **why_r)
{
	char *copy = mem_string(rules);
	json_t *json;
	int rc;

	for (char *c = copy; *c != '\0'; c++)
		*c = *c == '\'' ? '"' : *c;
	json = json_loads(copy, 0, NULL);
	assert_non_null(json);
	rc = faults_set(faults, json, why_r);
	json_decref(json);
	free(copy);
	return rc;
}

/* The status of the fault that befalls a request, 0 for none. */
static int
pick(struct faults *faults, const char *method, const char *path)
{
	struct fault fault;
	int status;

	if (!faults_pick(faults, method, path, &fault))
		return 0;
	status = fault.status;
	fault_deinit(&fault);
	return status;
}

static void
refuses_nonsense(void **state)
{
	static const char *const wrong[] = { "{}", "[1]", "[{'statuss':500}]", "[{'status':'500'}]",
		"[{'status':99}]", "[{'probability':1.5}]", "[{'cut':'middle'}]",
		"[{'answer':'xml'}]", "[{'delay_before_ms':-1}]", "[{'framing':'tcp'}]",
		"[{'accept':1}]", "[{'path':7}]", "[{'method':null}]" };
	struct faults *faults = faults_new();
	char *why;

	(void)state;
	assert_int_equal(set(faults, "[{'status':500}]", &why), 0);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		why = NULL;
		if (set(faults, wrong[i], &why) != -1)
			fail_msg("%s", wrong[i]);
		assert_non_null(why);
		free(why);
	}
	/* What was there before is still there. */
	assert_int_equal(pick(faults, "GET", "/x"), 500);
	faults_free(&faults);
	faults_free(&faults);
}

static void
picks_by_path(void **state)
{
	static const struct {
		const char *method;
		const char *path;
		int status;
	} cases[] = {
		{ "POST", "/email/batch", 501 },
		{ "POST", "/email", 502 },
		{ "GET", "/email", 503 },
		{ "GET", "/messages/outbound/x/details", 504 },
		{ "GET", "/messages/outbound/x/dump", 0 },
		{ "GET", "/server", 0 },
	};
	struct faults *faults = faults_new();
	char *why;

	(void)state;
	assert_int_equal(set(faults,
			     "[{'path':'/Email/batch','status':501},"
			     "{'path':'/email*','method':'post','status':502},"
			     "{'path':'/em*l','status':503},"
			     "{'path':'*/outbound/*/det*','status':504}]",
			     &why),
	    0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(pick(faults, cases[i].method, cases[i].path), cases[i].status);
	faults_clear(faults);
	assert_int_equal(pick(faults, "POST", "/email"), 0);
	faults_free(&faults);
}

static void
counts_times(void **state)
{
	static const int wanted[] = { 0, 0, 500, 500, 500, 0, 0 };
	struct faults *faults = faults_new();
	json_t *shown;
	char *why;

	(void)state;
	assert_int_equal(set(faults, "[{'status':500,'after':2,'times':3}]", &why), 0);
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		assert_int_equal(pick(faults, "GET", "/x"), wanted[i]);
	shown = faults_json(faults);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(shown, 0), "met")), 7);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(shown, 0), "fired")), 3);
	json_decref(shown);
	faults_free(&faults);
}

static void
chance_is_known(void **state)
{
	struct faults *faults = faults_new();
	char first[1001] = "", again[1001] = "", other[1001] = "";
	char *const runs[] = { first, again, other };
	int fired = 0;
	char *why;

	(void)state;
	for (size_t run = 0; run < 3; run++) {
		assert_int_equal(set(faults,
				     run < 2 ? "[{'status':500,'probability':0.1,'seed':42}]"
					     : "[{'status':500,'probability':0.1,'seed':43}]",
				     &why),
		    0);
		for (size_t i = 0; i < 1000; i++)
			runs[run][i] = pick(faults, "GET", "/x") != 0 ? 'x' : '.';
	}
	assert_string_equal(first, again);
	assert_string_not_equal(first, other);
	for (size_t i = 0; i < 1000; i++)
		fired += first[i] == 'x';
	assert_in_range(fired, 70, 130);
	faults_free(&faults);
}

static void
reads_all_keys(void **state)
{
	struct faults *faults = faults_new();
	struct fault fault;
	char *why;

	(void)state;
	assert_int_equal(set(faults,
			     "[{'error_code':406,'message':'no','accept':true,'delay_before_ms':1,"
			     "'delay_after_ms':2,'retry_after':3,'cut':'after','answer':"
			     "'delayed-text','partial_suppression':true,'framing':'chunked',"
			     "'connection_close':true}]",
			     &why),
	    0);
	assert_true(faults_pick(faults, "POST", "/email", &fault));
	assert_int_equal(fault.error_code, 406);
	assert_string_equal(fault.message, "no");
	assert_int_equal(fault.delay_before_ms, 1);
	assert_int_equal(fault.delay_after_ms, 2);
	assert_int_equal(fault.retry_after_seconds, 3);
	assert_int_equal(fault.cut, FAULT_CUT_AFTER);
	assert_int_equal(fault.answer, FAULT_ANSWER_DELAYED_TEXT);
	assert_true(fault.partial_suppression);
	assert_true(fault.chunked);
	assert_true(fault.connection_close);
	assert_false(fault_refuses(&fault));
	fault.accept = false;
	assert_true(fault_refuses(&fault));
	/* The rules may go while a request still waits for its delay. */
	faults_clear(faults);
	assert_string_equal(fault.message, "no");
	fault_deinit(&fault);
	faults_free(&faults);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses_nonsense),
		cmocka_unit_test(picks_by_path),
		cmocka_unit_test(counts_times),
		cmocka_unit_test(chance_is_known),
		cmocka_unit_test(reads_all_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
