#!/usr/bin/env bash
# The manual pages are right mdoc, and what their EXAMPLES say works.
set -u

if ! command -v mandoc >/dev/null; then
	echo "mandoc is not installed: not checked"
	exit 77
fi

failed=0
for page in "$top_srcdir"/doc/*.[1-8]; do
	# Which other pages are installed here says nothing about this one.
	found=$(mandoc -T lint "$page" 2>/dev/null | grep -v 'referenced manual not found')
	if [ -n "$found" ]; then
		echo "$found"
		failed=1
	fi
done

pmrelayd=$top_builddir/pmrelayd
[ -x "$pmrelayd" ] || exit "$failed"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

check() { # what it shows, the status wanted, command
	local shows=$1 wanted=$2 status
	shift 2
	"$@" >"$work/out" 2>&1
	status=$?
	if [ "$status" -ne "$wanted" ]; then
		echo "$shows: ended with $status, wanted $wanted"
		cat "$work/out"
		failed=1
	fi
}

# Each option in the synopsis and in --help stands in the page, and the reverse.
"$pmrelayd" --help | grep -o -- '--[a-z-]*' | sort -u >"$work/help"
grep -o 'Fl -[a-z-]*' "$top_srcdir/doc/pmrelayd.8" | sed 's/Fl -/--/' |
	grep -v -e '--sysconfdir' -e '--localstatedir' | sort -u >"$work/page"
if ! diff "$work/help" "$work/page"; then
	echo "pmrelayd.8 and pmrelayd --help name different options"
	failed=1
fi

env -i "$pmrelayd" --sample-config >"$work/sample.conf"
check "the sample loads" 0 env -i "$pmrelayd" -n -c "$work/sample.conf"
printf 'smtp {\n\tmesage-size = 5M\n}\n' >"$work/wrong.conf"
check "a wrong file is refused" 78 env -i "$pmrelayd" -n -c "$work/wrong.conf"
if ! grep -q 'wrong.conf:2: smtp.mesage-size: no such option, the nearest is message-size' "$work/out"; then
	echo "the message about a wrong file is not as it should be:"
	cat "$work/out"
	failed=1
fi
check "a wrong option" 64 "$pmrelayd" --no-such-option
check "the version" 0 "$pmrelayd" -v

# pmrelayd(8) explains a mail as its examples say, without a token and without a daemon.
printf 'postmark {\n\ttoken-file = /nonexistent/token\n}\n' >"$work/pmrelay.conf"
cat >>"$work/pmrelay.conf" <<'END'
route shop {
	user = shop
}
route receipts {
	envelope-to = @example.com
	tag = receipt
}
END
printf 'From: sender@example.com\nTo: you@example.com\nSubject: Hi\n\nHello\n' >"$work/mail.eml"
examples=$(awk '
	/^\.Bd -literal/ { block = "" }
	/^\.Ed/ { if (block ~ /--explain/) printf "%s", block }
	{ sub(/^\$ /, ""); sub(/\\e$/, "\\") }
	!/^\./ { block = block $0 "\n" }
' "$top_srcdir/doc/pmrelayd.8")
if [ "$(grep -c -e --explain <<<"$examples")" -lt 2 ]; then
	echo "pmrelayd.8 has no examples of --explain"
	failed=1
fi
program=$(readlink -f "$pmrelayd")
run_examples() {
	(
		cd "$work" || exit 1
		pmrelayd() { env -i "$program" "$@"; }
		command -v jq >/dev/null || jq() { cat; }
		set -e -o pipefail
		eval "$examples"
	)
}
check "the examples of --explain" 0 run_examples
for wanted in 'It would be taken' 'Route receipts' 'not shop  *user: ' '"Tag": "receipt"' '"TextBody": *"Hello'; do
	if ! grep -q "$wanted" "$work/out"; then
		echo "an explanation without $wanted:"
		cat "$work/out"
		failed=1
	fi
done
explain() {
	env -i "$pmrelayd" -c "$work/pmrelay.conf" --explain "$@"
}
check "the route of a user" 0 explain "$work/mail.eml" --user shop
if ! grep -q 'Route shop' "$work/out"; then
	echo "no route for a user"
	failed=1
fi
check "a mail that would be refused" 65 explain "$work/mail.eml" --to nobody
check "a mail that is not there" 66 explain "$work/nowhere.eml"
check "an answer that finds no room" 74 sh -c \
	'"$0" -c "$1/pmrelay.conf" --explain "$1/mail.eml" >/dev/full' "$pmrelayd" "$work"
check "an option of --explain alone" 64 env -i "$pmrelayd" --json

# The files in pmrelay.conf(5); what is a mail or a model is said before it.
awk -v folder="$work" '
	/^\.\\" Example: .* (mail|model)$/ { getline; skip = 1; next }
	skip { if (/^\.Ed/) skip = 0; next }
	/^\.Bd -literal/ { block++; next }
	{ gsub(/\\\(ha/, "^"); gsub(/\\\(aq/, "\047"); gsub(/\\e/, "\\") }
	/^\.Ed/ { close(file); file = ""; next }
	{ if (block > last) { last = block; file = folder "/example-" block } if (file != "") print > file }
' "$top_srcdir/doc/pmrelay.conf.5"
for example in "$work"/example-*; do
	if grep -q '^PMRELAY_' "$example"; then
		# The token is nowhere but in the example.
		mapfile -t variables < <(grep -v TOKEN "$example")
		check "$(cat "$example")" 0 env -i "${variables[@]}" "$pmrelayd" -n -c /dev/null
	else
		sed '/token-file/d' "$example" >"$example.conf"
		check "$(cat "$example")" 0 env -i "$pmrelayd" -n -c "$example.conf"
	fi
done
exit "$failed"
