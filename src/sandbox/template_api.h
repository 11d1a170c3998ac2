#ifndef PMRELAY_SANDBOX_TEMPLATE_API_H
#define PMRELAY_SANDBOX_TEMPLATE_API_H

#include "sandbox/api.h"

/* The calls about templates, and the sending with them. */
api_fn template_list, template_get, template_create, template_edit, template_delete;
api_fn template_validate;
api_fn template_push;                    /* with the account's token */
api_fn template_send, template_send_all; /* /email/withTemplate, /email/batchWithTemplates */

#endif
