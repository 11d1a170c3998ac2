#ifndef PMRELAY_WEBHOOK_HOOKS_H
#define PMRELAY_WEBHOOK_HOOKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct config;
struct hook;

/*
 * By what posts of Postmark's are known.  The core makes it, the front that takes the posts reads
 * it: digests with a salt of their own, so that whoever reads a front's memory has no secret to
 * post with; and certificate and key, since a front reads no files.  An object:
 *
 *	{"salt":hex,
 *	 "hooks":[{"path":hex,"auth":hex or "","connection":…,"stream":…,"ends":ms}],
 *	 "manual":{"path":hex or "","auth":hex or "","header":name,"value":hex or
 *"","connection":…}, "tls":bool,"certificate":PEM,"key":PEM}
 *
 * "manual" is not there without any secret in the configuration, certificate and key are not where
 * "tls" is false or they cannot be used.
 */

/*
 * Appended to out.  list: of store_hooks(); those that have ended are left out.  The secrets of
 * config are loaded.  0; or -1 and why: certificate or key cannot be used, and are not in it.
 */
int hooks_json(const struct config *, const struct hook *list, size_t count, int64_t now_ms,
    struct buf *out, char *why, size_t why_size);

struct hooks;
struct hooks *hooks_read(const char *json, size_t len); /* NULL: not as above */
void hooks_free(struct hooks **);

bool hooks_tls(const struct hooks *);
const char *hooks_certificate(const struct hooks *); /* PEM, with what leads to its authority */
const char *hooks_key(const struct hooks *);         /* PEM; both NULL: there are none */
const char *hooks_header(const struct hooks *);      /* whose value is asked for; NULL: none */

/* What a post shows.  NULL: it has none, or several. */
struct hooks_shown {
	const char *path;          /* encoded; its last part is the secret */
	const char *authorization; /* value of that header */
	const char *header;        /* value of the header hooks_header() */
};
struct hooks_found {
	const char *connection, *stream; /* of hooks; stream "": one made by hand, for anything */
};
/*
 * Whether these are the secrets of one of them.  Takes the same time whatever is wrong: digests are
 * compared, all of each and with all of them.
 */
bool hooks_find(
    const struct hooks *, const struct hooks_shown *, int64_t now_ms, struct hooks_found *found_r);

#endif
