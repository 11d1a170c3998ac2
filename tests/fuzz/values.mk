check_PROGRAMS += tests/fuzz/values_fuzz
tests_fuzz_values_fuzz_SOURCES = tests/fuzz/values_fuzz.c $(FUZZ_MAIN)
tests_fuzz_values_fuzz_LDADD = liboperations.a libbase.a $(JANSSON_LIBS) $(EVENT_LIBS) $(SECCOMP_LIBS)
tests_fuzz_values_fuzz_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
FUZZ_TARGETS += values
