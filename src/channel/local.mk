noinst_LIBRARIES += libchannel.a
libchannel_a_SOURCES = \
	src/channel/frame.c src/channel/frame.h \
	src/channel/frame_event.c src/channel/frame_inside.h \
	src/channel/peer.c src/channel/peer.h

check_PROGRAMS += tests/unit/channel/frame_test tests/unit/channel/peer_test
TESTS += tests/unit/channel/frame_test tests/unit/channel/peer_test
tests_unit_channel_frame_test_SOURCES = tests/unit/channel/frame_test.c
tests_unit_channel_frame_test_LDADD = libchannel.a libmail.a libbase.a \
	$(CMOCKA_LIBS) $(GMIME_LIBS) $(EVENT_LIBS) $(SECCOMP_LIBS)
tests_unit_channel_peer_test_SOURCES = tests/unit/channel/peer_test.c
tests_unit_channel_peer_test_LDADD = libchannel.a libmail.a libbase.a \
	$(CMOCKA_LIBS) $(GMIME_LIBS) $(EVENT_LIBS) $(SECCOMP_LIBS)
