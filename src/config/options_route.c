#include "config/route_value.h"
#include "config/rows.h"

#define SECTION    "route"
#define AT(member) .at = offsetof(struct route, member)

#define WANTED_GLOBS                                                                               \
	"addresses like ann@example.com, *@*.example.com or @example.com for a whole domain"
#define FIDELITY(option, member, preset_, text_)                                                   \
	{                                                                                          \
		SECTION, option, OPTION_CHOICE, RELOAD_LIVE, AT(member),                           \
		    .preset = preset_, .choices = fidelity, .text = text_                          \
	}

static const char *const fidelity[] = FIDELITY_CHOICES;
/* Those of enum convert_from, of template_else, of enum notice_to and of enum reply_mode. */
static const char *const from_rewrite[] = { "off", "if-unauthorised", "force", NULL };
static const char *const otherwise[] = { "send", "refuse", NULL };
static const char *const notice[] = { "off", "sender", "postmaster", "default", NULL };
static const char *const reply[] = { "queued", "postmark", "postmark-or-refuse", NULL };

static const struct option_row rows[] = {
	{ SECTION, "listener", OPTION_LIST, RELOAD_LIVE, AT(listener), .preset = "", .most = 64,
	    .right = value_is_listener, .wanted = "addresses that smtp.listen has",
	    .text = "Condition: the mail came in by one of these.  Empty, here and in the other "
		    "conditions: holds for any mail." },
	{ SECTION, "client", OPTION_LIST, RELOAD_LIVE, AT(client), .preset = "", .most = 1024,
	    .right = route_value_is_client,
	    .wanted = "networks like 192.0.2.0/24 or 2001:db8::/32, or unix",
	    .text = "Condition: the client is in one of these networks, or came in by a Unix "
		    "socket." },
	{ SECTION, "user", OPTION_LIST, RELOAD_LIVE, AT(user), .preset = "", .most = 1024,
	    .right = value_is_name, .wanted = "names of at most 200 bytes", .by_lines = true,
	    .text = "Condition: the client proved with AUTH to be one of these users.  Listeners "
		    "do not "
		    "offer AUTH yet, so for now it holds for what explain is told alone." },
	{ SECTION, "envelope-from", OPTION_LIST, RELOAD_LIVE, AT(envelope_from), .preset = "",
	    .most = 1024, .right = route_value_is_sender, .wanted = WANTED_GLOBS ", or <>",
	    .explain = route_value_explain_glob,
	    .text = "Condition: the envelope's sender is one of these.  <> is that of bounces." },
	{ SECTION, "envelope-to", OPTION_LIST, RELOAD_LIVE, AT(envelope_to), .preset = "",
	    .most = 1024, .right = route_value_is_glob, .wanted = WANTED_GLOBS,
	    .explain = route_value_explain_glob,
	    .text = "Condition: the envelope's recipient is one of these.  It is asked for each "
		    "recipient by itself, so that a mail may take several routes." },
	{ SECTION, "header-from", OPTION_LIST, RELOAD_LIVE, AT(header_from), .preset = "",
	    .most = 1024, .right = route_value_is_glob, .wanted = WANTED_GLOBS,
	    .explain = route_value_explain_glob,
	    .text = "Condition: an address in the From header is one of these." },
	{ SECTION, "header", OPTION_LIST, RELOAD_LIVE, AT(header), .preset = "", .most = 64,
	    .right = route_value_is_header, .wanted = "\"Name: pattern\"", .by_lines = true,
	    .explain = route_value_explain_header,
	    .text = "Condition: for each of these some header field of that name matches the "
		    "pattern, decoded.  An empty pattern: there is such a field." },

	{ SECTION, "connection", OPTION_STRING, RELOAD_LIVE, AT(connection), .preset = "default",
	    .most = VALUE_MOST_TITLE_BYTES, .right = value_is_title,
	    .wanted = "default, or the name of a connection",
	    .text = "Whose token the mail goes with: that of a connection NAME { }, or default for "
		    "that of postmark { }." },
	{ SECTION, "message-stream", OPTION_STRING, RELOAD_LIVE, AT(message_stream), .preset = "",
	    .most = 100, .right = value_is_stream_or_none,
	    .wanted = "the ID of a message stream, or \"\"",
	    .text = "Message stream of messages that name none.  Empty: the connection's." },
	{ SECTION, "sandbox", OPTION_BOOL, RELOAD_LIVE, AT(sandbox), .preset = "no",
	    .text = "Send with Postmark's test token: Postmark checks the message and delivers "
		    "nothing." },

	{ SECTION, "tag", OPTION_STRING, RELOAD_LIVE, AT(tag), .preset = "", .most = 1000,
	    .wanted = "a text of at most 1000 characters",
	    .text = "Tag of messages that bring none.  Empty: as message { } says; so, too, with "
		    "the next two." },
	{ SECTION, "track-opens", OPTION_TRISTATE, RELOAD_LIVE, AT(track_opens), .preset = "",
	    .text = "Whether opens are tracked where the mail does not say." },
	{ SECTION, "track-links", OPTION_STRING, RELOAD_LIVE, AT(track_links), .preset = "",
	    .most = 11, .choices = option_track_links,
	    .text = "Which links are tracked where the mail does not say." },
	{ SECTION, "refuse-suppressed", OPTION_TRISTATE, RELOAD_LIVE, AT(refuse_suppressed),
	    .preset = "",
	    .text = "Whether recipients are refused to whom Postmark sends nothing on the stream "
		    "of this route.  Routes with a condition on the header are known at the end of "
		    "the mail alone; then it is refused when all of its recipients are such." },
	/* Postmark: at most 10 keys; relay-id is one of them. */
	{ SECTION, "metadata", OPTION_LIST, RELOAD_LIVE, AT(metadata), .preset = "", .most = 9,
	    .right = route_value_is_metadata, .by_lines = true,
	    .wanted = "\"key=value\" of at most 20 and 80 characters",
	    .explain = route_value_explain_metadata,
	    .text = "Metadata that each message gets; at most nine keys, the relay's own is the "
		    "tenth." },
	{ SECTION, "header-controls", OPTION_LIST, RELOAD_LIVE, AT(controls),
	    .preset = "tag message-stream metadata track-opens track-links template", .most = 6,
	    .right = route_value_is_control,
	    .wanted = "tag, message-stream, metadata, track-opens, track-links or template",
	    .text = "What a mail may decide against this route, by its X-PM header fields.  Those "
		    "that are not named here are taken out of the mail and not heeded." },

	{ SECTION, "from", OPTION_STRING, RELOAD_LIVE, AT(from), .preset = "", .most = 500,
	    .right = route_value_is_from, .wanted = "an address, or \"Name <address>\"",
	    .text = "The From that from-rewrite puts in, and that mails without any get." },
	{ SECTION, "from-rewrite", OPTION_CHOICE, RELOAD_LIVE, AT(from_rewrite), .preset = "off",
	    .choices = from_rewrite,
	    .text = "When from takes the place of the mail's From, whose address goes to Reply-To "
		    "unless there is one: never, unless it is one of from-authorised, or "
		    "always." },
	{ SECTION, "from-authorised", OPTION_LIST, RELOAD_LIVE, AT(from_authorised), .preset = "",
	    .most = 1024, .right = route_value_is_glob, .wanted = WANTED_GLOBS,
	    .explain = route_value_explain_glob,
	    .text = "Addresses that may stay in From with from-rewrite = if-unauthorised." },

	FIDELITY("on-signed", on_signed, "convert",
	    "A signed mail (multipart/signed).  Converted it is readable, but its signature is "
	    "void; smtp sends it through Postmark's SMTP service as it is; reject refuses it with "
	    "554.  The same goes for the kinds below."),
	FIDELITY("on-encrypted", on_encrypted, "convert",
	    "An encrypted mail.  Converted it is an attachment."),
	FIDELITY("on-calendar", on_calendar, "convert",
	    "An invitation (text/calendar beside a text).  Converted it is an attachment."),
	FIDELITY("on-alternatives", on_alternatives, "convert",
	    "Alternatives that are neither text nor HTML.  Converted they are attachments."),
	FIDELITY("on-html-parts", on_html_parts, "convert",
	    "Several HTML parts.  Converted they are joined."),
	FIDELITY("on-messages", on_messages, "convert",
	    "A message within the mail.  Converted it is an attachment."),
	FIDELITY("on-tnef", on_tnef, "convert",
	    "Outlook's winmail.dat.  Converted it is an attachment as it is."),
	FIDELITY("on-date", on_date, "convert",
	    "A Date header, as nearly every mail has one.  Converted it is lost: Postmark sets "
	    "its own."),
	FIDELITY("on-sender", on_sender, "convert",
	    "A Sender header beside From.  Converted it is lost."),

	{ SECTION, "template", OPTION_STRING, RELOAD_LIVE, AT(template), .preset = "", .most = 255,
	    .right = route_value_is_template, .wanted = "the alias or the ID of a template",
	    .text = "Template of Postmark that takes the place of subject and bodies." },
	{ SECTION, "template-match", OPTION_LIST, RELOAD_LIVE, AT(template_match), .preset = "",
	    .most = 64, .right = route_value_is_match, .by_lines = true,
	    .wanted = "\"SOURCE: pattern\" or \"each NAME: SOURCE: pattern\"",
	    .explain = route_value_explain_match,
	    .text = "Patterns whose named groups become values of the model.  Each has to match; "
		    "each NAME gathers all matches into a list of that name.  SOURCE: subject, "
		    "from, from-name, from-address, to, cc, reply-to, date, message-id, text, html "
		    "or header:NAME." },
	{ SECTION, "template-model", OPTION_LIST, RELOAD_LIVE, AT(template_model), .preset = "",
	    .most = 64, .right = route_value_is_model, .by_lines = true,
	    .wanted = "\"name=SOURCE\" or \"name=literal:TEXT\"",
	    .text = "Further values of the model.  Dots in a name make objects within objects." },
	{ SECTION, "template-inline-css", OPTION_BOOL, RELOAD_LIVE, AT(template_inline_css),
	    .preset = "yes", .text = "Whether Postmark puts the styles of the HTML inline." },
	{ SECTION, "template-otherwise", OPTION_CHOICE, RELOAD_LIVE, AT(template_else),
	    .preset = "send", .choices = otherwise,
	    .text = "When a template-match does not: send the mail without the template, or refuse "
		    "it with 554." },

	{ SECTION, "reply", OPTION_CHOICE, RELOAD_LIVE, AT(reply), .preset = "queued",
	    .choices = reply,
	    .text = "What 250 promises: the mail is safe on disk; or Postmark took it, and where "
		    "Postmark does not answer in time, that it is safe on disk; or Postmark took "
		    "it, and 451 otherwise." },
	{ SECTION, "reply-timeout", OPTION_TIME, RELOAD_LIVE, AT(reply_timeout_ms), .preset = "60s",
	    .least = SECOND, .most = 3 * MINUTE,
	    .text = "How long a client waits for Postmark's answer." },

	{ SECTION, "redirect-to", OPTION_LIST, RELOAD_LIVE, AT(redirect_to), .preset = "",
	    .most = 50, .right = route_value_is_address, .wanted = "addresses like ann@example.com",
	    .text = "Staging: who gets the mail in place of its recipients.  The header field "
		    "X-Redirected-For names them." },
	{ SECTION, "allow-recipients", OPTION_LIST, RELOAD_LIVE, AT(allow_recipients), .preset = "",
	    .most = 1024, .right = route_value_is_glob, .wanted = WANTED_GLOBS,
	    .explain = route_value_explain_glob,
	    .text = "Staging: who gets the mail all the same.  For others it goes to redirect-to, "
		    "or is captured where nobody stands there." },
	{ SECTION, "capture", OPTION_BOOL, RELOAD_LIVE, AT(capture), .preset = "no",
	    .text =
		"Staging: make the message and keep it, but send nothing.  pmrelayctl shows it, "
		"and sends it after all when told to." },

	{ SECTION, "notice", OPTION_CHOICE, RELOAD_LIVE, AT(notice), .preset = "default",
	    .choices = notice,
	    .text = "Who is told by mail of a bounce or that a mail will not be sent: the "
		    "envelope's sender, the postmaster, nobody, or whom notice { } says." },

	{ .section = NULL },
};

const struct option_section options_route = {
	.name = SECTION,
	.text = "What becomes of some mails.  The first route in the order of this file whose "
		"conditions all hold is taken; where none does, the settings above are, under the "
		"name default.  NAME: letters, digits and '-', beginning with a letter, and not "
		"that of a connection.",
	OPTION_ROWS(rows),
	.titled = true,
	.items_at = offsetof(struct config, routes),
	.count_at = offsetof(struct config, route_count),
	.item_bytes = sizeof(struct route),
	.title_at = offsetof(struct route, name),
	.most = 1000,
	.taken = "default",
	.taken_by = "the route of all other mail",
};
