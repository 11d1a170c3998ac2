check_PROGRAMS += tests/fuzz/webhook_event_fuzz
tests_fuzz_webhook_event_fuzz_SOURCES = tests/fuzz/webhook_event_fuzz.c $(FUZZ_MAIN)
tests_fuzz_webhook_event_fuzz_LDADD = libpostmark.a libchannel.a libmail.a libbase.a \
	$(JANSSON_LIBS) $(GMIME_LIBS) $(TLS_LIBS) $(EVENT_LIBS) $(SECCOMP_LIBS)
tests_fuzz_webhook_event_fuzz_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
FUZZ_TARGETS += webhook_event
EXTRA_DIST += tests/fuzz/webhook_event.dict
