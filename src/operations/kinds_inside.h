#ifndef PMRELAY_OPERATIONS_KINDS_INSIDE_H
#define PMRELAY_OPERATIONS_KINDS_INSIDE_H

/* What the files about kinds share; nobody else includes it. */

#include <stdbool.h>

#include "operations/kinds.h"
#include "operations/operation.h"

/* What came, for people: a text with quotes around it, JSON by its type. */
const char *kind_found(char out[KIND_QUOTE_SIZE], const struct argument *, const json_t *value);
/* "found …, wanted …" by the kind; always NULL. */
json_t *kind_wrong_value(struct buf *why, const struct argument *, const json_t *value);
/* Nothing that could begin another line. */
bool kind_is_one_line(const char *text);
/* A text without a NUL in it, which would end it early further on; else NULL. */
const char *kind_plain_text(const json_t *value);
int kind_read_integer(const char *text, int64_t *number_r); /* 0, or -1 */
bool kind_in_range(const struct argument *, int64_t number);
/* A member in Postmark's spelling or in lower case; NULL: there is none. */
json_t *kind_either(const json_t *object, const char *name, const char *lower);

/* Of one kind each, as kind_check(). */
json_t *kind_check_string(const struct argument *, const json_t *value, struct buf *why);
json_t *kind_check_choice(const struct argument *, const json_t *value, struct buf *why);
json_t *kind_check_time(const struct argument *, const json_t *value, struct buf *why);
json_t *kind_check_when(
    const struct argument *, const json_t *value, int64_t now_ms, struct buf *why);
json_t *kind_check_bytes(const struct argument *, const json_t *value, struct buf *why);
json_t *kind_check_files(const struct argument *, const json_t *value, struct buf *why);
json_t *kind_check_attachments(const struct argument *, const json_t *value, struct buf *why);
json_t *kind_check_list(const struct argument *, const json_t *value, struct buf *why);
json_t *kind_check_pairs(const struct argument *, const json_t *value, struct buf *why);
json_t *kind_check_headers(const struct argument *, const json_t *value, struct buf *why);

#endif
