#ifndef PMRELAY_CONVERT_CONVERT_H
#define PMRELAY_CONVERT_CONVERT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "convert/ledger.h"

struct envelope;
struct guard_item;
struct mail;
struct origin;
struct refusal;

/*
 * A received mail to its items: envelope and MIME content in, finished Postmark JSON out.  Pure:
 * no clock, no socket, no global but GMime's own tables (convert_setup).
 *
 * The way through the folder: mime (facts row) reads the tree, headers.c decides on header
 * fields and X-PM-* controls, recipients.c splits the envelope into items, parts.c finds bodies and
 * attachments, item.c writes the JSON, guard.c checks the result against the envelope without
 * sharing a line with recipients.c.
 */
struct convert_options {
	const char *route;          /* name, for the record */
	const char *message_stream; /* "" leaves the field out */
	const char *default_tag;    /* "" for none; X-PM-Tag beats it */
	int track_opens;            /* -1: the field is left out; 0, 1 */
	const char *track_links;    /* "": left out; None, HtmlAndText, HtmlOnly, TextOnly */
	uint64_t most_api_bytes;    /* the JSON of an item: 10,485,760 */
	uint64_t most_body_bytes;   /* TextBody and HtmlBody each: 5,242,880 */
	unsigned most_recipients;   /* To+Cc+Bcc of an item: 50 */
	unsigned most_depth;        /* nesting of multiparts: 100 */
	unsigned most_parts;        /* 1000 */
	unsigned most_headers;      /* 1000 header fields in the top header */
};

struct convert_input {
	const struct envelope *envelope;
	const struct origin *origin;
	const char *content; /* after dot-unstuffing, CRLF line ends */
	size_t content_len;
	const char *mail_id; /* ULID */
	int64_t accepted_ms;
};

/* Once per process, before any fence: GMime's tables, and iconv for the rarer charsets. */
void convert_setup(void);

/*
 * 0 and *mail_r (the caller frees it), or -1 and *refusal_r: 5xx when this mail can never become
 * a Postmark message, 451 when the guard found that it would reach or show somebody it must not.
 */
int convert_mail(const struct convert_options *, const struct convert_input *, struct mail **mail_r,
    struct refusal *refusal_r) __attribute__((warn_unused_result));

/*
 * What the conversion came to know of a mail, also of one that it refused: as far as it came.
 * Zeroed before, convert_facts_free() afterwards.
 */
struct convert_facts {
	bool has_headers, has_parts; /* those were read */
	char *from, *subject, *message_id;
	size_t subject_units, tag_units; /* UTF-16 */
	size_t metadata_count;           /* with relay-id */
	size_t text_bytes, html_bytes, attachment_count;
	size_t largest_bytes; /* of the largest item's JSON; 0: none was made */
	struct ledger ledger;
	struct guard_item *written; /* To, Cc and Bcc of each item, as in its JSON */
	size_t written_count;
};
int convert_mail_with_facts(const struct convert_options *, const struct convert_input *,
    struct convert_facts *, struct mail **mail_r, struct refusal *refusal_r)
    __attribute__((warn_unused_result));
void convert_facts_free(struct convert_facts *);

#endif
