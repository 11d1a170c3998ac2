/* A certificate made on the spot, which is its own authority. */

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/mem.h"

#include "base/tls.h"

#define VALID_SECONDS  (365L * 86400)
#define BEFORE_SECONDS (-3600L) /* clocks differ */

/* 0, or -1. */
static int
add_extension(X509 *certificate, int nid, const char *value)
{
	X509V3_CTX context;
	X509_EXTENSION *extension;
	int rc = -1;

	X509V3_set_ctx(&context, certificate, certificate, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
	if (extension != NULL && X509_add_ext(certificate, extension, -1) == 1)
		rc = 0;
	X509_EXTENSION_free(extension);
	return rc;
}

/* Names that certificates are made for come from an operator's command line, but must not say
 * more than one name all the same. */
static char *
names_of(const char *host)
{
	static const char usual[] = "DNS:localhost,IP:127.0.0.1,IP:::1";
	unsigned char address[16];

	for (const char *c = host; *c != '\0'; c++) {
		if (*c <= ' ' || *c >= 0x7f || *c == ',')
			return mem_string(usual);
	}
	if (host[0] == '\0')
		return mem_string(usual);
	if (inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1)
		return mem_format("%s,IP:%s", usual, host);
	return mem_format("%s,DNS:%s", usual, host);
}

/* Strict clients want all of these of an authority (RFC 5280 4.2.1). */
static int
add_extensions(X509 *certificate, const char *host)
{
	char *names = names_of(host);
	int rc = -1;

	if (add_extension(certificate, NID_basic_constraints, "critical,CA:TRUE") == 0 &&
	    add_extension(certificate, NID_key_usage, "critical,digitalSignature,keyCertSign") ==
		0 &&
	    add_extension(certificate, NID_ext_key_usage, "serverAuth") == 0 &&
	    add_extension(certificate, NID_subject_key_identifier, "hash") == 0 &&
	    add_extension(certificate, NID_authority_key_identifier, "keyid:always") == 0 &&
	    add_extension(certificate, NID_subject_alt_name, names) == 0)
		rc = 0;
	free(names);
	return rc;
}

static X509 *
certificate_new(EVP_PKEY *key, const char *host)
{
	X509 *certificate = X509_new();
	unsigned char serial[8];
	X509_NAME *name;

	if (certificate == NULL || RAND_bytes(serial, sizeof(serial)) != 1)
		goto free_certificate;
	serial[0] = (unsigned char)((serial[0] & 0x7f) | 0x40); /* positive, and always as long */
	name = X509_get_subject_name(certificate);
	if (X509_set_version(certificate, X509_VERSION_3) != 1 ||
	    ASN1_STRING_set(X509_get_serialNumber(certificate), serial, sizeof(serial)) != 1 ||
	    X509_gmtime_adj(X509_getm_notBefore(certificate), BEFORE_SECONDS) == NULL ||
	    X509_gmtime_adj(X509_getm_notAfter(certificate), VALID_SECONDS) == NULL ||
	    X509_NAME_add_entry_by_txt(
		name, "CN", MBSTRING_ASC, (const unsigned char *)"self-signed", -1, -1, 0) != 1 ||
	    X509_set_issuer_name(certificate, name) != 1 ||
	    X509_set_pubkey(certificate, key) != 1 || add_extensions(certificate, host) != 0 ||
	    X509_sign(certificate, key, EVP_sha256()) == 0)
		goto free_certificate;
	return certificate;

free_certificate:
	X509_free(certificate);
	return NULL;
}

static char *
certificate_pem(X509 *certificate)
{
	BIO *out = BIO_new(BIO_s_mem());
	char *bytes, *pem = NULL;
	long len;

	if (out != NULL && PEM_write_bio_X509(out, certificate) == 1) {
		len = BIO_get_mem_data(out, &bytes);
		pem = mem_bytes(bytes, (size_t)len);
	}
	BIO_free(out);
	return pem;
}

struct ssl_ctx_st *
tls_self_signed_context(const char *host, char **certificate_r, char *why, size_t why_size)
{
	SSL_CTX *context = tls_bare_context(why, why_size);
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *certificate = key != NULL ? certificate_new(key, host) : NULL;
	char *pem = certificate != NULL ? certificate_pem(certificate) : NULL;

	if (context != NULL && (pem == NULL || SSL_CTX_use_certificate(context, certificate) != 1 ||
				   SSL_CTX_use_PrivateKey(context, key) != 1)) {
		snprintf(why, why_size, "a certificate could not be made");
		tls_context_free(&context);
	}
	if (context == NULL)
		free(pem);
	else
		*certificate_r = pem;
	X509_free(certificate);
	EVP_PKEY_free(key);
	ERR_clear_error();
	return context;
}
