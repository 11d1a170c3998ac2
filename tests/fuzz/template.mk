check_PROGRAMS += tests/fuzz/template_fuzz
tests_fuzz_template_fuzz_SOURCES = tests/fuzz/template_fuzz.c $(FUZZ_MAIN)
tests_fuzz_template_fuzz_LDADD = $(tests_fuzz_convert_fuzz_LDADD)
tests_fuzz_template_fuzz_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
FUZZ_TARGETS += template
