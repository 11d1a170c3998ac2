#!/usr/bin/env bash
# A file of src/ includes its own folder and the rows below it: never a neighbour, never a higher
# row.  The rows are those of the table in doc/architecture.md, highest first.
set -u
cd "$top_srcdir" || exit 1

declare -A row_of=()
row=0
while IFS= read -r line; do
	row=$((row + 1))
	for folder in $(grep -o '`[a-z]*`' <<<"$line" | tr -d '`'); do
		row_of[$folder]=$row
	done
done < <(awk '/^\| row \| folders/ { on = 1; next } on && !/^\|/ { exit } on && !/^\| ---/' \
	doc/architecture.md | cut -d '|' -f 3)

failed=0
complain() {
	echo "$1"
	failed=1
}

[ "$row" -ge 4 ] || complain "doc/architecture.md: the table of rows was not found"
files=0
for folder in src/*/; do
	from=$(basename "$folder")
	if [ -z "${row_of[$from]:-}" ]; then
		complain "src/$from: not in the table of doc/architecture.md"
		continue
	fi
	while IFS=: read -r file line include; do
		to=$(sed 's/^[^"]*"\([^"]*\)".*/\1/' <<<"$include")
		case $to in
		config.h) continue ;; # what configure found out
		*/*) to=${to%%/*} ;;
		*) complain "$file:$line: $to is included without its folder" && continue ;;
		esac
		if [ -z "${row_of[$to]:-}" ]; then
			complain "$file:$line: src/$to is not in the table of doc/architecture.md"
		elif [ "$to" != "$from" ] && [ "${row_of[$to]}" -eq "${row_of[$from]}" ]; then
			complain "$file:$line: $from includes its neighbour $to"
		elif [ "${row_of[$to]}" -lt "${row_of[$from]}" ]; then
			complain "$file:$line: $from includes $to, which is above it"
		fi
	done < <(grep -n '^[[:space:]]*#[[:space:]]*include[[:space:]]*"' "$folder"*.[ch] /dev/null)
	files=$((files + $(find "$folder" -name '*.[ch]' | wc -l)))
done
[ "$files" -gt 0 ] || complain "src: no files"
echo "$files files in ${#row_of[@]} folders and $row rows"
exit "$failed"
