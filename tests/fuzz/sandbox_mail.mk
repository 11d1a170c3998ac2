check_PROGRAMS += tests/fuzz/sandbox_mail_fuzz
tests_fuzz_sandbox_mail_fuzz_SOURCES = tests/fuzz/sandbox_mail_fuzz.c $(FUZZ_MAIN)
tests_fuzz_sandbox_mail_fuzz_LDADD = libsandbox.a libmail.a libbase.a $(GMIME_LIBS) $(CURL_LIBS) $(JANSSON_LIBS) \
	$(EVENT_LIBS) $(SECCOMP_LIBS)
tests_fuzz_sandbox_mail_fuzz_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
FUZZ_TARGETS += sandbox_mail
