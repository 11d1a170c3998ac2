#ifndef PMRELAY_SANDBOX_TEMPLATES_H
#define PMRELAY_SANDBOX_TEMPLATES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

struct mustache;
struct rules_refusal;

/*
 * The templates of one server, and the rules for them.  Knows nothing of requests: see
 * template_api.h.  Styles are not moved into attributes: what InlineCss asks for stays undone.
 */
#define TEMPLATES_MOST            100
#define TEMPLATES_MOST_NAME       255 /* these three in UTF-16 units */
#define TEMPLATES_MOST_ALIAS      255
#define TEMPLATES_MOST_SUBJECT    2000
#define TEMPLATES_MOST_BODY_BYTES 512000 /* of each body, before it is rendered */

enum template_part {
	TEMPLATE_SUBJECT,
	TEMPLATE_HTML,
	TEMPLATE_TEXT,
};
#define TEMPLATE_PARTS 3

struct template
{
	int64_t id;
	char *name;
	char *alias; /* NULL: none */
	bool layout;
	char *layout_alias;          /* of the layout that it is put into; NULL: none */
	char *parts[TEMPLATE_PARTS]; /* as they were given; NULL: none */
	struct mustache *parsed[TEMPLATE_PARTS];
};

struct templates {
	struct template **items; /* in the order in which they were made */
	size_t count;
	int64_t next;
};

/* IDs of different servers' templates differ. */
struct templates *templates_new(int64_t server);
void templates_free(struct templates **);
/* What a sandbox has at its start: one with the alias "welcome". */
void templates_add_usual(struct templates *);

/* NULL: there is none.  An alias is found in any case. */
struct template *templates_by_id(const struct templates *, int64_t id);
struct template *templates_by_alias(const struct templates *, const char *alias);
struct template *templates_find(const struct templates *, const char *id_or_alias);

/*
 * By the fields of a request whose types are known to be right.  A template that is edited keeps
 * what is not named; a LayoutTemplate of "" takes it out of its layout.  NULL or -1: refusal_r,
 * and nothing has changed.
 */
struct template *templates_create(
    struct templates *, const json_t *json, struct rules_refusal *refusal_r);
int templates_edit(struct templates *, struct template *, const json_t *json,
    struct rules_refusal *refusal_r) __attribute__((warn_unused_result));
int templates_delete(struct templates *, struct template *, struct rules_refusal *refusal_r)
    __attribute__((warn_unused_result));

/* As the API shows it, new references; server is the one that they belong to. */
json_t *template_json(const struct template *, int64_t server);
json_t *template_summary(const struct template *);
const char *template_type(const struct template *); /* "Standard" or "Layout" */

/* What a template gives with a model; a part that it does not have is NULL. */
struct template_rendered {
	char *parts[TEMPLATE_PARTS];
};

/* 0: rendered_r is filled, to be ended by template_rendered_deinit().  -1: refusal_r. */
int template_render(const struct templates *, const struct template *, const json_t *model,
    struct template_rendered *rendered_r, struct rules_refusal *refusal_r)
    __attribute__((warn_unused_result));
void template_rendered_deinit(struct template_rendered *);

/* What POST /templates/validate answers; the layout must exist.  NULL: refusal_r. */
json_t *templates_validate(
    const struct templates *, const json_t *json, struct rules_refusal *refusal_r);

/* A key of a model that is not the sender's to give; NULL: there is none. */
const char *templates_reserved_key(const json_t *model);

/*
 * Every template of from that has an alias, layouts first, as what it is for to: the list of
 * actions, a new reference.  perform: to gets them.  NULL: refusal_r, and nothing has changed.
 */
json_t *templates_push(const struct templates *from, struct templates *to, bool perform,
    struct rules_refusal *refusal_r);

#endif
