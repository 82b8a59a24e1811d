#!/bin/bash
# dev/setup.sh [test | test-all | browser]: install what is missing to build images. `test` also installs what `make
# test` needs, `test-all` what the long tests need, `browser` what the tests of `lamina report` need.
# Outside of the checkout it changes nothing but the packages that apt installs.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=env.sh
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"
cd "$lamina_root"

test_packages=(
  apache2-utils buildah busybox-static bzip2 containerd crun docker-registry docker.io fakeroot fish golang-go iptables
  jq mandoc mmdebstrap mount openssh-server openssl podman procps runc skopeo umoci xz-utils zsh zstd
)
# The programs of newer Debian releases that the tests use, in roots of their own. dev/root.sh makes these.
trixie_packages=(
  buildah containerd cosign crun docker-cli docker-registry docker.io netavark oras podman runc skopeo umoci
)
python_packages=(
  libmagic1t64 python3 python3-aiohttp python3-attr python3-hypothesis python3-jsonschema python3-magic python3-pytest
  python3-pytest-xdist python3-zstandard
)
forky_packages=("${trixie_packages[@]}" "${python_packages[@]}" crane nix-bin)
browser_packages=(chromium)
packages=()

say() { echo "setup: $*"; }
die() { echo "setup: $*" >&2; exit 1; }
have() { command -v "$1" >/dev/null; }

# Collect the packages that are missing for building. Whoever has nixpkgs builds with what is there.
want_for_building() {
  if have nix-build && lamina_has_nixpkgs; then
    return
  fi
  have nix-build || packages+=(nix-bin)
  python3 -c 'import ensurepip' 2>/dev/null || packages+=(python3-venv)
  python3 -c 'import ctypes; ctypes.CDLL("libmagic.so.1")' 2>/dev/null || packages+=(libmagic1)
}

want_for_testing() {
  local installed package
  installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null || true)
  for package in "$@"; do
    grep -qx "installed $package" <<<"$installed" || packages+=("$package")
  done
}

update_lists() {
  say "apt-get update"
  apt-get update -qq
}

install_packages() {
  [[ ${#packages[@]} -gt 0 ]] || return 0
  local install="apt-get install -y --no-install-recommends ${packages[*]}"
  have apt-get || die "missing ${packages[*]}, and there is no apt; install them, or Nix and nixpkgs"
  if [[ $EUID != 0 ]]; then
    # Nix without a daemon works for the owner of its store.
    [[ " ${packages[*]} " != *" nix-bin "* ]] || install+=" && sudo install -d -o $(id -un) /nix"
    die "missing packages; run: sudo $install"
  fi
  say "installing ${packages[*]}"
  export DEBIAN_FRONTEND=noninteractive
  # Packages that come with a daemon must not start it.
  if [[ ! -e /usr/sbin/policy-rc.d ]]; then
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
    printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
    chmod +x /usr/sbin/policy-rc.d
  fi
  compgen -G '/var/lib/apt/lists/*Packages*' >/dev/null || update_lists
  quiet_install || { update_lists; quiet_install; } || die "apt failed; see above, then run: $install"
  rm -f /usr/sbin/policy-rc.d
  trap - EXIT
}

quiet_install() {
  apt-get install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 "${packages[@]}" >.state/apt.log 2>&1 ||
    { tail -n 20 .state/apt.log >&2; return 1; }
}

# Without nixpkgs, Nix runs on a configuration of the checkout's own, and on the distribution's packages.
prepare_nix() {
  lamina_has_nixpkgs && return
  mkdir -p .state/nix
  cat >.state/nix/nix.conf.new <<'END'
build-users-group =
substituters =
sandbox = true
sandbox-fallback = false
max-jobs = auto
experimental-features = nix-command flakes
END
  mv .state/nix/nix.conf.new .state/nix/nix.conf
  nix-instantiate --eval -E 'builtins.toFile "probe" ""' >/dev/null 2>&1 ||
    die "the Nix store is not writable; run: sudo chown -R $(id -un) /nix"
  if ! python3 nix/host/fetch.py; then
    [[ $EUID == 0 ]] || die "if apt's lists are old, run: sudo apt-get update"
    update_lists
    python3 nix/host/fetch.py
  fi
}

prepare_venv() {
  if [[ .venv/.complete -nt pyproject.toml ]]; then
    return
  fi
  if ! python3 -c 'import ensurepip' 2>/dev/null; then
    say "no .venv: this Python has no ensurepip"
    return
  fi
  say "making .venv"
  [[ -x .venv/bin/pip ]] || python3 -m venv --clear .venv
  .venv/bin/pip --disable-pip-version-check install -qq -e '.[dev]'
  touch .venv/.complete
  say 'ready; to use nix-build and lamina in this shell: . dev/env.sh'
}

# Packages that only some machines have, a group of optional dependencies in pyproject.toml.
prepare_optional() { # GROUP PACKAGES SKIPPED
  if [[ ! -x .venv/bin/pip || .venv/.$1 -nt pyproject.toml ]]; then
    return
  fi
  if .venv/bin/pip --disable-pip-version-check install -qq -e ".[$1]"; then
    touch ".venv/.$1"
  else
    say "no $2: pip has none for this machine; tests skip $3"
  fi
}

# syft and dive, which PyPI has as programs.
prepare_scanners() { prepare_optional consumers "syft and dive" "them"; }

# playwright, which drives Debian's Chromium in the tests of `lamina report`.
prepare_browser() { prepare_optional browser playwright "the browser"; }

# The packages of a large closure, for a test of its reports: tests that run as root have no network.
prepare_closure() {
  if [[ ! -x .venv/bin/python ]] || ! have apt-get; then
    say "no packages of a large closure: it takes apt and .venv; a test of reports skips it"
    return
  fi
  .venv/bin/python -c 'from bench import closures; closures.download(["large"])'
}

# Programs of newer Debian releases, beside those of this machine.
prepare_root() { # NAME SUITE PACKAGE...
  if ! have mmdebstrap || [[ $EUID != 0 ]]; then
    say "no root with Debian $2's programs: it takes root and mmdebstrap; tests skip them"
    return
  fi
  bash dev/root.sh "$@"
}

python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || die "Python 3.11 or newer is needed"
mkdir -p .state
exec {lock}>.state/setup.lock
flock -n "$lock" || { say "waiting for another run"; flock "$lock"; }

want_for_building
if [[ ${1:-} == test* ]]; then
  if have dpkg-query; then
    want_for_testing "${test_packages[@]}"
  else say "not Debian: tests skip the tools that are missing"; fi
fi
if [[ ${1:-} =~ ^(test-all|browser)$ ]] && have dpkg-query; then want_for_testing "${browser_packages[@]}"; fi
install_packages
prepare_nix
prepare_venv
if [[ ${1:-} == test* ]]; then
  prepare_scanners
  prepare_root trixie trixie "${trixie_packages[@]}"
fi
if [[ ${1:-} =~ ^(test-all|browser)$ ]]; then prepare_browser; fi
if [[ ${1:-} == test-all ]]; then
  prepare_closure
  prepare_root forky forky "${forky_packages[@]}"
  prepare_root trixie-python trixie "${python_packages[@]}"
fi
