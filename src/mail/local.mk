noinst_LIBRARIES += libmail.a
libmail_a_SOURCES = \
	src/mail/address.c src/mail/address.h \
	src/mail/charset.c src/mail/charset.h \
	src/mail/charset_mac.c src/mail/charset_mac.h \
	src/mail/dsn.c src/mail/dsn.h \
	src/mail/envelope.c src/mail/envelope.h \
	src/mail/event.c src/mail/event.h \
	src/mail/hook.c src/mail/hook.h \
	src/mail/suppression.c src/mail/suppression.h \
	src/mail/mail.c src/mail/mail.h \
	src/mail/mime.c src/mail/mime.h \
	src/mail/parameter.c src/mail/parameter.h \
	src/mail/plain.c src/mail/plain.h \
	src/mail/refusal.c src/mail/refusal.h \
	src/mail/tree.c src/mail/tree.h \
	src/mail/value.c src/mail/value.h

check_PROGRAMS += tests/unit/mail/address_test tests/unit/mail/mime_test \
	tests/unit/mail/parameter_test tests/unit/mail/plain_test
TESTS += tests/unit/mail/address_test tests/unit/mail/mime_test \
	tests/unit/mail/parameter_test tests/unit/mail/plain_test
tests_unit_mail_address_test_SOURCES = tests/unit/mail/address_test.c
tests_unit_mail_address_test_LDADD = libmail.a libbase.a \
	$(CMOCKA_LIBS) $(GMIME_LIBS) $(EVENT_LIBS) $(SECCOMP_LIBS)
tests_unit_mail_mime_test_SOURCES = tests/unit/mail/mime_test.c
tests_unit_mail_mime_test_LDADD = $(tests_unit_mail_address_test_LDADD)
tests_unit_mail_parameter_test_SOURCES = tests/unit/mail/parameter_test.c
tests_unit_mail_parameter_test_LDADD = $(tests_unit_mail_address_test_LDADD)
tests_unit_mail_plain_test_SOURCES = tests/unit/mail/plain_test.c
tests_unit_mail_plain_test_LDADD = $(tests_unit_mail_address_test_LDADD)

check_PROGRAMS += tests/unit/mail/suppression_test
TESTS += tests/unit/mail/suppression_test
tests_unit_mail_suppression_test_SOURCES = tests/unit/mail/suppression_test.c
tests_unit_mail_suppression_test_LDADD = $(tests_unit_mail_address_test_LDADD)
check_PROGRAMS += tests/unit/mail/event_test
TESTS += tests/unit/mail/event_test
tests_unit_mail_event_test_SOURCES = tests/unit/mail/event_test.c
tests_unit_mail_event_test_LDADD = libmail.a libbase.a $(CMOCKA_LIBS) $(EVENT_LIBS) $(SECCOMP_LIBS)

check_PROGRAMS += tests/unit/mail/dsn_test
TESTS += tests/unit/mail/dsn_test
tests_unit_mail_dsn_test_SOURCES = tests/unit/mail/dsn_test.c
tests_unit_mail_dsn_test_LDADD = $(tests_unit_mail_address_test_LDADD)
TESTS += tests/unit/mail/dsn.py
dist_check_SCRIPTS += tests/unit/mail/dsn.py

