check_PROGRAMS += tests/fuzz/convert_fuzz
tests_fuzz_convert_fuzz_SOURCES = tests/fuzz/convert_fuzz.c $(FUZZ_MAIN)
tests_fuzz_convert_fuzz_LDADD = libconvert.a libmail.a libbase.a \
	$(GMIME_LIBS) $(JANSSON_LIBS) $(PCRE2_LIBS) $(EVENT_LIBS) $(SECCOMP_LIBS)
tests_fuzz_convert_fuzz_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
FUZZ_TARGETS += convert
