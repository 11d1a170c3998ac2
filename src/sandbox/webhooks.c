#include <stdlib.h>

#include <jansson.h>

#include "base/mem.h"

#include "sandbox/webhooks.h"

struct webhooks {
	json_t *list;
};

struct webhooks *
webhooks_new(void)
{
	struct webhooks *webhooks = mem_new(sizeof(*webhooks));

	webhooks->list = json_array();
	return webhooks;
}

void
webhooks_free(struct webhooks **webhooks_p)
{
	if (*webhooks_p == NULL)
		return;
	json_decref((*webhooks_p)->list);
	free(*webhooks_p);
	*webhooks_p = NULL;
}
