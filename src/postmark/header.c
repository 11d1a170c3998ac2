#include <stdbool.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

#include "postmark/header.h"

static const char *const tokens[] = { "X-Postmark-Server-Token", "X-Postmark-Account-Token" };

/*
 * libcurl obeys these when they come as headers (chunked bodies, another Host, an Expect that waits
 * a second), and with two that contradict each other a proxy in between sees another request than
 * Postmark does.
 */
static const char *const framing[] = { "Host", "Content-Length", "Transfer-Encoding", "Connection",
	"Keep-Alive", "Proxy-Connection", "Proxy-Authorization", "TE", "Trailer", "Upgrade",
	"Expect", "HTTP2-Settings" };

static bool
is_one_of(const char *name, size_t len, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (strlen(names[i]) == len && text_same_n(name, names[i], len))
			return true;
	}
	return false;
}

static bool
is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

enum header_flaw
header_check(const char *line, size_t *name_len_r)
{
	size_t len = 0;

	for (const char *at = line; *at != '\0'; at++) {
		if ((unsigned char)*at < 0x20 || *at == 0x7F)
			return HEADER_CONTROL;
	}
	while (is_name_char(line[len]))
		len++;
	if (len == 0 || line[len] != ':')
		return HEADER_NO_NAME;
	if (is_one_of(line, len, tokens, sizeof(tokens) / sizeof(*tokens)))
		return HEADER_TOKEN;
	if (is_one_of(line, len, framing, sizeof(framing) / sizeof(*framing)))
		return HEADER_FRAMING;
	*name_len_r = len;
	return HEADER_FINE;
}

const char *
header_flaw_text(enum header_flaw flaw)
{
	switch (flaw) {
	case HEADER_FINE:
		return "fine";
	case HEADER_NO_NAME:
		return "not \"Name: value\"";
	case HEADER_CONTROL:
		return "has a control character";
	case HEADER_TOKEN:
		return "the token is set by the connection alone";
	case HEADER_FRAMING:
		return "is set by the relay alone";
	}
	return "unknown";
}

bool
header_listed(const char *const *lines, const char *name)
{
	size_t len;

	for (; lines != NULL && *lines != NULL; lines++) {
		if (header_check(*lines, &len) == HEADER_FINE && len == strlen(name) &&
		    text_same_n(*lines, name, len))
			return true;
	}
	return false;
}

char *
header_for_curl(const char *line, size_t name_len)
{
	const char *value = line + name_len + 1;

	if (value[strspn(value, " ")] == '\0')
		return mem_format("%.*s;", (int)name_len, line);
	return mem_string(line);
}
