EXTRA_PROGRAMS += tests/bench/webhook_timing
tests_bench_webhook_timing_SOURCES = tests/bench/webhook_timing.c
tests_bench_webhook_timing_LDADD = libwebhook.a libchannel.a libpostmark.a libmail.a libconfig.a \
	libbase.a $(GMIME_LIBS) $(JANSSON_LIBS) $(CONFUSE_LIBS) $(PCRE2_LIBS) $(TLS_LIBS) \
	$(EVENT_LIBS) $(SECCOMP_LIBS) -lm
