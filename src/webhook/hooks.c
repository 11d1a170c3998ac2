#include <sys/random.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/base64.h"
#include "base/buf.h"
#include "base/digest.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/secret.h"
#include "base/text.h"
#include "base/tls.h"
#include "config/config.h"
#include "mail/hook.h"

#include "webhook/hooks.h"

#define MOST_PEM (256U * 1024U)

/* What a secret is for goes before it: a path is no password. */
enum part {
	PART_PATH = 'p',
	PART_AUTH = 'a', /* user:password */
	PART_HEADER = 'h',
};

static void
digest_part(unsigned char out[DIGEST_BYTES], const unsigned char salt[DIGEST_BYTES], enum part part,
    const char *secret, size_t len)
{
	char *text = mem_new(len + 1);

	text[0] = (char)part;
	if (len > 0)
		memcpy(text + 1, secret, len);
	digest_hmac(out, salt, DIGEST_BYTES, text, len + 1);
	secret_wipe(text, len + 1);
	free(text);
}

/* --- made by the core --------------------------------------------------------------------- */

static void
make_salt(unsigned char salt[DIGEST_BYTES])
{
	if (getentropy(salt, DIGEST_BYTES) != 0)
		abort();
}

static void
add_digest(struct buf *out, const char *name, const unsigned char salt[DIGEST_BYTES],
    enum part part, const char *secret, size_t len)
{
	unsigned char digest[DIGEST_BYTES];
	char text[DIGEST_HEX_SIZE] = "";

	if (secret != NULL) {
		digest_part(digest, salt, part, secret, len);
		digest_print(text, digest);
	}
	json_add_member(out, name, text, strlen(text));
}

static void
add_auth(
    struct buf *out, const unsigned char salt[DIGEST_BYTES], const char *user, const char *password)
{
	char *both;

	if (user[0] == '\0') {
		add_digest(out, "auth", salt, PART_AUTH, NULL, 0);
		return;
	}
	both = mem_format("%s:%s", user, password);
	add_digest(out, "auth", salt, PART_AUTH, both, strlen(both));
	secret_wipe(both, strlen(both));
	free(both);
}

static void
add_hook(struct buf *out, const unsigned char salt[DIGEST_BYTES], const struct hook *hook)
{
	buf_adds(out, out->data[out->len - 1] == '[' ? "{" : ",{");
	add_digest(out, "path", salt, PART_PATH, hook->path, strlen(hook->path));
	add_auth(out, salt, hook->user, hook->password);
	json_add_member(out, "connection", hook->connection, strlen(hook->connection));
	json_add_member(out, "stream", hook->stream, strlen(hook->stream));
	json_add_name(out, "ends");
	buf_addf(out, "%lld}", (long long)hook->ends_ms);
}

static void
add_secret(struct buf *out, const char *name, const unsigned char salt[DIGEST_BYTES],
    enum part part, const struct secret *secret)
{
	bool given = secret != NULL && secret_len(secret) > 0;

	add_digest(out, name, salt, part, given ? secret_text(secret) : NULL,
	    given ? secret_len(secret) : 0);
}

static void
add_manual(struct buf *out, const unsigned char salt[DIGEST_BYTES], const struct config *config)
{
	const char *connection = config->webhook_connection;

	if ((config->webhook_secret == NULL || secret_len(config->webhook_secret) == 0) &&
	    config->webhook_user[0] == '\0' && config->webhook_header[0] == '\0')
		return;
	json_add_name(out, "manual");
	buf_addc(out, '{');
	add_secret(out, "path", salt, PART_PATH, config->webhook_secret);
	add_auth(out, salt, config->webhook_user,
	    config->webhook_password != NULL ? secret_text(config->webhook_password) : "");
	json_add_member(out, "header", config->webhook_header, strlen(config->webhook_header));
	/* A header without a value lets nobody in. */
	if (config->webhook_header[0] != '\0' && config->webhook_header_value == NULL)
		add_digest(out, "value", salt, PART_HEADER, "", 0);
	else
		add_secret(out, "value", salt, PART_HEADER, config->webhook_header_value);
	json_add_member(out, "connection", connection, strlen(connection));
	buf_addc(out, '}');
}

/* The caller frees.  NULL: errno. */
static char *
read_pem(const char *path)
{
	FILE *file = fopen(path, "re");
	struct buf text;
	int failure = 0;
	size_t got;
	char *room;

	if (file == NULL)
		return NULL;
	buf_init(&text, MOST_PEM);
	while ((room = buf_reserve(&text, 4096)) != NULL && (got = fread(room, 1, 4096, file)) > 0)
		buf_grown(&text, got);
	if (room == NULL)
		failure = EFBIG;
	else if (ferror(file))
		failure = EIO;
	else if (text.len == 0 || !text_is_ascii(text.data, text.len) ||
		 memchr(text.data, '\0', text.len) != NULL)
		failure = EINVAL;
	fclose(file);
	if (failure == 0)
		return buf_take(&text, &got);
	if (text.len > 0)
		secret_wipe(text.data, text.len);
	buf_free(&text);
	errno = failure;
	return NULL;
}

