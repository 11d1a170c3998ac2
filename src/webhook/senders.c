#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/network.h"
#include "base/strlist.h"

#include "webhook/senders.h"

/* As Postmark's support article on webhooks names them; they may change, it is the authority. */
static const char *const postmark[] = { "3.134.147.250", "50.31.156.6", "50.31.156.77",
	"18.217.206.57" };
#define POSTMARK_COUNT (sizeof(postmark) / sizeof(postmark[0]))

struct networks {
	struct network *list;
	size_t count;
};

struct senders {
	struct networks allowed, proxies;
	bool anybody;      /* no networks were given */
	bool unix_proxies; /* whoever is at a Unix socket */
};

static void
networks_add(struct networks *networks, const char *text)
{
	if (network_parse(&networks->list[networks->count], text) == 0)
		networks->count++;
}

static bool
networks_have(const struct networks *networks, const unsigned char *address)
{
	for (size_t i = 0; i < networks->count; i++) {
		if (network_has(&networks->list[i], address))
			return true;
	}
	return false;
}

struct senders *
senders_new(const struct strlist *networks, const struct strlist *proxies)
{
	struct senders *s = mem_new(sizeof(*s));

	s->anybody = networks->count == 0;
	s->allowed.list = mem_array(networks->count * POSTMARK_COUNT + 1, sizeof(*s->allowed.list));
	s->proxies.list = mem_array(proxies->count + 1, sizeof(*s->proxies.list));
	for (size_t i = 0; i < networks->count; i++) {
		if (strcmp(networks->items[i], "postmark") != 0) {
			networks_add(&s->allowed, networks->items[i]);
			continue;
		}
		for (size_t k = 0; k < POSTMARK_COUNT; k++)
			networks_add(&s->allowed, postmark[k]);
	}
	for (size_t i = 0; i < proxies->count; i++) {
		if (strcmp(proxies->items[i], "unix") == 0)
			s->unix_proxies = true;
		else
			networks_add(&s->proxies, proxies->items[i]);
	}
	return s;
}

void
senders_free(struct senders **senders)
{
	if (*senders == NULL)
		return;
	free((*senders)->allowed.list);
	free((*senders)->proxies.list);
	free(*senders);
	*senders = NULL;
}

/* An address, in brackets and with a port or not.  0, or -1: it is none. */
static int
read_address(const char *text, size_t len, unsigned char address_r[NETWORK_ADDRESS_BYTES])
{
	char host[INET6_ADDRSTRLEN];
	const char *end = memchr(text, ']', len), *colon = memchr(text, ':', len);

	if (len > 0 && text[0] == '[') {
		if (end == NULL || (end + 1 < text + len && end[1] != ':'))
			return -1;
		text++;
		len = (size_t)(end - text);
	} else if (colon != NULL &&
		   memchr(colon + 1, ':', len - (size_t)(colon + 1 - text)) == NULL) {
		len = (size_t)(colon - text);
	}
	if (len >= sizeof(host))
		return -1;
	memcpy(host, text, len);
	host[len] = '\0';
	return network_address_parse(address_r, host);
}

/* The last item of a list in text[..len]; what is before it has *before_r bytes. */
static const char *
last_item(const char *text, size_t len, size_t *item_len_r, size_t *before_r)
{
	size_t end = len, begin;

	while (end > 0 && strchr(" \t", text[end - 1]) != NULL)
		end--;
	for (begin = end; begin > 0 && text[begin - 1] != ',';)
		begin--;
	*before_r = begin > 0 ? begin - 1 : 0;
	while (begin < end && strchr(" \t", text[begin]) != NULL)
		begin++;
	*item_len_r = end - begin;
	return text + begin;
}

bool
senders_may(const struct senders *s, const char *peer, const char *const *forwarded, size_t count,
    char text_r[SENDERS_TEXT_SIZE])
{
	unsigned char address[NETWORK_ADDRESS_BYTES] = { 0 };
	bool local = strcmp(peer, "unix") == 0;
	bool known = !local && read_address(peer, strlen(peer), address) == 0;
	bool proxy = local ? s->unix_proxies : known && networks_have(&s->proxies, address);

	while (proxy && count > 0) {
		const char *line = forwarded[--count];
		size_t left = strlen(line), len;

		while (proxy && left > 0) {
			const char *item = last_item(line, left, &len, &left);

			if (len == 0)
				continue;
			local = false;
			known = read_address(item, len, address) == 0;
			proxy = known && networks_have(&s->proxies, address);
		}
	}
	if (known)
		network_address_print(address, text_r);
	else
		snprintf(text_r, SENDERS_TEXT_SIZE, "%s", local ? "unix" : "unknown");
	return s->anybody || (known && networks_have(&s->allowed, address));
}
