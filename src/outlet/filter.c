#include "base/pattern.h"
#include "base/strlist.h"
#include "config/config.h"
#include "mail/event.h"

#include "outlet/filter.h"

unsigned
filter_kinds(const struct outlet *outlet)
{
	unsigned kinds = 0;
	enum event_kind kind;

	for (size_t i = 0; i < outlet->kinds.count; i++)
		if (event_kind_parse(outlet->kinds.items[i], &kind) == 0)
			kinds |= 1U << kind;
	return kinds;
}

static bool
one_matches(const struct strlist *globs, const char *text)
{
	for (size_t i = 0; i < globs->count; i++)
		if (pattern_glob(globs->items[i], text))
			return true;
	return globs->count == 0;
}

bool
filter_passes(const struct outlet *outlet, const struct event *event)
{
	unsigned kinds = filter_kinds(outlet);

	return (kinds == 0 || (kinds & 1U << event->kind) != 0) &&
	       one_matches(&outlet->streams, event->stream) &&
	       one_matches(&outlet->tags, event->tag);
}
