/*
 * Any bytes as a configuration file or, after "ENV" and a line end, as lines of an environment:
 * what loads is printed, and the print loads again to the same print, as does a copy; what does
 * not load says why, in a file with the line.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/strlist.h"

#include "config/config.h"

static void
must(bool right)
{
	if (!right)
		abort();
}

static struct config *
load_environment(const char *text, size_t len, struct buf *why)
{
	struct strlist lines = { 0 };
	struct config *config;
	char **environment;

	while (len > 0) {
		const char *end = memchr(text, '\n', len);
		size_t line = end == NULL ? len : (size_t)(end - text);

		/* No other variable is looked at, but for the folder of the credentials. */
		if (line > 8 && memcmp(text, "PMRELAY_", 8) == 0)
			strlist_add_bytes(&lines, text, line);
		text += line + (end != NULL);
		len -= line + (end != NULL);
	}
	environment = mem_array(lines.count + 1, sizeof(*environment));
	for (size_t i = 0; i < lines.count; i++)
		environment[i] = lines.items[i];
	config = config_load(NULL, environment, why);
	free(environment);
	strlist_free(&lines);
	return config;
}

static void
must_print_same(const struct config *config, const struct buf *wanted)
{
	struct buf out;

	buf_init(&out, 1 << 26);
	config_print(config, true, &out);
	must(out.len == wanted->len && memcmp(out.data, wanted->data, out.len) == 0);
	buf_free(&out);
}

/* Each name once, found by it, and none is that of the first. */
static void
must_have_names(const struct config *config)
{
	const struct connection *c;

	for (size_t i = 0; (c = config_connection_at(config, i)) != NULL; i++)
		must(config_connection(config, c->name) == c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct buf why, print;
	struct config *config, *again, *copy;
	bool environment = len >= 4 && memcmp(data, "ENV\n", 4) == 0;

	buf_init(&why, 1 << 24);
	config = environment ? load_environment((const char *)data + 4, len - 4, &why)
			     : config_parse((const char *)data, len, "fuzz", &why);
	must((config == NULL) == (why.len > 0));
	if (config == NULL) {
		/* Each message is a line of its own, free of what could disturb a terminal. */
		must(environment || strncmp(why.data, "fuzz:", 5) == 0);
		must(why.data[why.len - 1] == '\n');
		for (size_t i = 0; i < why.len; i++)
			must((unsigned char)why.data[i] >= ' ' || why.data[i] == '\n');
		buf_free(&why);
		return 0;
	}

	buf_init(&print, 1 << 26);
	config_print(config, true, &print);
	again = config_parse(print.data, print.len, "printed", &why);
	must(again != NULL);
	must_print_same(again, &print);
	must_have_names(again);
	copy = config_copy(config);
	must_print_same(copy, &print);

	config_free(&config);
	config_free(&again);
	config_free(&copy);
	buf_free(&print);
	buf_free(&why);
	return 0;
}
