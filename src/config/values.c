/*
 * What the values of options look like, whichever option they stand in.  Pure.
 */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <string.h>

#include "base/buf.h"
#include "base/network.h"
#include "base/text.h"

#include "config/values.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- what a string may hold -------------------------------------------------------------- */

static bool
is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool
only_words_and(const char *value, size_t len, const char *others)
{
	for (size_t i = 0; i < len; i++)
		if (!is_word(value[i]) && strchr(others, value[i]) == NULL)
			return false;
	return true;
}

bool
value_is_title(const char *value, size_t len)
{
	return len > 0 && len <= VALUE_MOST_TITLE_BYTES && only_words_and(value, len, "-") &&
	       is_word(value[0]) && (value[0] < '0' || value[0] > '9');
}

bool
value_is_hostname(const char *value, size_t len)
{
	/* RFC 5321 4.1.1.1: a domain; an address literal would need brackets and is of no use. */
	return len == 0 || (only_words_and(value, len, ".-") && value[0] != '.' &&
			       value[0] != '-' && value[len - 1] != '.');
}

bool
value_is_user(const char *value, size_t len)
{
	return len == 0 || (only_words_and(value, len, "._-") && value[0] != '-');
}

bool
value_is_name(const char *value, size_t len)
{
	(void)value;
	return len > 0 && len <= 200;
}

bool
value_is_socket(const char *value, size_t len)
{
	return len == 0 || (value[0] == '/' && len < sizeof(((struct sockaddr_un *)0)->sun_path));
}

bool
value_is_path_or_none(const char *value, size_t len)
{
	return len == 0 || value[0] == '/';
}

bool
value_is_path(const char *value, size_t len)
{
	return len > 0 && value[0] == '/';
}

bool
value_is_stream(const char *value, size_t len)
{
	return len > 0 && only_words_and(value, len, "_-");
}

bool
value_is_stream_or_none(const char *value, size_t len)
{
	return len == 0 || value_is_stream(value, len);
}

bool
value_is_token(const char *value, size_t len)
{
	/* It becomes the value of an HTTP header. */
	for (size_t i = 0; i < len; i++)
		if (value[i] <= ' ' || value[i] > '~')
			return false;
	return true;
}

/* Who guesses has no chance, and no URL cuts it. */
bool
value_is_path_secret(const char *value, size_t len)
{
	enum { LEAST = 16 };

	return len == 0 ||
	       (len >= LEAST && value_is_token(value, len) && strpbrk(value, "/?#%") == NULL);
}

bool
value_is_basic_user(const char *value, size_t len)
{
	return value_is_token(value, len) && memchr(value, ':', len) == NULL;
}

bool
value_is_header_name(const char *value, size_t len)
{
	return only_words_and(value, len, "!#$%&'*+-.^_`|~");
}

/* "127.0.0.1:25", "[::1]:25" into an address.  False: it is none. */
static bool
read_endpoint(const char *value, size_t len, int *family_r, struct in6_addr *address_r)
{
	const char *colon = len > 0 ? memrchr(value, ':', len) : NULL;
	char host[INET6_ADDRSTRLEN + 2];
	uint64_t port;

	if (colon == NULL)
		return false;
	size_t host_len = (size_t)(colon - value);
	if (text_number(colon + 1, len - host_len - 1, 1, 65535, &port) != 0)
		return false;
	*family_r = AF_INET;
	if (host_len >= 2 && value[0] == '[' && value[host_len - 1] == ']') {
		*family_r = AF_INET6;
		value++;
		host_len -= 2;
	}
	if (host_len >= sizeof(host))
		return false;
	memcpy(host, value, host_len);
	host[host_len] = '\0';
	return inet_pton(*family_r, host, address_r) == 1;
}

static bool
address_is_loopback(int family, const struct in6_addr *address)
{
	/* An IPv4 address lies in the first four bytes. */
	if (family == AF_INET)
		return address->s6_addr[0] == 127;
	return IN6_IS_ADDR_LOOPBACK(address) ||
	       (IN6_IS_ADDR_V4MAPPED(address) && address->s6_addr[12] == 127);
}

