#ifndef PMRELAY_BASE_PRIVS_H
#define PMRELAY_BASE_PRIVS_H

#include <stdbool.h>
#include <stddef.h>

/* Giving up what a process does not need.  All of it is one way. */

/* Become user and group for good, without supplementary groups.  group NULL: the user's own.
 * 0, or -1 with a message in why. */
int privs_drop(const char *user, const char *group, char *why, size_t why_size);

/* No core dump, no ptrace by others of our uid, no new privileges through exec. */
void privs_harden(void);

struct privs_fence {
	bool seccomp;  /* out: a system call filter is in force */
	bool landlock; /* out: file access is restricted */
};
/*
 * The fence around a front: from here on no new socket to the outside (accept, memfd, and what
 * is open already go on working), no program, no ptrace, no file but reading below the folders
 * in readable (NULL-terminated list: iconv loads its modules at first use).  A call that is
 * forbidden fails with EPERM, and is not fatal.  What the kernel or the build lacks is left out
 * and told in *fence_r; under sanitizers that is all of it.  Call it before the first thread is
 * started, for the file rules bind the caller alone.  0, or -1 with a message in why.
 */
int privs_fence_front(const char *const *readable, struct privs_fence *fence_r, char *why,
    size_t why_size);

/* The gconv folders of this system, for privs_fence_front().  NULL-terminated, static. */
const char *const *privs_iconv_folders(void);

#endif
