check_PROGRAMS += tests/fuzz/inbound_fuzz
tests_fuzz_inbound_fuzz_SOURCES = tests/fuzz/inbound_fuzz.c $(FUZZ_MAIN)
tests_fuzz_inbound_fuzz_LDADD = libconvert.a libmail.a libbase.a \
	$(GMIME_LIBS) $(JANSSON_LIBS) $(PCRE2_LIBS) $(TLS_LIBS) $(EVENT_LIBS) $(SECCOMP_LIBS)
tests_fuzz_inbound_fuzz_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
FUZZ_TARGETS += inbound
