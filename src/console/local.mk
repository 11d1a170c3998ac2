noinst_LIBRARIES += libconsole.a
libconsole_a_SOURCES = \
	src/console/complete.c \
	src/console/console.c src/console/console.h \
	src/console/help.c src/console/help.h \
	src/console/http.c src/console/http.h \
	src/console/paint.c src/console/paint.h \
	src/console/path.c src/console/path.h \
	src/console/report.c src/console/report.h \
	src/console/table.c src/console/table.h \
	src/console/terminal.c src/console/terminal.h \
	src/console/top.c src/console/top.h \
	src/console/words.c src/console/words.h

console_test_libs = libconsole.a liboperations.a libbase.a \
	$(CMOCKA_LIBS) $(CURL_LIBS) $(JANSSON_LIBS) $(EVENT_LIBS) $(SECCOMP_LIBS)

check_PROGRAMS += tests/unit/console/words_test
TESTS += tests/unit/console/words_test
tests_unit_console_words_test_SOURCES = tests/unit/console/words_test.c
tests_unit_console_words_test_LDADD = $(console_test_libs)

check_PROGRAMS += tests/unit/console/path_test
TESTS += tests/unit/console/path_test
tests_unit_console_path_test_SOURCES = tests/unit/console/path_test.c
tests_unit_console_path_test_LDADD = $(console_test_libs)

check_PROGRAMS += tests/unit/console/table_test
TESTS += tests/unit/console/table_test
tests_unit_console_table_test_SOURCES = tests/unit/console/table_test.c
tests_unit_console_table_test_LDADD = $(console_test_libs)

TESTS += tests/scenario/ctl_manual.py
dist_check_SCRIPTS += tests/scenario/ctl_manual.py

# Writes the COMMANDS of doc/pmrelayctl.8 from the table; a part of "make documents".
.PHONY: manual-commands
documents: manual-commands
manual-commands: pmrelayctl
	$(AM_V_GEN)./pmrelayctl --manual-commands >manual-commands.tmp && \
	awk -v commands=manual-commands.tmp ' \
		/End of the commands/ { off = 0 } \
		!off { print } \
		/Commands, from the table/ { off = 1; while ((getline line <commands) > 0) print line }' \
		$(srcdir)/doc/pmrelayctl.8 >pmrelayctl.8.tmp && \
	cat pmrelayctl.8.tmp >$(srcdir)/doc/pmrelayctl.8 && \
	rm -f manual-commands.tmp pmrelayctl.8.tmp

# Completion is made by the program itself.
bashcompletiondir = $(datadir)/bash-completion/completions
zshcompletiondir = $(datadir)/zsh/site-functions
fishcompletiondir = $(datadir)/fish/vendor_completions.d
nodist_bashcompletion_DATA = completion/bash/pmrelayctl
nodist_zshcompletion_DATA = completion/zsh/_pmrelayctl
nodist_fishcompletion_DATA = completion/fish/pmrelayctl.fish
CLEANFILES += $(nodist_bashcompletion_DATA) $(nodist_zshcompletion_DATA) \
	$(nodist_fishcompletion_DATA)

completion/bash/pmrelayctl: pmrelayctl
	$(AM_V_GEN)$(MKDIR_P) completion/bash && ./pmrelayctl completion bash >$@
completion/zsh/_pmrelayctl: pmrelayctl
	$(AM_V_GEN)$(MKDIR_P) completion/zsh && ./pmrelayctl completion zsh >$@
completion/fish/pmrelayctl.fish: pmrelayctl
	$(AM_V_GEN)$(MKDIR_P) completion/fish && ./pmrelayctl completion fish >$@
