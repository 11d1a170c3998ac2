/* Networks and who is in them. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/network.h"

static void
test_networks(void **state)
{
	static const struct {
		const char *reason, *network, *address;
		int result; /* -1: no network; 0: not in it; 1: in it */
	} cases[] = {
		{ "in it", "192.0.2.0/24", "192.0.2.255", 1 },
		{ "beside it", "192.0.2.0/24", "192.0.3.0", 0 },
		{ "bits within a byte", "10.16.0.0/12", "10.31.255.255", 1 },
		{ "and past them", "10.16.0.0/12", "10.32.0.0", 0 },
		{ "bits behind the prefix do not count", "192.0.2.77/24", "192.0.2.1", 1 },
		{ "a single address", "192.0.2.1", "192.0.2.1", 1 },
		{ "and another", "192.0.2.1", "192.0.2.2", 0 },
		{ "all of IPv4", "0.0.0.0/0", "203.0.113.9", 1 },
		{ "is not IPv6", "0.0.0.0/0", "2001:db8::1", 0 },
		{ "all of IPv6", "::/0", "2001:db8::1", 1 },
		{ "is not IPv4", "::/0", "203.0.113.9", 0 },
		{ "IPv6", "2001:db8::/33", "2001:db8:7fff::1", 1 },
		{ "IPv6, beside it", "2001:db8::/33", "2001:db8:8000::1", 0 },
		{ "mapped is IPv4", "192.0.2.0/24", "::ffff:192.0.2.7", 1 },
		{ "a mapped network", "::ffff:192.0.2.0/120", "192.0.2.7", 1 },
		{ "too many bits", "192.0.2.0/33", "192.0.2.1", -1 },
		{ "no bits", "192.0.2.0/", "192.0.2.1", -1 },
		{ "a name", "localhost", "127.0.0.1", -1 },
		{ "half an address", "192.0.2/24", "192.0.2.1", -1 },
		{ "nothing", "", "127.0.0.1", -1 },
		{ "much too long", "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb", "::1",
		    -1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		unsigned char address[NETWORK_ADDRESS_BYTES];
		struct network network;
		int result = network_parse(&network, cases[i].network);

		assert_int_equal(network_address_parse(address, cases[i].address), 0);
		if (result == 0)
			result = network_has(&network, address);
		if (result != cases[i].result)
			fail_msg("%s: %d", cases[i].reason, result);
	}
}

static void
test_no_address(void **state)
{
	unsigned char address[NETWORK_ADDRESS_BYTES];

	(void)state;
	assert_int_equal(network_address_parse(address, "unix"), -1);
	assert_int_equal(network_address_parse(address, "192.0.2.1/32"), -1);
	assert_int_equal(network_address_parse(address, ""), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_networks),
		cmocka_unit_test(test_no_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
