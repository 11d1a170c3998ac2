#ifndef PMRELAY_CONVERT_CONVERT_H
#define PMRELAY_CONVERT_CONVERT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mail/mail.h"
#include "convert/ledger.h"

struct envelope;
struct guard_item;
struct mime;
struct origin;
struct pattern_budget;
struct refusal;
struct strlist;

/*
 * A received mail to its items: envelope and MIME content in, finished Postmark JSON out.  Pure:
 * no clock, no socket, no global but GMime's own tables (convert_setup).
 *
 * The way through the folder: the tree is read (mime, facts row), headers.c decides on header
 * fields and controls.c on X-PM-* among them, parts.c finds bodies and attachments, policy.c
 * decides on what a JSON API cannot carry, template.c finds a template and its model, recipients.c
 * splits the envelope into items, item.c writes the JSON (or verbatim.c the mail itself, for
 * Postmark's SMTP service), guard.c checks the result against the envelope without sharing a line
 * with what made it.
 */

/* Limits of reading, the same for all routes. */
struct convert_limits {
	unsigned depth;   /* nesting of multiparts: 100 */
	unsigned parts;   /* 1000 */
	unsigned headers; /* 1000 header fields in the top header */
};

/* What an X-PM field of a mail may decide against its route: 1U << these. */
enum convert_control {
	CONTROL_TAG,
	CONTROL_MESSAGE_STREAM,
	CONTROL_METADATA,
	CONTROL_TRACK_OPENS,
	CONTROL_TRACK_LINKS,
	CONTROL_TEMPLATE,
};
#define CONTROLS_ALL ((2U << CONTROL_TEMPLATE) - 1)

enum convert_from {
	FROM_OFF,             /* as it comes */
	FROM_IF_UNAUTHORISED, /* the route's, unless the author is one of from_authorised */
	FROM_FORCE,           /* the route's */
};

struct template_rule;

/* A route's. */
struct convert_options {
	const char *route;              /* name, for the record */
	const char *message_stream;     /* "" leaves the field out */
	const char *default_tag;        /* "" for none */
	int track_opens;                /* -1: the field is left out; 0, 1 */
	const char *track_links;        /* "": left out; None, HtmlAndText, HtmlOnly, TextOnly */
	const struct strlist *metadata; /* "key=value", within Postmark's limits; may be NULL */
	unsigned controls;              /* of the mail that beat these */
	const char *from;               /* "Name <address>", "address", "" for none */
	enum convert_from from_rewrite; /* with the author then in Reply-To, unless one is there */
	const struct strlist *from_authorised; /* globs of addresses (pattern_glob); may be NULL */
	enum fidelity_policy {
		POLICY_CONVERT,
		POLICY_REJECT,    /* 554 5.6.1 */
		POLICY_SMTP,      /* the mail as it is, as items of kind ITEM_SMTP */
	} policy[LEDGER_ENTRIES]; /* by ledger entry; only those of ledger_has_policy() */
	const struct template_rule *template; /* lent; NULL: none (template.h) */
	bool captured;                        /* for the record: struct mail's */
	enum reply_mode reply;                /* the same */
	int64_t reply_within_ms;              /* the same */
	uint64_t most_api_bytes;              /* the JSON of an item: 10,485,760 */
	uint64_t most_body_bytes;             /* TextBody and HtmlBody each: 5,242,880 */
	unsigned most_recipients;             /* To+Cc+Bcc of an item: 50 */
	struct convert_limits limits;
};

struct convert_input {
	const struct envelope *envelope; /* of this route's recipients alone */
	const struct origin *origin;
	const struct mime *mime; /* convert_read() of the content; NULL: it is read here */
	const char *content;     /* after dot-unstuffing, CRLF line ends */
	size_t content_len;
	const char *mail_id; /* ULID */
	int64_t accepted_ms;
	struct pattern_budget *patterns; /* of the mail, for all its routes; NULL: none */
	/* Staging: whom the mail was for before the envelope was changed; told in a header field
	 * X-Redirected-For.  NULL: the envelope is the client's. */
	const struct strlist *redirected;
};

/* Once per process, before any fence: GMime's tables, and iconv for the rarer charsets. */
void convert_setup(void);

/*
 * Reads a content once, for any number of routes; content is lent for the life of *mime_r, and
 * mime_free() is due whatever comes back.  0, or -1 and *refusal_r: a limit.
 */
int convert_read(const struct convert_limits *, const char *content, size_t len,
    struct mime *mime_r, struct refusal *refusal_r) __attribute__((warn_unused_result));

/*
 * 0 and *mail_r (the caller frees it), or -1 and *refusal_r: 5xx when this mail can never become
 * a Postmark message, 451 when the guard found that it would reach or show somebody it must not.
 */
int convert_mail(const struct convert_options *, const struct convert_input *, struct mail **mail_r,
    struct refusal *refusal_r) __attribute__((warn_unused_result));

/*
 * What the conversion came to know of a mail, also of one that it refused: as far as it came.  It
 * logs nothing then.  Zeroed before, convert_facts_free() afterwards.
 */
struct convert_facts {
	bool has_headers, has_parts; /* those were read */
	char *from, *subject, *message_id;
	char *author;                    /* an address, before a route's rewrite; "": nobody */
	char *tag, *message_stream;      /* as they go out; "": none */
	size_t subject_units, tag_units; /* UTF-16 */
	size_t metadata_count;           /* with relay-id */
	size_t text_bytes, html_bytes, attachment_count;
	size_t largest_bytes; /* of the largest item's JSON; 0: none was made */
	struct ledger ledger;
	bool verbatim;                  /* it goes by SMTP as it is: the items have no JSON */
	enum ledger_entry verbatim_for; /* the first entry whose policy says so */
	char *template;                 /* alias or id that it goes with; "": none */
	char *gave_up;                  /* the template's pattern that ran into a limit; NULL */
	char *guard;                    /* what the guard found; NULL: nothing */
	struct guard_item *written;     /* To, Cc and Bcc of each item, as in its JSON */
	size_t written_count;
};
int convert_mail_with_facts(const struct convert_options *, const struct convert_input *,
    struct convert_facts *, struct mail **mail_r, struct refusal *refusal_r)
    __attribute__((warn_unused_result));
void convert_facts_free(struct convert_facts *);

#endif
