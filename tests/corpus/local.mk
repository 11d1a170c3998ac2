# Whole mails of many writers and what must become of them: README.md.
check_PROGRAMS += tests/corpus/corpus_test
TESTS += tests/corpus/corpus_test tests/corpus/oracle.py tests/corpus/random_mails.py
tests_corpus_corpus_test_SOURCES = tests/corpus/corpus_test.c
tests_corpus_corpus_test_LDADD = libconvert.a libmail.a libbase.a \
	$(GMIME_LIBS) $(JANSSON_LIBS) $(PCRE2_LIBS) $(EVENT_LIBS) $(SECCOMP_LIBS)
dist_check_SCRIPTS += tests/corpus/oracle.py tests/corpus/random_mails.py
EXTRA_DIST += tests/corpus/README.md tests/corpus/generate.py tests/corpus/source \
	tests/corpus/mails
