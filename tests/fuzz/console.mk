check_PROGRAMS += tests/fuzz/console_fuzz
tests_fuzz_console_fuzz_SOURCES = tests/fuzz/console_fuzz.c $(FUZZ_MAIN)
tests_fuzz_console_fuzz_LDADD = libconsole.a liboperations.a libbase.a \
	$(CURL_LIBS) $(JANSSON_LIBS) $(EVENT_LIBS) $(SECCOMP_LIBS)
tests_fuzz_console_fuzz_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
FUZZ_TARGETS += console
