noinst_LIBRARIES += libsandbox.a
libsandbox_a_SOURCES = \
	src/sandbox/api.c src/sandbox/api.h \
	src/sandbox/control.c src/sandbox/control.h \
	src/sandbox/faults.c src/sandbox/faults.h \
	src/sandbox/messages.c src/sandbox/messages.h \
	src/sandbox/rules.c src/sandbox/rules.h \
	src/sandbox/sandbox.c src/sandbox/sandbox.h \
	src/sandbox/search.c src/sandbox/search.h \
	src/sandbox/state.c src/sandbox/state.h \
	src/sandbox/uuid.c src/sandbox/uuid.h

sandbox_test_libs = libsandbox.a libbase.a $(CMOCKA_LIBS) $(JANSSON_LIBS) $(EVENT_LIBS) \
	$(SECCOMP_LIBS)

check_PROGRAMS += tests/unit/sandbox/rules_test
TESTS += tests/unit/sandbox/rules_test
tests_unit_sandbox_rules_test_SOURCES = tests/unit/sandbox/rules_test.c
tests_unit_sandbox_rules_test_LDADD = $(sandbox_test_libs)

check_PROGRAMS += tests/unit/sandbox/texts_test
TESTS += tests/unit/sandbox/texts_test
tests_unit_sandbox_texts_test_SOURCES = tests/unit/sandbox/texts_test.c
tests_unit_sandbox_texts_test_LDADD = $(sandbox_test_libs)

check_PROGRAMS += tests/unit/sandbox/messages_test
TESTS += tests/unit/sandbox/messages_test
tests_unit_sandbox_messages_test_SOURCES = tests/unit/sandbox/messages_test.c
tests_unit_sandbox_messages_test_LDADD = $(sandbox_test_libs)

check_PROGRAMS += tests/unit/sandbox/faults_test
TESTS += tests/unit/sandbox/faults_test
tests_unit_sandbox_faults_test_SOURCES = tests/unit/sandbox/faults_test.c
tests_unit_sandbox_faults_test_LDADD = $(sandbox_test_libs)

TESTS += tests/scenario/sandbox_api.py
dist_check_SCRIPTS += tests/scenario/sandbox_api.py

libsandbox_a_SOURCES += src/sandbox/mustache.c src/sandbox/mustache.h

check_PROGRAMS += tests/unit/sandbox/mustache_test
TESTS += tests/unit/sandbox/mustache_test
tests_unit_sandbox_mustache_test_SOURCES = tests/unit/sandbox/mustache_test.c
tests_unit_sandbox_mustache_test_LDADD = $(sandbox_test_libs)
