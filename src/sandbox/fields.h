#ifndef PMRELAY_SANDBOX_FIELDS_H
#define PMRELAY_SANDBOX_FIELDS_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

/*
 * The fields of a JSON body.  null means the same as absent, and so does "" for an optional text;
 * unknown names are ignored.
 */
enum fields_type {
	FIELDS_STRING,
	FIELDS_FLAG,
	FIELDS_INTEGER,
	FIELDS_OBJECT,
	FIELDS_ARRAY,
};

struct fields {
	const char *name;
	enum fields_type type;
};

/* NULL: every field that is there has its type.  Else the text of the 403, for the caller to
 * free. */
char *fields_wrong(const json_t *object, const struct fields *, size_t count);

const json_t *fields_get(const json_t *object, const char *name); /* NULL: absent, null */
const char *fields_text(const json_t *object, const char *name);  /* NULL: absent, null, "" */
bool fields_flag(const json_t *object, const char *name, bool otherwise);

#endif
