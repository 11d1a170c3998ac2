#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <grp.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#ifdef HAVE_LINUX_LANDLOCK_H
#include <linux/landlock.h>
#endif
#if defined HAVE_SECCOMP && !defined WITH_SANITIZERS
#include <sched.h>
#include <seccomp.h>
#endif

#include "base/privs.h"

int
privs_drop(const char *user, const char *group, char *why, size_t why_size)
{
	const struct passwd *account;
	const struct group *entry;
	uid_t uid, real_uid, effective_uid, saved_uid;
	gid_t gid, real_gid, effective_gid, saved_gid;

	errno = 0;
	account = getpwnam(user);
	if (account == NULL) {
		snprintf(why, why_size, "user %s: %s", user,
		    errno != 0 ? strerror(errno) : "no such user");
		return -1;
	}
	uid = account->pw_uid;
	gid = account->pw_gid;
	if (group != NULL) {
		errno = 0;
		entry = getgrnam(group);
		if (entry == NULL) {
			snprintf(why, why_size, "group %s: %s", group,
			    errno != 0 ? strerror(errno) : "no such group");
			return -1;
		}
		gid = entry->gr_gid;
	}

	/* Without root there is nothing to drop: it is enough to be the one asked for already. */
	if (geteuid() == 0 && (setgroups(0, NULL) != 0 || setresgid(gid, gid, gid) != 0 ||
				  setresuid(uid, uid, uid) != 0)) {
		snprintf(why, why_size, "becoming user %s: %s", user, strerror(errno));
		return -1;
	}
	if (getresuid(&real_uid, &effective_uid, &saved_uid) != 0 ||
	    getresgid(&real_gid, &effective_gid, &saved_gid) != 0 || real_uid != uid ||
	    effective_uid != uid || saved_uid != uid || real_gid != gid || effective_gid != gid ||
	    saved_gid != gid) {
		snprintf(why, why_size, "becoming user %s: the process runs as %ld:%ld", user,
		    (long)geteuid(), (long)getegid());
		return -1;
	}
	if (uid != 0 && setuid(0) == 0) {
		snprintf(why, why_size, "becoming user %s: root could be had back", user);
		return -1;
	}
	return 0;
}

void
privs_harden(void)
{
	const struct rlimit none = { 0, 0 };

	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
#ifndef WITH_SANITIZERS
	/* The leak check attaches to its own process. */
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#endif
}

const char *const *
privs_iconv_folders(void)
{
	static const char *const patterns[] = {
		"/usr/lib/gconv",
		"/usr/lib64/gconv",
		"/usr/lib/*-linux-*/gconv",
	};
	enum { MOST_FOLDERS = 8 };
	static char kept[MOST_FOLDERS][128];
	static const char *folders[MOST_FOLDERS + 1];
	size_t count = 0;

	if (folders[0] != NULL)
		return folders;
	for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
		glob_t found;

		if (glob(patterns[i], GLOB_ONLYDIR, NULL, &found) != 0)
			continue;
		for (size_t j = 0; j < found.gl_pathc && count < MOST_FOLDERS; j++) {
			if (strlen(found.gl_pathv[j]) >= sizeof(kept[0]))
				continue;
			strcpy(kept[count], found.gl_pathv[j]);
			folders[count] = kept[count];
			count++;
		}
		globfree(&found);
	}
	return folders;
}

#if defined HAVE_LINUX_LANDLOCK_H && defined SYS_landlock_create_ruleset && !defined WITH_SANITIZERS
/*
 * What the kernel may know beyond the header that we were built with.  The kernel takes a struct
 * that is longer than its own if the rest is zero.
 */
struct landlock_attributes {
	uint64_t files;
	uint64_t network; /* from version 4 on */
	uint64_t scopes;  /* from version 6 on */
};
#define FILES_VERSION_1 ((UINT64_C(1) << 13) - 1)
#define FILES_REFER     (UINT64_C(1) << 13) /* version 2 */
#define FILES_TRUNCATE  (UINT64_C(1) << 14) /* version 3 */
#define FILES_IOCTL_DEV (UINT64_C(1) << 15) /* version 5 */
#define NETWORK_ALL     (UINT64_C(3))       /* bind and connect of TCP */
#define SCOPES_ALL      (UINT64_C(3))       /* abstract sockets and signals */

