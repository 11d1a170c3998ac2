check_PROGRAMS += tests/fuzz/routing_fuzz
tests_fuzz_routing_fuzz_SOURCES = tests/fuzz/routing_fuzz.c $(FUZZ_MAIN)
tests_fuzz_routing_fuzz_LDADD = librouting.a libmail.a libconfig.a libbase.a \
	$(GMIME_LIBS) $(CONFUSE_LIBS) $(PCRE2_LIBS) $(EVENT_LIBS) $(SECCOMP_LIBS)
tests_fuzz_routing_fuzz_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
FUZZ_TARGETS += routing
EXTRA_DIST += tests/fuzz/routing.dict
