#ifndef PMRELAY_PROGRAMS_FRONT_H
#define PMRELAY_PROGRAMS_FRONT_H

/*
 * The front process: SMTP in, frames out.  Parses what strangers send, and holds nothing that is
 * worth stealing.  Runs until it is told to drain or its supervisor is gone; returns the status to
 * exit with.
 */
int front_main(unsigned number);

#endif
