noinst_LIBRARIES += liboperations.a
liboperations_a_SOURCES = \
	src/operations/openapi.c src/operations/openapi.h \
	src/operations/operation.c src/operations/operation.h \
	src/operations/table.c \
	src/operations/values.c src/operations/values.h \
	src/operations/table_daemon.inc src/operations/table_domain.inc \
	src/operations/table_message.inc src/operations/table_queue.inc \
	src/operations/table_send.inc src/operations/table_server.inc \
	src/operations/table_stream.inc src/operations/table_template.inc \
	src/operations/table_webhook.inc
