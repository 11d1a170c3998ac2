#ifndef PMRELAY_BASE_TLS_H
#define PMRELAY_BASE_TLS_H

#include <stddef.h>

/* OpenSSL's own structs by their tags, so that nobody has to include its headers for a pointer. */
struct ssl_ctx_st;
struct ssl_st;

/*
 * What a server is made of: TLS 1.2 or later, no resumption.  With client_ca_file, clients must
 * show a certificate from that authority; NULL: they are not asked for one.  All files are PEM.
 * NULL and why.  The caller frees it with tls_context_free().
 */
struct ssl_ctx_st *tls_server_context(const char *certificate_file, const char *key_file,
    const char *client_ca_file, char *why, size_t why_size);
/*
 * The same with a certificate that is made now and is its own authority, for localhost, the
 * loopback's addresses and host, a name or an address.  *certificate_r is what clients verify it
 * by, in PEM; the caller frees it.
 */
struct ssl_ctx_st *tls_self_signed_context(
    const char *host, char **certificate_r, char *why, size_t why_size);
/* The same from PEM in memory, both of it, and no certificates of clients: for a process that reads
 * no files. */
struct ssl_ctx_st *tls_server_context_of(
    const char *certificate, const char *key, char *why, size_t why_size);
void tls_context_free(struct ssl_ctx_st **);
/* Without a certificate yet. */
struct ssl_ctx_st *tls_bare_context(char *why, size_t why_size);

/*
 * What the stream's peer says next is the start of a handshake (base/stream.h, stream_wrap()), and
 * all that the owner reads and writes from now on is inside.  SIGPIPE must be ignored.  0, or -1
 * and the stream is as it was.
 */
struct stream;
int tls_accept(struct stream *, struct ssl_ctx_st *);

/*
 * The name in the certificate that the peer has shown and that has been verified: its common
 * name, or its first DNS name when it has none.  "" when there is no such certificate, or the name
 * does not fit or has something unprintable in it.
 */
void tls_peer_name(const struct ssl_st *, char *name, size_t name_size);

/* Tells the peer that nothing more comes, as far as that goes without waiting. */
void tls_say_goodbye(struct ssl_st *);

#endif
