check_PROGRAMS += tests/fuzz/smtp_session_fuzz
tests_fuzz_smtp_session_fuzz_SOURCES = tests/fuzz/smtp_session_fuzz.c $(FUZZ_MAIN)
tests_fuzz_smtp_session_fuzz_LDADD = libsmtp.a libmail.a libbase.a $(TLS_LIBS) $(EVENT_LIBS) \
	$(GMIME_LIBS) $(SECCOMP_LIBS)
tests_fuzz_smtp_session_fuzz_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
FUZZ_TARGETS += smtp_session
EXTRA_DIST += tests/fuzz/smtp_session.dict
