noinst_LIBRARIES += libbase.a
libbase_a_SOURCES = \
	src/base/buf.c src/base/buf.h \
	src/base/clock.c src/base/clock.h \
	src/base/json.c src/base/json.h \
	src/base/log.c src/base/log.h \
	src/base/loop.c src/base/loop.h \
	src/base/mem.c src/base/mem.h \
	src/base/privs.c src/base/privs.h \
	src/base/secret.c src/base/secret.h \
	src/base/stream.c src/base/stream.h \
	src/base/strlist.c src/base/strlist.h \
	src/base/text.c src/base/text.h \
	src/base/ulid.c src/base/ulid.h
