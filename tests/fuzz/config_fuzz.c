/*
 * Any bytes as a configuration file: what loads is printed, and the print loads again to the same
 * print; what does not load says why, with the line.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

#include "config/config.h"

static void
must(bool right)
{
	if (!right)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct buf why, first, second;
	struct config *config, *again;

	buf_init(&why, 1 << 20);
	config = config_parse((const char *)data, len, "fuzz", &why);
	must((config == NULL) == (why.len > 0));
	if (config == NULL) {
		/* Each message is a line of its own, free of what could disturb a terminal. */
		must(strncmp(why.data, "fuzz:", 5) == 0 && why.data[why.len - 1] == '\n');
		for (size_t i = 0; i < why.len; i++)
			must((unsigned char)why.data[i] >= ' ' || why.data[i] == '\n');
		buf_free(&why);
		return 0;
	}

	buf_init(&first, 1 << 24);
	buf_init(&second, 1 << 24);
	config_print(config, true, &first);
	again = config_parse(first.data, first.len, "printed", &why);
	must(again != NULL);
	config_print(again, true, &second);
	must(first.len == second.len && memcmp(first.data, second.data, first.len) == 0);

	config_free(&config);
	config_free(&again);
	buf_free(&first);
	buf_free(&second);
	buf_free(&why);
	return 0;
}
