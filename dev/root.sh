#!/bin/bash
# dev/root.sh NAME SUITE PACKAGE...: unpack packages of a Debian suite, and what they depend on, into .state/NAME.
# tests/support/consumers/roots.py enters it.
#
# Packages are unpacked and not configured. That is enough for programs that need no set-up, and takes a third of the
# time.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source-path=SCRIPTDIR source=debian.sh
. dev/debian.sh

suite=$2
packages=("${@:3}")
root=.state/$1
# Programs that the packages call and do not depend on, because Debian's essential packages are always installed.
essential=(
  base-files base-passwd bash ca-certificates coreutils dash findutils grep gzip libc-bin mount sed tar
  util-linux zstd
)

say() { echo "setup: $*"; }

# Identifies a root: one that was made differently is made again.
recipe() { printf '%s\n' 'unpacked 3' "${packages[@]}" "${essential[@]}"; }

complete() { [[ -e $root/.made-of && $(<"$root/.made-of") == "$(recipe)" ]]; }

unpack() { # DIRECTORY
  local include
  include=$(IFS=,; echo "${packages[*]},${essential[*]}")
  download_settings >"$work/apt.conf"
  # shellcheck disable=SC2016
  mmdebstrap --quiet --mode=root --variant=extract --include="$include" \
    --aptopt="$work/apt.conf" --aptopt='APT::Install-Recommends "false"' \
    --extract-hook='ls "$1/var/cache/apt/archives" >"$1/.packages"' \
    "$suite" "$1" "$work/sources.list" >"$work/log" 2>&1 || { tail -n 20 "$work/log" >&2; exit 1; }
}

configure() { # DIRECTORY
  cp "$1/usr/share/base-passwd/passwd.master" "$1/etc/passwd"
  cp "$1/usr/share/base-passwd/group.master" "$1/etc/group"
  rm -rf "$1"/usr/share/{doc,info,locale,man}
  # containerd shares them with containers that have the machine's network.
  echo '127.0.0.1 localhost' >"$1/etc/hosts"
  : >"$1/etc/resolv.conf"
}

mkdir -p .state
exec {lock}>"$root.lock"
flock "$lock"
if complete; then exit; fi
say "making a root with Debian $suite's programs"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
debian_sources "$suite" >"$work/sources.list"
if [[ ! -s $work/sources.list ]]; then
  say "not Debian: tests skip Debian $suite's programs"
  exit
fi
rm -rf --one-file-system "$root" "$root.new"
unpack "$root.new"
configure "$root.new"
recipe >"$root.new/.made-of"
mv "$root.new" "$root"
