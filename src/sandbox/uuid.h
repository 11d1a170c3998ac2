#ifndef PMRELAY_SANDBOX_UUID_H
#define PMRELAY_SANDBOX_UUID_H

/* Random identifiers as Postmark makes them: lower case, 36 characters, version 4. */
#define UUID_LEN  36
#define UUID_SIZE (UUID_LEN + 1)

void uuid_make(char out[UUID_SIZE]);

#endif
