# What contrib/quickstart and contrib/test share; not a program of its own.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
jobs=$(nproc 2>/dev/null || echo 2)

bold='' red='' green='' plain=''
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ] && [ "${TERM:-dumb}" != dumb ]; then
	bold=$'\e[1m' red=$'\e[31m' green=$'\e[32m' plain=$'\e[0m'
fi

say() {
	printf '%s\n' "$*"
}

title() {
	printf '\n%s%s%s\n' "$bold" "$*" "$plain"
}

give_up() {
	printf '%s%s%s\n' "$red" "$*" "$plain" >&2
	exit 1
}

# A long step: what it does, the file for its output, the command.
step() {
	local what=$1 log=$2 start=$SECONDS
	shift 2
	printf '%s ... ' "$what"
	if "$@" >"$log" 2>&1 </dev/null; then
		printf '%sdone%s (%d s)\n' "$green" "$plain" $((SECONDS - start))
		return 0
	fi
	printf '%sfailed%s\n' "$red" "$plain"
	tail -n 30 "$log" >&2
	printf '%sThe whole output is in %s%s\n' "$red" "$log" "$plain" >&2
	return 1
}

as_root() {
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	else
		sudo "$@"
	fi
}

missing_packages() {
	local package
	for package; do
		[ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] ||
			printf '%s ' "$package"
	done
}

apt_get() {
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 -qq -y "$@"
}

# Installs those that are not there.  The first argument is the folder for logs.
need_packages() {
	local logs=$1 missing
	shift
	if ! command -v dpkg-query >/dev/null; then
		say "This is no Debian: the packages are taken to be there ($*)."
		return 0
	fi
	missing=$(missing_packages "$@")
	[ -z "$missing" ] && return 0
	if [ "$(id -u)" -ne 0 ] && ! command -v sudo >/dev/null; then
		give_up "These packages are missing, and there is no sudo to install them: $missing"
	fi
	# The password is asked for here and not behind a log file.
	[ "$(id -u)" -eq 0 ] || sudo true || exit 1
	step "Updating the list of packages" "$logs/apt-update.log" apt_get update || exit 1
	# shellcheck disable=SC2086
	step "Installing $missing" "$logs/apt-install.log" \
		apt_get install --no-install-recommends $missing || exit 1
}

build_packages=(gcc libc6-dev make autoconf automake pkg-config libevent-dev
	libcurl4-openssl-dev libgmime-3.0-dev libjansson-dev libsqlite3-dev libconfuse-dev
	libpcre2-dev libseccomp-dev libssl-dev libsystemd-dev ca-certificates)

# The folder, then arguments for configure.
configure_in() {
	local folder=$1
	shift
	mkdir -p "$folder"
	if [ ! -x "$root/configure" ]; then
		step "Making configure" "$folder/autoreconf.log" autoreconf -fi "$root" || return 1
	fi
	if [ ! -f "$folder/Makefile" ]; then
		step "Configuring in ${folder#"$root"/}" "$folder/configure.log" \
			env -C "$folder" "$root/configure" "$@" || return 1
	fi
}
