noinst_LIBRARIES += libwebhook.a
libwebhook_a_SOURCES = \
	src/webhook/hooks.c src/webhook/hooks.h \
	src/webhook/receiver.c src/webhook/receiver.h \
	src/webhook/senders.c src/webhook/senders.h

webhook_test_libs = libwebhook.a libchannel.a libpostmark.a libmail.a libconfig.a libbase.a \
	$(CMOCKA_LIBS) $(GMIME_LIBS) $(JANSSON_LIBS) $(CONFUSE_LIBS) $(PCRE2_LIBS) $(TLS_LIBS) \
	$(EVENT_LIBS) $(SECCOMP_LIBS)

check_PROGRAMS += tests/unit/webhook/hooks_test
TESTS += tests/unit/webhook/hooks_test
tests_unit_webhook_hooks_test_SOURCES = tests/unit/webhook/hooks_test.c
tests_unit_webhook_hooks_test_LDADD = $(webhook_test_libs)

check_PROGRAMS += tests/unit/webhook/senders_test
TESTS += tests/unit/webhook/senders_test
tests_unit_webhook_senders_test_SOURCES = tests/unit/webhook/senders_test.c
tests_unit_webhook_senders_test_LDADD = $(webhook_test_libs)

check_PROGRAMS += tests/unit/webhook/receiver_test
TESTS += tests/unit/webhook/receiver_test
tests_unit_webhook_receiver_test_SOURCES = tests/unit/webhook/receiver_test.c
tests_unit_webhook_receiver_test_LDADD = $(webhook_test_libs)
