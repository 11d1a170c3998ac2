check_PROGRAMS += tests/fuzz/dsn_fuzz
tests_fuzz_dsn_fuzz_SOURCES = tests/fuzz/dsn_fuzz.c $(FUZZ_MAIN)
tests_fuzz_dsn_fuzz_LDADD = libmail.a libbase.a $(GMIME_LIBS) $(EVENT_LIBS) $(SECCOMP_LIBS)
tests_fuzz_dsn_fuzz_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
FUZZ_TARGETS += dsn
