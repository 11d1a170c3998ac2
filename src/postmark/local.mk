noinst_LIBRARIES += libpostmark.a
libpostmark_a_SOURCES = \
	src/postmark/batch.c src/postmark/batch.h \
	src/postmark/client.c src/postmark/client.h \
	src/postmark/event.c src/postmark/event.h \
	src/postmark/header.c src/postmark/header.h \
	src/postmark/mail_head.c src/postmark/mail_head.h \
	src/postmark/message_id.c src/postmark/message_id.h \
	src/postmark/pieces.c src/postmark/pieces.h \
	src/postmark/retry_after.c src/postmark/retry_after.h \
	src/postmark/search.c src/postmark/search.h \
	src/postmark/smtp.c src/postmark/smtp.h \
	src/postmark/smtp_talk.c src/postmark/smtp_talk.h \
	src/postmark/smtp_verdict.c \
	src/postmark/verdict.c src/postmark/verdict.h

postmark_test_libs = libpostmark.a libmail.a libbase.a \
	$(CURL_LIBS) $(JANSSON_LIBS) $(CMOCKA_LIBS) $(EVENT_LIBS) $(SECCOMP_LIBS)

check_PROGRAMS += tests/unit/postmark/batch_test
TESTS += tests/unit/postmark/batch_test
tests_unit_postmark_batch_test_SOURCES = tests/unit/postmark/batch_test.c
tests_unit_postmark_batch_test_LDADD = $(postmark_test_libs)

check_PROGRAMS += tests/unit/postmark/client_test
TESTS += tests/unit/postmark/client_test
tests_unit_postmark_client_test_SOURCES = tests/unit/postmark/client_test.c \
	tests/unit/postmark/server.c tests/unit/postmark/server.h
tests_unit_postmark_client_test_LDADD = $(postmark_test_libs)

check_PROGRAMS += tests/unit/postmark/event_test
TESTS += tests/unit/postmark/event_test
tests_unit_postmark_event_test_SOURCES = tests/unit/postmark/event_test.c
tests_unit_postmark_event_test_LDADD = libpostmark.a libchannel.a libmail.a libbase.a \
	$(JANSSON_LIBS) $(GMIME_LIBS) $(TLS_LIBS) $(CMOCKA_LIBS) $(EVENT_LIBS) $(SECCOMP_LIBS)

check_PROGRAMS += tests/unit/postmark/header_test
TESTS += tests/unit/postmark/header_test
tests_unit_postmark_header_test_SOURCES = tests/unit/postmark/header_test.c
tests_unit_postmark_header_test_LDADD = $(postmark_test_libs)

check_PROGRAMS += tests/unit/postmark/retry_after_test
TESTS += tests/unit/postmark/retry_after_test
tests_unit_postmark_retry_after_test_SOURCES = tests/unit/postmark/retry_after_test.c
tests_unit_postmark_retry_after_test_LDADD = $(postmark_test_libs)

check_PROGRAMS += tests/unit/postmark/search_test
TESTS += tests/unit/postmark/search_test
tests_unit_postmark_search_test_SOURCES = tests/unit/postmark/search_test.c
tests_unit_postmark_search_test_LDADD = $(postmark_test_libs)

check_PROGRAMS += tests/unit/postmark/mail_head_test
TESTS += tests/unit/postmark/mail_head_test
tests_unit_postmark_mail_head_test_SOURCES = tests/unit/postmark/mail_head_test.c
tests_unit_postmark_mail_head_test_LDADD = $(postmark_test_libs)

check_PROGRAMS += tests/unit/postmark/smtp_talk_test
TESTS += tests/unit/postmark/smtp_talk_test
tests_unit_postmark_smtp_talk_test_SOURCES = tests/unit/postmark/smtp_talk_test.c
tests_unit_postmark_smtp_talk_test_LDADD = $(postmark_test_libs)

check_PROGRAMS += tests/unit/postmark/smtp_verdict_test
TESTS += tests/unit/postmark/smtp_verdict_test
tests_unit_postmark_smtp_verdict_test_SOURCES = tests/unit/postmark/smtp_verdict_test.c
tests_unit_postmark_smtp_verdict_test_LDADD = $(postmark_test_libs)

check_PROGRAMS += tests/unit/postmark/smtp_test
TESTS += tests/unit/postmark/smtp_test
tests_unit_postmark_smtp_test_SOURCES = tests/unit/postmark/smtp_test.c \
	tests/unit/postmark/smtp_server.c tests/unit/postmark/smtp_server.h
tests_unit_postmark_smtp_test_LDADD = $(postmark_test_libs) $(TLS_LIBS)

check_PROGRAMS += tests/unit/postmark/verdict_test
TESTS += tests/unit/postmark/verdict_test
tests_unit_postmark_verdict_test_SOURCES = tests/unit/postmark/verdict_test.c
tests_unit_postmark_verdict_test_LDADD = $(postmark_test_libs)

check_PROGRAMS += tests/unit/postmark/tls_test
TESTS += tests/unit/postmark/tls_test
tests_unit_postmark_tls_test_SOURCES = tests/unit/postmark/tls_test.c
tests_unit_postmark_tls_test_LDADD = $(postmark_test_libs)
