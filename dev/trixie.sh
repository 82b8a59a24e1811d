#!/bin/bash
# dev/trixie.sh: make a root with Debian 13's consumers in .state/trixie; tests/consumers/trixie.py enters it.
#
# Packages are only unpacked, none is configured: programs that are files and need no set-up are all that is wanted,
# and that way it takes a third of the time.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source-path=SCRIPTDIR source=debian.sh
. dev/debian.sh

root=.state/trixie
consumers=(
  buildah containerd cosign crun docker-cli docker-registry docker.io netavark oras podman runc skopeo umoci
)
# What the consumers call and no dependency brings, because Debian takes its essential packages for granted.
essential=(
  base-files base-passwd bash ca-certificates coreutils dash findutils grep gzip libc-bin mount sed tar
  util-linux zstd
)

say() { echo "setup: $*"; }

# The packages that a root was made of; one that was made of others is made again.
wanted() { printf '%s\n' 'unpacked 3' "${consumers[@]}" "${essential[@]}"; }

complete() { [[ -e $root/.made-of && $(<"$root/.made-of") == "$(wanted)" ]]; }

unpack() { # DIRECTORY
  local include
  include=$(IFS=,; echo "${consumers[*]},${essential[*]}")
  download_settings >"$work/apt.conf"
  # shellcheck disable=SC2016
  mmdebstrap --quiet --mode=root --variant=extract --include="$include" \
    --aptopt="$work/apt.conf" --aptopt='APT::Install-Recommends "false"' \
    --extract-hook='ls "$1/var/cache/apt/archives" >"$1/.packages"' \
    trixie "$1" "$work/sources.list" >"$work/log" 2>&1 || { tail -n 20 "$work/log" >&2; exit 1; }
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
exec {lock}>.state/trixie.lock
flock "$lock"
if complete; then exit; fi
say "making a root with Debian 13's consumers"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
debian_sources trixie >"$work/sources.list"
if [[ ! -s $work/sources.list ]]; then
  say "not Debian: tests skip Debian 13's consumers"
  exit
fi
rm -rf --one-file-system "$root" "$root.new"
unpack "$root.new"
configure "$root.new"
wanted >"$root.new/.made-of"
mv "$root.new" "$root"
