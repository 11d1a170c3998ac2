#ifndef PMRELAY_BASE_LOG_H
#define PMRELAY_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * One line per event an operator would ask about, the same keys everywhere, always with the ids:
 *
 *	log_warning("waiting", log_str("item", id), log_num("try", 3), log_str("why", text));
 *
 *	time=2026-11-23T06:29:25.123Z level=warning process=core event=waiting item=01J8… try=3 why="http 503"
 *
 * Values are foreign bytes: they pass text_safe() and are quoted when they need it.  Never log a
 * credential or a body.  Lines go out by one write(2) each, so that processes may share a file.
 * Usable from any thread.
 */
enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG,
};

enum log_format {
	LOG_FORMAT_TEXT, /* key=value */
	LOG_FORMAT_JSON, /* one object a line */
};

enum log_field_kind {
	LOG_FIELD_END,
	LOG_FIELD_STRING,
	LOG_FIELD_BYTES,
	LOG_FIELD_NUMBER,
};

struct log_field {
	enum log_field_kind kind;
	const char *key;
	const char *text; /* NULL: the field is left out */
	size_t len;
	int64_t number;
};

/* process: "supervisor", "front-1", "core", "sandbox"; lent for ever.  fd is lent. */
void log_setup(const char *process, enum log_level most, enum log_format, int fd);
void log_set_level(enum log_level most);
bool log_enabled(enum log_level);
int log_level_parse(const char *name, enum log_level *level_r); /* 0, or -1 */

void log_emit(enum log_level, const char *event, const struct log_field *fields);

static inline struct log_field
log_str(const char *key, const char *text)
{
	return (struct log_field){ .kind = LOG_FIELD_STRING, .key = key, .text = text };
}

static inline struct log_field
log_bytes(const char *key, const char *bytes, size_t len)
{
	return (struct log_field){ .kind = LOG_FIELD_BYTES, .key = key, .text = bytes, .len = len };
}

static inline struct log_field
log_num(const char *key, int64_t number)
{
	return (struct log_field){ .kind = LOG_FIELD_NUMBER, .key = key, .number = number };
}

static inline struct log_field
log_end(void)
{
	return (struct log_field){ .kind = LOG_FIELD_END };
}

#define log_at(level, event, ...)                                                              \
	log_emit(level, event, (const struct log_field[]){ __VA_ARGS__ __VA_OPT__(,) log_end() })
#define log_error(event, ...)	log_at(LOG_LEVEL_ERROR, event, ##__VA_ARGS__)
#define log_warning(event, ...) log_at(LOG_LEVEL_WARNING, event, ##__VA_ARGS__)
#define log_info(event, ...)	log_at(LOG_LEVEL_INFO, event, ##__VA_ARGS__)
/* The fields of a debug line are not even evaluated unless debug is on. */
#define log_debug(event, ...)                                                                  \
	do {                                                                                   \
		if (log_enabled(LOG_LEVEL_DEBUG))                                              \
			log_at(LOG_LEVEL_DEBUG, event, ##__VA_ARGS__);                         \
	} while (0)

/*
 * Repeats of a warning that storms: true at most once per span_ms for one gate, and then
 * *left_out_r tells how many were swallowed since.  A zeroed gate is ready.
 */
struct log_gate {
	int64_t open_again_ms;
	int64_t left_out;
};
bool log_gate_pass(struct log_gate *, int64_t span_ms, int64_t *left_out_r);

#endif
