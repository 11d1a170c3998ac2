#ifndef PMRELAY_CONFIG_INBOUND_VALUE_H
#define PMRELAY_CONFIG_INBOUND_VALUE_H

#include <stdbool.h>
#include <stddef.h>

/* What the values of the section inbound look like.  Pure. */

/* The reserved name of the route of mails that come in. */
#define INBOUND_ROUTE "inbound"
/* Of one mail, and so of one mapping. */
#define INBOUND_MOST_RECIPIENTS 100U

enum inbound_way {
	INBOUND_LMTP,
	INBOUND_SMTP,
	INBOUND_MAILDIR,
	INBOUND_COMMAND,
};

struct inbound_target {
	enum inbound_way way;
	bool is_unix;     /* LMTP: what is the path of a socket */
	const char *what; /* in the value: path, or command with its arguments; "host:port" */
};

/* value: NUL-terminated.  False: it is none. */
bool inbound_target_read(const char *value, struct inbound_target *);

bool inbound_value_is_target_or_none(const char *value, size_t len);
/* "PATTERN=ADDRESS,ADDRESS"; the last '=' parts them; INBOUND_MOST_RECIPIENTS at most. */
bool inbound_value_is_mapping(const char *value, size_t len);

#endif