bool
value_is_listener(const char *value, size_t len)
{
	struct in6_addr address;
	int family;

	if (len > 5 && memcmp(value, "unix:", 5) == 0)
		return value[5] == '/' && len - 5 < sizeof(((struct sockaddr_un *)0)->sun_path);
	return read_endpoint(value, len, &family, &address);
}

bool
value_is_endpoint_or_none(const char *value, size_t len)
{
	struct in6_addr address;
	int family;

	return len == 0 || read_endpoint(value, len, &family, &address);
}

bool
value_listener_is_local(const char *listener)
{
	struct in6_addr address;
	int family;

	if (!read_endpoint(listener, strlen(listener), &family, &address))
		return true;
	return address_is_loopback(family, &address);
}

bool
value_is_network(const char *value, size_t len)
{
	struct network network;

	return strlen(value) == len && network_parse(&network, value) == 0;
}

bool
value_is_network_or_postmark(const char *value, size_t len)
{
	return strcmp(value, "postmark") == 0 || value_is_network(value, len);
}

bool
value_is_trigger(const char *value, size_t len)
{
	static const char *const names[] = { "open", "click", "delivery", "bounce", "complaint",
		"subscription" };

	(void)len;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i], value) == 0)
			return true;
	return false;
}

bool
value_is_network_or_unix(const char *value, size_t len)
{
	return strcmp(value, "unix") == 0 || value_is_network(value, len);
}

struct url {
	enum { URL_HTTP, URL_HTTPS, URL_SMTP } scheme;
	const char *host; /* "[::1]" with its brackets */
	size_t host_len;
	const char *path; /* after the port */
	size_t path_len;
};

/* "scheme://host[:port][/path]"; false when it is not as it should be. */
static bool
read_url(const char *value, size_t len, struct url *url_r)
{
	static const char *const schemes[] = {
		[URL_HTTP] = "http://", [URL_HTTPS] = "https://", [URL_SMTP] = "smtp://"
	};
	const char *at = value, *end = value + len;
	uint64_t port;
	unsigned scheme = 0;

	while (scheme < COUNT(schemes) && !text_starts(value, schemes[scheme]))
		scheme++;
	if (scheme == COUNT(schemes))
		return false;
	url_r->scheme = scheme;
	at += strlen(schemes[scheme]);

	const char *host = at;
	if (at < end && *at == '[') {
		char address[INET6_ADDRSTRLEN];
		struct in6_addr in6;
		const char *closing = memchr(at, ']', (size_t)(end - at));

		if (closing == NULL || (size_t)(closing - at) > sizeof(address))
			return false;
		memcpy(address, at + 1, (size_t)(closing - at - 1));
		address[closing - at - 1] = '\0';
		if (inet_pton(AF_INET6, address, &in6) != 1)
			return false;
		at = closing + 1;
	} else {
		while (at < end && (is_word(*at) || *at == '.' || *at == '-'))
			at++;
	}
	if (at == host)
		return false;
	url_r->host = host;
	url_r->host_len = (size_t)(at - host);

	if (at < end && *at == ':') {
		const char *digits = ++at;
		while (at < end && *at != '/')
			at++;
		if (text_number(digits, (size_t)(at - digits), 1, 65535, &port) != 0)
			return false;
	}
	url_r->path = at;
	url_r->path_len = (size_t)(end - at);
	/* A query, a fragment or a user would not survive the path that is put behind it. */
	return at == end || (*at == '/' && only_words_and(at, (size_t)(end - at), "/._-~"));
}

bool
value_is_url(const char *value, size_t len)
{
	struct url url;

	return read_url(value, len, &url) && url.scheme != URL_SMTP;
}

bool
value_is_url_or_none(const char *value, size_t len)
{
	return len == 0 || value_is_url(value, len);
}

