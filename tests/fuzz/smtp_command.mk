check_PROGRAMS += tests/fuzz/smtp_command_fuzz
tests_fuzz_smtp_command_fuzz_SOURCES = tests/fuzz/smtp_command_fuzz.c $(FUZZ_MAIN)
tests_fuzz_smtp_command_fuzz_LDADD = libsmtp.a libmail.a libbase.a $(EVENT_LIBS) $(GMIME_LIBS) $(SECCOMP_LIBS)
tests_fuzz_smtp_command_fuzz_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
FUZZ_TARGETS += smtp_command
