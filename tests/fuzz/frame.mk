check_PROGRAMS += tests/fuzz/frame_fuzz
tests_fuzz_frame_fuzz_SOURCES = tests/fuzz/frame_fuzz.c $(FUZZ_MAIN)
tests_fuzz_frame_fuzz_LDADD = libchannel.a libmail.a libbase.a $(GMIME_LIBS) $(EVENT_LIBS)
tests_fuzz_frame_fuzz_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
FUZZ_TARGETS += frame
