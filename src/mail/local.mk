noinst_LIBRARIES += libmail.a
libmail_a_SOURCES = \
	src/mail/address.c src/mail/address.h \
	src/mail/envelope.c src/mail/envelope.h \
	src/mail/mail.c src/mail/mail.h \
	src/mail/mime.c src/mail/mime.h \
	src/mail/refusal.c src/mail/refusal.h
