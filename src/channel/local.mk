noinst_LIBRARIES += libchannel.a
libchannel_a_SOURCES = \
	src/channel/frame.c src/channel/frame.h \
	src/channel/peer.c src/channel/peer.h
