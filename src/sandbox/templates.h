#ifndef PMRELAY_SANDBOX_TEMPLATES_H
#define PMRELAY_SANDBOX_TEMPLATES_H

/* The templates of one server. */
struct templates;

struct templates *templates_new(void);
void templates_free(struct templates **);
/* What a sandbox has at its start: one with the alias "welcome". */
void templates_add_usual(struct templates *);

#endif
