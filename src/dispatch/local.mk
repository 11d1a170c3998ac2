noinst_LIBRARIES += libdispatch.a
libdispatch_a_SOURCES = \
	src/dispatch/breaker.c src/dispatch/breaker.h \
	src/dispatch/dispatch.c src/dispatch/dispatch.h \
	src/dispatch/inside.h \
	src/dispatch/judge.c src/dispatch/judge.h \
	src/dispatch/keep.c \
	src/dispatch/local.c \
	src/dispatch/mix.c src/dispatch/mix.h \
	src/dispatch/outcome.c src/dispatch/outcome.h \
	src/dispatch/pace.c src/dispatch/pace.h \
	src/dispatch/pending.c src/dispatch/pending.h \
	src/dispatch/route.c src/dispatch/route.h \
	src/dispatch/schedule.c src/dispatch/schedule.h \
	src/dispatch/settle.c src/dispatch/settle.h

dispatch_test_libs = libdispatch.a libdeliver.a libstore.a libpostmark.a libmail.a libconfig.a \
	libbase.a $(CURL_LIBS) $(SQLITE_LIBS) $(JANSSON_LIBS) $(CMOCKA_LIBS) $(CONFUSE_LIBS) \
	$(PCRE2_LIBS) $(EVENT_LIBS) $(SECCOMP_LIBS)

check_PROGRAMS += tests/unit/dispatch/breaker_test
TESTS += tests/unit/dispatch/breaker_test
tests_unit_dispatch_breaker_test_SOURCES = tests/unit/dispatch/breaker_test.c
tests_unit_dispatch_breaker_test_LDADD = libdispatch.a $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/dispatch/dispatch_test
TESTS += tests/unit/dispatch/dispatch_test
tests_unit_dispatch_dispatch_test_SOURCES = tests/unit/dispatch/dispatch_test.c \
	tests/unit/postmark/server.c tests/unit/postmark/server.h \
	tests/unit/postmark/smtp_server.c tests/unit/postmark/smtp_server.h
tests_unit_dispatch_dispatch_test_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/unit/postmark
tests_unit_dispatch_dispatch_test_LDADD = $(dispatch_test_libs) $(TLS_LIBS)
tests_unit_dispatch_dispatch_test_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=store_routes -Wl,--wrap=store_route_set

check_PROGRAMS += tests/unit/dispatch/pace_test
TESTS += tests/unit/dispatch/pace_test
tests_unit_dispatch_pace_test_SOURCES = tests/unit/dispatch/pace_test.c
tests_unit_dispatch_pace_test_LDADD = libdispatch.a $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/dispatch/schedule_test
TESTS += tests/unit/dispatch/schedule_test
tests_unit_dispatch_schedule_test_SOURCES = tests/unit/dispatch/schedule_test.c
tests_unit_dispatch_schedule_test_LDADD = libdispatch.a $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/dispatch/mix_test
TESTS += tests/unit/dispatch/mix_test
tests_unit_dispatch_mix_test_SOURCES = tests/unit/dispatch/mix_test.c
tests_unit_dispatch_mix_test_LDADD = libdispatch.a $(postmark_test_libs)


check_PROGRAMS += tests/unit/dispatch/route_test
TESTS += tests/unit/dispatch/route_test
tests_unit_dispatch_route_test_SOURCES = tests/unit/dispatch/route_test.c
tests_unit_dispatch_route_test_LDADD = libdispatch.a $(postmark_test_libs)

check_PROGRAMS += tests/unit/dispatch/local_test
TESTS += tests/unit/dispatch/local_test
tests_unit_dispatch_local_test_SOURCES = tests/unit/dispatch/local_test.c \
	tests/unit/postmark/smtp_server.c tests/unit/postmark/smtp_server.h
tests_unit_dispatch_local_test_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/unit/postmark
tests_unit_dispatch_local_test_LDADD = $(dispatch_test_libs) $(TLS_LIBS)
