noinst_PROGRAMS += tests/bench/store_bench
tests_bench_store_bench_SOURCES = tests/bench/store_bench.c
tests_bench_store_bench_LDADD = libstore.a libmail.a libbase.a \
	$(SQLITE_LIBS) $(EVENT_LIBS) $(SECCOMP_LIBS)

noinst_PROGRAMS += tests/bench/store_look_bench
tests_bench_store_look_bench_SOURCES = tests/bench/store_look_bench.c
tests_bench_store_look_bench_LDADD = libstore.a libmail.a libbase.a \
	$(SQLITE_LIBS) $(EVENT_LIBS) $(SECCOMP_LIBS)

noinst_PROGRAMS += tests/bench/store_event_bench
tests_bench_store_event_bench_SOURCES = tests/bench/store_event_bench.c
tests_bench_store_event_bench_LDADD = libstore.a libmail.a libbase.a \
	$(SQLITE_LIBS) $(EVENT_LIBS) $(SECCOMP_LIBS)
