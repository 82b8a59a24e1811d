#!/bin/bash
# dev/fresh.sh [ARGUMENTS of pytest]: run what README promises, `make demo` and `make test`, from a clone of HEAD in a
# new minimal Debian 12. Continuous integration runs this too, see .ci/run.
#
# Of the machine, the new root has the kernel, the network and its settings, and ../shared (read-only) if that is there.
# It is entered by pivot_root: in a plain chroot the kernel refuses user namespaces, and Nix's sandbox needs those.
#
# However this script ends, its processes and mounts end with it, and a process of its own removes the root.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=debian.sh
. "$(dirname "${BASH_SOURCE[0]}")/debian.sh"

clone=/srv/lamina
shared=/srv/shared

say() { echo "fresh: $*"; }
die() { echo "fresh: $*" >&2; exit 1; }

# The directory with the most room: the tests write files of several GiB, and /tmp may be memory.
roomiest() { # DIRECTORY...
  paste <(df --output=avail "$@" | tail -n +2) <(printf '%s\n' "$@") | sort -s -rn -k1,1 | head -n 1 | cut -f2
}

# Wait until nobody holds the other end of standard input any more, then remove a directory.
sweep() { # DIRECTORY
  cat >/dev/null
  local attempt
  for attempt in {1..50}; do
    # What was just killed may still be writing.
    rm -rf --one-file-system "$1" 2>/dev/null && return
    sleep 0.2
  done
  die "$1 is not removed after $attempt attempts"
}

# A command in mount and PID namespaces of its own: all that it started and mounted ends when this script ends.
apart() { # COMMAND...
  setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child --propagation private "$@"
}

install_mmdebstrap() {
  command -v mmdebstrap >/dev/null && return
  say "installing mmdebstrap"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  apt-get install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=300 mmdebstrap >/dev/null
}

make_root() { # DIRECTORY
  download_settings >"$1.apt.conf"
  debian_sources bookworm >"$1.list"
  [[ -s $1.list ]] || die "this machine's apt has no source of Debian"
  apart mmdebstrap --quiet --mode=root --variant=minbase --include=git,make,python3,ca-certificates \
    --aptopt="$1.apt.conf" bookworm "$1" "$1.list"
  cp -L /etc/resolv.conf /etc/hosts "$1/etc/"
  [[ ! -e /etc/pip.conf ]] || cp /etc/pip.conf "$1/etc/"
  if compgen -G '/usr/local/share/ca-certificates/*.crt' >/dev/null; then
    cp /usr/local/share/ca-certificates/*.crt "$1/usr/local/share/ca-certificates/"
    chroot "$1" update-ca-certificates >/dev/null 2>&1
  fi
}

# HEAD alone, whoever owns the checkout.
make_clone() { # ROOT
  printf '[safe]\ndirectory = *\n' >"$1.gitconfig"
  GIT_CONFIG_GLOBAL=$1.gitconfig git clone --quiet . "$1$clone"
}

network_settings() {
  env | grep -iE '^(PIP_(INDEX_URL|EXTRA_INDEX_URL|TRUSTED_HOST|CERT|DEFAULT_TIMEOUT)|(http|https|ftp|all|no)_proxy)=' ||
    true
}

enter() { # ROOT COMMAND...
  local root=$1
  shift
  mapfile -t settings < <(network_settings)
  # shellcheck disable=SC2016
  apart bash -euc '
    root=$1 shared=$2 there=$3; shift 3
    mount --bind "$root" "$root"
    if [[ -d $shared ]]; then
      mkdir -p "$root$there"
      mount --bind -o ro "$shared" "$root$there"
    fi
    cd "$root"
    mount --rbind /sys sys
    mount --rbind /dev dev
    mount -t proc proc proc
    mount -t tmpfs tmpfs run
    mkdir -p old
    pivot_root . old
    umount -l /old
    rmdir /old
    cd /
    exec "$@"
  ' enter "$root" "$PWD/../shared" "$shared" \
    env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 CI=true "${settings[@]}" "$@"
}

seconds() { # SINCE
  awk -v since="$1" -v now="$EPOCHREALTIME" 'BEGIN { printf "%.0f s", now - since }'
}

# The last line is pytest's.
inside() { # ARGUMENTS of pytest
  local begin=$EPOCHREALTIME
  cd "$clone"
  say "make demo"
  make demo
  say "make demo took $(seconds "$begin"); the whole root has $(du -shx / | cut -f1)"
  say "make test"
  make test ARGS="$*"
}

case ${1:-} in
  inside) inside "${@:2}"; exit ;;
  sweep) sweep "$2"; exit ;;
esac

cd "$(dirname "${BASH_SOURCE[0]}")/.."
[[ $EUID == 0 ]] || die "this needs root"
begin=$EPOCHREALTIME
work=$(mktemp -d "$(roomiest "${TMPDIR:-/tmp}" /var/tmp "$PWD")/lamina-fresh-XXXXXX")
# Every process that this script starts holds the pipe, the init of the new root's PID namespace too.
exec {held}> >(exec setsid bash "$PWD/dev/fresh.sh" sweep "$work")
sweeper=$!

install_mmdebstrap
say "making a minimal root in $work"
make_root "$work/root"
make_clone "$work/root"
say "made in $(seconds "$begin")"
status=0
enter "$work/root" bash "$clone/dev/fresh.sh" inside "$@" || status=$?
exec {held}>&-
wait "$sweeper"
exit "$status"
