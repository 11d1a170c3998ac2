#ifndef PMRELAY_POSTMARK_MESSAGE_ID_H
#define PMRELAY_POSTMARK_MESSAGE_ID_H

#include <stdbool.h>
#include <stddef.h>

#define MESSAGE_ID_SIZE 37

/*
 * A MessageID as Postmark gives it is a UUID of 36 characters.  Letters, digits and '-', 1 to 36
 * of them, are believed; copied to out then, else out is "" and the answer false.
 */
bool message_id_read(char out[MESSAGE_ID_SIZE], const char *text, size_t len);

#endif
