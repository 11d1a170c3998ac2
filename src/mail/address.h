#ifndef PMRELAY_MAIL_ADDRESS_H
#define PMRELAY_MAIL_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Addresses: the path of an SMTP envelope and the mailboxes of a header.  Pure.
 *
 * Postmark takes local parts of ASCII letters, digits and .!#$%&'`*+-/=^_{}|~ and domains of
 * letters, digits, '-' and '.': no quoted local part, no domain literal, no UTF-8 (Postmark
 * "Email API", address rules).  A U-label domain is fine here and is turned into its A-label.
 */
enum address_fault {
	ADDRESS_OK,
	ADDRESS_SYNTAX,	      /* not an address at all: 501 5.1.3 (5.1.7 for a sender) */
	ADDRESS_LOCAL_QUOTED, /* well-formed, but Postmark has no quoted local parts: 553 5.1.3 */
	ADDRESS_LOCAL_UTF8,   /* well-formed, but Postmark has no UTF-8 local parts: 553 5.6.7 */
	ADDRESS_DOMAIN,	      /* missing, literal or not convertible by IDNA: 553 5.1.3 / 5.1.2 */
	ADDRESS_LENGTH,	      /* RFC 5321 4.5.3.1: local 64, domain 255, path 256 octets */
};
const char *address_fault_text(enum address_fault); /* a clause for a reply: "…" */

#define ADDRESS_SIZE 330 /* local 64, '@', domain 255 and slack */

/*
 * One address as it stands in an envelope path without its angle brackets: "ann@Bücher.example".
 * out gets the form that is compared, stored and sent: local part as given, a quoted local part
 * that needs no quotes without them, domain in lower case and as A-labels.
 */
enum address_fault address_canonical(const char *text, size_t len, char out[ADDRESS_SIZE]);

/* A mailbox of a header: a decoded display name (may be NULL) and the canonical address. */
struct mailbox {
	char *name; /* UTF-8, no control characters */
	char *address;
};

struct mailbox_list {
	struct mailbox *boxes;
	size_t count;
	size_t unusable; /* entries left out, because no address for Postmark could be made of them */
};

/*
 * The mailboxes of a raw header value (folded, RFC 2047, comments, groups and obsolete forms
 * allowed); groups are flattened, empty ones give nothing.  Never fails: what cannot be used is
 * counted.  Parsed by GMime.
 */
void mailbox_list_parse(struct mailbox_list *, const char *value, size_t len);
/* Moves what is in more to the end of the list; more is empty afterwards. */
void mailbox_list_join(struct mailbox_list *, struct mailbox_list *more);
void mailbox_list_free(struct mailbox_list *);

struct buf;
/* Appends `"Name, quoted" <a@b.example>` or the bare address as Postmark reads it (RFC 5322
 * quoting, UTF-8 left as it is), with ", " before it unless the buffer is empty. */
void mailbox_print(struct buf *, const struct mailbox *);

#endif
