#!/bin/bash
# dev/fresh.sh: do everything that README promises, on a Debian 12 that has nothing, from a clone of HEAD.
#
# The new root gets mount and PID namespaces of its own by pivot_root: in a plain chroot the kernel refuses
# user namespaces, and with them Nix's sandbox. When the script ends, nothing of it is left.
set -euo pipefail

clone=/srv/lamina

# What the outer machine has to say about where packages come from.
apt_sources() {
  find /etc/apt/sources.list /etc/apt/sources.list.d -name '*.list' -o -name '*.sources' 2>/dev/null
}

network_settings() {
  env | grep -iE '^(PIP_[A-Z_]+|(http|https|ftp|all|no)_proxy)=' || true
}

make_root() { # DIRECTORY
  local sources
  mapfile -t sources < <(apt_sources)
  apt-config dump | grep '^Acquire::' >"$1.apt.conf"
  mmdebstrap --quiet --mode=root --variant=minbase --include=git,make,python3,ca-certificates \
    --aptopt="$1.apt.conf" bookworm "$1" "${sources[@]}"
  cp -L /etc/resolv.conf /etc/hosts "$1/etc/"
  [[ ! -e /etc/pip.conf ]] || cp /etc/pip.conf "$1/etc/"
  if compgen -G '/usr/local/share/ca-certificates/*.crt' >/dev/null; then
    cp /usr/local/share/ca-certificates/*.crt "$1/usr/local/share/ca-certificates/"
    chroot "$1" update-ca-certificates >/dev/null 2>&1
  fi
}

enter() { # DIRECTORY COMMAND...
  local root=$1
  shift
  mapfile -t settings < <(network_settings)
  # shellcheck disable=SC2016
  unshare --mount --pid --fork --kill-child --propagation private bash -euc '
    root=$1; shift
    mount --bind "$root" "$root"
    cd "$root"
    mount --rbind /sys sys
    mount --rbind /dev dev
    mount -t proc proc proc
    mount -t tmpfs tmpfs run
    mount -t tmpfs tmpfs tmp
    mkdir -p old
    pivot_root . old
    umount -l /old
    cd /
    exec "$@"
  ' enter "$root" env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 "${settings[@]}" "$@"
}

measure() { # TITLE COMMAND...
  local title=$1 begin=$EPOCHREALTIME status=0
  shift
  echo "== $title"
  "$@" || status=$?
  awk -v title="$title" -v begin="$begin" -v end="$EPOCHREALTIME" -v status="$status" \
    'BEGIN { printf "== %s: %.1f s, status %d\n", title, end - begin, status }'
  return "$status"
}

sizes() {
  local directory
  for directory in / /nix/store "$clone/.state" "$clone/.venv"; do
    [[ ! -e $directory ]] || du -shx "$directory"
  done
}

inside() {
  cd "$clone"
  sizes
  measure "make demo" make demo
  sizes
  measure "make demo, again" make demo
  measure "make test" make test
  sizes
}

if [[ ${1:-} == inside ]]; then
  inside
  exit
fi

cd "$(dirname "${BASH_SOURCE[0]}")/.."
[[ $EUID == 0 ]] || { echo "fresh: needs root" >&2; exit 1; }
command -v mmdebstrap >/dev/null || { echo "fresh: run: apt-get install mmdebstrap" >&2; exit 1; }
git rev-parse -q --verify HEAD >/dev/null || { echo "fresh: nothing is committed yet" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf --one-file-system "$work"' EXIT
measure "make a minimal root" make_root "$work/root"
git clone --quiet . "$work/root$clone"
enter "$work/root" bash "$clone/dev/fresh.sh" inside
