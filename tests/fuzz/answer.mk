check_PROGRAMS += tests/fuzz/answer_fuzz
tests_fuzz_answer_fuzz_SOURCES = tests/fuzz/answer_fuzz.c $(FUZZ_MAIN)
tests_fuzz_answer_fuzz_LDADD = libpostmark.a libmail.a libbase.a \
	$(CURL_LIBS) $(JANSSON_LIBS) $(EVENT_LIBS) $(SECCOMP_LIBS)
tests_fuzz_answer_fuzz_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
FUZZ_TARGETS += answer
