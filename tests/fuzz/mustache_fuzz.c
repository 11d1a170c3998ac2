/*
 * Templates.  The input is a template, and after a NUL a model.  Either the template is refused,
 * with places that are within it, or it renders with an empty model, and with the given one it
 * renders within the limits or tells a place within it.  A template renders with the model that
 * it suggests, unless it is too much.
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/buf.h"
#include "base/text.h"
#include "sandbox/mustache.h"

#define MOST_OUTPUT 65536

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define must(condition)                                                                            \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);    \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

static void
check_place(const char *text, size_t len, const struct mustache_error *error)
{
	size_t line = 1, at = 0, length = 0;

	must(error->line >= 1 && error->position >= 1);
	must(error->text[0] != '\0' && strlen(error->text) < sizeof(error->text));
	must(text_is_utf8(error->text, strlen(error->text)));
	while (line < error->line) {
		const char *end = memchr(text + at, '\n', len - at);

		must(end != NULL);
		at = (size_t)(end - text) + 1;
		line++;
	}
	while (at + length < len && text[at + length] != '\n')
		length++;
	must(error->position <= length);
}

static int
render(const struct mustache *template, const json_t *model, const char *text, size_t len)
{
	struct mustache_params params = {
		.model = model, .escape = true, .content = "c", .unsubscribe_url = "u"
	};
	struct mustache_error error;
	struct buf out;
	int rc;

	buf_init(&out, MOST_OUTPUT);
	rc = mustache_render(template, &params, &out, &error);
	must(out.len <= MOST_OUTPUT && (rc != 0 || !out.over));
	if (rc != 0)
		check_place(text, len, &error);
	if (rc != 0 && strstr(error.text, "used like an array") == NULL)
		rc = -2;
	buf_free(&out);
	return rc;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data, *nul;
	struct mustache_errors errors;
	struct mustache_guess *guess;
	struct mustache *template;
	json_t *model;
	size_t len = size;

	if (size == 0)
		return 0;
	nul = memchr(text, '\0', size);
	if (nul != NULL)
		len = (size_t)(nul - text);
	template = mustache_parse(text, len, true, &errors);
	must((template == NULL) == (errors.count > 0));
	for (size_t i = 0; i < errors.count; i++)
		check_place(text, len, &errors.items[i]);
	if (template == NULL)
		return 0;

	must(render(template, NULL, text, len) == 0 || len > MOST_OUTPUT / 8);
	if (nul != NULL) {
		model = json_loadb(nul + 1, size - len - 1, 0, NULL);
		(void)render(template, model, text, len);
		json_decref(model);
	}
	guess = mustache_guess_new();
	mustache_guess_add(guess, template);
	model = mustache_guess_json(guess);
	must(json_is_object(model));
	(void)render(template, model, text, len);
	json_decref(model);
	mustache_guess_free(&guess);
	mustache_free(&template);
	return 0;
}
