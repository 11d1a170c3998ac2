#ifndef PMRELAY_CONSOLE_TABLE_H
#define PMRELAY_CONSOLE_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

struct buf;
struct operation;
struct paint;

/* JSON as people read it.  Pure; whatever came from outside is made safe for a terminal. */

/*
 * The answer of an operation: a table of its rows and columns, or a line for each name with its
 * value.  false: the table has no row, and nothing was written.
 */
bool table_add(const struct paint *, struct buf *, const struct operation *, const json_t *answer);
/* The first column of each row, or the id of an object, a line each; for --quiet. */
void table_add_ids(struct buf *, const struct operation *, const json_t *answer);

/* Names and values, a line each; what is nested is named by its path. */
void table_add_object(const struct paint *, struct buf *, const json_t *object);
/* "Name  value", the name in so many columns. */
void table_add_pair(
    const struct paint *, struct buf *, const char *name, size_t columns, const char *value);

/* The member at "Triggers.Bounce.Enabled"; lent.  NULL: there is none. */
const json_t *table_member(const json_t *object, const char *path, size_t path_len);

#endif
