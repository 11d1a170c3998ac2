#!/usr/bin/env bash
# Replays the seeds of every fuzz target.  One that fails names its target and the seeds' folder.
set -u
failed=0
for target in $FUZZ_TARGETS; do
	if ! "$top_builddir/tests/fuzz/${target}_fuzz" "$top_srcdir/tests/fuzz/seeds/$target"; then
		echo "FAIL: $target over tests/fuzz/seeds/$target"
		failed=1
	fi
done
exit $failed
