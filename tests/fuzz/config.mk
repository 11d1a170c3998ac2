check_PROGRAMS += tests/fuzz/config_fuzz
tests_fuzz_config_fuzz_SOURCES = tests/fuzz/config_fuzz.c $(FUZZ_MAIN)
tests_fuzz_config_fuzz_LDADD = libconfig.a libbase.a $(CONFUSE_LIBS) $(PCRE2_LIBS) \
	$(EVENT_LIBS) $(SECCOMP_LIBS)
tests_fuzz_config_fuzz_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
FUZZ_TARGETS += config
EXTRA_DIST += tests/fuzz/config.dict
