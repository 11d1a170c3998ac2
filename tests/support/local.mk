TESTS += tests/support/layers.sh
dist_check_SCRIPTS += tests/support/layers.sh
EXTRA_DIST += tests/support/daemons.py tests/support/dovecot.py tests/support/valgrind.supp
