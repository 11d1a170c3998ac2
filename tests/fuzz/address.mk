check_PROGRAMS += tests/fuzz/address_fuzz
tests_fuzz_address_fuzz_SOURCES = tests/fuzz/address_fuzz.c $(FUZZ_MAIN)
tests_fuzz_address_fuzz_LDADD = libmail.a libbase.a $(GMIME_LIBS) $(EVENT_LIBS) $(SECCOMP_LIBS)
tests_fuzz_address_fuzz_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
FUZZ_TARGETS += address
