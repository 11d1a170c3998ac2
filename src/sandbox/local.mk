noinst_LIBRARIES += libsandbox.a
libsandbox_a_SOURCES = \
	src/sandbox/api.c src/sandbox/api.h \
	src/sandbox/control.c src/sandbox/control.h \
	src/sandbox/faults.c src/sandbox/faults.h \
	src/sandbox/load.c src/sandbox/load.h \
	src/sandbox/messages.c src/sandbox/messages.h \
	src/sandbox/rules.c src/sandbox/rules.h \
	src/sandbox/sandbox.c src/sandbox/sandbox.h \
	src/sandbox/state.c src/sandbox/state.h \
	src/sandbox/uuid.c src/sandbox/uuid.h
