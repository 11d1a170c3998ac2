#ifndef PMRELAY_CONVERT_TEMPLATE_H
#define PMRELAY_CONVERT_TEMPLATE_H

#include <stdbool.h>
#include <stddef.h>

struct headers;
struct ledger;
struct mime;
struct parts;
struct pattern_budget;
struct refusal;
struct strlist;

/*
 * Templates: which one a mail goes with, and the TemplateModel.  Two ways to one: the mail says so
 * (X-PM-Template-Alias or -Id, X-PM-Template-Model and X-PM-Template-Model-1 and on, or a part
 * named template-model.json of type application/json), or its route does (struct template_rule).
 * The mail's word beats the route's where the route allows it (CONTROL_TEMPLATE).
 *
 * A model of the mail is a JSON object and goes on as it was written, digit for digit; what is
 * wrong with it is told with line and column.  A model alone, without alias or id, is for the
 * route's template.
 *
 * SOURCE, in patterns and values of a route, is one of
 *	subject from from-name from-address to cc reply-to date message-id text html
 *	header:NAME (the first of that name, decoded)
 * and for values also literal:TEXT.  They are those of the mail as it came: from is its author.
 */

#define TEMPLATE_MOST_MODEL_BYTES 1048576
#define TEMPLATE_MOST_DEPTH       64     /* objects and arrays within one another in a model */
#define TEMPLATE_MOST_TEXT_BYTES  262144 /* a longer text is not searched: as a pattern's limit */
#define TEMPLATE_MOST_EACH        1000   /* matches of one "each"; more are as none */
#define TEMPLATE_MOST_ALIAS       255

/* A route's, compiled. */
struct template_rule;

/*
 * template: alias, or digits: an id.  matches: "SOURCE: pattern" or "each NAME: SOURCE: pattern";
 * every one must match (else: see otherwise), its named groups become values of the model, of
 * "each" an array NAME of objects, one for every match.  values: "name=SOURCE"; a name with dots
 * makes nested objects.  NULL and why: a sentence that names the entry.
 */
struct template_rule *template_rule_new(const char *template, const struct strlist *matches,
    const struct strlist *values, bool inline_css, bool otherwise_refuse, char *why,
    size_t why_size);
void template_rule_free(struct template_rule **);

/* What a mail goes with. */
struct template
{
	char *alias; /* NULL: id counts */
	char *id;    /* digits; NULL */
	char *model; /* a JSON object */
	size_t model_len;
	int inline_css; /* -1: not said */
	/* For the log: the entry of the rule that ran into a limit, and so did not match; NULL. */
	const char *gave_up;
};

struct template_input {
	const struct template_rule *rule; /* the route's; NULL: none */
	bool mail_may_say;                /* CONTROL_TEMPLATE */
	bool mail_must_say; /* the rule alone is no reason: the route wants the mail as it is */
	const struct mime *mime;
	const struct headers *headers;
	struct pattern_budget *patterns; /* of the mail; NULL: none */
};

/*
 * has_r: it goes with one.  Then a part that was the model is taken out of parts.  0, or -1 and
 * *refusal_r (554 5.6.0, 552 5.3.4: what is wrong, and where).  template_free() is due whatever
 * comes back.
 */
int template_read(struct template *, bool *has_r, const struct template_input *, struct parts *,
    struct ledger *, struct refusal *refusal_r) __attribute__((warn_unused_result));
void template_free(struct template *);

#endif
