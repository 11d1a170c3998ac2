check_PROGRAMS += tests/fuzz/mustache_fuzz
tests_fuzz_mustache_fuzz_SOURCES = tests/fuzz/mustache_fuzz.c $(FUZZ_MAIN)
tests_fuzz_mustache_fuzz_LDADD = libsandbox.a libbase.a $(JANSSON_LIBS) $(EVENT_LIBS) \
	$(SECCOMP_LIBS)
tests_fuzz_mustache_fuzz_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
FUZZ_TARGETS += mustache
EXTRA_DIST += tests/fuzz/mustache.dict
