#ifndef PMRELAY_CONFIG_ROUTE_VALUE_H
#define PMRELAY_CONFIG_ROUTE_VALUE_H

#include <stdbool.h>
#include <stddef.h>

struct buf;
struct strlist;

/*
 * What the values of a route look like.  A value is len bytes of printable UTF-8 followed by a
 * NUL.  explain() tells what is wrong with a value that is not right, where more than what was
 * wanted can be said.
 */
bool route_value_is_client(const char *value, size_t len);   /* network, or "unix" */
bool route_value_is_sender(const char *value, size_t len);   /* glob, or "<>" */
bool route_value_is_glob(const char *value, size_t len);     /* of addresses; "@domain" */
bool route_value_is_address(const char *value, size_t len);  /* as Postmark takes it */
bool route_value_is_from(const char *value, size_t len);     /* "Name <address>"; or none */
bool route_value_is_control(const char *value, size_t len);  /* "tag", "metadata", … */
bool route_value_is_template(const char *value, size_t len); /* alias or id; or none */
bool route_value_is_header(const char *value, size_t len);   /* "Name: pattern" */
void route_value_explain_header(const char *value, size_t len, struct buf *out);
bool route_value_is_metadata(const char *value, size_t len); /* "key=value" */
void route_value_explain_metadata(const char *value, size_t len, struct buf *out);
bool route_value_is_match(const char *value, size_t len); /* "SOURCE: pattern" */
void route_value_explain_match(const char *value, size_t len, struct buf *out);
bool route_value_is_model(const char *value, size_t len); /* "name=SOURCE" */
void route_value_explain_glob(const char *value, size_t len, struct buf *out);

/* The names that a right value of template-match puts into the model, added: that of a list, of
 * each, or of texts. */
void route_value_match_names(const char *value, struct strlist *lists, struct strlist *texts);
/* The parts of a "Name: pattern".  False: it is none; whether the pattern compiles is not asked. */
bool route_value_split_header(const char *value, size_t *name_len_r, const char **pattern_r);

#endif
