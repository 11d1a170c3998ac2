#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/digest.h"

static void
expect(const unsigned char digest[DIGEST_BYTES], const char *hex)
{
	char text[DIGEST_HEX_SIZE];

	digest_print(text, digest);
	assert_string_equal(text, hex);
}

/* FIPS 180-4, the examples of NIST. */
static void
test_sha256(void **state)
{
	static const char abc[] = "abc",
			  two[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
	unsigned char out[DIGEST_BYTES];
	struct digest *pieces;

	(void)state;
	digest_sha256(out, "", 0);
	expect(out, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	digest_sha256(out, abc, 3);
	expect(out, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	for (size_t cut = 0; cut < sizeof(two); cut++) {
		pieces = digest_new();
		digest_add(pieces, two, cut);
		digest_add(pieces, two + cut, sizeof(two) - 1 - cut);
		digest_end(&pieces, out);
		assert_null(pieces);
		expect(out, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
	}
}

/* RFC 4231, cases 1, 2 and 6 (a key longer than a block), and no key at all. */
static void
test_hmac(void **state)
{
	unsigned char key[131], out[DIGEST_BYTES];

	(void)state;
	memset(key, 0x0b, 20);
	digest_hmac(out, key, 20, "Hi There", 8);
	expect(out, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
	digest_hmac(out, "Jefe", 4, "what do ya want for nothing?", 28);
	expect(out, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	memset(key, 0xaa, sizeof(key));
	digest_hmac(
	    out, key, sizeof(key), "Test Using Larger Than Block-Size Key - Hash Key First", 54);
	expect(out, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
	digest_hmac(out, NULL, 0, NULL, 0);
	expect(out, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

static void
test_same(void **state)
{
	unsigned char a[DIGEST_BYTES], b[DIGEST_BYTES];

	(void)state;
	digest_sha256(a, "a", 1);
	memcpy(b, a, sizeof(b));
	assert_true(digest_same(a, b));
	for (size_t i = 0; i < DIGEST_BYTES; i++) {
		b[i] ^= 1;
		assert_false(digest_same(a, b));
		b[i] ^= 1;
	}
}

static void
test_parse(void **state)
{
	static const char *const wrong[] = {
		"",
		"00",
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b85",
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b8550",
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b85g",
		" 3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
	};
	unsigned char a[DIGEST_BYTES], b[DIGEST_BYTES];
	char text[DIGEST_HEX_SIZE];

	(void)state;
	digest_sha256(a, "x", 1);
	digest_print(text, a);
	assert_int_equal(digest_parse(b, text), 0);
	assert_memory_equal(a, b, sizeof(a));
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(digest_parse(b, wrong[i]), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sha256),
		cmocka_unit_test(test_hmac),
		cmocka_unit_test(test_same),
		cmocka_unit_test(test_parse),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
