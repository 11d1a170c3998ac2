check_PROGRAMS += tests/fuzz/httpd_fuzz
tests_fuzz_httpd_fuzz_SOURCES = tests/fuzz/httpd_fuzz.c $(FUZZ_MAIN)
tests_fuzz_httpd_fuzz_LDADD = libbase.a $(TLS_LIBS) $(EVENT_LIBS) $(SECCOMP_LIBS)
tests_fuzz_httpd_fuzz_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
FUZZ_TARGETS += httpd
EXTRA_DIST += tests/fuzz/httpd.dict
