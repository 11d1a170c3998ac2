noinst_LIBRARIES += libintake.a
libintake_a_SOURCES = src/intake/intake.c src/intake/intake.h
