#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/secret.h"

#include "mail/hook.h"

void
hook_copy(struct hook *to, const struct hook *from)
{
	*to = *from;
	to->path = mem_string(from->path);
	to->connection = mem_string(from->connection);
	to->stream = mem_string(from->stream);
	to->user = mem_string(from->user);
	to->password = mem_string(from->password);
}

static void
forget(char *text)
{
	if (text != NULL)
		secret_wipe(text, strlen(text));
	free(text);
}

void
hook_deinit(struct hook *hook)
{
	forget(hook->path);
	forget(hook->password);
	free(hook->connection);
	free(hook->stream);
	free(hook->user);
	*hook = (struct hook){ 0 };
}

void
hook_list_free(struct hook *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		hook_deinit(&list[i]);
	free(list);
}
