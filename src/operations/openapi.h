#ifndef PMRELAY_OPERATIONS_OPENAPI_H
#define PMRELAY_OPERATIONS_OPENAPI_H

#include <jansson.h>

/* The OpenAPI 3.1 document of operation_table.  Pure; the caller drops the reference. */
json_t *openapi_document(const char *version);

#endif
