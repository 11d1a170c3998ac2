#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

#include "sandbox/bounce_type.h"

#define TESTING_DOMAIN "bounce-testing.postmarkapp.com"

static const struct bounce_type types[BOUNCE_TYPES] = {
	{ "HardBounce", 1, "Hard bounce",
	    "The server was unable to deliver the message: the address does not exist, or takes no "
	    "mail.",
	    "HardBounce", true },
	{ "Transient", 2, "Message delayed/Undeliverable",
	    "The server could not deliver the message for now and will try again.", NULL, false },
	{ "Unsubscribe", 16, "Unsubscribe request", "The reader asked not to be mailed.", NULL,
	    false },
	{ "Subscribe", 32, "Subscribe request", "The reader asked to be mailed.", NULL, false },
	{ "AutoResponder", 64, "Auto responder", "The mailbox answered by itself.", NULL, false },
	{ "AddressChange", 128, "Address change", "The reader has another address now.", NULL,
	    false },
	{ "DnsError", 256, "DNS error", "The reader's domain cannot be looked up.", NULL, false },
	{ "SpamNotification", 512, "Spam notification", "The message was taken for spam.", NULL,
	    false },
	{ "OpenRelayTest", 1024, "Open relay test", "The message is a test for open relays.", NULL,
	    false },
	{ "Unknown", 2048, "Unknown", "The reason of the bounce is not clear.", NULL, false },
	{ "SoftBounce", 4096, "Soft bounce",
	    "The mailbox is full, or does not take the message for now.", NULL, false },
	{ "VirusNotification", 8192, "Virus notification", "The message was taken for a virus.",
	    NULL, false },
	{ "ChallengeVerification", 16384, "Spam challenge verification",
	    "The reader's server wants the sender to prove itself.", NULL, false },
	{ "BadEmailAddress", 100000, "Invalid email address", "The address is not valid.", NULL,
	    false },
	{ "SpamComplaint", 100001, "Spam complaint", "The reader reported the message as spam.",
	    "SpamComplaint", false },
	{ "ManuallyDeactivated", 100002, "Manually deactivated",
	    "The address was deactivated by hand.", "ManualSuppression", true },
	{ "Unconfirmed", 100003, "Registration not confirmed",
	    "The reader has not confirmed a registration.", NULL, false },
	{ "Blocked", 100006, "ISP block", "The reader's provider blocks the message.", NULL,
	    false },
	{ "SMTPApiError", 100007, "SMTP API error",
	    "The message was taken by SMTP and cannot be processed.", NULL, false },
	{ "InboundError", 100008, "Processing failed", "The inbound hook cannot be reached.", NULL,
	    false },
	{ "DMARCPolicy", 100009, "DMARC Policy",
	    "The message was refused for the policy of the sender's domain.", NULL, false },
	{ "TemplateRenderingFailed", 100010, "Template rendering failed",
	    "The template could not be rendered with its model.", NULL, false },
};

const struct bounce_type *
bounce_type_at(size_t index)
{
	return &types[index];
}

size_t
bounce_type_index(const struct bounce_type *type)
{
	return (size_t)(type - types);
}

static bool
same_name(const char *name, const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text == '_')
			continue;
		if (*name == '\0' || !text_same_n(name, text, 1))
			return false;
		name++;
	}
	return *name == '\0';
}

const struct bounce_type *
bounce_type_find(const char *name)
{
	for (size_t i = 0; i < BOUNCE_TYPES; i++) {
		if (same_name(types[i].name, name))
			return &types[i];
	}
	return NULL;
}

const struct bounce_type *
bounce_type_wanted(const char *address, const char *wanted)
{
	const char *at = strrchr(address, '@');
	const struct bounce_type *type;
	char *name;

	if (at == NULL || !text_same(at + 1, TESTING_DOMAIN))
		return NULL;
	name = wanted != NULL ? mem_string(wanted) : mem_bytes(address, (size_t)(at - address));
	type = bounce_type_find(name);
	free(name);
	/* A complaint is not to be had this way, and what is not known is a hard bounce. */
	if (type == NULL || strcmp(type->name, "SpamComplaint") == 0)
		return &types[0];
	return type;
}
