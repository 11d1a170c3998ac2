#ifndef PMRELAY_MAIL_CHARSET_MAC_H
#define PMRELAY_MAIL_CHARSET_MAC_H

#include <stdint.h>

/* The characters of the bytes from 0x80 on, all of them in the Basic Multilingual Plane, of
 * x-mac-roman, -cyrillic, -greek, -turkish, -croatian, -romanian or -icelandic; NULL: of another.
 * For charset.c only. */
const uint16_t *charset_mac(const char *name);

#endif
