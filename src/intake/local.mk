noinst_LIBRARIES += libintake.a
libintake_a_SOURCES = \
	src/intake/explain.c src/intake/explain.h \
	src/intake/intake.c src/intake/intake.h

check_PROGRAMS += tests/unit/intake/intake_test
TESTS += tests/unit/intake/intake_test
tests_unit_intake_intake_test_SOURCES = tests/unit/intake/intake_test.c
tests_unit_intake_intake_test_LDADD = libintake.a libsmtp.a libconvert.a libchannel.a \
	libmail.a libbase.a $(CMOCKA_LIBS) $(GMIME_LIBS) $(JANSSON_LIBS) $(PCRE2_LIBS) \
	$(EVENT_LIBS) $(SECCOMP_LIBS)

check_PROGRAMS += tests/unit/intake/explain_test
TESTS += tests/unit/intake/explain_test
tests_unit_intake_explain_test_SOURCES = tests/unit/intake/explain_test.c
tests_unit_intake_explain_test_LDADD = libintake.a libsmtp.a libconvert.a libchannel.a \
	libmail.a libbase.a $(CMOCKA_LIBS) $(GMIME_LIBS) $(JANSSON_LIBS) $(PCRE2_LIBS) \
	$(EVENT_LIBS) $(SECCOMP_LIBS)
