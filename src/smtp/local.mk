noinst_LIBRARIES += libsmtp.a
libsmtp_a_SOURCES = \
	src/smtp/command.c src/smtp/command.h \
	src/smtp/data.c src/smtp/data.h \
	src/smtp/listener.c src/smtp/listener.h \
	src/smtp/reply.c src/smtp/reply.h \
	src/smtp/session.c src/smtp/session.h
