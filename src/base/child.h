#ifndef PMRELAY_BASE_CHILD_H
#define PMRELAY_BASE_CHILD_H

#include <sys/types.h>

struct strlist;

/*
 * Another program that gets bytes on its standard input and is judged by its exit status: no shell,
 * nothing of our environment but a PATH, no descriptor of ours, / as its folder, and a process
 * group of its own.  What it says on its standard output goes nowhere.  From any thread.
 */
struct child {
	pid_t pid;   /* not waited for yet, so the number is its own */
	int pid_fd;  /* readable when it has ended; -1: the kernel gave none */
	int in, err; /* our ends of its standard input (-1: no pipe) and error; they do not block */
};

/*
 * The words of a command as options have it: apart by spaces and tabs, which count for nothing
 * between quotes of either kind; a backslash is one.  A quote that is not closed goes to the end.
 * Added to words.
 */
void child_words(const char *command, struct strlist *words);

/*
 * words: the program by its whole path, and its arguments.  environment: NAME=value each.  input:
 * its standard input, from where it stands, and the caller's still; -1: a pipe.  0 and descriptors
 * that the caller closes, or an errno.
 */
int child_start(
    struct child *, const struct strlist *words, const struct strlist *environment, int input);

/* Ends it and all of its group, and waits for it: its status, as of waitpid().  One that had just
 * ended by itself has its own. */
int child_kill(const struct child *);

#endif
