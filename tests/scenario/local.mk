# The real daemon against the sandbox, judged by what an operator sees.
scenario_tests = \
	tests/scenario/clients.py \
	tests/scenario/recipients.py \
	tests/scenario/hostile.py \
	tests/scenario/faults.py \
	tests/scenario/operation.py \
	tests/scenario/control.py \
	tests/scenario/connector.py \
	tests/scenario/webhook_ensure.py \
	tests/scenario/webhook_listen.py \
	tests/scenario/explain.py \
	tests/scenario/inbound.py \
	tests/scenario/mapping.py \
	tests/scenario/circle.py
TESTS += $(scenario_tests)
dist_check_SCRIPTS += $(scenario_tests)

# Postmark's own client from npm against the sandbox.
TESTS += tests/scenario/node_client.py
dist_check_SCRIPTS += tests/scenario/node_client.py
EXTRA_DIST += tests/scenario/node_client.js
