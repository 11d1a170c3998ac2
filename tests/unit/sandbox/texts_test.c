/* What clients look for in Postmark's texts is found in the sandbox's. */
#include <regex.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <jansson.h>

#include "base/strlist.h"
#include "sandbox/rules.h"

/* What group 1 of the pattern finds, for the caller to free; NULL: no match. */
static char *
capture(const char *pattern, int flags, const char *text)
{
	regex_t regex;
	regmatch_t groups[2];
	char *found = NULL;

	assert_int_equal(regcomp(&regex, pattern, REG_EXTENDED | flags), 0);
	if (regexec(&regex, text, 2, groups, 0) == 0)
		found = groups[1].rm_so < 0 ? strdup("")
					    : strndup(text + groups[1].rm_so,
						  (size_t)(groups[1].rm_eo - groups[1].rm_so));
	regfree(&regex);
	return found;
}

static void
inactive_addresses(void **state)
{
	/*
	 * The patterns of the vendor's clients for Node and Ruby and of django-anymail.  POSIX
	 * knows no lazy quantifiers: where a client has one, the group may not end in a full stop.
	 */
	static const struct {
		const char *client;
		const char *pattern;
		bool refusals;
		bool partial;
	} patterns[] = {
		{ "Node", "Found inactive addresses: (.*[^.])\\.? Inactive", true, false },
		{ "Node, partial",
		    "these inactive addresses: (.*[^.])\\. Inactive recipients .*[^.]\\.?$", false,
		    true },
		{ "Ruby", "addresses: (.*)\\. Inactive", true, true },
		{ "django-anymail",
		    "inactive addresses:[[:space:]]*(.*)\\.[[:space:]]*Inactive "
		    "recipients",
		    true, true },
	};
	struct strlist addresses = { 0 };
	char *texts[3];

	(void)state;
	strlist_add(&addresses, "Ann@X.example");
	strlist_add(&addresses, "b@y.example");
	texts[0] = rules_inactive_text(&addresses, false);
	texts[1] = rules_inactive_text(&addresses, true);
	texts[2] = rules_partial_text(&addresses);
	for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
		for (size_t j = 0; j < 3; j++) {
			char *found;

			if (!(j == 2 ? patterns[i].partial : patterns[i].refusals))
				continue;
			found = capture(patterns[i].pattern, 0, texts[j]);
			if (found == NULL || strcmp(found, "ann@x.example, b@y.example") != 0)
				fail_msg(
				    "%s: \"%s\" in \"%s\"", patterns[i].client, found, texts[j]);
			free(found);
		}
	}
	for (size_t j = 0; j < 3; j++)
		free(texts[j]);
	strlist_free(&addresses);
}

static void
exact_texts(void **state)
{
	struct strlist one = { 0 };
	char *text;

	(void)state;
	strlist_add(&one, "gone@reader.example");
	text = rules_inactive_text(&one, true);
	assert_string_equal(text,
	    "You tried to send to a recipient that has been marked as inactive. Found inactive "
	    "addresses: gone@reader.example. Inactive recipients are ones that have generated a "
	    "hard bounce, a spam complaint, or a manual suppression. ");
	free(text);
	text = rules_inactive_text(&one, false);
	assert_string_equal(text,
	    "You tried to send to recipient(s) that have been marked as inactive. Found inactive "
	    "addresses: gone@reader.example. Inactive recipients are ones that have generated a "
	    "hard bounce, a spam complaint, or a manual suppression.");
	free(text);
	text = rules_partial_text(&one);
	assert_string_equal(text,
	    "Message OK, but will not deliver to these inactive addresses: gone@reader.example. "
	    "Inactive recipients are ones that have generated a hard bounce or a spam complaint.");
	free(text);
	strlist_free(&one);
}

/* Whatever is wrong with a recipient, a client can tell from the text that it is one. */
static void
recipient_errors(void **state)
{
	static const char *const wrong[] = { "x", "user@+", "a b@c.example", "a@b.example,",
		"undisclosed-recipients:;", "J. Smith <a@b.example>", "\"a\nb\" <a@b.example>" };
	static const char *const fields[] = { "To", "Cc", "Bcc", "To" };

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		const char *field = fields[i % 4];
		struct rules_mailboxes list;
		struct rules_refusal refusal = { 0 };
		char *found;

		assert_int_equal(rules_mailboxes_parse(field, wrong[i], &list, &refusal), -1);
		found = capture("^(Invalid|Error parsing) '(To|Cc|Bcc)'", REG_ICASE, refusal.text);
		if (found == NULL)
			fail_msg("%s: \"%s\"", wrong[i], refusal.text);
		free(found);
		rules_refusal_deinit(&refusal);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(inactive_addresses),
		cmocka_unit_test(exact_texts),
		cmocka_unit_test(recipient_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