/* -1 and why: nothing is added. */
static int
add_certificate(struct buf *out, const struct config *config, char *why, size_t why_size)
{
	const char *failed = config->webhook_certificate_file;
	struct ssl_ctx_st *context = NULL;
	char *certificate = read_pem(failed), *key = NULL;
	char wrong[200] = "";

	if (certificate != NULL) {
		failed = config->webhook_key_file;
		key = read_pem(failed);
	}
	if (key == NULL) {
		snprintf(why, why_size, "%s: %s", failed,
		    errno == EINVAL ? "this is not PEM" : strerror(errno));
	} else {
		context = tls_server_context_of(certificate, key, wrong, sizeof(wrong));
		if (context == NULL)
			snprintf(why, why_size, "%s, %s: %s", config->webhook_certificate_file,
			    config->webhook_key_file, wrong);
	}
	if (context != NULL) {
		json_add_member(out, "certificate", certificate, strlen(certificate));
		json_add_member(out, "key", key, strlen(key));
		tls_context_free(&context);
	} else {
		free(certificate);
		certificate = NULL;
	}
	if (key != NULL)
		secret_wipe(key, strlen(key));
	free(key);
	if (certificate == NULL)
		return -1;
	free(certificate);
	return 0;
}

int
hooks_json(const struct config *config, const struct hook *list, size_t count, int64_t now_ms,
    struct buf *out, char *why, size_t why_size)
{
	unsigned char salt[DIGEST_BYTES];
	char text[DIGEST_HEX_SIZE];
	bool secure = config->webhook_certificate_file[0] != '\0';
	int result = 0;

	make_salt(salt);
	digest_print(text, salt);
	buf_addc(out, '{');
	json_add_member(out, "salt", text, strlen(text));
	json_add_name(out, "hooks");
	buf_addc(out, '[');
	for (size_t i = 0; i < count; i++) {
		if (list[i].ends_ms == 0 || list[i].ends_ms > now_ms)
			add_hook(out, salt, &list[i]);
	}
	buf_addc(out, ']');
	add_manual(out, salt, config);
	json_add_name(out, "tls");
	buf_adds(out, secure ? "true" : "false");
	if (secure)
		result = add_certificate(out, config, why, why_size);
	buf_addc(out, '}');
	return result;
}

/* --- read by a front ------------------------------------------------------------------------ */

struct known {
	unsigned char path[DIGEST_BYTES], auth[DIGEST_BYTES], header[DIGEST_BYTES];
	bool has_path, has_auth, has_header;
	char *connection, *stream;
	int64_t ends_ms; /* 0: for good */
};

struct hooks {
	unsigned char salt[DIGEST_BYTES];
	struct known *list;
	size_t count;
	char *header; /* NULL: none */
	bool secure;
	char *certificate, *key; /* NULL: none */
};

static void
free_secret_text(char **text)
{
	if (*text != NULL)
		secret_wipe(*text, strlen(*text));
	free(*text);
	*text = NULL;
}

void
hooks_free(struct hooks **hooks_p)
{
	struct hooks *hooks = *hooks_p;

	if (hooks == NULL)
		return;
	for (size_t i = 0; i < hooks->count; i++) {
		free(hooks->list[i].connection);
		free(hooks->list[i].stream);
	}
	free(hooks->list);
	free(hooks->header);
	free(hooks->certificate);
	free_secret_text(&hooks->key);
	free(hooks);
	*hooks_p = NULL;
}

/* A digest, or "" for none.  0, or -1. */
static int
take_digest(
    const json_t *object, const char *name, unsigned char digest_r[DIGEST_BYTES], bool *there_r)
{
	const char *text = json_string_value(json_object_get(object, name));

	*there_r = text != NULL && text[0] != '\0';
	return text != NULL && (!*there_r || digest_parse(digest_r, text) == 0) ? 0 : -1;
}

/* The caller frees; NULL: not there. */
static char *
take_string(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text != NULL ? mem_string(text) : NULL;
}

static int
take_hook(const json_t *object, struct known *known)
{
	if (take_digest(object, "path", known->path, &known->has_path) != 0 || !known->has_path ||
	    take_digest(object, "auth", known->auth, &known->has_auth) != 0)
		return -1;
	known->connection = take_string(object, "connection");
	known->stream = take_string(object, "stream");
	known->ends_ms = json_integer_value(json_object_get(object, "ends"));
	return known->connection != NULL && known->stream != NULL ? 0 : -1;
}

static int
take_manual(const json_t *object, struct hooks *hooks, struct known *known)
{
	if (take_digest(object, "path", known->path, &known->has_path) != 0 ||
	    take_digest(object, "auth", known->auth, &known->has_auth) != 0 ||
	    take_digest(object, "value", known->header, &known->has_header) != 0)
		return -1;
	known->connection = take_string(object, "connection");
	known->stream = mem_string("");
	if (known->has_header)
		hooks->header = take_string(object, "header");
	return known->connection != NULL &&
		       (known->has_path || known->has_auth || known->has_header) &&
		       (!known->has_header || hooks->header != NULL)
		   ? 0
		   : -1;
}

