#ifndef PMRELAY_CONVERT_POLICY_H
#define PMRELAY_CONVERT_POLICY_H

#include <stdbool.h>

#include "convert/ledger.h"

struct convert_options;
struct refusal;

/*
 * What a route makes of a mail that a JSON API cannot carry as it is: refusing it wins over
 * Postmark's SMTP service, which wins over converting.  0; or -1 and *refusal_r, 554 5.6.1.
 * *smtp_r: it is to go by SMTP, because of *for_r.
 */
int policy_decide(const struct convert_options *, const struct ledger *, bool *smtp_r,
    enum ledger_entry *for_r, struct refusal *refusal_r) __attribute__((warn_unused_result));

#endif
