# kill -9 under load; `make check CRASH_FULL=1` for the long form.
TESTS += tests/crash/kill.py tests/crash/events.py
dist_check_SCRIPTS += tests/crash/kill.py tests/crash/events.py
