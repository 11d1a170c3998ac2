noinst_LIBRARIES += libconvert.a
libconvert_a_SOURCES = \
	src/convert/attachment.c src/convert/attachment.h \
	src/convert/controls.c src/convert/controls.h \
	src/convert/convert.c src/convert/convert.h \
	src/convert/field.c src/convert/field.h \
	src/convert/guard.c src/convert/guard.h \
	src/convert/headers.c src/convert/headers.h \
	src/convert/inbound.c src/convert/inbound.h \
	src/convert/item.c src/convert/item.h \
	src/convert/ledger.c src/convert/ledger.h \
	src/convert/parts.c src/convert/parts.h \
	src/convert/payload.c src/convert/payload.h \
	src/convert/policy.c src/convert/policy.h \
	src/convert/rebuilt.c src/convert/rebuilt.h \
	src/convert/recipients.c src/convert/recipients.h \
	src/convert/template.c src/convert/template.h \
	src/convert/template_rule.c src/convert/template_rule.h \
	src/convert/verbatim.c src/convert/verbatim.h

CONVERT_TESTS = tests/unit/convert/convert_test tests/unit/convert/guard_test \
	tests/unit/convert/inbound_test tests/unit/convert/limits_test tests/unit/convert/parts_test \
	tests/unit/convert/recipients_test \
	tests/unit/convert/routes_test tests/unit/convert/template_test \
	tests/unit/convert/verbatim_test
check_PROGRAMS += $(CONVERT_TESTS)
TESTS += $(CONVERT_TESTS)
CONVERT_TEST_LIBS = libconvert.a libmail.a libbase.a $(CMOCKA_LIBS) $(GMIME_LIBS) \
	$(JANSSON_LIBS) $(PCRE2_LIBS) $(EVENT_LIBS) $(SECCOMP_LIBS)
CONVERT_LAB = tests/unit/convert/lab.c tests/unit/convert/lab.h
tests_unit_convert_convert_test_SOURCES = tests/unit/convert/convert_test.c $(CONVERT_LAB)
tests_unit_convert_convert_test_LDADD = $(CONVERT_TEST_LIBS)
tests_unit_convert_guard_test_SOURCES = tests/unit/convert/guard_test.c
tests_unit_convert_guard_test_LDADD = $(CONVERT_TEST_LIBS)
tests_unit_convert_inbound_test_SOURCES = tests/unit/convert/inbound_test.c
tests_unit_convert_inbound_test_LDADD = $(CONVERT_TEST_LIBS) $(TLS_LIBS)
tests_unit_convert_limits_test_SOURCES = tests/unit/convert/limits_test.c $(CONVERT_LAB)
tests_unit_convert_limits_test_LDADD = $(CONVERT_TEST_LIBS)
tests_unit_convert_parts_test_SOURCES = tests/unit/convert/parts_test.c
tests_unit_convert_parts_test_LDADD = $(CONVERT_TEST_LIBS)
tests_unit_convert_recipients_test_SOURCES = tests/unit/convert/recipients_test.c
tests_unit_convert_recipients_test_LDADD = $(CONVERT_TEST_LIBS)
tests_unit_convert_routes_test_SOURCES = tests/unit/convert/routes_test.c $(CONVERT_LAB)
tests_unit_convert_routes_test_LDADD = $(CONVERT_TEST_LIBS)
tests_unit_convert_template_test_SOURCES = tests/unit/convert/template_test.c $(CONVERT_LAB)
tests_unit_convert_template_test_LDADD = $(CONVERT_TEST_LIBS)
tests_unit_convert_verbatim_test_SOURCES = tests/unit/convert/verbatim_test.c $(CONVERT_LAB)
tests_unit_convert_verbatim_test_LDADD = $(CONVERT_TEST_LIBS)
