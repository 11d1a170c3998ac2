#ifndef PMRELAY_BASE_TLS_H
#define PMRELAY_BASE_TLS_H

#include <stddef.h>

/* OpenSSL's own structs by their tags, so that nobody has to include its headers for a pointer. */
struct ssl_ctx_st;
struct ssl_st;

/*
 * What a server with client certificates is made of: TLS 1.2 or later, a certificate that must
 * come from the authority in client_ca_file, no resumption (which would skip that check).  All
 * files are PEM.  NULL and why.  The caller frees it with tls_context_free().
 */
struct ssl_ctx_st *tls_server_context(const char *certificate_file, const char *key_file,
    const char *client_ca_file, char *why, size_t why_size);
void tls_context_free(struct ssl_ctx_st **);

/*
 * The name in the certificate that the peer has shown and that has been verified: its common
 * name, or its first DNS name when it has none.  "" when there is no such certificate, or the name
 * does not fit or has something unprintable in it.
 */
void tls_peer_name(const struct ssl_st *, char *name, size_t name_size);

/* Tells the peer that nothing more comes, as far as that goes without waiting. */
void tls_say_goodbye(struct ssl_st *);

#endif