bool
value_is_smtp_url(const char *value, size_t len)
{
	struct url url;

	return read_url(value, len, &url) && url.scheme == URL_SMTP && url.path_len == 0;
}

bool
value_url_is_local(const char *text)
{
	struct url url;
	char name[64];
	struct in6_addr address;

	if (!read_url(text, strlen(text), &url) || url.host_len >= sizeof(name))
		return false;
	memcpy(name, url.host, url.host_len);
	name[url.host_len] = '\0';
	if (text_same(name, "localhost"))
		return true;
	if (name[0] == '[') {
		name[url.host_len - 1] = '\0';
		return inet_pton(AF_INET6, name + 1, &address) == 1 &&
		       address_is_loopback(AF_INET6, &address);
	}
	return inet_pton(AF_INET, name, &address) == 1 && address_is_loopback(AF_INET, &address);
}

bool
value_url_is_safe(const char *text)
{
	struct url url;

	return (read_url(text, strlen(text), &url) && url.scheme == URL_HTTPS) ||
	       value_url_is_local(text);
}

/* ---- sizes, times, yes and no ------------------------------------------------------------ */

static const struct unit {
	const char *name;
	uint64_t factor;
} size_units[] = {
	/* Largest first: printing takes the first that divides the value. */
	{ "G", GIBIBYTE },
	{ "M", MEBIBYTE },
	{ "k", KIBIBYTE },
	{ "", 1 },
}, time_units[] = {
	{ "d", DAY },
	{ "h", HOUR },
	{ "m", MINUTE },
	{ "s", SECOND },
	{ "ms", 1 },
};

/* Digits followed by a unit. */
static int
read_quantity(
    const char *text, size_t len, const struct unit *units, size_t unit_count, uint64_t *number_r)
{
	size_t digits = 0;
	uint64_t number;

	while (digits < len && text[digits] >= '0' && text[digits] <= '9')
		digits++;
	for (size_t i = 0; i < unit_count; i++) {
		const struct unit *u = &units[i];

		if (strlen(u->name) != len - digits ||
		    !text_same_n(text + digits, u->name, len - digits))
			continue;
		if (text_number(text, digits, 0, INT64_MAX / u->factor, &number) != 0)
			return -1;
		*number_r = number * u->factor;
		return 0;
	}
	return -1;
}

int
value_size(const char *text, size_t len, uint64_t *bytes_r)
{
	return read_quantity(text, len, size_units, COUNT(size_units), bytes_r);
}

int
value_time(const char *text, size_t len, int64_t *ms_r)
{
	uint64_t ms;

	/* 0 needs no unit; for any other number a guess would be wrong for somebody. */
	if (len == 1 && text[0] == '0') {
		*ms_r = 0;
		return 0;
	}
	if (read_quantity(text, len, time_units, COUNT(time_units), &ms) != 0)
		return -1;
	*ms_r = (int64_t)ms;
	return 0;
}

int
value_bool(const char *text, bool *yes_r)
{
	static const struct {
		const char *name;
		bool yes;
	} words[] = { { "yes", true }, { "no", false }, { "true", true }, { "false", false },
		{ "on", true }, { "off", false }, { "1", true }, { "0", false } };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (text_same(words[i].name, text)) {
			*yes_r = words[i].yes;
			return 0;
		}
	}
	return -1;
}

static void
print_quantity(uint64_t number, const struct unit *units, size_t unit_count, struct buf *out)
{
	for (size_t i = 0; i < unit_count; i++) {
		if (number % units[i].factor == 0 && (number > 0 || i == unit_count - 1)) {
			buf_addf(out, "%llu%s", (unsigned long long)(number / units[i].factor),
			    units[i].name);
			return;
		}
	}
}

void
value_print_size(uint64_t bytes, struct buf *out)
{
	print_quantity(bytes, size_units, COUNT(size_units), out);
}

void
value_print_time(uint64_t ms, struct buf *out)
{
	if (ms == 0)
		buf_adds(out, "0s");
	else
		print_quantity(ms, time_units, COUNT(time_units), out);
}
