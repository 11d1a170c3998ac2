#ifndef PMRELAY_BASE_DIGEST_H
#define PMRELAY_BASE_DIGEST_H

#include <stdbool.h>
#include <stddef.h>

/* SHA-256 and HMAC-SHA-256 (RFC 2104), over OpenSSL. */
#define DIGEST_BYTES    32
#define DIGEST_HEX_SIZE (2 * DIGEST_BYTES + 1)

void digest_sha256(unsigned char out[DIGEST_BYTES], const void *bytes, size_t len);
void digest_hmac(unsigned char out[DIGEST_BYTES], const void *key, size_t key_len,
    const void *bytes, size_t len);

/* SHA-256 of what comes in pieces. */
struct digest;
struct digest *digest_new(void);
void digest_add(struct digest *, const void *bytes, size_t len);
void digest_end(struct digest **, unsigned char out[DIGEST_BYTES]); /* frees */

/* In a time that depends on nothing. */
bool digest_same(const unsigned char a[DIGEST_BYTES], const unsigned char b[DIGEST_BYTES]);

/* Small hexadecimal letters, and back: 0, or -1 for what is not 64 of them. */
void digest_print(char out[DIGEST_HEX_SIZE], const unsigned char digest[DIGEST_BYTES]);
int digest_parse(unsigned char digest_r[DIGEST_BYTES], const char *text);

#endif
