#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "base/log.h"

/* A line is built on the stack and leaves by one write(2), so no lock is needed, and lines of
 * several processes do not mix (POSIX promises it for pipes up to PIPE_BUF, 4096 on Linux). */
#define LINE_BYTES  4096
#define VALUE_BYTES 1024
/* What is kept free for the mark of a cut line and its end. */
#define TAIL_BYTES 16

static const char *const level_names[] = {
	[LOG_LEVEL_ERROR] = "error",
	[LOG_LEVEL_WARNING] = "warning",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_DEBUG] = "debug",
};

static struct {
	const char *process;
	atomic_int most;
	enum log_format format;
	int fd;
} sink = { "pmrelay", LOG_LEVEL_INFO, LOG_FORMAT_TEXT, STDERR_FILENO };

struct line {
	char data[LINE_BYTES];
	size_t len;
	bool cut;
};

void
log_setup(const char *process, enum log_level most, enum log_format format, int fd)
{
	sink.process = process;
	sink.format = format;
	sink.fd = fd;
	log_set_level(most);
}

void
log_set_level(enum log_level most)
{
	atomic_store_explicit(&sink.most, (int)most, memory_order_relaxed);
}

bool
log_enabled(enum log_level level)
{
	return (int)level <= atomic_load_explicit(&sink.most, memory_order_relaxed);
}

int
log_level_parse(const char *name, enum log_level *level_r)
{
	for (size_t i = 0; i < sizeof(level_names) / sizeof(level_names[0]); i++)
		if (text_same(name, level_names[i])) {
			*level_r = (enum log_level)i;
			return 0;
		}
	return -1;
}

static bool
needs_quotes(const char *value)
{
	if (*value == '\0')
		return true;
	for (; *value != '\0'; value++)
		if (*value == ' ' || *value == '"' || *value == '=' || *value == '\\')
			return true;
	return false;
}

static void
line_put(struct line *line, const char *bytes, size_t len)
{
	memcpy(line->data + line->len, bytes, len);
	line->len += len;
}

/* One field, whole or not at all.  quoted: a JSON string, or a text value that needs quotes. */
static void
line_add(struct line *line, const char *key, const char *value, size_t value_len, bool quoted)
{
	bool json = sink.format == LOG_FORMAT_JSON;
	size_t key_len = strlen(key);
	size_t escapes = 0;

	for (size_t i = 0; quoted && i < value_len; i++)
		escapes += value[i] == '"' || value[i] == '\\';
	/* Separator, quotes of the key, colon or equals sign, quotes of the value. */
	if (line->cut || line->len + key_len + value_len + escapes + 6 > LINE_BYTES - TAIL_BYTES) {
		line->cut = true;
		return;
	}
	if (line->len > 0)
		line_put(line, json ? "," : " ", 1);
	else if (json)
		line_put(line, "{", 1);
	if (json)
		line_put(line, "\"", 1);
	line_put(line, key, key_len);
	if (json)
		line_put(line, "\":", 2);
	else
		line_put(line, "=", 1);
	if (!quoted) {
		line_put(line, value, value_len);
		return;
	}
	line_put(line, "\"", 1);
	for (size_t i = 0; i < value_len; i++) {
		if (value[i] == '"' || value[i] == '\\')
			line_put(line, "\\", 1);
		line_put(line, &value[i], 1);
	}
	line_put(line, "\"", 1);
}

static void
line_add_bytes(struct line *line, const char *key, const char *bytes, size_t len)
{
	char value[VALUE_BYTES];

	text_safe(value, sizeof(value), bytes, len);
	line_add(
	    line, key, value, strlen(value), sink.format == LOG_FORMAT_JSON || needs_quotes(value));
}

static void
line_add_number(struct line *line, const char *key, int64_t number)
{
	char value[24];
	int len = snprintf(value, sizeof(value), "%lld", (long long)number);

	line_add(line, key, value, (size_t)len, false);
}

void
log_emit(enum log_level level, const char *event, const struct log_field *fields)
{
	bool json = sink.format == LOG_FORMAT_JSON;
	char time_text[CLOCK_TEXT_SIZE];
	int saved_errno = errno;
	struct line line;

	if (!log_enabled(level))
		return;
	line.len = 0;
	line.cut = false;
	clock_text(time_text, clock_wall_ms());
	line_add(&line, "time", time_text, strlen(time_text), json);
	line_add(&line, "level", level_names[level], strlen(level_names[level]), json);
	line_add_bytes(&line, "process", sink.process, strlen(sink.process));
	line_add_bytes(&line, "event", event, strlen(event));
	for (; fields->kind != LOG_FIELD_END; fields++) {
		switch (fields->kind) {
		case LOG_FIELD_STRING:
			if (fields->text != NULL)
				line_add_bytes(
				    &line, fields->key, fields->text, strlen(fields->text));
			break;
		case LOG_FIELD_BYTES:
			if (fields->text != NULL)
				line_add_bytes(&line, fields->key, fields->text, fields->len);
			break;
		case LOG_FIELD_NUMBER:
			line_add_number(&line, fields->key, fields->number);
			break;
		case LOG_FIELD_END:
			break;
		}
	}
	if (line.cut)
		line_put(&line, json ? ",\"cut\":1" : " cut=1", json ? 8 : 6);
	line_put(&line, json ? "}\n" : "\n", json ? 2 : 1);
	while (write(sink.fd, line.data, line.len) < 0 && errno == EINTR)
		continue;
	errno = saved_errno;
}

bool
log_gate_pass(struct log_gate *gate, int64_t span_ms, int64_t *left_out_r)
{
	int64_t now_ms = clock_mono_ms();

	if (now_ms < gate->open_again_ms) {
		gate->left_out++;
		return false;
	}
	*left_out_r = gate->left_out;
	gate->left_out = 0;
	gate->open_again_ms = now_ms + span_ms;
	return true;
}
