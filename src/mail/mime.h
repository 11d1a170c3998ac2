#ifndef PMRELAY_MAIL_MIME_H
#define PMRELAY_MAIL_MIME_H

#include <stdbool.h>
#include <stddef.h>

#include "mail/charset.h"
#include "mail/value.h"

struct buf;
struct _GMimeObject;
struct _GMimeParserOptions;

/*
 * MIME: header fields, the tree of parts and transfer encodings; charsets and header values are in
 * charset.h and value.h.  GMime parses.  Bodies are not copied but point into the content, which is
 * lent for the life of a struct mime, and limits hold while GMime reads.  Where GMime needs help,
 * the workaround and its reason stand in mime.c, tree.c, parameter.c, value.c and charset.c, and
 * nowhere else.
 */

/* Once per process, before any fence: GMime's tables, iconv's modules for the rarer charsets. */
void mime_setup(void);
struct _GMimeParserOptions *mime_parser_options(void); /* lent; NULL before mime_setup() */

struct mime_field {
	const char *name; /* not terminated */
	size_t name_len;
	const char *value; /* raw, folds included, without the line end */
	size_t value_len;
};
bool mime_field_is(const struct mime_field *, const char *name);

enum mime_kind {
	MIME_LEAF,
	MIME_MULTIPART,
	MIME_MESSAGE, /* a message within: message/rfc822 and its like; not looked into */
};

enum mime_encoding {
	MIME_IDENTITY, /* 7bit, 8bit, binary, and what nobody knows */
	MIME_BASE64,
	MIME_QUOTED_PRINTABLE,
	MIME_UUENCODE,
};

struct mime_part {
	enum mime_kind kind;
	enum mime_encoding encoding;
	unsigned depth;
	size_t end;       /* index of the first part after this one that is not within it */
	char type[128];   /* "text/plain", lower case */
	const char *body; /* as received, still encoded */
	size_t body_len;
	char *content_type; /* the field's value, plain (mime_plain_value); NULL: there is none */
	char *disposition;  /* the same */
	char *content_id;   /* without angle brackets; NULL: there is none */
};

struct mime {
	const char *header; /* raw top header, without the empty line */
	size_t header_len;
	struct mime_field *fields; /* of the top header, in order; they point into it */
	size_t field_count;
	struct mime_part *parts; /* the root first, then every part before its children */
	size_t part_count;
	struct _GMimeObject *root; /* GMime's tree; its streams are no more */
};

struct mime_limits {
	unsigned depth; /* multiparts within multiparts */
	unsigned parts;
	unsigned fields; /* of the top header */
};

enum mime_end {
	MIME_DONE,
	MIME_TOO_MANY_FIELDS,
	MIME_TOO_DEEP,
	MIME_TOO_MANY_PARTS,
};

/* content is lent for the life of the result.  *figure_r: what passed the limit, as far as it
 * was counted.  Whatever comes back, mime_free() is due. */
enum mime_end mime_parse(struct mime *, const char *content, size_t len, const struct mime_limits *,
    size_t *figure_r) __attribute__((warn_unused_result));
void mime_free(struct mime *);

bool mime_part_is_attachment(const struct mime_part *); /* Content-Disposition: attachment */
bool mime_part_is_inline(const struct mime_part *);     /* Content-Disposition: inline */
/* A parameter of Content-Type: decoded and clean; the caller frees.  NULL: there is none. */
char *mime_part_parameter(const struct mime_part *, const char *name);
/* The file name (RFC 2183, RFC 2231, RFC 2047 as clients send it), decoded and clean, still with
 * whatever path its sender gave it.  The caller frees.  NULL: there is none. */
char *mime_part_file_name(const struct mime_part *);

/* The body without its transfer encoding, appended. */
void mime_part_decode(const struct mime_part *, struct buf *out);
/*
 * The body of a text part as UTF-8 with LF line ends and without NUL and byte order mark, the lines
 * of format=flowed (RFC 3676) put together, appended.  Returns how many sequences could not be
 * decoded and became U+FFFD.
 */
size_t mime_part_text(const struct mime_part *, struct buf *out);

#endif
