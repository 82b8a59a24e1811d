# shellcheck shell=bash
# Source this from bash to work in the checkout: `. dev/env.sh`, then `nix-build -A examples`.
# Caches and configuration stay below .state.

lamina_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

case :$PATH: in
  *:"$lamina_root/.venv/bin":*) ;;
  *) export PATH=$lamina_root/.venv/bin:$PATH ;;
esac
export XDG_CACHE_HOME=$lamina_root/.state/cache

# Somebody who has nixpkgs has a Nix that is set up as he likes it.
lamina_has_nixpkgs() {
  nix-instantiate --find-file nixpkgs >/dev/null 2>&1
}
if ! lamina_has_nixpkgs; then
  export NIX_CONF_DIR=$lamina_root/.state/nix
fi
