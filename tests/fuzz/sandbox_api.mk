check_PROGRAMS += tests/fuzz/sandbox_api_fuzz
tests_fuzz_sandbox_api_fuzz_SOURCES = tests/fuzz/sandbox_api_fuzz.c $(FUZZ_MAIN)
tests_fuzz_sandbox_api_fuzz_LDADD = libsandbox.a libmail.a libbase.a \
	$(GMIME_LIBS) $(CURL_LIBS) $(JANSSON_LIBS) $(EVENT_LIBS) \
	$(SECCOMP_LIBS)
tests_fuzz_sandbox_api_fuzz_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
FUZZ_TARGETS += sandbox_api
EXTRA_DIST += tests/fuzz/sandbox_api.dict
