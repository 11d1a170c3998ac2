noinst_LIBRARIES += libstore.a
libstore_a_SOURCES = \
	src/store/backend.h \
	src/store/checkpoint.c src/store/checkpoint.h \
	src/store/files.c src/store/files.h \
	src/store/keyset.c src/store/keyset.h \
	src/store/meter.h \
	src/store/migrate.c src/store/migrate.h \
	src/store/sqlite.c src/store/sqlite.h \
	src/store/store.c src/store/store.h \
	src/store/thread.h \
	src/store/vfs.c src/store/vfs.h \
	src/store/writer.c src/store/writer.h
