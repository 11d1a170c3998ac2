/*
 * Addresses.  What is accepted as an envelope address is a fixed point and needs no escaping; what
 * a header list gives is accepted as well, and survives being printed and read again.
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/text.h"
#include "mail/address.h"
#include "mail/mime.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define must(condition)                                                                            \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);    \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	mime_setup();
	return 0;
}

static void
check_canonical(const char *address)
{
	char again[ADDRESS_SIZE];

	must(address_canonical(address, strlen(address), again) == ADDRESS_OK);
	must(strcmp(address, again) == 0);
	must(strlen(address) <= 254);
	for (const char *c = address; *c != '\0'; c++)
		must(*c > 0x20 && *c < 0x7F && strchr(",;:<>()[]\"\\", *c) == NULL);
	must(strchr(address, '@') != NULL && strchr(address, '@') == strrchr(address, '@'));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const char *text = (const char *)data;
	char canonical[ADDRESS_SIZE];
	struct mailbox_list list, again;
	struct buf printed;

	if (address_canonical(text, len, canonical) == ADDRESS_OK)
		check_canonical(canonical);
	else
		must(canonical[0] == '\0');

	mailbox_list_parse(&list, text, len);
	buf_init(&printed, SIZE_MAX / 4);
	for (size_t i = 0; i < list.count; i++) {
		const char *name = list.boxes[i].name;

		check_canonical(list.boxes[i].address);
		if (name != NULL) {
			must(name[0] != '\0' && text_is_utf8(name, strlen(name)));
			for (const char *c = name; *c != '\0'; c++)
				must((unsigned char)*c >= 0x20 && *c != 0x7F);
		}
		/* A name may be an encoded word's look-alike, or longer than an entry may be. */
		if (name != NULL && (strstr(name, "=?") != NULL || strlen(name) > 900))
			list.boxes[i].name[0] = '\0';
		if (name != NULL && list.boxes[i].name[0] == '\0') {
			free(list.boxes[i].name);
			list.boxes[i].name = NULL;
		}
		mailbox_print(&printed, &list.boxes[i]);
	}
	mailbox_list_parse(&again, printed.len > 0 ? printed.data : "", printed.len);
	must(again.count == list.count && again.unusable == 0);
	for (size_t i = 0; i < list.count; i++) {
		must(strcmp(list.boxes[i].address, again.boxes[i].address) == 0);
		must((list.boxes[i].name == NULL) == (again.boxes[i].name == NULL));
	}
	mailbox_list_free(&list);
	mailbox_list_free(&again);
	buf_free(&printed);
	return 0;
}
