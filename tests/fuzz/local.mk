# Each target is one file with LLVMFuzzerTestOneInput and a folder of seeds.  Built with
# --enable-fuzzers they are libFuzzer programs; otherwise replay.c runs them over their seeds, as
# an ordinary test.
FUZZ_TARGETS =
if FUZZERS
FUZZ_MAIN =
else
FUZZ_MAIN = tests/fuzz/replay.c
endif

include tests/fuzz/smtp_command.mk
include tests/fuzz/smtp_data.mk
include tests/fuzz/smtp_reply.mk
include tests/fuzz/smtp_session.mk
include tests/fuzz/address.mk
include tests/fuzz/convert.mk
include tests/fuzz/dsn.mk
include tests/fuzz/explain.mk
include tests/fuzz/frame.mk
include tests/fuzz/inbound.mk
include tests/fuzz/mime.mk
include tests/fuzz/answer.mk
include tests/fuzz/config.mk
include tests/fuzz/console.mk
include tests/fuzz/httpd.mk
include tests/fuzz/control.mk
include tests/fuzz/mustache.mk
include tests/fuzz/pattern.mk
include tests/fuzz/routing.mk
include tests/fuzz/sandbox_api.mk
include tests/fuzz/sandbox_mail.mk
include tests/fuzz/template.mk
include tests/fuzz/values.mk
include tests/fuzz/webhook_event.mk

if !FUZZERS
TESTS += tests/fuzz/replay.sh
endif
dist_check_SCRIPTS += tests/fuzz/replay.sh
EXTRA_DIST += tests/fuzz/replay.c tests/fuzz/seeds
