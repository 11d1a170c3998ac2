# The real daemon against the sandbox, judged by what an operator sees.
scenario_tests = \
	tests/scenario/clients.py \
	tests/scenario/recipients.py \
	tests/scenario/hostile.py \
	tests/scenario/faults.py \
	tests/scenario/operation.py
TESTS += $(scenario_tests)
dist_check_SCRIPTS += $(scenario_tests)
