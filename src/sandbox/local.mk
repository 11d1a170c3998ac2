noinst_LIBRARIES += libsandbox.a
libsandbox_a_SOURCES = \
	src/sandbox/account.c src/sandbox/account.h \
	src/sandbox/api.c src/sandbox/api.h \
	src/sandbox/bounce_type.c src/sandbox/bounce_type.h \
	src/sandbox/bounces.c src/sandbox/bounces.h \
	src/sandbox/control.c src/sandbox/control.h \
	src/sandbox/chance.c src/sandbox/chance.h \
	src/sandbox/compose.c src/sandbox/compose.h \
	src/sandbox/control_firing.c src/sandbox/control_firing.h \
	src/sandbox/event_settings.c src/sandbox/event_settings.h \
	src/sandbox/events.c src/sandbox/events.h \
	src/sandbox/firing.c src/sandbox/firing.h \
	src/sandbox/flood.c src/sandbox/flood.h \
	src/sandbox/inbound_mail.c src/sandbox/inbound_mail.h \
	src/sandbox/link.c src/sandbox/link.h \
	src/sandbox/mail_json.c src/sandbox/mail_json.h \
	src/sandbox/notify.c src/sandbox/notify.h \
	src/sandbox/reaction.c src/sandbox/reaction.h \
	src/sandbox/control_events.c src/sandbox/control_events.h \
	src/sandbox/domains.c src/sandbox/domains.h \
	src/sandbox/faults.c src/sandbox/faults.h \
	src/sandbox/fields.c src/sandbox/fields.h \
	src/sandbox/hook_calls.c src/sandbox/hook_calls.h \
	src/sandbox/inbound.c src/sandbox/inbound.h \
	src/sandbox/inbound_rules.c \
	src/sandbox/items.c src/sandbox/items.h \
	src/sandbox/post.c src/sandbox/post.h \
	src/sandbox/removals.c src/sandbox/removals.h \
	src/sandbox/tracks.c src/sandbox/tracks.h \
	src/sandbox/verify.c src/sandbox/verify.h \
	src/sandbox/messages.c src/sandbox/messages.h \
	src/sandbox/query.c src/sandbox/query.h \
	src/sandbox/records.c src/sandbox/records.h \
	src/sandbox/routes.c src/sandbox/routes.h \
	src/sandbox/rules.c src/sandbox/rules.h \
	src/sandbox/rules_inside.h src/sandbox/rules_mailboxes.c src/sandbox/rules_texts.c \
	src/sandbox/sandbox.c src/sandbox/sandbox.h \
	src/sandbox/search.c src/sandbox/search.h \
	src/sandbox/senders.c src/sandbox/senders.h \
	src/sandbox/send.c src/sandbox/send.h \
	src/sandbox/server.c src/sandbox/server.h \
	src/sandbox/servers.c src/sandbox/servers.h \
	src/sandbox/setup.c src/sandbox/setup.h \
	src/sandbox/source.c src/sandbox/source.h \
	src/sandbox/state.c src/sandbox/state.h \
	src/sandbox/stream.c src/sandbox/stream.h \
	src/sandbox/streams.c src/sandbox/streams.h \
	src/sandbox/submit.c src/sandbox/submit.h \
	src/sandbox/suppressions.c src/sandbox/suppressions.h \
	src/sandbox/switches.c src/sandbox/switches.h \
	src/sandbox/templates.c src/sandbox/templates.h \
	src/sandbox/url.c src/sandbox/url.h \
	src/sandbox/uuid.c src/sandbox/uuid.h \
	src/sandbox/webhooks.c src/sandbox/webhooks.h

sandbox_test_libs = libsandbox.a libmail.a libbase.a $(CMOCKA_LIBS) $(GMIME_LIBS) $(CURL_LIBS) \
	$(JANSSON_LIBS) $(EVENT_LIBS) $(SECCOMP_LIBS)

check_PROGRAMS += tests/unit/sandbox/rules_test
TESTS += tests/unit/sandbox/rules_test
tests_unit_sandbox_rules_test_SOURCES = tests/unit/sandbox/rules_test.c
tests_unit_sandbox_rules_test_LDADD = $(sandbox_test_libs)

