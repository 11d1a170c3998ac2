noinst_LIBRARIES += libconvert.a
libconvert_a_SOURCES = \
	src/convert/convert.c src/convert/convert.h \
	src/convert/guard.c src/convert/guard.h \
	src/convert/headers.c src/convert/headers.h \
	src/convert/item.c src/convert/item.h \
	src/convert/ledger.c src/convert/ledger.h \
	src/convert/parts.c src/convert/parts.h \
	src/convert/recipients.c src/convert/recipients.h
