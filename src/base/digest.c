#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/text.h"

#include "base/digest.h"

/* None of these fails but for want of memory, or in a build of OpenSSL that has no SHA-256. */
static void
must(bool right)
{
	if (!right)
		abort();
}

void
digest_sha256(unsigned char out[DIGEST_BYTES], const void *bytes, size_t len)
{
	unsigned size = DIGEST_BYTES;

	must(EVP_Digest(bytes, len, out, &size, EVP_sha256(), NULL) == 1 && size == DIGEST_BYTES);
}

void
digest_hmac(
    unsigned char out[DIGEST_BYTES], const void *key, size_t key_len, const void *bytes, size_t len)
{
	unsigned size = DIGEST_BYTES;

	/* A key of NULL would mean the one before. */
	must(key_len <= 1024 * 1024);
	must(HMAC(EVP_sha256(), key_len > 0 ? key : "", (int)key_len,
		 len > 0 ? bytes : (const void *)"", len, out, &size) != NULL &&
	     size == DIGEST_BYTES);
}

struct digest *
digest_new(void)
{
	EVP_MD_CTX *made = EVP_MD_CTX_new();

	must(made != NULL && EVP_DigestInit_ex(made, EVP_sha256(), NULL) == 1);
	return (struct digest *)made;
}

void
digest_add(struct digest *digest, const void *bytes, size_t len)
{
	must(EVP_DigestUpdate((EVP_MD_CTX *)digest, bytes, len) == 1);
}

void
digest_end(struct digest **digest, unsigned char out[DIGEST_BYTES])
{
	unsigned size = DIGEST_BYTES;

	must(EVP_DigestFinal_ex((EVP_MD_CTX *)*digest, out, &size) == 1 && size == DIGEST_BYTES);
	EVP_MD_CTX_free((EVP_MD_CTX *)*digest);
	*digest = NULL;
}

bool
digest_same(const unsigned char a[DIGEST_BYTES], const unsigned char b[DIGEST_BYTES])
{
	return CRYPTO_memcmp(a, b, DIGEST_BYTES) == 0;
}

void
digest_print(char out[DIGEST_HEX_SIZE], const unsigned char digest[DIGEST_BYTES])
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < DIGEST_BYTES; i++) {
		out[2 * i] = digits[digest[i] >> 4];
		out[2 * i + 1] = digits[digest[i] & 15];
	}
	out[DIGEST_HEX_SIZE - 1] = '\0';
}

int
digest_parse(unsigned char digest_r[DIGEST_BYTES], const char *text)
{
	if (strlen(text) != DIGEST_HEX_SIZE - 1)
		return -1;
	for (size_t i = 0; i < DIGEST_BYTES; i++) {
		int high = text_hex_digit(text[2 * i]), low = text_hex_digit(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return -1;
		digest_r[i] = (unsigned char)(high * 16 + low);
	}
	return 0;
}
