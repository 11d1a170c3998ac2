#include <string.h>

#include "postmark/message_id.h"

bool
message_id_read(char out[MESSAGE_ID_SIZE], const char *text, size_t len)
{
	out[0] = '\0';
	if (text == NULL || len == 0 || len >= MESSAGE_ID_SIZE)
		return false;
	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			c == '-'))
			return false;
	}
	memcpy(out, text, len);
	out[len] = '\0';
	return true;
}
