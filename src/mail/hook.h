#ifndef PMRELAY_MAIL_HOOK_H
#define PMRELAY_MAIL_HOOK_H

#include <stddef.h>
#include <stdint.h>

/*
 * A webhook of Postmark's that points to this relay and was made by it ("instanced"): whose events
 * it brings, and the secrets by which its posts are known.  Kept in the spool.  While secrets are
 * being changed a stream has two: the old one is let in until ends_ms.
 */
struct hook {
	char *path;       /* what follows public-url and a slash: 32 random characters; its key */
	char *connection; /* whose server */
	char *stream;     /* of outbound events; "inbound": mails that come in */
	char *user, *password; /* HTTP Basic; "": none */
	int64_t webhook_id;    /* Postmark's; 0: not made yet, or the server's InboundHookUrl */
	int64_t made_ms;       /* wall clock */
	int64_t ends_ms;       /* wall clock; 0: for good */
};

void hook_copy(struct hook *to, const struct hook *from);
void hook_deinit(struct hook *);                      /* what it holds; wipes the secrets */
void hook_list_free(struct hook *list, size_t count); /* with the array */

#endif
