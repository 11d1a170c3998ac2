#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "base/network.h"
#include "base/text.h"

static const unsigned char mapped_prefix[12] = { [10] = 0xff, [11] = 0xff };

static bool
is_mapped(const unsigned char address[NETWORK_ADDRESS_BYTES])
{
	return memcmp(address, mapped_prefix, sizeof(mapped_prefix)) == 0;
}

void
network_address_map(unsigned char address_r[NETWORK_ADDRESS_BYTES], const struct in_addr *ipv4)
{
	memcpy(address_r, mapped_prefix, sizeof(mapped_prefix));
	memcpy(address_r + sizeof(mapped_prefix), ipv4, sizeof(*ipv4));
}

void
network_address_print(const unsigned char address[NETWORK_ADDRESS_BYTES], char *text)
{
	if (is_mapped(address))
		inet_ntop(AF_INET, address + sizeof(mapped_prefix), text, INET6_ADDRSTRLEN);
	else
		inet_ntop(AF_INET6, address, text, INET6_ADDRSTRLEN);
}

int
network_address_parse(unsigned char address_r[NETWORK_ADDRESS_BYTES], const char *text)
{
	struct in_addr ipv4;

	if (inet_pton(AF_INET, text, &ipv4) == 1) {
		network_address_map(address_r, &ipv4);
		return 0;
	}
	return inet_pton(AF_INET6, text, address_r) == 1 ? 0 : -1;
}

int
network_parse(struct network *network_r, const char *text)
{
	const char *slash = strchr(text, '/');
	size_t len = slash != NULL ? (size_t)(slash - text) : strlen(text);
	char address[INET6_ADDRSTRLEN];
	bool dotted;
	uint64_t bits;

	if (len >= sizeof(address))
		return -1;
	memcpy(address, text, len);
	address[len] = '\0';
	*network_r = (struct network){ .ipv4 = false };
	if (network_address_parse(network_r->address, address) != 0)
		return -1;
	dotted = strchr(address, ':') == NULL;
	bits = dotted ? 32 : 128;
	if (slash != NULL && text_number(slash + 1, strlen(slash + 1), 0, bits, &bits) != 0)
		return -1;
	network_r->prefix_bits = (unsigned)bits + (dotted ? 96 : 0);
	/* ::ffff:192.0.2.0/120 is one of IPv4; ::/0 is not. */
	network_r->ipv4 = network_r->prefix_bits >= 96 && is_mapped(network_r->address);
	return 0;
}

bool
network_has(const struct network *network, const unsigned char address[NETWORK_ADDRESS_BYTES])
{
	unsigned bytes = network->prefix_bits / 8, bits = network->prefix_bits % 8;

	if (network->ipv4 != is_mapped(address) || memcmp(network->address, address, bytes) != 0)
		return false;
	return bits == 0 || ((network->address[bytes] ^ address[bytes]) >> (8 - bits)) == 0;
}
