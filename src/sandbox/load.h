#ifndef PMRELAY_SANDBOX_LOAD_H
#define PMRELAY_SANDBOX_LOAD_H

#include <stddef.h>

#include <jansson.h>

/*
 * JSON text to jansson's values.  Takes what json_loadb() with JSON_REJECT_DUPLICATES takes, but
 * no NUL anywhere, and goes over long strings in strides: bodies and attachments are nearly all of
 * a request, and jansson's own reader needs 35 ns for each of their bytes.
 */

/* Where an element of the outermost array stands in the text. */
struct load_slice {
	size_t start;
	size_t len;
};

/*
 * An object or an array, or NULL and *why_r tells the reason (lent for ever).  slices_r may be
 * NULL; else it gets the elements of an outermost array, for the caller to free, or NULL.
 */
json_t *load_json(const char *text, size_t len, struct load_slice **slices_r, const char **why_r);

#endif
