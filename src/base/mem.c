#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"

void
mem_exhausted(size_t wanted)
{
	log_error("memory-exhausted", log_num("wanted", (int64_t)wanted));
	abort();
}

void *
mem_new(size_t size)
{
	return mem_array(1, size);
}

void *
mem_array(size_t count, size_t size)
{
	/* calloc(0) may answer NULL, which would look like exhaustion. */
	void *made = count == 0 || size == 0 ? calloc(1, 1) : calloc(count, size);

	if (made == NULL)
		mem_exhausted(size);
	return made;
}

void *
mem_resize(void *old, size_t count, size_t size)
{
	size_t bytes;
	void *made;

	if (__builtin_mul_overflow(count, size, &bytes))
		mem_exhausted(SIZE_MAX);
	made = realloc(old, bytes == 0 ? 1 : bytes);
	if (made == NULL)
		mem_exhausted(bytes);
	return made;
}

char *
mem_string(const char *text)
{
	return mem_bytes(text, strlen(text));
}

char *
mem_bytes(const void *bytes, size_t len)
{
	char *copy;

	if (len == SIZE_MAX || (copy = malloc(len + 1)) == NULL)
		mem_exhausted(len);
	if (len > 0)
		memcpy(copy, bytes, len);
	copy[len] = '\0';
	return copy;
}

char *
mem_format(const char *format, ...)
{
	va_list args;
	char *text;
	int len;

	va_start(args, format);
	len = vasprintf(&text, format, args);
	va_end(args);
	if (len < 0)
		mem_exhausted(strlen(format));
	return text;
}
