#ifndef PMRELAY_MAIL_CHARSET_MAC_H
#define PMRELAY_MAIL_CHARSET_MAC_H

#include <stdint.h>

/* The characters of the bytes from 0x80 on; all are in the Basic Multilingual Plane.  NULL: it is
 * none of x-mac-roman, -cyrillic, -greek, -turkish, -croatian, -romanian and
 * -icelandic.  For charset.c only. */
const uint16_t *charset_mac(const char *name);

#endif
