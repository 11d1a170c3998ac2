/*
 * The header of a mail, and in its first line, apart by tabs: the envelope's sender, the client,
 * the user and a recipient.  Of a few routes the first that holds is taken: of each one before it
 * there is a reason, of itself none, and that does not change by having been asked.  A mail is
 * never sent to whom staging keeps it from.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/strlist.h"
#include "base/text.h"
#include "config/config.h"
#include "mail/envelope.h"
#include "mail/mime.h"
#include "routing/routing.h"

static const char settings[] =
    "route bounces { envelope-from = \"<>\" envelope-to = \"*@b.example\" }\n"
    "route job { header = {'X-Job: ^(?<a>\\w+)+$', 'Subject: (a|b)+c'} client = {unix, 10.0.0.0/8} "
    "}\n"
    "route user { user = {ann, bob} redirect-to = \"qa@A.example\" }\n"
    "route author { header-from = {\"@b.example\", \"ann@*\"} envelope-from = \"*?@*\" }\n"
    "route six { client = 2001:db8::/32 allow-recipients = \"@b.example\" }\n"
    "route there { header = \"X-There:\" capture = yes }\n"
    "route slow { header = 'X-Slow: ^(\\w+\\s?)*$' }\n";

static void
must(bool right)
{
	if (!right)
		abort();
}

/* The word up to the next tab or the end. */
static char *
word(const char **at, const char *end)
{
	const char *tab = memchr(*at, '\t', (size_t)(end - *at));
	const char *stop = tab == NULL ? end : tab;
	char *result = mem_bytes(*at, (size_t)(stop - *at));

	*at = tab == NULL ? end : tab + 1;
	return result;
}

static size_t
reason_len(struct routing_choice *choice, size_t route, const char *recipient)
{
	struct buf why;
	size_t len;

	buf_init(&why, 1 << 20);
	routing_why_not(choice, route, recipient, &why);
	for (size_t i = 0; i < why.len; i++)
		must((unsigned char)why.data[i] >= ' ' && why.data[i] != 0x7f);
	must(why.len < 2000 && (why.len == 0 || text_is_utf8(why.data, why.len)));
	len = why.len;
	buf_free(&why);
	return len;
}

static void
check_fate(
    const struct routing *routing, const struct config *config, size_t route, const char *recipient)
{
	enum routing_fate fate = routing_fate(routing, route, recipient);

	if (route == ROUTING_DEFAULT) {
		must(fate == ROUTING_GOES);
		return;
	}
	must((fate == ROUTING_CAPTURED) <=
	     (config->routes[route].capture || config->routes[route].allow_recipients.count > 0));
	must((fate == ROUTING_REDIRECTED) <= (routing_redirects(routing, route)->count == 1));
	must(fate != ROUTING_GOES || !config->routes[route].capture);
}

static void
check_choice(const struct routing *routing, const struct config *config,
    struct routing_choice *choice, const char *recipient)
{
	size_t route = routing_choose(choice, recipient);
	size_t end = route == ROUTING_DEFAULT ? config->route_count : route, asked;

	for (size_t i = 0; i < end; i++)
		must(reason_len(choice, i, recipient) > 0);
	must(reason_len(choice, route, recipient) == 0);
	asked = routing_asked(choice);
	must(routing_choose(choice, recipient) == route);
	must(routing_asked(choice) == asked);
	check_fate(routing, config, route, recipient);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct config *config;
	static struct routing *routing;
	const struct mime_limits limits = { .depth = 10, .parts = 100, .fields = 100 };
	const char *at = (const char *)data, *end;
	char *sender, *client, *user, *recipient;
	struct origin origin = { .listener = "127.0.0.1:2525", .helo = "" };
	struct routing_mail mail;
	struct routing_choice *choice;
	struct mime mime;
	size_t figure;

	if (config == NULL) {
		struct buf why;

		mime_setup();
		buf_init(&why, 10000);
		config = config_parse(settings, strlen(settings), "fuzz", &why);
		must(config != NULL);
		buf_free(&why);
		routing = routing_new(config);
	}
	end = len == 0 ? NULL : memchr(data, '\n', len);
	if (end == NULL)
		return 0;
	sender = word(&at, end);
	client = word(&at, end);
	user = word(&at, end);
	recipient = word(&at, end);
	len -= (size_t)(end + 1 - (const char *)data);
	if (mime_parse(&mime, end + 1, len, &limits, &figure) == MIME_DONE) {
		origin.client = client;
		origin.user = user;
		mail = (struct routing_mail){
			.origin = &origin, .reverse_path = sender, .mime = &mime
		};
		choice = routing_choice_new(routing, &mail);
		check_choice(routing, config, choice, recipient);
		check_choice(routing, config, choice, "ann@b.example");
		routing_choice_free(&choice);
	}
	mime_free(&mime);
	free(sender);
	free(client);
	free(user);
	free(recipient);
	return 0;
}
