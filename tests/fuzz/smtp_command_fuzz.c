/*
 * One command line.  The first byte says whether EHLO was said and UTF-8 is allowed.  Property:
 * an address that is accepted holds nothing that could end a line, a path or a list, is canonical
 * already, and the command that is printed from what was understood means the same.
 */

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "mail/address.h"
#include "smtp/command.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void
must(int held)
{
	if (!held)
		abort();
}

static void
check_address(const struct smtp_command *command)
{
	const char *address = command->address;
	size_t len = strlen(address);
	char again[ADDRESS_SIZE];

	must(command->null_path == (address[0] == '\0'));
	must(!command->null_path || command->verb == SMTP_MAIL);
	if (command->null_path)
		return;
	if (command->verb == SMTP_MAIL) {
		/* Postmark never sees it: any path that ends neither line nor path. */
		must(text_is_utf8(address, len));
		for (size_t i = 0; i < len; i++)
			must((unsigned char)address[i] >= 0x20 && address[i] != 0x7f);
		return;
	}
	if (strcmp(address, "postmaster") == 0)
		return;
	for (size_t i = 0; i < len; i++)
		must(address[i] > 0x20 && address[i] < 0x7f &&
		     strchr("<>()[],;:\\\" ", address[i]) == NULL);
	must(strchr(address, '@') != NULL && strchr(address, '@') == strrchr(address, '@'));
	must(address_canonical(address, len, again) == ADDRESS_OK);
	must(strcmp(again, address) == 0);
}

static void
check_round_trip(const struct smtp_command *command, bool esmtp)
{
	struct smtp_command again;
	char line[ADDRESS_SIZE + 100], size[40] = "";
	int len;

	if (command->has_size)
		snprintf(size, sizeof(size), " SIZE=%" PRIu64, command->size_bytes);
	len = snprintf(line, sizeof(line), "%s %s:<%s>%s%s%s", smtp_verb_name(command->verb),
	    command->verb == SMTP_MAIL ? "FROM" : "TO", command->address, size,
	    command->body_8bit ? " BODY=8BITMIME" : "", command->smtputf8 ? " SMTPUTF8" : "");
	must(len > 0 && (size_t)len < sizeof(line));
	/* Without UTF-8: what is canonical needs none. */
	smtp_command_parse(&again, line, (size_t)len, esmtp, false);
	must(again.fault == SMTP_FAULT_NONE && again.verb == command->verb);
	must(strcmp(again.address, command->address) == 0);
	must(again.null_path == command->null_path && again.has_size == command->has_size);
	must(again.size_bytes == command->size_bytes && again.body_8bit == command->body_8bit);
	must(again.smtputf8 == command->smtputf8);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct smtp_command command;
	bool esmtp, utf8;
	const char *line;

	if (len == 0)
		return 0;
	esmtp = (data[0] & 1) != 0;
	utf8 = (data[0] & 2) != 0;
	line = (const char *)data + 1;
	len--;
	smtp_command_parse(&command, line, len, esmtp, utf8);
	must(command.verb <= SMTP_UNKNOWN);
	must(command.rest >= line && command.rest + command.rest_len <= line + len);
	must((command.fault == SMTP_FAULT_ADDRESS) == (command.address_fault != ADDRESS_OK));
	if (command.fault != SMTP_FAULT_NONE)
		return 0;
	if (!esmtp)
		must(!command.has_size && !command.body_8bit && !command.smtputf8);
	if (command.verb == SMTP_MAIL || command.verb == SMTP_RCPT) {
		check_address(&command);
		check_round_trip(&command, esmtp);
	}
	return 0;
}
