#!/bin/sh
# Installs the Debian packages of the programs, or files by their whole path, that are missing: install.sh PROGRAM=PACKAGE...
# No service is started: a server that comes with a package is for tests to start, privately.
set -eu
packages=
for pair in "$@"; do
	[ -e "${pair%%=*}" ] || command -v "${pair%%=*}" >/dev/null 2>&1 || packages="$packages ${pair#*=}"
done
[ -n "$packages" ] || exit 0

as_root=
if [ "$(id -u)" != 0 ]; then
	as_root=sudo
fi
if ! command -v apt-get >/dev/null || { [ -n "$as_root" ] && ! command -v sudo >/dev/null; }; then
	echo "install.sh: missing here:$packages: install them, then try again" >&2
	exit 1
fi

policy=/usr/sbin/policy-rc.d # asked by Debian before it starts a service: 101 is no
if [ ! -e "$policy" ]; then
	printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" >/dev/null
	$as_root chmod +x "$policy"
	trap '$as_root rm -f "$policy"' EXIT
fi
install() {
	# shellcheck disable=SC2086 # a list of words
	$as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -q --no-install-recommends $packages
}
install || { $as_root apt-get update -q && install; }
