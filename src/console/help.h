#ifndef PMRELAY_CONSOLE_HELP_H
#define PMRELAY_CONSOLE_HELP_H

#include <stddef.h>

struct argument;
struct buf;
struct operation;
struct paint;

/* What people read about commands, made from the table.  Pure. */

void help_all(const struct paint *, struct buf *);
void help_noun(const struct paint *, struct buf *, const char *noun); /* "completion" among them */
void help_operation(const struct paint *, struct buf *, const struct operation *);
/* "server edit [ID] [OPTION ...]" */
void help_usage(struct buf *, const struct operation *);
/* The COMMANDS of pmrelayctl(8) as mdoc. */
void help_manual(struct buf *);

/* What stands for a value: "NUMBER"; NULL: the option may stand alone. */
const char *help_value_name(const struct argument *);

/* The script of a shell: "bash", "zsh" or "fish". */
void complete_script(struct buf *, const char *shell);

#endif
