#ifndef PMRELAY_PROGRAMS_SOCKETS_H
#define PMRELAY_PROGRAMS_SOCKETS_H

#include <stdbool.h>
#include <stddef.h>

struct config;
struct strlist;

/*
 * The listening sockets of the fronts, one for each front and name.  What is wrong is told in the
 * log.
 */
struct sockets;

/* section: whose option listen it is, for the log.  NULL: one of them cannot be had.  Names that
 * this machine cannot have (IPv6) leave the list; one at least has to be left of those there were.
 */
struct sockets *sockets_open(struct strlist *listen, unsigned front_count, const char *section);
size_t sockets_count(const struct sockets *);                            /* of listeners */
int sockets_fd(const struct sockets *, size_t listener, unsigned front); /* fronts from 1; lent */
void sockets_close(struct sockets *);
void sockets_unlink(const struct strlist *listen);
void sockets_free(struct sockets **); /* closes nothing */

/*
 * Those of the control plane: on a Unix socket of mode 0660, owned by the user that the daemon
 * becomes and by control.group, and on TCP.  NULL: one that was asked for cannot be had.  The
 * preset path is asked for by nobody: where it cannot be had the log says so, and it is left out.
 */
struct control_sockets;
struct control_sockets *control_sockets_open(const struct config *);
bool control_sockets_have_unix(const struct control_sockets *);
/* In the order in which the core gets them; lent.  Returns how many there are. */
#define CONTROL_SOCKETS 2
size_t control_sockets_fds(const struct control_sockets *, int fds[CONTROL_SOCKETS]);
void control_sockets_close(struct control_sockets *); /* and removes the Unix one's file */
void control_sockets_free(struct control_sockets **); /* closes first */

#endif
