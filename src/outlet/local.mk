noinst_LIBRARIES += liboutlet.a
liboutlet_a_SOURCES = \
	src/outlet/command.c \
	src/outlet/consumer.c \
	src/outlet/file.c \
	src/outlet/filter.c src/outlet/filter.h \
	src/outlet/forward.c \
	src/outlet/inside.h \
	src/outlet/line.c src/outlet/line.h \
	src/outlet/notice.c \
	src/outlet/notice_mail.c src/outlet/notice_mail.h \
	src/outlet/outlets.c src/outlet/outlets.h \
	src/outlet/rules.c src/outlet/rules.h

outlet_test_libs = liboutlet.a libstore.a libpostmark.a libmail.a libconfig.a libbase.a \
	$(CMOCKA_LIBS) $(GMIME_LIBS) $(CURL_LIBS) $(SQLITE_LIBS) $(JANSSON_LIBS) $(CONFUSE_LIBS) \
	$(PCRE2_LIBS) $(TLS_LIBS) $(EVENT_LIBS) $(SECCOMP_LIBS)

check_PROGRAMS += tests/unit/outlet/rules_test
TESTS += tests/unit/outlet/rules_test
tests_unit_outlet_rules_test_SOURCES = tests/unit/outlet/rules_test.c
tests_unit_outlet_rules_test_LDADD = $(outlet_test_libs)

check_PROGRAMS += tests/unit/outlet/outlets_test
TESTS += tests/unit/outlet/outlets_test
tests_unit_outlet_outlets_test_SOURCES = tests/unit/outlet/outlets_test.c $(store_test_spool) \
	tests/unit/postmark/server.c tests/unit/postmark/server.h
tests_unit_outlet_outlets_test_LDADD = $(outlet_test_libs)

check_PROGRAMS += tests/unit/outlet/notice_test
TESTS += tests/unit/outlet/notice_test
tests_unit_outlet_notice_test_SOURCES = tests/unit/outlet/notice_test.c
tests_unit_outlet_notice_test_LDADD = $(outlet_test_libs)
