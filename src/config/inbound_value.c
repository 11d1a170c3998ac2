#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "base/text.h"

#include "config/inbound_value.h"
#include "config/values.h"

static const char *
after(const char *value, const char *prefix)
{
	return text_starts(value, prefix) ? value + strlen(prefix) : NULL;
}

static bool
path_is_plain(const char *path)
{
	size_t len = strlen(path);

	return path[0] == '/' && path[1] != '\0' && path[len - 1] != '/';
}

/* A name in "%{}" that is none would be a folder of that name. */
static bool
braces_are_known(const char *path)
{
	for (const char *at = path; (at = strstr(at, "%{")) != NULL; at += 2) {
		if (!text_starts(at, "%{localpart}") && !text_starts(at, "%{domain}"))
			return false;
	}
	return true;
}

bool
inbound_target_read(const char *value, struct inbound_target *target)
{
	const char *what;

	target->is_unix = false;
	if ((what = after(value, "lmtp:unix:")) != NULL) {
		target->way = INBOUND_LMTP;
		target->is_unix = true;
		target->what = what;
		return path_is_plain(what) &&
		       strlen(what) < sizeof(((struct sockaddr_un *)0)->sun_path);
	}
	if ((what = after(value, "lmtp://")) != NULL) {
		char as_smtp[300];
		int len = snprintf(as_smtp, sizeof(as_smtp), "smtp://%s", what);

		target->way = INBOUND_LMTP;
		target->what = what;
		return len < (int)sizeof(as_smtp) && value_is_smtp_url(as_smtp, (size_t)len);
	}
	if ((what = after(value, "smtp://")) != NULL) {
		target->way = INBOUND_SMTP;
		target->what = what;
		return value_is_smtp_url(value, strlen(value));
	}
	if ((what = after(value, "maildir:")) != NULL) {
		target->way = INBOUND_MAILDIR;
		target->what = what;
		return path_is_plain(what) && braces_are_known(what);
	}
	if ((what = after(value, "command:")) != NULL) {
		target->way = INBOUND_COMMAND;
		target->what = what;
		return what[0] == '/' && what[1] != '\0' && what[1] != ' ';
	}
	return false;
}

bool
inbound_value_is_target_or_none(const char *value, size_t len)
{
	struct inbound_target target;

	return len == 0 || inbound_target_read(value, &target);
}

/* Of "ann@x.example" or "${hash}@x.example": what becomes of a hash is looked at with each mail. */
static bool
address_looks_right(const char *address, size_t len)
{
	const char *at = memchr(address, '@', len);

	return at != NULL && at > address && at + 1 < address + len &&
	       memchr(at + 1, '@', len - (size_t)(at + 1 - address)) == NULL;
}

bool
inbound_value_is_mapping(const char *value, size_t len)
{
	const char *parts = memrchr(value, '=', len), *end = value + len;
	size_t count = 0;

	if (parts == NULL || parts == value)
		return false;
	for (const char *address = parts + 1;;) {
		const char *comma = memchr(address, ',', (size_t)(end - address));
		const char *stop = comma != NULL ? comma : end;

		if (!address_looks_right(address, (size_t)(stop - address)) ||
		    ++count > INBOUND_MOST_RECIPIENTS)
			return false;
		if (comma == NULL)
			return true;
		address = comma + 1;
	}
}
