#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <jansson.h>

#include "sandbox/domains.h"
#include "sandbox/senders.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void
test_names(void **state)
{
	static const struct {
		const char *name;
		bool ok;
	} cases[] = {
		{ "shop.example", true },
		{ "a-b.c_d.example", true },
		{ "xn--bcher-kva.example", true },
		{ "example", false },
		{ "", false },
		{ ".example", false },
		{ "a..example", false },
		{ "a.example.", false },
		{ "-a.example", false },
		{ "a-.example", false },
		{ "a b.example", false },
		{ "b\xc3\xbc"
		  "cher.example",
		    false },
		{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example",
		    false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		if (domains_name_ok(cases[i].name) != cases[i].ok)
			fail_msg("%s", cases[i].name);
	}
	assert_true(domains_name_public("GMail.com"));
	assert_false(domains_name_public("shop.example"));
}

static void
test_return_path(void **state)
{
	static const struct {
		const char *path;
		bool ok;
	} cases[] = {
		{ "pm.shop.example", true },
		{ "a.b.SHOP.example", true },
		{ "shop.example", false },
		{ "other.example", false },
		{ "pmshop.example", false },
		{ ".shop.example", false },
		{ "p m.shop.example", false },
	};
	json_t *details = domains_details_new("shop.example");

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		if (domains_details_set_return_path(details, "shop.example", cases[i].path) !=
		    cases[i].ok)
			fail_msg("%s", cases[i].path);
	}
	assert_string_equal(
	    json_string_value(json_object_get(details, "ReturnPathDomain")), "a.b.SHOP.example");
	json_decref(details);
}

static void
test_details(void **state)
{
	json_t *details = domains_details_new("shop.example");

	(void)state;
	assert_true(json_is_false(json_object_get(details, "SPFVerified")));
	domains_details_verify_spf(details);
	assert_true(json_is_true(json_object_get(details, "SPFVerified")));
	/* The first key waits already. */
	assert_int_equal(domains_details_rotate(details, "shop.example"), -1);
	json_decref(details);
}

static void
test_dns(void **state)
{
	static const char *const wrong[] = { "[]", "{\"a.example\":true}",
		"{\"b.example\":{\"DKIM\":true},\"a.example\":{\"DKIM\":1}}",
		"{\"a.example\":{\"MX\":true}}" };
	struct domains *domains = domains_new();
	json_t *json, *known;

	(void)state;
	for (size_t i = 0; i < COUNT(wrong); i++) {
		json = json_loads(wrong[i], 0, NULL);
		assert_int_equal(domains_dns_set(domains, json), -1);
		json_decref(json);
	}
	known = domains_dns_json(domains);
	assert_int_equal(json_object_size(known), 0);
	json_decref(known);

	json = json_loads("{\"A.example\":{\"DKIM\":false}}", 0, NULL);
	assert_int_equal(domains_dns_set(domains, json), 0);
	json_decref(json);
	json = json_loads("{\"a.EXAMPLE\":{\"ReturnPath\":true}}", 0, NULL);
	assert_int_equal(domains_dns_set(domains, json), 0);
	json_decref(json);
	known = domains_dns_json(domains);
	json = json_loads("{\"a.example\":{\"DKIM\":false,\"ReturnPath\":true}}", 0, NULL);
	assert_true(json_equal(known, json));
	json_decref(json);
	json_decref(known);
	domains_free(&domains);
	domains_free(&domains);
}

static void
test_who_may_send(void **state)
{
	struct domains *domains = domains_new();
	struct senders *senders = senders_new();
	json_t *json;

	(void)state;
	domains_add_verified(domains, "Shop.example");
	domains_add_verified(domains, "shop.example");
	assert_true(domains_verified(domains, "shop.EXAMPLE"));
	assert_false(domains_verified(domains, "mail.shop.example"));

	senders_add_confirmed(senders, "Ann@shop.example");
	assert_true(senders_confirmed(senders, "ann@shop.example"));
	assert_false(senders_confirmed(senders, "bo@shop.example"));
	json = json_loads("{\"ann@shop.example\":false}", 0, NULL);
	assert_int_equal(senders_confirm(senders, json), 0);
	assert_false(senders_confirmed(senders, "ann@shop.example"));
	json_object_set_new(json, "ann@shop.example", json_true());
	json_object_set_new(json, "bo@shop.example", json_true());
	assert_int_equal(senders_confirm(senders, json), -1);
	assert_false(senders_confirmed(senders, "ann@shop.example"));
	json_decref(json);
	domains_free(&domains);
	senders_free(&senders);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_return_path),
		cmocka_unit_test(test_details),
		cmocka_unit_test(test_dns),
		cmocka_unit_test(test_who_may_send),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
