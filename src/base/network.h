#ifndef PMRELAY_BASE_NETWORK_H
#define PMRELAY_BASE_NETWORK_H

#include <stdbool.h>

/*
 * Networks: "192.0.2.0/24", "2001:db8::1".  Pure.  IPv4 stands in its IPv4-mapped form (RFC 4291
 * 2.5.5.2), but only matches IPv4.
 */
#define NETWORK_ADDRESS_BYTES 16

struct network {
	unsigned char address[NETWORK_ADDRESS_BYTES];
	unsigned prefix_bits;
	bool ipv4;
};

/* 0, or -1: it is none. */
int network_parse(struct network *network_r, const char *text);
/* An address alone: "192.0.2.1".  0, or -1. */
int network_address_parse(unsigned char address_r[NETWORK_ADDRESS_BYTES], const char *text);
/* The form in which IPv4 stands here. */
struct in_addr;
void network_address_map(
    unsigned char address_r[NETWORK_ADDRESS_BYTES], const struct in_addr *ipv4);
/* As people write it; text has room for INET6_ADDRSTRLEN bytes. */
void network_address_print(const unsigned char address[NETWORK_ADDRESS_BYTES], char *text);
bool network_has(const struct network *, const unsigned char address[NETWORK_ADDRESS_BYTES]);

#endif
