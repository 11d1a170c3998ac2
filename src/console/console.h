#ifndef PMRELAY_CONSOLE_CONSOLE_H
#define PMRELAY_CONSOLE_CONSOLE_H

/*
 * pmrelayctl: from its arguments to an answer on the standard output, complaints and progress on
 * the standard error output.  Returns the exit status, one of
 *
 *	0   done
 *	1   the operation was refused or failed, or tells of a failure: an unhealthy relay, a mail
 *	    that was not sent
 *	64  wrong usage
 *	66  a file that was named cannot be read
 *	69  the daemon cannot be reached
 *	70  what came back is not what the daemon should say
 *	75  not now; the same may work later
 *	77  no permission
 */
int console_main(int argc, char **argv, char *const *environment);

#endif
