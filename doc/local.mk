dist_man_MANS += doc/pmrelayd.8 doc/pmrelayctl.8 doc/pmrelay-sandbox.8 doc/pmrelay.conf.5
EXTRA_DIST += doc/architecture.md doc/events.md doc/mapping.md doc/queue.md doc/performance.md

TESTS += tests/scenario/manuals.sh
dist_check_SCRIPTS += tests/scenario/manuals.sh
