#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Install the packages that building, demo and tests need and that are missing,
# as root or with sudo; else say which are missing.  Usage: deps.sh [LIST]
set -eu

want=$(sed 's/#.*//' "${1:-$(dirname "$0")/packages.txt}")
missing=
for package in $want; do
	case $(dpkg-query -W -f '${Status}' "$package" 2>/dev/null) in
	*' installed') ;;
	*) missing="$missing $package" ;;
	esac
done
[ -n "$missing" ] || exit 0

apt=
[ "$(id -u)" = 0 ] || apt=sudo
if [ -n "$apt" ] && ! command -v sudo >/dev/null; then
	echo "missing packages, to be installed as root:" >&2
	echo "  apt-get install --no-install-recommends$missing" >&2
	exit 1
fi
echo "installing:$missing" >&2
export DEBIAN_FRONTEND=noninteractive
$apt apt-get update -qq
# The daemons that come with Slurm and munge must not run: the demo and the
# tests start their own.
policy=/usr/sbin/policy-rc.d
made=
if [ ! -e "$policy" ]; then
	printf '#!/bin/sh\nexit 101\n' | $apt tee "$policy" >/dev/null
	$apt chmod 755 "$policy"
	made=$policy
fi
status=0
# shellcheck disable=SC2086
$apt apt-get install -y -qq --no-install-recommends $missing || status=$?
[ -z "$made" ] || $apt rm -f "$made"
exit "$status"
