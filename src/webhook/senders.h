#ifndef PMRELAY_WEBHOOK_SENDERS_H
#define PMRELAY_WEBHOOK_SENDERS_H

#include <stdbool.h>
#include <stddef.h>

struct strlist;

/*
 * Who posts: the address at the other end, or, where that is a proxy of ours, the one that it
 * tells.  Pure.
 */
struct senders;

/* As webhook.networks and webhook.proxies have been checked by the configuration. */
struct senders *senders_new(const struct strlist *networks, const struct strlist *proxies);
void senders_free(struct senders **);

/*
 * peer: as in struct httpd_peer.  forwarded: the values of all headers X-Forwarded-For, in their
 * order.  The sender is the last in them that is no proxy of ours: what stands before it, anybody
 * can have written.  text_r gets it for the log: an address, "unix", or "unknown".
 */
#define SENDERS_TEXT_SIZE 64
bool senders_may(const struct senders *, const char *peer, const char *const *forwarded,
    size_t count, char text_r[SENDERS_TEXT_SIZE]);

#endif
