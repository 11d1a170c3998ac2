#ifndef PMRELAY_TESTS_CONVERT_LAB_H
#define PMRELAY_TESTS_CONVERT_LAB_H

#include <jansson.h>
#include <stddef.h>

#include "base/strlist.h"
#include "mail/mail.h"
#include "mail/refusal.h"
#include "convert/convert.h"

/* What the tests of whole mails share.  Contents and expectations are written with \n and with
 * single quotes. */

#define MAIL_ID "01J8ZZZZZZZZZZZZZZZZZZZZZZ"

int lab_setup(void **state); /* of a group of tests */
struct convert_options lab_options(void);

struct lab_run {
	struct convert_options options;
	const char *sender;
	const char *recipients; /* separated by spaces */
	const struct strlist *redirected;
	struct convert_facts *facts; /* or NULL */
};
/* content as it is; or with \n for line ends. */
int lab_convert(const struct lab_run *, const char *content, size_t len, struct mail **mail_r,
    struct refusal *refusal_r);
int lab_convert_text(
    const struct lab_run *, const char *content, struct mail **mail_r, struct refusal *refusal_r);
/* The same, and the test fails unless it is taken. */
struct mail *lab_mail(const char *reason, const struct lab_run *, const char *content);
/* The same, and the test fails unless it is refused so; text: a piece of the reply. */
void lab_refused(const char *reason, const struct lab_run *, const char *content, size_t len,
    int code, const char *enhanced, const char *text);

/* The whole message of an item: its payload and what the items share.  The caller frees. */
json_t *lab_item(const struct mail *, size_t number);
char *lab_item_bytes(const struct mail *, size_t number, size_t *len_r);

/* Single quotes are easier on the eyes in C; double ones within them need no escape. */
json_t *lab_expectation(const char *text);
/* Members of expected are in got; null: absent. */
void lab_compare(const char *reason, const json_t *expected, const json_t *got);

/* Entries until a NULL. */
void lab_list(struct strlist *, ...);

#endif
