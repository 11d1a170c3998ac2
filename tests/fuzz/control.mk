check_PROGRAMS += tests/fuzz/control_fuzz
tests_fuzz_control_fuzz_SOURCES = tests/fuzz/control_fuzz.c $(FUZZ_MAIN)
tests_fuzz_control_fuzz_LDADD = libcontrol.a libstore.a libpostmark.a libmail.a libconfig.a \
	liboperations.a libbase.a $(GMIME_LIBS) $(CURL_LIBS) $(SQLITE_LIBS) $(JANSSON_LIBS) \
	$(CONFUSE_LIBS) $(PCRE2_LIBS) $(TLS_LIBS) $(EVENT_LIBS) $(SECCOMP_LIBS)
tests_fuzz_control_fuzz_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
FUZZ_TARGETS += control
EXTRA_DIST += tests/fuzz/control.dict
