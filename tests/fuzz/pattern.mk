check_PROGRAMS += tests/fuzz/pattern_fuzz
tests_fuzz_pattern_fuzz_SOURCES = tests/fuzz/pattern_fuzz.c $(FUZZ_MAIN)
tests_fuzz_pattern_fuzz_LDADD = libbase.a $(PCRE2_LIBS) $(EVENT_LIBS) $(SECCOMP_LIBS)
tests_fuzz_pattern_fuzz_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
FUZZ_TARGETS += pattern
EXTRA_DIST += tests/fuzz/pattern.dict
