noinst_LIBRARIES += librouting.a
librouting_a_SOURCES = \
	src/routing/routing.c src/routing/routing.h

ROUTING_TEST_LIBS = librouting.a libmail.a libconfig.a libbase.a $(CMOCKA_LIBS) $(GMIME_LIBS) \
	$(CONFUSE_LIBS) $(PCRE2_LIBS) $(EVENT_LIBS) $(SECCOMP_LIBS)
check_PROGRAMS += tests/unit/routing/routing_test
TESTS += tests/unit/routing/routing_test
tests_unit_routing_routing_test_SOURCES = tests/unit/routing/routing_test.c
tests_unit_routing_routing_test_LDADD = $(ROUTING_TEST_LIBS)
