noinst_LIBRARIES += libstore.a
libstore_a_SOURCES = \
	src/store/backend.h \
	src/store/checkpoint.c src/store/checkpoint.h \
	src/store/doubts.c src/store/doubts.h \
	src/store/files.c src/store/files.h \
	src/store/keyset.c src/store/keyset.h \
	src/store/meter.h \
	src/store/migrate.c src/store/migrate.h \
	src/store/op.c src/store/op.h \
	src/store/reader.c src/store/reader.h \
	src/store/reader_backend.h \
	src/store/sqlite.c src/store/sqlite.h \
	src/store/sqlite_change.c \
	src/store/sqlite_claim.c \
	src/store/sqlite_event.c \
	src/store/sqlite_inside.h \
	src/store/sqlite_reader.c \
	src/store/sqlite_reader_event.c \
	src/store/sqlite_recover.c \
	src/store/sqlite_rows.c \
	src/store/sqlite_statements.c \
	src/store/store.c src/store/store.h \
	src/store/thread.h \
	src/store/vfs.c src/store/vfs.h \
	src/store/writer.c src/store/writer.h

store_test_spool = tests/unit/store/spool.c tests/unit/store/spool.h
store_test_libs = libstore.a libmail.a libbase.a \
	$(SQLITE_LIBS) $(CMOCKA_LIBS) $(EVENT_LIBS) $(SECCOMP_LIBS)

check_PROGRAMS += tests/unit/store/store_test
TESTS += tests/unit/store/store_test
tests_unit_store_store_test_SOURCES = tests/unit/store/store_test.c $(store_test_spool)
tests_unit_store_store_test_LDADD = $(store_test_libs)

check_PROGRAMS += tests/unit/store/reader_test
TESTS += tests/unit/store/reader_test
tests_unit_store_reader_test_SOURCES = tests/unit/store/reader_test.c $(store_test_spool)
tests_unit_store_reader_test_LDADD = $(store_test_libs)

check_PROGRAMS += tests/unit/store/change_test
TESTS += tests/unit/store/change_test
tests_unit_store_change_test_SOURCES = tests/unit/store/change_test.c $(store_test_spool)
tests_unit_store_change_test_LDADD = $(store_test_libs)

check_PROGRAMS += tests/unit/store/event_test
TESTS += tests/unit/store/event_test
tests_unit_store_event_test_SOURCES = tests/unit/store/event_test.c $(store_test_spool)
tests_unit_store_event_test_LDADD = $(store_test_libs)

check_PROGRAMS += tests/unit/store/keyset_test
TESTS += tests/unit/store/keyset_test
tests_unit_store_keyset_test_SOURCES = tests/unit/store/keyset_test.c
tests_unit_store_keyset_test_LDADD = $(store_test_libs)

check_PROGRAMS += tests/unit/store/migrate_test
TESTS += tests/unit/store/migrate_test
tests_unit_store_migrate_test_SOURCES = tests/unit/store/migrate_test.c
tests_unit_store_migrate_test_LDADD = $(store_test_libs)

check_PROGRAMS += tests/unit/mail/mail_test
TESTS += tests/unit/mail/mail_test
tests_unit_mail_mail_test_SOURCES = tests/unit/mail/mail_test.c
tests_unit_mail_mail_test_LDADD = libmail.a libbase.a $(CMOCKA_LIBS) $(EVENT_LIBS) $(SECCOMP_LIBS)
