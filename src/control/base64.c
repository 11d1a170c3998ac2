#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "base/mem.h"

#include "control/base64.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char *
base64_encode(const char *bytes, size_t len)
{
	char *text;

	if (len > INT_MAX / 2) /* far above any body that is let in */
		return mem_string("");
	text = mem_array(4 * ((len + 2) / 3) + 1, 1);
	EVP_EncodeBlock((unsigned char *)text, (const unsigned char *)bytes, (int)len);
	return text;
}

char *
base64_decode(const char *text, size_t len, size_t *len_r)
{
	size_t padding = 0;
	char *bytes;
	int got;

	if (len % 4 != 0 || len > INT_MAX / 2)
		return NULL;
	while (padding < 2 && padding < len && text[len - padding - 1] == '=')
		padding++;
	/* OpenSSL lets blanks pass at both ends, and takes '=' for a digit. */
	for (size_t i = 0; i < len - padding; i++)
		if (strchr(digits, text[i]) == NULL || text[i] == '\0')
			return NULL;
	bytes = mem_array(len / 4 * 3 + 1, 1);
	got = EVP_DecodeBlock((unsigned char *)bytes, (const unsigned char *)text, (int)len);
	if (got < 0) {
		free(bytes);
		return NULL;
	}
	*len_r = (size_t)got - padding; /* it counts the padding's zero bytes */
	bytes[*len_r] = '\0';
	return bytes;
}
