EXTRA_PROGRAMS += tests/bench/convert_bench
tests_bench_convert_bench_SOURCES = tests/bench/convert_bench.c
tests_bench_convert_bench_LDADD = libconvert.a libmail.a libbase.a \
	$(GMIME_LIBS) $(JANSSON_LIBS) $(PCRE2_LIBS) $(EVENT_LIBS) $(SECCOMP_LIBS)
