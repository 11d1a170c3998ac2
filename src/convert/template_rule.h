#ifndef PMRELAY_CONVERT_TEMPLATE_RULE_H
#define PMRELAY_CONVERT_TEMPLATE_RULE_H

#include <stdbool.h>

struct headers;
struct ledger;
struct mime;
struct parts;
struct pattern_budget;
struct refusal;
struct template;
struct template_rule;

/*
 * For template.c only: the rule of a route, applied to a mail.
 */
struct template_facts {
	const struct mime *mime;
	const struct headers *headers;
	const struct parts *parts;
	struct ledger *ledger;
	struct pattern_budget *patterns;
};

bool template_is_alias(const char *text);
/* Digits without leading zeros; the caller frees.  NULL: it is no id. */
char *template_id_print(const char *text);

/* Alias or id, and InlineCss. */
void template_rule_name(const struct template_rule *, struct template *);
/* *has_r: every pattern matched, and the template has its model.  0, or -1 and *refusal_r. */
int template_rule_apply(const struct template_rule *, const struct template_facts *,
    struct template *, bool *has_r, struct refusal *refusal_r) __attribute__((warn_unused_result));

#endif
