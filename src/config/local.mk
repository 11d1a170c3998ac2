noinst_LIBRARIES += libconfig.a
libconfig_a_SOURCES = \
	src/config/check.c src/config/check.h \
	src/config/config.c src/config/config.h \
	src/config/inbound_value.c src/config/inbound_value.h \
	src/config/option.c src/config/option.h \
	src/config/options.c src/config/options.h \
	src/config/options_connection.c \
	src/config/options_control.c \
	src/config/options_inbound.c \
	src/config/options_log.c \
	src/config/options_message.c \
	src/config/options_notice.c \
	src/config/options_outlet.c \
	src/config/options_postmark.c \
	src/config/options_process.c \
	src/config/options_retry.c \
	src/config/options_route.c \
	src/config/options_smtp.c \
	src/config/options_spool.c \
	src/config/options_suppression.c \
	src/config/options_webhook.c \
	src/config/parse.c src/config/parse.h \
	src/config/route_value.c src/config/route_value.h \
	src/config/rows.h \
	src/config/values.c src/config/values.h

CONFIG_TEST_LIBS = libconfig.a libbase.a $(CMOCKA_LIBS) $(CONFUSE_LIBS) $(PCRE2_LIBS) \
	$(EVENT_LIBS) $(SECCOMP_LIBS)
check_PROGRAMS += tests/unit/config/config_test tests/unit/config/documents_test \
	tests/unit/config/routes_test
TESTS += tests/unit/config/config_test tests/unit/config/documents_test \
	tests/unit/config/routes_test
tests_unit_config_config_test_SOURCES = tests/unit/config/config_test.c
tests_unit_config_config_test_LDADD = $(CONFIG_TEST_LIBS)
tests_unit_config_documents_test_SOURCES = tests/unit/config/documents_test.c
tests_unit_config_documents_test_LDADD = $(CONFIG_TEST_LIBS)
tests_unit_config_routes_test_SOURCES = tests/unit/config/routes_test.c
tests_unit_config_routes_test_LDADD = $(CONFIG_TEST_LIBS)

# Writes etc/pmrelay.conf and the options of doc/pmrelay.conf.5 from the table.
.PHONY: documents
documents: tests/unit/config/documents_test
	$(AM_V_GEN)$(AM_TESTS_ENVIRONMENT) tests/unit/config/documents_test --write
