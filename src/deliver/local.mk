noinst_LIBRARIES += libdeliver.a
libdeliver_a_SOURCES = \
	src/deliver/command.c \
	src/deliver/content.c \
	src/deliver/deliver.c src/deliver/deliver.h \
	src/deliver/inside.h \
	src/deliver/lmtp.c \
	src/deliver/maildir.c

check_PROGRAMS += tests/unit/deliver/deliver_test
TESTS += tests/unit/deliver/deliver_test
tests_unit_deliver_deliver_test_SOURCES = tests/unit/deliver/deliver_test.c
tests_unit_deliver_deliver_test_LDADD = libdeliver.a libmail.a libconfig.a libbase.a \
	$(CMOCKA_LIBS) $(CONFUSE_LIBS) $(PCRE2_LIBS) $(GMIME_LIBS) $(EVENT_LIBS) $(SECCOMP_LIBS)
tests_unit_deliver_deliver_test_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=fsync -Wl,--wrap=kill
