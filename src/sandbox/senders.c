#include <stdlib.h>

#include "base/mem.h"
#include "base/strlist.h"
#include "base/text.h"

#include "sandbox/senders.h"

struct senders {
	struct strlist confirmed;
};

struct senders *
senders_new(void)
{
	return mem_new(sizeof(struct senders));
}

void
senders_free(struct senders **senders_p)
{
	if (*senders_p == NULL)
		return;
	strlist_free(&(*senders_p)->confirmed);
	free(*senders_p);
	*senders_p = NULL;
}

void
senders_add_confirmed(struct senders *senders, const char *address)
{
	strlist_add(&senders->confirmed, address);
}

bool
senders_confirmed(const struct senders *senders, const char *address)
{
	for (size_t i = 0; i < senders->confirmed.count; i++) {
		if (text_same(senders->confirmed.items[i], address))
			return true;
	}
	return false;
}
