noinst_LIBRARIES += libconsole.a
libconsole_a_SOURCES = \
	src/console/complete.c \
	src/console/console.c src/console/console.h \
	src/console/help.c src/console/help.h \
	src/console/http.c src/console/http.h \
	src/console/paint.c src/console/paint.h \
	src/console/report.c src/console/report.h \
	src/console/table.c src/console/table.h \
	src/console/terminal.c src/console/terminal.h \
	src/console/top.c src/console/top.h \
	src/console/words.c src/console/words.h

console_test_libs = libconsole.a liboperations.a libbase.a \
	$(CMOCKA_LIBS) $(CURL_LIBS) $(JANSSON_LIBS) $(EVENT_LIBS) $(SECCOMP_LIBS)

check_PROGRAMS += tests/unit/console/words_test
TESTS += tests/unit/console/words_test
tests_unit_console_words_test_SOURCES = tests/unit/console/words_test.c
tests_unit_console_words_test_LDADD = $(console_test_libs)

check_PROGRAMS += tests/unit/console/table_test
TESTS += tests/unit/console/table_test
tests_unit_console_table_test_SOURCES = tests/unit/console/table_test.c
tests_unit_console_table_test_LDADD = $(console_test_libs)
