#ifndef PMRELAY_INTAKE_EXPLAIN_INSIDE_H
#define PMRELAY_INTAKE_EXPLAIN_INSIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/strlist.h"
#include "mail/envelope.h"
#include "mail/refusal.h"
#include "convert/convert.h"

#include "intake/explain.h"
#include "intake/plan.h"

struct rules;

/* Between explain.c, which asks, explain_hints.c, which warns, and explain_tell.c, which writes. */

/* What came of a group of the plan; its mail is not kept. */
struct explained {
	struct convert_facts facts;
	bool refused;
	struct refusal refusal;
	size_t most_recipients; /* of an item */
};

struct explanation {
	const struct rules *rules;
	const struct explain_input *input;
	struct buf content; /* with CRLF line ends, when the input had others */
	const char *bytes;
	size_t len;
	struct envelope envelope;
	struct origin origin;
	bool from_headers;
	struct strlist warnings;
	struct plan_input question;
	struct plan plan; /* without groups when the content could not be read */
	struct explained *groups;
	bool refused;
	struct refusal refusal;
	struct buf items;  /* the members of the array, as they are written */
	size_t json_bytes; /* of the messages in it */
	size_t items_left_out;
};

void explain_warn(struct explanation *, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* What is not wrong but should be known. */
void explain_hints(struct explanation *);

/* One group's items, appended to e->items while there is room. */
void explain_tell_items(
    struct explanation *, const struct plan_group *, const struct explained *, const struct mail *);
void explain_tell(const struct explanation *, struct buf *out);

/* From so much of its limit on a size is worth a word: percent. */
#define EXPLAIN_NEAR_PERCENT 90

/* What Postmark or a setting limits; figure 0 and limit 0: not known, or not asked. */
enum explain_size {
	SIZE_MESSAGE,
	SIZE_SMTP,
	SIZE_TEXT_BODY,
	SIZE_HTML_BODY,
	SIZE_RECIPIENTS,
	SIZE_SUBJECT,
	SIZE_TAG,
	SIZE_METADATA,
	SIZE_MAIL,
	SIZE_COUNT,
};
struct explain_figure {
	const char *what, *unit;
	uint64_t figure, limit;
	bool known;
};
/* The largest of all groups. */
void explain_sizes(const struct explanation *, struct explain_figure sizes[SIZE_COUNT]);

#endif
