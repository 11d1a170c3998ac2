noinst_LIBRARIES += liboperations.a
liboperations_a_SOURCES = \
	src/operations/kinds.c src/operations/kinds.h \
	src/operations/kinds_files.c \
	src/operations/kinds_inside.h \
	src/operations/kinds_lists.c \
	src/operations/kinds_time.c \
	src/operations/openapi.c src/operations/openapi.h \
	src/operations/operation.c src/operations/operation.h \
	src/operations/table.c \
	src/operations/texts.c \
	src/operations/values.c src/operations/values.h \
	src/operations/table_daemon.inc src/operations/table_domain.inc \
	src/operations/table_message.inc src/operations/table_queue.inc \
	src/operations/table_send.inc src/operations/table_server.inc \
	src/operations/table_stream.inc src/operations/table_template.inc \
	src/operations/table_webhook.inc

OPERATIONS_TEST_LIBS = liboperations.a libbase.a $(CMOCKA_LIBS) $(JANSSON_LIBS) $(EVENT_LIBS) \
	$(SECCOMP_LIBS)
check_PROGRAMS += tests/unit/operations/operation_test tests/unit/operations/values_test \
	tests/unit/operations/connector_test
TESTS += tests/unit/operations/operation_test tests/unit/operations/values_test \
	tests/unit/operations/connector_test
tests_unit_operations_operation_test_SOURCES = tests/unit/operations/operation_test.c
tests_unit_operations_operation_test_LDADD = $(OPERATIONS_TEST_LIBS)
tests_unit_operations_values_test_SOURCES = tests/unit/operations/values_test.c
tests_unit_operations_values_test_LDADD = $(OPERATIONS_TEST_LIBS)
tests_unit_operations_connector_test_SOURCES = tests/unit/operations/connector_test.c
tests_unit_operations_connector_test_LDADD = $(OPERATIONS_TEST_LIBS)

EXTRA_DIST += doc/connector.md
