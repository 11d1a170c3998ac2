noinst_LIBRARIES += libstore.a
libstore_a_SOURCES = \
	src/store/backend.h \
	src/store/migrate.c src/store/migrate.h \
	src/store/sqlite.c src/store/sqlite.h \
	src/store/store.c src/store/store.h \
	src/store/writer.c src/store/writer.h
