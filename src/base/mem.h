#ifndef PMRELAY_BASE_MEM_H
#define PMRELAY_BASE_MEM_H

#include <stddef.h>

/*
 * Allocation that does not fail.  When memory is gone the process says so in one log line and
 * ends with abort(): nothing was acknowledged that is not on disk, the supervisor starts a new
 * process, and no caller has an untested error path.  Whatever a peer can make large has a limit
 * that is checked long before.
 */
void *mem_new(size_t size) __attribute__((returns_nonnull, malloc));	    /* zeroed */
void *mem_array(size_t count, size_t size) __attribute__((returns_nonnull)); /* zeroed */
void *mem_resize(void *old, size_t count, size_t size) __attribute__((returns_nonnull));
char *mem_string(const char *text) __attribute__((returns_nonnull));	       /* copy */
char *mem_bytes(const void *bytes, size_t len) __attribute__((returns_nonnull)); /* copy + NUL */
char *mem_format(const char *format, ...) __attribute__((format(printf, 1, 2), returns_nonnull));

/* The end that all of the above come to; for those who map memory themselves. */
void mem_exhausted(size_t wanted) __attribute__((noreturn));

#endif