/* 1: in force; 0: the kernel has none; -1: why. */
static int
landlock_restrict(const char *const *readable, char *why, size_t why_size)
{
	struct landlock_attributes attributes = { 0 };
	int ruleset_fd = -1, folder_fd = -1;
	long version;

	version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	if (version < 0)
		return 0;
	attributes.files = FILES_VERSION_1;
	if (version >= 2)
		attributes.files |= FILES_REFER;
	if (version >= 3)
		attributes.files |= FILES_TRUNCATE;
	if (version >= 4)
		attributes.network = NETWORK_ALL;
	if (version >= 5)
		attributes.files |= FILES_IOCTL_DEV;
	if (version >= 6)
		attributes.scopes = SCOPES_ALL;
	ruleset_fd = (int)syscall(SYS_landlock_create_ruleset, &attributes, sizeof(attributes), 0);
	if (ruleset_fd < 0) {
		snprintf(why, why_size, "landlock: %s", strerror(errno));
		return -1;
	}
	for (; *readable != NULL; readable++) {
		struct landlock_path_beneath_attr folder = {
			.allowed_access =
			    LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR,
		};

		folder_fd = open(*readable, O_PATH | O_CLOEXEC);
		if (folder_fd < 0 && errno == ENOENT)
			continue;
		folder.parent_fd = folder_fd;
		if (folder_fd < 0 || syscall(SYS_landlock_add_rule, ruleset_fd,
					 LANDLOCK_RULE_PATH_BENEATH, &folder, 0) != 0) {
			snprintf(why, why_size, "landlock: %s: %s", *readable, strerror(errno));
			goto close_folder;
		}
		close(folder_fd);
		folder_fd = -1;
	}
	if (syscall(SYS_landlock_restrict_self, ruleset_fd, 0) != 0) {
		snprintf(why, why_size, "landlock: %s", strerror(errno));
		goto close_folder;
	}
	close(ruleset_fd);
	return 1;

close_folder:
	if (folder_fd >= 0)
		close(folder_fd);
	close(ruleset_fd);
	return -1;
}
#else
static int
landlock_restrict(const char *const *readable, char *why, size_t why_size)
{
	(void)readable;
	(void)why;
	(void)why_size;
	return 0;
}
#endif

#if defined HAVE_SECCOMP && !defined WITH_SANITIZERS
/*
 * Calls that are let through whatever their arguments.  None of them opens a way to the outside:
 * they work on descriptors that are there already, on our own memory and on time.
 */
static const char *const allowed[] = {
	/* memory */
	"brk",
	"mmap",
	"munmap",
	"mremap",
	"mprotect",
	"madvise",
	"mincore",
	"membarrier",
	/* waiting */
	"epoll_create1",
	"epoll_ctl",
	"epoll_wait",
	"epoll_pwait",
	"epoll_pwait2",
	"poll",
	"ppoll",
	"select",
	"pselect6",
	"eventfd2",
	"timerfd_create",
	"timerfd_settime",
	"timerfd_gettime",
	"nanosleep",
	"clock_nanosleep",
	"restart_syscall",
	"sched_yield",
	"futex",
	"futex_waitv",
	/* sockets that are open, and pairs of our own */
	"accept",
	"accept4",
	"recvfrom",
	"recvmsg",
	"recvmmsg",
	"sendmsg",
	"shutdown",
	"getsockname",
	"getpeername",
	"getsockopt",
	"setsockopt",
	"socketpair",
	/* descriptors */
	"read",
	"readv",
	"pread64",
	"preadv",
	"preadv2",
	"write",
	"writev",
	"pwrite64",
	"pwritev",
	"pwritev2",
	"close",
	"close_range",
	"lseek",
	"dup",
	"dup2",
	"dup3",
	"pipe",
	"pipe2",
	"fsync",
	"fdatasync",
	"memfd_create",
	"ftruncate",
	"fallocate",
	"sendfile",
	"splice",
	"copy_file_range",
	"fadvise64",
	/* looking at files; which ones is Landlock's matter */
	"stat",
	"fstat",
	"lstat",
	"newfstatat",
	"statx",
	"access",
	"faccessat",
	"faccessat2",
	"readlink",
	"readlinkat",
	"getdents64",
	"fstatfs",
	"statfs",
	"getcwd",
	/* who and when */
	"getpid",
	"getppid",
	"gettid",
	"getuid",
	"geteuid",
	"getgid",
	"getegid",
	"getresuid",
	"getresgid",
	"getgroups",
	"getpgrp",
	"getrandom",
	"uname",
	"sysinfo",
	"getrusage",
	"getrlimit",
	"times",
	"time",
	"gettimeofday",
	"clock_gettime",
	"clock_getres",
	"sched_getaffinity",
	"getcpu",
	/* signals to be received, threads, the end */
	"rt_sigaction",
	"rt_sigprocmask",
	"rt_sigreturn",
	"rt_sigpending",
	"rt_sigtimedwait",
	"rt_sigsuspend",
	"sigaltstack",
	"signalfd4",
	"set_robust_list",
	"get_robust_list",
	"rseq",
	"set_tid_address",
	"arch_prctl",
	"exit",
	"exit_group",
};

struct condition {
	const char *call;
	struct scmp_arg_cmp arg;
};

