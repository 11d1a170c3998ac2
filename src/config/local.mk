noinst_LIBRARIES += libconfig.a
libconfig_a_SOURCES = \
	src/config/config.c src/config/config.h \
	src/config/options.c src/config/options.h \
	src/config/parse.c src/config/parse.h