check_PROGRAMS += tests/unit/sandbox/texts_test
TESTS += tests/unit/sandbox/texts_test
tests_unit_sandbox_texts_test_SOURCES = tests/unit/sandbox/texts_test.c
tests_unit_sandbox_texts_test_LDADD = $(sandbox_test_libs)

check_PROGRAMS += tests/unit/sandbox/messages_test
TESTS += tests/unit/sandbox/messages_test
tests_unit_sandbox_messages_test_SOURCES = tests/unit/sandbox/messages_test.c
tests_unit_sandbox_messages_test_LDADD = $(sandbox_test_libs)

check_PROGRAMS += tests/unit/sandbox/faults_test
TESTS += tests/unit/sandbox/faults_test
tests_unit_sandbox_faults_test_SOURCES = tests/unit/sandbox/faults_test.c
tests_unit_sandbox_faults_test_LDADD = $(sandbox_test_libs)

check_PROGRAMS += tests/unit/sandbox/records_test
TESTS += tests/unit/sandbox/records_test
tests_unit_sandbox_records_test_SOURCES = tests/unit/sandbox/records_test.c
tests_unit_sandbox_records_test_LDADD = $(sandbox_test_libs)

check_PROGRAMS += tests/unit/sandbox/account_test
TESTS += tests/unit/sandbox/account_test
tests_unit_sandbox_account_test_SOURCES = tests/unit/sandbox/account_test.c
tests_unit_sandbox_account_test_LDADD = $(sandbox_test_libs)

TESTS += tests/scenario/sandbox_api.py tests/scenario/sandbox_account.py
dist_check_SCRIPTS += tests/scenario/sandbox_api.py tests/scenario/sandbox_account.py

libsandbox_a_SOURCES += \
	src/sandbox/control_account.c src/sandbox/control_account.h \
	src/sandbox/mustache.c src/sandbox/mustache.h \
	src/sandbox/stats.c src/sandbox/stats.h \
	src/sandbox/template_api.c src/sandbox/template_api.h

check_PROGRAMS += tests/unit/sandbox/mustache_test
TESTS += tests/unit/sandbox/mustache_test
tests_unit_sandbox_mustache_test_SOURCES = tests/unit/sandbox/mustache_test.c
tests_unit_sandbox_mustache_test_LDADD = $(sandbox_test_libs)

check_PROGRAMS += tests/unit/sandbox/templates_test
TESTS += tests/unit/sandbox/templates_test
tests_unit_sandbox_templates_test_SOURCES = tests/unit/sandbox/templates_test.c
tests_unit_sandbox_templates_test_LDADD = $(sandbox_test_libs)

check_PROGRAMS += tests/unit/sandbox/stats_test
TESTS += tests/unit/sandbox/stats_test
tests_unit_sandbox_stats_test_SOURCES = tests/unit/sandbox/stats_test.c
tests_unit_sandbox_stats_test_LDADD = $(sandbox_test_libs)

check_PROGRAMS += tests/unit/sandbox/domains_test
TESTS += tests/unit/sandbox/domains_test
tests_unit_sandbox_domains_test_SOURCES = tests/unit/sandbox/domains_test.c
tests_unit_sandbox_domains_test_LDADD = $(sandbox_test_libs)

TESTS += tests/scenario/sandbox_smtp.py
dist_check_SCRIPTS += tests/scenario/sandbox_smtp.py

TESTS += tests/scenario/sandbox_webhooks.py
dist_check_SCRIPTS += tests/scenario/sandbox_webhooks.py

check_PROGRAMS += tests/unit/sandbox/source_test
TESTS += tests/unit/sandbox/source_test
tests_unit_sandbox_source_test_SOURCES = tests/unit/sandbox/source_test.c
tests_unit_sandbox_source_test_LDADD = $(sandbox_test_libs)

check_PROGRAMS += tests/unit/sandbox/events_test
TESTS += tests/unit/sandbox/events_test
tests_unit_sandbox_events_test_SOURCES = tests/unit/sandbox/events_test.c
tests_unit_sandbox_events_test_LDADD = $(sandbox_test_libs)

check_PROGRAMS += tests/unit/sandbox/firing_test
TESTS += tests/unit/sandbox/firing_test
tests_unit_sandbox_firing_test_SOURCES = tests/unit/sandbox/firing_test.c
tests_unit_sandbox_firing_test_LDADD = $(sandbox_test_libs)
