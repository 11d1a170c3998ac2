#include <stdlib.h>

#include "base/mem.h"
#include "base/strlist.h"
#include "base/text.h"

#include "sandbox/domains.h"

struct domains {
	struct strlist verified;
};

struct domains *
domains_new(void)
{
	return mem_new(sizeof(struct domains));
}

void
domains_free(struct domains **domains_p)
{
	if (*domains_p == NULL)
		return;
	strlist_free(&(*domains_p)->verified);
	free(*domains_p);
	*domains_p = NULL;
}

void
domains_add_verified(struct domains *domains, const char *name)
{
	strlist_add(&domains->verified, name);
}

bool
domains_verified(const struct domains *domains, const char *name)
{
	for (size_t i = 0; i < domains->verified.count; i++) {
		if (text_same(domains->verified.items[i], name))
			return true;
	}
	return false;
}
