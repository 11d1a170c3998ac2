#ifndef PMRELAY_BASE_JSON_H
#define PMRELAY_BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>

struct buf;

/*
 * Writing JSON into a buffer.  Reading is left to jansson; writing is ours because bodies of
 * megabytes pass here and jansson escapes 130 MB/s (doc/performance.md).
 */

/* The quoted, escaped string.  bytes must be valid UTF-8 (text_is_utf8). */
void json_add_string(struct buf *, const char *bytes, size_t len);
/* The escaped characters without the quotes, for strings that arrive in pieces. */
void json_add_escaped(struct buf *, const char *bytes, size_t len);

/* "name":"value", with a comma before it unless the buffer is empty or ends in '{' or ','.  name
 * needs no escape. */
void json_add_member(struct buf *, const char *name, const char *value, size_t len);
/* "name": with the comma, the value to be added by the caller. */
void json_add_name(struct buf *, const char *name);

/*
 * bytes are one object and nothing else: braces, brackets and quotes balance, the object closes
 * at the last byte, no raw control character, valid UTF-8.  It does not judge grammar beyond
 * that: the point is that joining such objects with commas gives as many array elements.
 */
bool json_is_one_object(const char *bytes, size_t len);

/*
 * No deeper nested and with no more values than that, for whoever is to parse what a stranger
 * says: a value of two bytes costs the parser a hundred.  It judges nothing else.
 */
bool json_is_within(const char *bytes, size_t len, unsigned most_depth, size_t most_values);

#endif
