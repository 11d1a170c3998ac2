#ifndef PMRELAY_PROGRAMS_SOCKETS_H
#define PMRELAY_PROGRAMS_SOCKETS_H

#include <stddef.h>

struct strlist;

/*
 * The listening sockets of the fronts, one for each front and name.  What is wrong is told in the
 * log.
 */
struct sockets;

/* NULL: one of them cannot be had.  Names that this machine cannot have (IPv6) leave the list. */
struct sockets *sockets_open(struct strlist *listen, unsigned front_count);
size_t sockets_count(const struct sockets *);                            /* of listeners */
int sockets_fd(const struct sockets *, size_t listener, unsigned front); /* fronts from 1; lent */
void sockets_close(struct sockets *);
void sockets_unlink(const struct strlist *listen);
void sockets_free(struct sockets **); /* closes nothing */

#endif
