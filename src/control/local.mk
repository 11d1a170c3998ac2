noinst_LIBRARIES += libcontrol.a
libcontrol_a_SOURCES = \
	src/control/ask.c src/control/ask.h \
	src/control/control.c src/control/control.h \
	src/control/chores.c \
	src/control/ensure.c \
	src/control/ensure_plan.c src/control/ensure_plan.h \
	src/control/suppressions.c \
	src/control/feed.c src/control/feed.h \
	src/control/inside.h \
	src/control/life.c \
	src/control/message.c src/control/message.h \
	src/control/queue.c \
	src/control/raw.c \
	src/control/remote.c \
	src/control/request.c \
	src/control/send.c \
	src/control/server.c src/control/server.h \
	src/control/shows.c \
	src/control/waits.c \
	src/control/webhooks.c

control_test_libs = libcontrol.a libmail.a libbase.a $(CMOCKA_LIBS) $(GMIME_LIBS) $(JANSSON_LIBS) \
	$(TLS_LIBS) $(EVENT_LIBS) $(SECCOMP_LIBS)

check_PROGRAMS += tests/unit/control/feed_test
TESTS += tests/unit/control/feed_test
tests_unit_control_feed_test_SOURCES = tests/unit/control/feed_test.c
tests_unit_control_feed_test_LDADD = $(control_test_libs)

check_PROGRAMS += tests/unit/control/life_test
TESTS += tests/unit/control/life_test
tests_unit_control_life_test_SOURCES = tests/unit/control/life_test.c
tests_unit_control_life_test_LDADD = libcontrol.a libstore.a libpostmark.a libmail.a libconfig.a \
	liboperations.a libbase.a $(CMOCKA_LIBS) $(GMIME_LIBS) $(CURL_LIBS) $(SQLITE_LIBS) \
	$(JANSSON_LIBS) $(CONFUSE_LIBS) $(PCRE2_LIBS) $(TLS_LIBS) $(EVENT_LIBS) $(SECCOMP_LIBS)

check_PROGRAMS += tests/unit/control/message_test
TESTS += tests/unit/control/message_test
tests_unit_control_message_test_SOURCES = tests/unit/control/message_test.c
tests_unit_control_message_test_LDADD = $(control_test_libs)

check_PROGRAMS += tests/unit/control/waits_test
TESTS += tests/unit/control/waits_test
tests_unit_control_waits_test_SOURCES = tests/unit/control/waits_test.c
tests_unit_control_waits_test_LDADD = $(control_test_libs)
