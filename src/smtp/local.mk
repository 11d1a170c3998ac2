noinst_LIBRARIES += libsmtp.a
libsmtp_a_SOURCES = \
	src/smtp/command.c src/smtp/command.h \
	src/smtp/data.c src/smtp/data.h \
	src/smtp/listener.c src/smtp/listener.h \
	src/smtp/reply.c src/smtp/reply.h \
	src/smtp/session.c src/smtp/session.h \
	src/smtp/session_auth.c \
	src/smtp/session_content.c \
	src/smtp/session_inside.h \
	src/smtp/session_mail.c \
	src/smtp/session_say.c \
	src/smtp/session_verbs.c

SMTP_TEST_LIBS = libsmtp.a libmail.a libbase.a \
	$(CMOCKA_LIBS) $(TLS_LIBS) $(EVENT_LIBS) $(GMIME_LIBS) $(SECCOMP_LIBS)

check_PROGRAMS += tests/unit/smtp/command_test
TESTS += tests/unit/smtp/command_test
tests_unit_smtp_command_test_SOURCES = tests/unit/smtp/command_test.c
tests_unit_smtp_command_test_LDADD = $(SMTP_TEST_LIBS)

check_PROGRAMS += tests/unit/smtp/data_test
TESTS += tests/unit/smtp/data_test
tests_unit_smtp_data_test_SOURCES = tests/unit/smtp/data_test.c
tests_unit_smtp_data_test_LDADD = $(SMTP_TEST_LIBS)

check_PROGRAMS += tests/unit/smtp/reply_test
TESTS += tests/unit/smtp/reply_test
tests_unit_smtp_reply_test_SOURCES = tests/unit/smtp/reply_test.c
tests_unit_smtp_reply_test_LDADD = $(SMTP_TEST_LIBS)

check_PROGRAMS += tests/unit/smtp/session_test
TESTS += tests/unit/smtp/session_test
tests_unit_smtp_session_test_SOURCES = tests/unit/smtp/session_test.c
tests_unit_smtp_session_test_LDADD = $(SMTP_TEST_LIBS)

check_PROGRAMS += tests/unit/smtp/listener_test
TESTS += tests/unit/smtp/listener_test
tests_unit_smtp_listener_test_SOURCES = tests/unit/smtp/listener_test.c
tests_unit_smtp_listener_test_LDADD = $(SMTP_TEST_LIBS)

check_PROGRAMS += tests/unit/smtp/auth_test
TESTS += tests/unit/smtp/auth_test
tests_unit_smtp_auth_test_SOURCES = tests/unit/smtp/auth_test.c
tests_unit_smtp_auth_test_LDADD = $(SMTP_TEST_LIBS)
