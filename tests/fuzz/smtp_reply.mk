check_PROGRAMS += tests/fuzz/smtp_reply_fuzz
tests_fuzz_smtp_reply_fuzz_SOURCES = tests/fuzz/smtp_reply_fuzz.c $(FUZZ_MAIN)
tests_fuzz_smtp_reply_fuzz_LDADD = libpostmark.a libmail.a libbase.a \
	$(CURL_LIBS) $(JANSSON_LIBS) $(EVENT_LIBS) $(SECCOMP_LIBS)
tests_fuzz_smtp_reply_fuzz_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
FUZZ_TARGETS += smtp_reply
