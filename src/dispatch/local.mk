noinst_LIBRARIES += libdispatch.a
libdispatch_a_SOURCES = \
	src/dispatch/breaker.c src/dispatch/breaker.h \
	src/dispatch/dispatch.c src/dispatch/dispatch.h \
	src/dispatch/pace.c src/dispatch/pace.h \
	src/dispatch/pending.c src/dispatch/pending.h \
	src/dispatch/schedule.c src/dispatch/schedule.h \
	src/dispatch/settle.c src/dispatch/settle.h