static int
filter_build(scmp_filter_ctx filter)
{
	const uint64_t self = (uint64_t)getpid();
	const uint64_t changes = O_ACCMODE | O_CREAT | O_TRUNC;
	const struct condition conditions[] = {
		/* opening for reading */
		{ "open", SCMP_A1(SCMP_CMP_MASKED_EQ, changes, 0) },
		{ "openat", SCMP_A2(SCMP_CMP_MASKED_EQ, changes, 0) },
		/* send(), which is sendto() without an address */
		{ "sendto", SCMP_A4(SCMP_CMP_EQ, 0) },
		{ "fcntl", SCMP_A1(SCMP_CMP_EQ, F_GETFD) },
		{ "fcntl", SCMP_A1(SCMP_CMP_EQ, F_SETFD) },
		{ "fcntl", SCMP_A1(SCMP_CMP_EQ, F_GETFL) },
		{ "fcntl", SCMP_A1(SCMP_CMP_EQ, F_SETFL) },
		{ "fcntl", SCMP_A1(SCMP_CMP_EQ, F_DUPFD) },
		{ "fcntl", SCMP_A1(SCMP_CMP_EQ, F_DUPFD_CLOEXEC) },
		{ "fcntl", SCMP_A1(SCMP_CMP_EQ, F_ADD_SEALS) },
		{ "fcntl", SCMP_A1(SCMP_CMP_EQ, F_GET_SEALS) },
		{ "ioctl", SCMP_A1(SCMP_CMP_EQ, FIONREAD) },
		{ "ioctl", SCMP_A1(SCMP_CMP_EQ, FIONBIO) },
		{ "ioctl", SCMP_A1(SCMP_CMP_EQ, TCGETS) },
		{ "prctl", SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME) },
		{ "prctl", SCMP_A0(SCMP_CMP_EQ, PR_GET_NAME) },
		{ "prctl", SCMP_A0(SCMP_CMP_EQ, 0x53564d41) }, /* PR_SET_VMA: malloc names areas */
		/* asking for a limit, not setting one */
		{ "prlimit64", SCMP_A2(SCMP_CMP_EQ, 0) },
		/* a thread, not a process */
		{ "clone", SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD) },
		/* abort() and raise() */
		{ "kill", SCMP_A0(SCMP_CMP_EQ, self) },
		{ "tgkill", SCMP_A0(SCMP_CMP_EQ, self) },
	};
	int call;

	for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++) {
		call = seccomp_syscall_resolve_name(allowed[i]);
		/* Negative: this architecture, or this libseccomp, does not know it. */
		if (call >= 0 && seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 0) != 0)
			return -1;
	}
	for (size_t i = 0; i < sizeof(conditions) / sizeof(conditions[0]); i++) {
		call = seccomp_syscall_resolve_name(conditions[i].call);
		if (call >= 0 && seccomp_rule_add_array(
				     filter, SCMP_ACT_ALLOW, call, 1, &conditions[i].arg) != 0)
			return -1;
	}
	/* Its flags lie in memory, out of the filter's reach; glibc falls back to clone(). */
	call = seccomp_syscall_resolve_name("clone3");
	if (call >= 0 && seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), call, 0) != 0)
		return -1;
	return 0;
}

static int
seccomp_restrict(char *why, size_t why_size)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int failure;

	if (filter == NULL) {
		snprintf(why, why_size, "seccomp: no filter could be made");
		return -1;
	}
	if (filter_build(filter) != 0) {
		snprintf(why, why_size, "seccomp: a rule was refused");
		seccomp_release(filter);
		return -1;
	}
	/* A tree rather than a chain of comparisons, for each call pays for it. */
	seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
	failure = seccomp_load(filter);
	seccomp_release(filter);
	if (failure == 0)
		return 1;
	/* A kernel without filters. */
	if (failure == -EINVAL || failure == -ENOSYS || failure == -EOPNOTSUPP)
		return 0;
	snprintf(why, why_size, "seccomp: %s", strerror(-failure));
	return -1;
}
#else
static int
seccomp_restrict(char *why, size_t why_size)
{
	(void)why;
	(void)why_size;
	return 0;
}
#endif

int
privs_fence_front(
    const char *const *readable, struct privs_fence *fence_r, char *why, size_t why_size)
{
	int done;

	*fence_r = (struct privs_fence){ 0 };
	/* Both walls are refused to a process that could still gain privileges by exec. */
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
		snprintf(why, why_size, "no_new_privs: %s", strerror(errno));
		return -1;
	}
	/* Landlock first: its own calls are not among those that the filter lets through. */
	done = landlock_restrict(readable, why, why_size);
	if (done < 0)
		return -1;
	fence_r->landlock = done > 0;
	done = seccomp_restrict(why, why_size);
	if (done < 0)
		return -1;
	fence_r->seccomp = done > 0;
	return 0;
}
