noinst_LIBRARIES += libcontrol.a
libcontrol_a_SOURCES = \
	src/control/ask.c src/control/ask.h \
	src/control/base64.c src/control/base64.h \
	src/control/control.c src/control/control.h \
	src/control/feed.c src/control/feed.h \
	src/control/inside.h \
	src/control/life.c \
	src/control/message.c src/control/message.h \
	src/control/queue.c \
	src/control/raw.c \
	src/control/remote.c \
	src/control/request.c \
	src/control/send.c \
	src/control/server.c src/control/server.h \
	src/control/shows.c \
	src/control/waits.c \
	src/control/webhooks.c
