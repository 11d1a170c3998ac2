sbin_PROGRAMS += pmrelayd
pmrelayd_SOURCES = \
	src/programs/pmrelayd.c \
	src/programs/supervisor.c src/programs/supervisor.h \
	src/programs/sockets.c src/programs/sockets.h \
	src/programs/explain.c src/programs/explain.h \
	src/programs/front.c src/programs/front.h \
	src/programs/commits.c src/programs/commits.h \
	src/programs/core.c src/programs/core.h \
	src/programs/desk.c src/programs/desk.h \
	src/programs/events.c src/programs/events.h \
	src/programs/fronts.c src/programs/fronts.h \
	src/programs/instanced.c src/programs/instanced.h \
	src/programs/suppressions.c src/programs/suppressions.h \
	src/programs/handover.c src/programs/handover.h \
	src/programs/passing.c src/programs/passing.h \
	src/programs/replies.c src/programs/replies.h \
	src/programs/routes.c src/programs/routes.h
pmrelayd_LDADD = libcontrol.a libconsole.a libintake.a libwebhook.a liboutlet.a libdispatch.a \
	libdeliver.a libsmtp.a librouting.a \
	libconvert.a libchannel.a libstore.a libpostmark.a libmail.a libconfig.a liboperations.a \
	libbase.a \
	$(GMIME_LIBS) $(CURL_LIBS) $(SQLITE_LIBS) $(JANSSON_LIBS) $(CONFUSE_LIBS) $(PCRE2_LIBS) \
	$(TLS_LIBS) $(EVENT_LIBS) $(SECCOMP_LIBS) $(SYSTEMD_LIBS)

bin_PROGRAMS += pmrelayctl
pmrelayctl_SOURCES = src/programs/pmrelayctl.c
pmrelayctl_LDADD = libconsole.a liboperations.a libbase.a \
	$(CURL_LIBS) $(JANSSON_LIBS) $(EVENT_LIBS) $(SECCOMP_LIBS)

bin_PROGRAMS += pmrelay-sandbox
pmrelay_sandbox_SOURCES = src/programs/sandbox.c \
	src/programs/sandbox_smtp.c src/programs/sandbox_smtp.h
pmrelay_sandbox_LDADD = libsandbox.a libsmtp.a libmail.a libbase.a \
	$(GMIME_LIBS) $(CURL_LIBS) $(JANSSON_LIBS) $(TLS_LIBS) $(EVENT_LIBS) $(SECCOMP_LIBS)

check_PROGRAMS += tests/unit/programs/handover_test
TESTS += tests/unit/programs/handover_test
tests_unit_programs_handover_test_SOURCES = tests/unit/programs/handover_test.c \
	src/programs/handover.c src/programs/handover.h
tests_unit_programs_handover_test_LDADD = libconfig.a libbase.a \
	$(CMOCKA_LIBS) $(CONFUSE_LIBS) $(PCRE2_LIBS) $(EVENT_LIBS) $(SECCOMP_LIBS)

TESTS += tests/unit/programs/processes.py
dist_check_SCRIPTS += tests/unit/programs/processes.py

check_PROGRAMS += tests/unit/programs/replies_test
TESTS += tests/unit/programs/replies_test
tests_unit_programs_replies_test_SOURCES = tests/unit/programs/replies_test.c \
	src/programs/replies.c src/programs/replies.h
tests_unit_programs_replies_test_LDADD = libmail.a libbase.a \
	$(CMOCKA_LIBS) $(EVENT_LIBS) $(SECCOMP_LIBS)

check_PROGRAMS += tests/unit/programs/commits_test
TESTS += tests/unit/programs/commits_test
tests_unit_programs_commits_test_SOURCES = tests/unit/programs/commits_test.c \
	src/programs/commits.c src/programs/commits.h \
	src/programs/replies.c src/programs/replies.h $(store_test_spool)
tests_unit_programs_commits_test_LDADD = $(store_test_libs)

check_PROGRAMS += tests/unit/programs/suppressions_test
TESTS += tests/unit/programs/suppressions_test
tests_unit_programs_suppressions_test_SOURCES = tests/unit/programs/suppressions_test.c \
	src/programs/suppressions.c src/programs/suppressions.h $(store_test_spool)
tests_unit_programs_suppressions_test_LDADD = $(store_test_libs)

check_PROGRAMS += tests/unit/programs/routes_test
TESTS += tests/unit/programs/routes_test
tests_unit_programs_routes_test_SOURCES = tests/unit/programs/routes_test.c \
	src/programs/routes.c src/programs/routes.h
tests_unit_programs_routes_test_LDADD = $(dispatch_test_libs)