static int
take_all(const json_t *root, struct hooks *hooks)
{
	const json_t *list = json_object_get(root, "hooks"), *object;
	const json_t *manual = json_object_get(root, "manual");
	bool salted;
	size_t i;

	if (take_digest(root, "salt", hooks->salt, &salted) != 0 || !salted || !json_is_array(list))
		return -1;
	hooks->list = mem_array(json_array_size(list) + 1, sizeof(*hooks->list));
	json_array_foreach(list, i, object)
	{
		hooks->count++;
		if (take_hook(object, &hooks->list[i]) != 0)
			return -1;
	}
	if (manual != NULL) {
		hooks->count++;
		if (take_manual(manual, hooks, &hooks->list[hooks->count - 1]) != 0)
			return -1;
	}
	hooks->secure = json_is_true(json_object_get(root, "tls"));
	hooks->certificate = take_string(root, "certificate");
	hooks->key = take_string(root, "key");
	return (hooks->certificate == NULL) == (hooks->key == NULL) ? 0 : -1;
}

struct hooks *
hooks_read(const char *json, size_t len)
{
	json_t *root = json_loadb(json, len, 0, NULL);
	struct hooks *hooks = mem_new(sizeof(*hooks));
	json_t *key = json_object_get(root, "key");

	if (!json_is_object(root) || take_all(root, hooks) != 0)
		hooks_free(&hooks);
	if (json_is_string(key))
		secret_wipe((char *)json_string_value(key), json_string_length(key));
	json_decref(root);
	return hooks;
}

bool
hooks_tls(const struct hooks *hooks)
{
	return hooks->secure;
}

const char *
hooks_certificate(const struct hooks *hooks)
{
	return hooks->certificate;
}

const char *
hooks_key(const struct hooks *hooks)
{
	return hooks->key;
}

const char *
hooks_header(const struct hooks *hooks)
{
	return hooks->header;
}

/* --- the check ------------------------------------------------------------------------------ */

/* The last part of an encoded path, decoded: also where a slash ends it.  The caller frees. */
static char *
last_part(const char *path, size_t *len_r)
{
	size_t len = strlen(path), begin, at = 0;
	char *part;

	if (len > 0 && path[len - 1] == '/')
		len--;
	for (begin = len; begin > 0 && path[begin - 1] != '/';)
		begin--;
	part = mem_bytes(path + begin, len - begin);
	for (size_t i = 0; part[i] != '\0'; i++) {
		int high = -1, low = -1;

		if (part[i] == '%') {
			high = text_hex_digit(part[i + 1]);
			low = high >= 0 ? text_hex_digit(part[i + 2]) : -1;
		}
		part[at++] = low >= 0 ? (char)(high * 16 + low) : part[i];
		i += low >= 0 ? 2 : 0;
	}
	*len_r = at;
	return part;
}

/* RFC 7617: what is behind "Basic", decoded; "" for anything else.  The caller frees. */
static char *
basic_of(const char *authorization, size_t *len_r)
{
	char *decoded = NULL;

	if (authorization != NULL && text_starts(authorization, "Basic ")) {
		authorization += strlen("Basic ");
		authorization += strspn(authorization, " ");
		decoded = base64_decode(authorization, strlen(authorization), len_r);
	}
	if (decoded == NULL) {
		decoded = mem_string("");
		*len_r = 0;
	}
	return decoded;
}

bool
hooks_find(const struct hooks *hooks, const struct hooks_shown *shown, int64_t now_ms,
    struct hooks_found *found_r)
{
	unsigned char path[DIGEST_BYTES], auth[DIGEST_BYTES], header[DIGEST_BYTES];
	size_t part_len, basic_len;
	char *part = last_part(shown->path, &part_len);
	char *basic = basic_of(shown->authorization, &basic_len);
	const char *value = shown->header != NULL ? shown->header : "";
	size_t found = hooks->count;

	digest_part(path, hooks->salt, PART_PATH, part, part_len);
	digest_part(auth, hooks->salt, PART_AUTH, basic, basic_len);
	digest_part(header, hooks->salt, PART_HEADER, value, strlen(value));
	for (size_t i = 0; i < hooks->count; i++) {
		const struct known *k = &hooks->list[i];
		int right = digest_same(k->path, path) | !k->has_path;

		right &= digest_same(k->auth, auth) | !k->has_auth;
		right &= digest_same(k->header, header) | !k->has_header;
		right &= (k->ends_ms == 0) | (k->ends_ms > now_ms);
		found = right ? i : found;
	}
	secret_wipe(part, part_len);
	secret_wipe(basic, basic_len);
	free(part);
	free(basic);
	if (found == hooks->count)
		return false;
	*found_r = (struct hooks_found){ .connection = hooks->list[found].connection,
		.stream = hooks->list[found].stream };
	return true;
}
