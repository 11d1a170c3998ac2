noinst_LIBRARIES += libconsole.a
libconsole_a_SOURCES = \
	src/console/complete.c \
	src/console/console.c src/console/console.h \
	src/console/help.c src/console/help.h \
	src/console/http.c src/console/http.h \
	src/console/paint.c src/console/paint.h \
	src/console/report.c src/console/report.h \
	src/console/table.c src/console/table.h \
	src/console/terminal.c src/console/terminal.h \
	src/console/top.c src/console/top.h \
	src/console/words.c src/console/words.h
