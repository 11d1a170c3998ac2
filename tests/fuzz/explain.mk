check_PROGRAMS += tests/fuzz/explain_fuzz
tests_fuzz_explain_fuzz_SOURCES = tests/fuzz/explain_fuzz.c $(FUZZ_MAIN)
tests_fuzz_explain_fuzz_LDADD = libintake.a librouting.a libconvert.a libmail.a libconfig.a \
	libbase.a $(GMIME_LIBS) $(JANSSON_LIBS) $(CONFUSE_LIBS) $(PCRE2_LIBS) $(EVENT_LIBS) \
	$(SECCOMP_LIBS)
tests_fuzz_explain_fuzz_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
FUZZ_TARGETS += explain
