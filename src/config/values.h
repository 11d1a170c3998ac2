#ifndef PMRELAY_CONFIG_VALUES_H
#define PMRELAY_CONFIG_VALUES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;

/*
 * What the values of options look like.  A value is len bytes of printable UTF-8 followed by a
 * NUL.
 */

/* For ranges. */
#define SECOND   UINT64_C(1000)
#define MINUTE   (60 * SECOND)
#define HOUR     (60 * MINUTE)
#define DAY      (24 * HOUR)
#define KIBIBYTE UINT64_C(1024)
#define MEBIBYTE (1024 * KIBIBYTE)
#define GIBIBYTE (1024 * MEBIBYTE)

/* What a row's right() may be. */
bool value_is_hostname(const char *value, size_t len); /* or none */
bool value_is_user(const char *value, size_t len);     /* or a group; or none */
bool value_is_name(const char *value, size_t len);     /* that a log line and a table show */
bool value_is_socket(const char *value, size_t len);   /* absolute path, or none */
bool value_is_path(const char *value, size_t len);     /* absolute */
bool value_is_path_or_none(const char *value, size_t len);
bool value_is_stream(const char *value, size_t len);
bool value_is_stream_or_none(const char *value, size_t len);
bool value_is_token(const char *value, size_t len);            /* fit for an HTTP header, or none */
bool value_is_path_secret(const char *value, size_t len);      /* 16 or more for a path, or none */
bool value_is_basic_user(const char *value, size_t len);       /* RFC 7617, or none */
bool value_is_header_name(const char *value, size_t len);      /* RFC 9110, or none */
bool value_is_listener(const char *value, size_t len);         /* endpoint, or "unix:/path" */
bool value_is_endpoint_or_none(const char *value, size_t len); /* "127.0.0.1:25", "[::1]:25" */
bool value_is_network(const char *value, size_t len);          /* "192.0.2.0/24", "2001:db8::1" */
bool value_is_network_or_postmark(const char *value, size_t len);
bool value_is_trigger(const char *value, size_t len); /* of a webhook */
bool value_is_network_or_unix(const char *value, size_t len);
bool value_is_url(const char *value, size_t len); /* without user, query, fragment */
bool value_is_url_or_none(const char *value, size_t len);
bool value_is_smtp_url(const char *value, size_t len); /* "smtp://host:587" */

/* Of a section: letters, digits and '-', of which the first is a letter. */
#define VALUE_MOST_TITLE_BYTES 63
bool value_is_title(const char *value, size_t len);

bool value_listener_is_local(const char *listener); /* of a right one: loopback or Unix */
bool value_url_is_safe(const char *url);            /* of a right one: https, or a loopback host */
bool value_url_is_local(const char *url);           /* of a right one: a loopback host */

/* 0, or -1: it is none. */
int value_size(const char *text, size_t len, uint64_t *bytes_r);
int value_time(const char *text, size_t len, int64_t *ms_r);
int value_bool(const char *text, bool *yes_r);

void value_print_size(uint64_t bytes, struct buf *out);
void value_print_time(uint64_t ms, struct buf *out);

#endif
