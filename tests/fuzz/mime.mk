check_PROGRAMS += tests/fuzz/mime_fuzz
tests_fuzz_mime_fuzz_SOURCES = tests/fuzz/mime_fuzz.c $(FUZZ_MAIN)
tests_fuzz_mime_fuzz_LDADD = libmail.a libbase.a \
	$(GMIME_LIBS) $(EVENT_LIBS) $(SECCOMP_LIBS)
tests_fuzz_mime_fuzz_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
FUZZ_TARGETS += mime
