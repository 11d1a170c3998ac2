/*
 * The table itself.  Its rows stand in files by subject, which only this one includes: an array
 * cannot be put together from several objects, and one file would be too long to find one's way
 * in.
 */

#include "operations/operation.h"

/* clang-format off */

/* JSON as it is written, without a backslash before each quote. */
#define JSON(...) #__VA_ARGS__

#define CHOICES(...)   .choices = (const char *const[]){ __VA_ARGS__, NULL }
#define ARGUMENTS(...) .arguments = (const struct argument[]){ __VA_ARGS__, { .name = NULL } }
#define NO_ARGUMENTS   .arguments = (const struct argument[]){ { .name = NULL } }

#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)

/* What many rows have. */
#define ID_NUMBER(what_text) \
	{ .name = "id", .kind = ARGUMENT_INTEGER, .place = IN_PATH, .required = true, .least = 1, \
	  .most = INT64_MAX, .text = what_text }

#define COUNT(what) \
	{ .name = "count", .kind = ARGUMENT_INTEGER, .preset = "100", .least = 1, .most = 500, \
	  .remote = "count", .text = "How many " what " to return at most: up to 500." }
#define OFFSET(what) \
	{ .name = "offset", .kind = ARGUMENT_INTEGER, .preset = "0", .least = 0, \
	  .most = 1000000000, .remote = "offset", .text = "How many " what " to skip." }
#define ALL_PAGES \
	{ .name = "all", .kind = ARGUMENT_BOOLEAN, .preset = "false", \
	  .text = "Every page from the offset on, one request after another." }
#define PAGES(what) COUNT(what), OFFSET(what), ALL_PAGES

/* Postmark reads dates as US Eastern time, so what it is told is what was written. */
#define DATES \
	{ .name = "from-date", .kind = ARGUMENT_STRING, .remote = "fromdate", \
	  .text = "From this date on: 2026-11-23, or 2026-11-23T06:30:00, in US Eastern time." }, \
	{ .name = "to-date", .kind = ARGUMENT_STRING, .remote = "todate", \
	  .text = "Up to this date: 2026-11-23, or 2026-11-23T06:30:00, in US Eastern time." }

#define STREAM(remote_name, what_text) \
	{ .name = "stream", .kind = ARGUMENT_STRING, .remote = remote_name, .text = what_text }

#define TOKENS \
	{ .name = "tokens", .kind = ARGUMENT_CHOICE, .admin = true, .preset = "\"hide\"", \
	  CHOICES("hide", "show"), \
	  .text = "Whether tokens and passwords in the answer are masked or shown." }

/* Members of mails and bounces that say what is in them. */
#define CONTENTS .contents = "Body,TextBody,HtmlBody,StrippedTextReply,RawEmail,Attachments,Content"

#define KEEP \
	{ .name = "keep", .kind = ARGUMENT_BOOLEAN, .preset = "false", \
	  .text = "Leave everything that is not given as it is, instead of setting it to the " \
		  "preset." }

#define TRIGGERS JSON({ \
	"Open": { "Enabled": true, "PostFirstOpenOnly": false }, \
	"Click": { "Enabled": true }, \
	"Delivery": { "Enabled": true }, \
	"Bounce": { "Enabled": false, "IncludeContent": false }, \
	"SpamComplaint": { "Enabled": false, "IncludeContent": false }, \
	"SubscriptionChange": { "Enabled": false } })

#define COLORS \
	CHOICES("Purple", "Blue", "Turquoise", "Green", "Red", "Yellow", "Grey", "Orange")
#define LINKS CHOICES("None", "HtmlAndText", "HtmlOnly", "TextOnly")

const struct operation operation_table[] = {
#include "operations/table_server.inc"
#include "operations/table_webhook.inc"
#include "operations/table_send.inc"
#include "operations/table_template.inc"
#include "operations/table_stream.inc"
#include "operations/table_message.inc"
#include "operations/table_domain.inc"
#include "operations/table_queue.inc"
#include "operations/table_daemon.inc"
	{ .name = NULL },
};

const struct argument operation_connection = {
	.name = "connection",
	.kind = ARGUMENT_STRING,
	.label = "Connection",
	.text = "Name of the pair of Postmark tokens, as in the configuration, to speak with. Without "
		"it the one called default, or all where the command says so.",
};
