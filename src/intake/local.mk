noinst_LIBRARIES += libintake.a
libintake_a_SOURCES = \
	src/intake/explain.c src/intake/explain.h \
	src/intake/explain_hints.c src/intake/explain_inside.h src/intake/explain_tell.c \
	src/intake/intake.c src/intake/intake.h \
	src/intake/plan.c src/intake/plan.h \
	src/intake/rules.c src/intake/rules.h \
	src/intake/suppressed.c src/intake/suppressed.h

INTAKE_TEST_LIBS = libintake.a libsmtp.a librouting.a libconvert.a libchannel.a libmail.a \
	libconfig.a libbase.a $(CMOCKA_LIBS) $(GMIME_LIBS) $(JANSSON_LIBS) $(CONFUSE_LIBS) \
	$(PCRE2_LIBS) $(TLS_LIBS) $(EVENT_LIBS) $(SECCOMP_LIBS)
check_PROGRAMS += tests/unit/intake/intake_test
TESTS += tests/unit/intake/intake_test
tests_unit_intake_intake_test_SOURCES = tests/unit/intake/intake_test.c
tests_unit_intake_intake_test_LDADD = $(INTAKE_TEST_LIBS)

check_PROGRAMS += tests/unit/intake/explain_test
TESTS += tests/unit/intake/explain_test
tests_unit_intake_explain_test_SOURCES = tests/unit/intake/explain_test.c
tests_unit_intake_explain_test_LDADD = $(INTAKE_TEST_LIBS)

check_PROGRAMS += tests/unit/intake/plan_test
TESTS += tests/unit/intake/plan_test
tests_unit_intake_plan_test_SOURCES = tests/unit/intake/plan_test.c
tests_unit_intake_plan_test_LDADD = $(INTAKE_TEST_LIBS)
