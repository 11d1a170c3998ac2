#ifndef PMRELAY_PROGRAMS_CORE_H
#define PMRELAY_PROGRAMS_CORE_H

/*
 * The core process: spool, dispatcher, tokens.  Runs until it is told to drain or its supervisor
 * is gone; returns the status to exit with.
 */
int core_main(void);

#endif
