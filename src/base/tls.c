#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/text.h"

#include "base/tls.h"

/* A key with a passphrase is refused; asking for it on a terminal would hang the daemon. */
static int
no_passphrase(char *out, int size, int writing, void *ctx)
{
	(void)out;
	(void)size;
	(void)writing;
	(void)ctx;
	return -1;
}

static void
tell_why(const char *what, const char *file, char *why, size_t why_size)
{
	unsigned long code = ERR_peek_last_error();
	const char *reason = code != 0 ? ERR_reason_error_string(code) : NULL;

	snprintf(
	    why, why_size, "%s %s: %s", what, file, reason != NULL ? reason : "cannot be used");
	ERR_clear_error();
}

struct ssl_ctx_st *
tls_bare_context(char *why, size_t why_size)
{
	SSL_CTX *context = SSL_CTX_new(TLS_server_method());

	ERR_clear_error();
	if (context == NULL) {
		snprintf(why, why_size, "no TLS");
		return NULL;
	}
	SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
	SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET |
					 SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(context, 0);
	SSL_CTX_set_default_passwd_cb(context, no_passphrase);
	return context;
}

struct ssl_ctx_st *
tls_server_context(const char *certificate_file, const char *key_file, const char *client_ca_file,
    char *why, size_t why_size)
{
	SSL_CTX *context = tls_bare_context(why, why_size);

	if (context == NULL)
		return NULL;
	if (SSL_CTX_use_certificate_chain_file(context, certificate_file) != 1) {
		tell_why("certificate", certificate_file, why, why_size);
		goto free_context;
	}
	if (SSL_CTX_use_PrivateKey_file(context, key_file, SSL_FILETYPE_PEM) != 1 ||
	    SSL_CTX_check_private_key(context) != 1) {
		tell_why("key", key_file, why, why_size);
		goto free_context;
	}
	if (client_ca_file == NULL)
		return context;
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	if (SSL_CTX_load_verify_locations(context, client_ca_file, NULL) != 1) {
		tell_why("authority for clients", client_ca_file, why, why_size);
		goto free_context;
	}
	SSL_CTX_set_client_CA_list(context, SSL_load_client_CA_file(client_ca_file));
	return context;

free_context:
	SSL_CTX_free(context);
	return NULL;
}

/* The first certificate is the server's, those behind it lead to its authority. */
static int
use_chain(SSL_CTX *context, BIO *from)
{
	X509 *certificate = PEM_read_bio_X509_AUX(from, NULL, no_passphrase, NULL);
	int right = certificate != NULL && SSL_CTX_use_certificate(context, certificate) == 1;

	X509_free(certificate);
	while (
	    right && (certificate = PEM_read_bio_X509(from, NULL, no_passphrase, NULL)) != NULL) {
		right = SSL_CTX_add0_chain_cert(context, certificate) == 1;
		if (!right)
			X509_free(certificate);
	}
	/* The end of the text is no error. */
	if (right && ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE)
		ERR_clear_error();
	return right && ERR_peek_last_error() == 0 ? 0 : -1;
}

struct ssl_ctx_st *
tls_server_context_of(const char *certificate, const char *key, char *why, size_t why_size)
{
	SSL_CTX *context = tls_bare_context(why, why_size);
	BIO *certificate_from = BIO_new_mem_buf(certificate, -1);
	BIO *key_from = BIO_new_mem_buf(key, -1);
	EVP_PKEY *made = NULL;
	int result = -1;

	if (context == NULL || certificate_from == NULL || key_from == NULL)
		goto free_all;
	ERR_clear_error();
	if (use_chain(context, certificate_from) != 0) {
		tell_why("certificate", "in memory", why, why_size);
		goto free_all;
	}
	made = PEM_read_bio_PrivateKey(key_from, NULL, no_passphrase, NULL);
	if (made == NULL || SSL_CTX_use_PrivateKey(context, made) != 1 ||
	    SSL_CTX_check_private_key(context) != 1) {
		tell_why("key", "in memory", why, why_size);
		goto free_all;
	}
	result = 0;

free_all:
	EVP_PKEY_free(made);
	BIO_free(certificate_from);
	BIO_free(key_from);
	if (result != 0 && context != NULL)
		tls_context_free(&context);
	return context;
}

void
tls_context_free(struct ssl_ctx_st **context)
{
	SSL_CTX_free(*context);
	*context = NULL;
}

/* A name with a NUL inside would be another one to whoever compares text. */
static int
copy_name(const ASN1_STRING *from, char *name, size_t name_size)
{
	unsigned char *text = NULL;
	int len = ASN1_STRING_to_UTF8(&text, from);
	int result = -1;

	if (len > 0 && (size_t)len < name_size && text_is_utf8((char *)text, (size_t)len)) {
		result = 0;
		for (int i = 0; i < len; i++) {
			if (text[i] < ' ' || text[i] == 0x7f)
				result = -1;
		}
	}
	if (result == 0) {
		memcpy(name, text, (size_t)len);
		name[len] = '\0';
	}
	OPENSSL_free(text);
	return result;
}

static void
copy_dns_name(X509 *certificate, char *name, size_t name_size)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);

	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *one = sk_GENERAL_NAME_value(names, i);

		if (one->type != GEN_DNS)
			continue;
		(void)copy_name(one->d.dNSName, name, name_size);
		break;
	}
	GENERAL_NAMES_free(names);
}

void
tls_peer_name(const struct ssl_st *ssl, char *name, size_t name_size)
{
	X509 *certificate = SSL_get_peer_certificate(ssl);
	X509_NAME *subject;
	int at;

	name[0] = '\0';
	if (certificate == NULL)
		return;
	if (SSL_get_verify_result(ssl) == X509_V_OK) {
		subject = X509_get_subject_name(certificate);
		at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
		if (at >= 0)
			(void)copy_name(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)),
			    name, name_size);
		else
			copy_dns_name(certificate, name, name_size);
	}
	X509_free(certificate);
}

void
tls_say_goodbye(struct ssl_st *ssl)
{
	if (!SSL_is_init_finished(ssl))
		return;
	SSL_set_shutdown(ssl, SSL_RECEIVED_SHUTDOWN);
	SSL_shutdown(ssl);
	ERR_clear_error();
}
