#include <stdlib.h>

#include "base/mem.h"

#include "sandbox/templates.h"

struct templates {
	size_t count;
};

struct templates *
templates_new(void)
{
	return mem_new(sizeof(struct templates));
}

void
templates_free(struct templates **templates_p)
{
	free(*templates_p);
	*templates_p = NULL;
}

void
templates_add_usual(struct templates *templates)
{
	templates->count = 1;
}
