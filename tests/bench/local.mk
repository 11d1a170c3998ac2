# `make bench` measures; nothing here is a test of right or wrong.  The load generator is built
# for `make check` too, because the crash tests send with it.
bench_tools = tests/bench/smtp_load tests/bench/http_sink tests/bench/sync_count.so
check_PROGRAMS += $(bench_tools)

tests_bench_smtp_load_SOURCES = tests/bench/smtp_load.c
tests_bench_http_sink_SOURCES = tests/bench/http_sink.c
# Loaded into programs of any kind, so without sanitizers.
tests_bench_sync_count_so_SOURCES = tests/bench/sync_count.c
tests_bench_sync_count_so_CFLAGS = -std=gnu11 $(WARN_CFLAGS) -fPIC
tests_bench_sync_count_so_LDFLAGS = -shared

include tests/bench/convert.mk
include tests/bench/store.mk
include tests/bench/webhook.mk

bench: all $(bench_tools)
	top_srcdir='$(abs_top_srcdir)' top_builddir='$(abs_top_builddir)' \
		python3 $(srcdir)/tests/bench/bench.py $(BENCH_FLAGS)
bench-control: all $(bench_tools)
	top_srcdir='$(abs_top_srcdir)' top_builddir='$(abs_top_builddir)' \
		python3 $(srcdir)/tests/bench/control_bench.py $(BENCH_FLAGS)
.PHONY: bench bench-control

EXTRA_DIST += tests/bench/bench.py tests/bench/control_bench.py
CLEANFILES += bench.json
