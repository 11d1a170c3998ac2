# Whole mails of many writers and what must become of them: README.md.
check_PROGRAMS += tests/corpus/corpus_test
corpus_scripts = tests/corpus/oracle.py tests/corpus/random_mails.py tests/corpus/mapping.py
TESTS += tests/corpus/corpus_test $(corpus_scripts)
tests_corpus_corpus_test_SOURCES = tests/corpus/corpus_test.c
tests_corpus_corpus_test_LDADD = libconvert.a libmail.a libbase.a \
	$(GMIME_LIBS) $(JANSSON_LIBS) $(PCRE2_LIBS) $(EVENT_LIBS) $(SECCOMP_LIBS)
dist_check_SCRIPTS += $(corpus_scripts)
EXTRA_DIST += tests/corpus/README.md tests/corpus/generate.py tests/corpus/source \
	tests/corpus/mails
